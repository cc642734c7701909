"""A bundle comes back as it was written, and nothing else is taken for one."""

import hashlib
import json
import shutil

import numpy as np
import onnx
import pytest

import toy_model
import toy_sky
from galprism import bundle, passbands, surveys
from galprism.errors import RequestError
from galprism.params import PARAMS


@pytest.fixture(scope="module")
def packed():
    return toy_model.bundle(steps=10)[0]


@pytest.fixture
def folder(packed, tmp_path):
    return bundle.save(packed, tmp_path / "toy")


def rewrite(folder, plain):
    """As its maker would, with the hash of the whole."""
    plain.pop("sha256", None)
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
    (folder / "bundle.json").write_text(json.dumps(plain | {"sha256": digest}))


def edit(folder, **changes):
    rewrite(folder, json.loads((folder / "bundle.json").read_text()) | changes)


class TestRoundTrip:
    def test_everything_comes_back(self, packed, folder):
        again = bundle.load(folder)
        for name in (
            "name",
            "title",
            "survey",
            "passbands",
            "targets",
            "anchored",
            "kind",
            "network",
            "recipe",
            "seed",
        ):
            assert getattr(again, name) == getattr(packed, name), name
        assert again.model == packed.model
        assert again.metrics == {"rms": 0.3}
        assert again.recipe_name == "toy"
        sources = toy_sky.catalogue(200)[0]
        np.testing.assert_array_equal(
            again.preparation.features(sources).inputs, packed.preparation.features(sources).inputs
        )

    def test_what_it_depends_on_is_written_down(self, packed, folder):
        plain = json.loads((folder / "bundle.json").read_text())
        assert plain["bands"] == list(toy_sky.BANDS)
        kids = {band.name: band.passband for band in surveys.get("kids").bands}
        assert plain["passbands"]["r"] == {"name": kids["r"], "hash": passbands.get(kids["r"]).hash}
        assert plain["definitions"]["logmstar"]["definition"] == PARAMS["logmstar"].definition
        assert set(plain["files"]) == {"model.onnx", "README.md"}
        assert plain["galprism"]
        assert plain["provenance"]["torch"]

    def test_the_identity_changes_with_the_weights(self, folder, tmp_path):
        other = bundle.save(toy_model.bundle(steps=11)[0], tmp_path / "other")
        assert bundle.load(folder).hash == bundle.load(folder).hash != bundle.load(other).hash

    def test_weights_are_stored_once_and_nothing_is_pickled(self, packed, folder):
        assert sorted(path.name for path in folder.iterdir()) == ["README.md", "bundle.json", "model.onnx"]
        model = onnx.load(folder / "model.onnx")
        stored = sum(np.prod(tensor.dims) for tensor in model.graph.initializer)
        assert packed.network["weights"] <= stored < packed.network["weights"] + 100
        assert {node.domain for node in model.graph.node} == {""}

    def test_the_card_says_what_a_person_must_know(self, folder):
        card = (folder / "README.md").read_text()
        for text in ("kids", "redshift 0.05", "| ln_flux_ref |", "dex(Msun / yr)", "recipe `toy`", "UNLIKE_TRAINING"):
            assert text in card

    def test_a_bundle_is_replaced_whole(self, packed, folder):
        (folder / "stray.txt").write_text("of an older version")
        bundle.save(packed, folder)
        assert sorted(path.name for path in folder.iterdir()) == ["README.md", "bundle.json", "model.onnx"]
        assert not [path for path in folder.parent.iterdir() if path.name.endswith(".part")]


class TestRefused:
    def test_nothing_of_that_name(self, tmp_path):
        with pytest.raises(RequestError, match="no bundle 'kids-mas'; shipped:"):
            bundle.load("kids-mas")
        (tmp_path / "file").write_text("x")
        with pytest.raises(RequestError, match="a bundle is a folder"):
            bundle.load(tmp_path / "file")

    def test_a_folder_that_is_none(self, tmp_path):
        with pytest.raises(RequestError, match=r"bundle\.json cannot be read"):
            bundle.load(tmp_path)
        (tmp_path / "bundle.json").write_text("not json")
        with pytest.raises(RequestError, match="is not JSON"):
            bundle.load(tmp_path)
        (tmp_path / "bundle.json").write_text('{"a": 1}')
        with pytest.raises(RequestError, match="does not say 'galprism bundle'"):
            bundle.load(tmp_path)

    @pytest.mark.parametrize("version", [2, 99, "1", None])
    def test_a_newer_format(self, folder, version):
        edit(folder, format_version=version, galprism="9.9")
        with pytest.raises(RequestError, match=r"made by galprism 9\.9.*reads formats up to 1"):
            bundle.load(folder)

    def test_a_file_that_was_changed(self, folder):
        data = bytearray((folder / "model.onnx").read_bytes())
        data[-1] ^= 1
        (folder / "model.onnx").write_bytes(data)
        with pytest.raises(RequestError, match=r"model\.onnx is not what the bundle was made with: sha256"):
            bundle.load(folder)

    @pytest.mark.parametrize("changes", [{"anchored": [0.99, 1.0]}, {"targets": ["logmstar"]}, {"title": "better"}])
    def test_a_number_that_was_changed_by_hand(self, folder, changes):
        path = folder / "bundle.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
        with pytest.raises(RequestError, match=r"bundle\.json was changed after the bundle was made"):
            bundle.load(folder)

    def test_a_file_that_is_gone(self, folder):
        (folder / "model.onnx").unlink()
        with pytest.raises(RequestError, match=r"model\.onnx is part of the bundle and cannot be read"):
            bundle.load(folder)

    def test_a_file_elsewhere(self, folder):
        edit(folder, files={"../../model.onnx": "0"})
        with pytest.raises(RequestError, match="outside the bundle"):
            bundle.load(folder)

    @pytest.mark.parametrize("name", ["preparation", "targets", "files", "passbands", "kind"])
    def test_a_part_that_is_missing(self, folder, name):
        plain = json.loads((folder / "bundle.json").read_text())
        del plain[name]
        rewrite(folder, plain)
        with pytest.raises(RequestError, match=f"incomplete or damaged: KeyError '{name}'"):
            bundle.load(folder)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"targets": ["logmass"]}, "target logmass is no parameter"),
            ({"kind": "flow"}, "kind 'flow' is not known"),
            ({"targets": None}, "damaged: TypeError"),
        ],
    )
    def test_a_part_that_is_odd(self, folder, changes, message):
        edit(folder, **changes)
        with pytest.raises(RequestError, match=message):
            bundle.load(folder)

    def test_a_setting_of_the_preparation_that_is_not_known(self, folder):
        plain = json.loads((folder / "bundle.json").read_text())
        plain["preparation"]["config"]["colour"] = "blue"
        rewrite(folder, plain)
        with pytest.raises(RequestError, match=r"bundle\.json: unknown key 'prep\.colour'"):
            bundle.load(folder)


class TestSave:
    def test_something_else_is_not_overwritten(self, packed, tmp_path):
        (tmp_path / "thesis").mkdir()
        (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
        with pytest.raises(RequestError, match="exists and is not a bundle"):
            bundle.save(packed, tmp_path / "thesis")
        assert (tmp_path / "thesis" / "chapter.tex").exists()
        (tmp_path / "file").write_text("x")
        with pytest.raises(RequestError, match="exists and is not a bundle"):
            bundle.save(packed, tmp_path / "file")

    def test_where_nothing_can_be_written(self, packed, tmp_path):
        (tmp_path / "file").write_text("x")
        with pytest.raises(RequestError, match="cannot be written"):
            bundle.save(packed, tmp_path / "file" / "toy")


def test_every_shipped_bundle_loads_and_is_small():
    for name in bundle.names():
        shipped = bundle.load(name)
        assert shipped.name == name
        assert len(shipped.model) < 5_000_000
        assert sum(file.stat().st_size for file in (bundle.SHIPPED / name).iterdir()) < 5_000_000
        if shipped.any_bands:
            shipped = shipped.bind(surveys.get("rubin"))
        survey = surveys.get(shipped.survey)
        for band in survey.bands:
            if band.name in shipped.bands:
                assert passbands.get(band.passband).hash == shipped.passbands[band.name]["hash"]


def test_a_shipped_bundle_goes_by_its_name(packed, tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "SHIPPED", tmp_path)
    assert bundle.names() == []
    bundle.save(packed, tmp_path / "toy-mixture")
    shutil.copytree(tmp_path / "toy-mixture", tmp_path / "not one" / "x")
    assert bundle.names() == ["toy-mixture"]
    assert bundle.load("toy-mixture").title == "A toy."
    monkeypatch.setattr(bundle, "SHIPPED", tmp_path / "none")
    assert bundle.names() == []

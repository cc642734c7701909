"""The published networks one after the other: each trained once and taken up where it stood, and what they become."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import toy_modalities as toy
from galprism import bundle, recipes
from galprism.data import Cutouts
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.infer import predict
from galprism.infer.session import Session
from galprism.nets import mmlforgalam as nets
from galprism.recipes import staged
from galprism.recipes.staged import NEEDS, REAL, Staged, exposed_once, prepared, staged_bundle

N, SIZE = 100, 32
SETTINGS = (
    f"images.size={toy.SIDE}",
    f"staged.seen.size={SIZE}",
    "staged.epochs=[2, 2, 2, 2]",
    "staged.lr=[1e-3, 1e-3, 1e-3, 1e-3]",
    "staged.batch_size=16",
    "sample.train=60",
    "sample.validation=20",
    "sample.test=20",
)
SMALL = {
    "SpectrumConfig": lambda: nets.SpectrumConfig(filters=(4, 6), dense=(24, 16)),
    "SimulatorConfig": lambda: nets.SimulatorConfig(filters=(4, 6), dense=24, features=16),
    "PictureConfig": lambda: nets.PictureConfig(filters=(4, 6), dense=(24, 16)),
    "AttentionConfig": lambda: nets.AttentionConfig(16, 4, 4, dense=(20, 16, 12, 10, 8)),
}
SEEN = {"pictures": ("cutouts",), "spectra": ("spectra",), "both": ("cutouts", "spectra")}


@pytest.fixture(scope="module", autouse=True)
def small():
    """Networks of the paper's kinds with few weights."""
    with pytest.MonkeyPatch.context() as patch:
        for name, make in SMALL.items():
            patch.setattr(staged, name, make)
        yield


def recipe(*settings):
    return recipes.load("mmlforgalam", (*SETTINGS, *settings))


@pytest.fixture(scope="module")
def known():
    """Pairs, of which the fifth has a picture of one level and the sixth a redshift beyond the paper's."""
    some, blank = toy.pairs(N, 3), toy.pairs(N, 3).pictures.copy()
    blank[4] = 7
    redshift = some.redshift.copy()
    redshift[5] = 0.4
    return replace(some, pictures=blank, redshift=redshift)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("staged")


@pytest.fixture(scope="module")
def seen(known, folder):
    return prepared(recipe(), known, folder)


def networks(known, seen, work, heard, made=None):
    return Staged(made or recipe(), known, seen, work, report=lambda name, epoch, of: heard.append((name, epoch.epoch)))


@pytest.fixture(scope="module")
def trained(known, seen, folder):
    heard = []
    found = networks(known, seen, folder / "work", heard)
    for name in ("M4", REAL):
        found.network(name)
    assert heard == [(name, k) for name in ("M1", "M2", "M3", "M4", REAL) for k in (0, 1)]
    return found


class TestPrepared:
    def test_every_row_is_there_and_what_is_left_out_has_a_reason(self, seen):
        assert len(seen.spectra) == len(seen.pictures) == len(seen.sn) == N
        assert seen.pictures.shape == (N, 3, SIZE, SIZE)
        assert not seen.good[[4, 5]].any()
        assert seen.picture_reason[4] != ""
        assert seen.spectrum_reason[5] == "redshift out of range"
        assert seen.good.sum() > 0.8 * N
        dropped = seen.dropped()
        assert sum(dropped.values()) == N - seen.good.sum()
        assert dropped["redshift out of range"] == 1

    def test_what_is_left_goes_from_0_to_1(self, seen):
        good = np.asarray(seen.spectra[seen.good], float)
        assert np.all(good.min(axis=1) == 0)
        assert np.all(good.max(axis=1) == 1)
        assert np.all(seen.sn > 5)

    def test_they_are_kept_and_found_again(self, known, seen, folder, monkeypatch):
        monkeypatch.setattr(staged, "prepare_pictures", None)
        again = prepared(recipe(), known, folder)
        np.testing.assert_array_equal(again.spectra, seen.spectra)
        np.testing.assert_array_equal(again.picture_reason, seen.picture_reason)

    def test_those_of_other_stars_are_others(self, known, seen, folder, monkeypatch):
        monkeypatch.setattr(staged, "load_library", lambda name: SimpleNamespace(hash="of other stars"))
        monkeypatch.setattr(staged, "exposed_once", lambda made, pairs: iter(()))  # nothing is found, all is made
        again = prepared(recipe(), known, folder)
        assert not np.any(again.spectra)
        assert len(list(folder.glob("prepared-*"))) == 2

    def test_the_noise_of_one_exposure_is_the_same_whenever_it_is_asked_for(self, known):
        one, two = (next(iter(exposed_once(recipe(), known)))[1] for _ in range(2))
        np.testing.assert_array_equal(one.spectra.flux, two.spectra.flux)
        assert np.any(one.spectra.flux != known.spectra.light)

    def test_it_is_so_for_those_that_are_wanted_too(self, known, monkeypatch):
        monkeypatch.setattr(staged, "BATCH", 20)
        every = {rows[0]: sources for rows, sources in exposed_once(recipe(), known)}
        some = list(exposed_once(recipe(), known, np.array([25, 61])))
        assert [rows[0] for rows, _ in some] == [20, 60]
        for rows, sources in some:
            np.testing.assert_array_equal(sources.spectra.flux, every[rows[0]].spectra.flux)


class TestStages:
    def test_only_pairs_that_were_prepared_are_learned_from(self, trained, seen):
        assert set(trained.rows["train"]) == set(np.flatnonzero(seen.good)) & set(range(60))
        assert len(trained.rows["validation"]) + len(trained.rows["test"]) == seen.good[60:].sum()

    def test_all_are_found_again_and_none_is_trained_twice(self, trained, known, seen, folder):
        heard = []
        again = networks(known, seen, folder / "work", heard)
        rows = trained.rows["test"]
        for name in ("M1", "M3", "M4", REAL):
            np.testing.assert_array_equal(again.answers(name, rows), trained.answers(name, rows))
        assert heard == []

    @pytest.mark.parametrize(
        ("gone", "learned"), [(("M4",), ["M4"]), (("M3", "features-M3-*.npy", "M4"), ["M3", "M4"])]
    )
    def test_a_stage_that_is_gone_is_made_again_alone(self, trained, known, seen, folder, tmp_path, gone, learned):
        shutil.copytree(folder / "work", tmp_path / "work")
        for name in gone:
            (place,) = (tmp_path / "work").glob(name)
            shutil.rmtree(place) if place.is_dir() else place.unlink()
        heard = []
        again = networks(known, seen, tmp_path / "work", heard)
        rows = trained.rows["test"]
        np.testing.assert_allclose(again.answers("M4", rows), trained.answers("M4", rows), atol=1e-5)
        assert heard == [(name, k) for name in learned for k in (0, 1)]

    def test_a_stage_that_was_stopped_is_taken_up(self, trained, known, seen, tmp_path):
        def stop(name, epoch, of):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            Staged(recipe(), known, seen, tmp_path, report=stop).network("M1")
        heard = []
        again = networks(known, seen, tmp_path, heard).network("M1")
        assert heard == [("M1", 1)]
        for one, other in zip(again.parameters(), trained.network("M1").parameters(), strict=True):
            assert torch.equal(one, other)

    def test_m2_learns_the_features_of_m1(self, trained):
        rows = trained.rows["train"]
        real, made = (np.asarray(trained.features(name))[rows] for name in ("M1", "M2"))
        assert real.shape == made.shape == (len(rows), 16)
        before = np.mean((real - real.mean(axis=0)) ** 2)
        assert np.mean((made - real) ** 2) < 20 * before + 1  # two passes, but of the same thing
        assert np.all(real >= 0)  # after ReLU

    def test_another_recipe_does_not_go_on_from_there(self, trained, known, seen, folder):
        other = Staged(recipe("staged.lr=[2e-3, 1e-3, 1e-3, 1e-3]"), known, seen, folder / "work")
        for asked in (other.network, other.features):
            with pytest.raises(RequestError, match="other settings"):
                asked("M1")

    def test_features_of_others_may_be_taken(self, trained, known, seen, tmp_path):
        other = Staged(recipe('staged.seen.bands=["r"]'), known, seen, tmp_path, spectra=trained)
        assert other.network("M1") is trained.network("M1")
        assert other.features("M1") is trained.features("M1")


@pytest.fixture(scope="module")
def bundles(trained, tmp_path_factory):
    place, found = tmp_path_factory.mktemp("bundles"), {}
    for sees in SEEN:
        made = staged_bundle(recipe(), trained, sees)
        found[sees] = bundle.load(bundle.save(made, place / made.name))
    return found


@pytest.fixture(scope="module")
def sources(known):
    """As the networks were shown them: the spectra of one exposure, the pictures that are kept."""
    _, some = next(iter(exposed_once(recipe(), known)))
    levels = np.moveaxis(np.asarray(known.pictures)[:, ::-1, :, ::-1], -1, 1).astype(np.float32)
    cutouts = Cutouts(np.ascontiguousarray(levels), np.ones_like(levels), ("g", "r", "i"), 0.396, unit="8-bit")
    return replace(some, cutouts=cutouts, photometry=None)


class TestBundles:
    @pytest.mark.parametrize("sees", SEEN)
    def test_they_answer_as_the_networks_do(self, bundles, trained, sources, sees):
        hidden = {block: None for block in ("cutouts", "spectra") if block not in SEEN[sees]}
        found = predict(bundles[sees], replace(sources, **hidden))
        rows = trained.rows["test"]
        expected = trained.answers({"pictures": "M4", "spectra": "M1", "both": REAL}[sees], rows)
        scatter = trained.values.std(axis=0) * np.abs(trained.targets.linear).max(axis=1)
        assert np.abs(found.point[rows] - expected).max() < 0.15 * scatter.max()  # 8 bits
        assert bundles[sees].network["parts"] == list(NEEDS[sees])
        assert bundles[sees].kind == "point"

    def test_eight_bits_are_closer_to_float32_than_answers_are_to_one_another(self, trained, known, seen, folder):
        exact = Staged(recipe("staged.eight_bits=false"), known, seen, folder / "work")
        exact._networks, exact._features = trained._networks, trained._features
        sets = [staged_bundle(made.recipe, made, "pictures") for made in (trained, exact)]
        rows = trained._few(replace(trained.config.seen, sees="pictures"))[0]["features"]
        small, whole = (Session(one).run(rows, ()).point for one in sets)
        assert len(sets[0].model) < len(sets[1].model)
        expected = trained.answers("M4", trained.rows["train"][:16])
        np.testing.assert_allclose(whole.T, expected, atol=1e-4)
        assert not np.array_equal(small, whole)
        assert np.abs(small - whole).max() < 0.1

    def test_rows_that_cannot_be_prepared_are_flagged_and_kept(self, bundles, sources):
        found = predict(bundles["both"], sources)
        assert len(found) == N
        assert np.isnan(found.point[[4, 5]]).all()
        assert found.flags[4] & np.uint32(Flag.IMAGE_MISSING)
        assert found.flags[5] & np.uint32(Flag.REDSHIFT_OUT_OF_RANGE)
        assert np.all(found.flags[[4, 5]] & np.uint32(Flag.NOT_INFERRED))
        assert np.isfinite(found.point[:4]).all()

    @pytest.mark.parametrize("sees", SEEN)
    def test_no_sources_have_no_answers_in_as_many_columns(self, bundles, sources, sees):
        assert predict(bundles[sees], sources.take(slice(0, 0))).point.shape == (0, 2)

    def test_redshifts_play_no_part_for_pictures(self, bundles, sources):
        some = replace(sources, spectra=None)
        unknown = replace(some, redshift=None)
        one, two = (predict(bundles["pictures"], each) for each in (some, unknown))
        np.testing.assert_array_equal(one.point, two.point)

    def test_what_a_model_needs_and_is_not_there_is_named(self, bundles, sources):
        with pytest.raises(RequestError, match="the sources have no spectra; the model sees cutouts and spectra"):
            predict(bundles["both"], replace(sources, spectra=None))
        grey, ivar = sources.cutouts.flux[:, :1], sources.cutouts.ivar[:, :1]
        with pytest.raises(RequestError, match="three bands"):
            predict(bundles["pictures"], replace(sources, cutouts=Cutouts(grey, ivar, ("r",), 0.396, unit="8-bit")))

    def test_their_cards_say_what_they_see(self, bundles):
        assert f"prepared to {SIZE} x {SIZE} pixels" in bundles["pictures"].card
        assert "a spectrum from 3830 to 8000 Angstrom" in bundles["spectra"].card
        assert bundles["both"].name == "mmlforgalam-both"


def test_a_recipe_of_something_else_is_refused(known, folder):
    with pytest.raises(RequestError, match=r"recipe galaxy-populations-less has no \[staged\]"):
        prepared(replace(recipe(), name="galaxy-populations-less", staged=None), known, folder)

"""The reproduction of MMLforGalAM, tiny but whole, on toy galaxies; and its numbers on errors that are planted."""

import json

import numpy as np
import pytest

import toy_modalities as toy
from galprism.data import Predictions
from galprism.flags import Flag
from galprism.nets import mmlforgalam as nets
from galprism.recipes import mmlforgalam, staged
from galprism.recipes.mmlforgalam import METHODS, SEEN, shown
from galprism.recipes.mmlforgalam_bars import (
    BOTH,
    FUSED,
    IMAGE,
    MORE_OVER_LESS,
    ORDER,
    OURS_OVER,
    PAPER,
    SPECTRA,
    bars,
)
from galprism.recipes.mmlforgalam_errors import beside_exact, by_sn, errors_of, explained, labels, ratios_of
from galprism.recipes.reproduce import reproduce

NAMES = ("mean_log_age_lw", "mean_logzsol_lw")
RNG = np.random.default_rng(2)


def predictions(n, first=0, **changes):
    point = np.arange(2.0 * n).reshape(n, 2).astype("f4") + first
    none = np.zeros(n, np.uint32)
    return Predictions(np.arange(first, first + n), NAMES, point, none, none.astype("i2"), **changes)


class TestNumbers:
    def test_errors_are_those_that_were_planted(self):
        true = RNG.normal(0, 1, (20_000, 2))
        point = true + np.array([0.1, -0.2]) + RNG.normal(0, [0.3, 0.5], true.shape)
        point[:7] = np.nan
        found = errors_of(point, true)
        assert found["missing"] == [7]
        np.testing.assert_allclose(found["bias"], [0.1, -0.2], atol=0.02)
        np.testing.assert_allclose(found["sd"], [0.3, 0.5], atol=0.02)
        np.testing.assert_allclose(np.square(found["bias"]) + np.square(found["sd"]), found["mse"])
        gauss = np.sqrt(2 / np.pi) * 0.3  # of a Gaussian about 0; an offset adds to it
        assert gauss < found["mae"][0] < 1.1 * gauss + 0.1

    def test_of_no_answer_nothing_is_said(self):
        found = errors_of(np.full((3, 2), np.nan), np.zeros((3, 2)))
        assert found["missing"] == [3]
        assert np.isnan(found["sd"]).all()

    def test_features_are_explained_to_the_planted_part(self):
        """All galaxies share a shape; what sets them apart is small, and is or is not told."""
        shape = 10 * RNG.random(400)
        own = 0.3 * RNG.standard_normal((2000, 400))
        real = shape + own
        exact, mean = explained(real, real), explained(real, np.broadcast_to(real.mean(axis=0), real.shape))
        assert exact == {"of_galaxies": 1.0, "of_features": 1.0}
        assert mean["of_features"] == pytest.approx(0.0, abs=1e-6)
        assert mean["of_galaxies"] == pytest.approx(
            1 - 0.09 / (shape.var() + 0.09), abs=2e-3
        )  # near 1, knowing nothing
        half = explained(real, shape + own + 0.3 * np.sqrt(0.5) * RNG.standard_normal(own.shape))
        assert half["of_features"] == pytest.approx(0.5, abs=0.02)

    def test_features_that_do_not_vary_have_no_say(self):
        real = RNG.random((50, 6))
        real[:, 3:] = 0.7
        off = real.copy()
        off[:, 3:] += 0.1
        assert explained(real, off)["of_features"] == 1.0

    def test_bins_of_signal_to_noise_hold_each_galaxy_once(self, monkeypatch):
        monkeypatch.setattr("galprism.recipes.mmlforgalam_errors.FEWEST", 2)
        sn = np.array([5.0, 9.9, 10.0, 24.0, 30.0, 400.0, 27.0])
        off = np.stack([np.arange(7.0), -np.arange(7.0)], axis=1)
        found = by_sn(off, np.zeros((7, 2)), sn)
        assert [entry["n"] for entry in found] == [2, 1, 0, 1, 1, 2]
        assert found[0]["bias"] == [0.5, -0.5]
        assert found[5]["sd"] == [0.5, 0.5]
        assert np.isnan(found[1]["sd"]).all()  # of one galaxy nothing is said
        assert np.isnan(found[2]["sd"]).all()

    def test_labels_are_put_to_their_galaxies_by_id(self):
        true = np.zeros((4, 2))
        true[2] = 5.0
        point = np.array([[5.1, 5.2], [0.1, -0.1]], np.float32)
        fit = Predictions(
            np.array([12, 10]),
            NAMES,
            point,
            np.zeros(2, np.uint32),
            np.zeros(2, np.int16),
            extra={f"{name}_std": np.array([0.3, 0.2], np.float32) for name in NAMES},
        )
        found = labels(fit, NAMES, np.array([10, 11, 12, 13]), true, np.array([7.0, 7.0, 22.0, 7.0]))
        np.testing.assert_allclose(found["errors"]["bias"], [0.1, 0.05], atol=1e-6)
        assert found["n"] == 2
        np.testing.assert_allclose(found["scatter"][0], 0.2, atol=1e-6)
        np.testing.assert_allclose(found["scatter"][3], 0.3, atol=1e-6)
        assert np.isnan(found["scatter"][1]).all()

    def test_ratios_of_errors_have_the_errors_that_they_scatter_by(self, monkeypatch):
        """Two methods whose errors go together, again and again: the ratio's scatter is what one set says it is."""
        monkeypatch.setattr("galprism.recipes.mmlforgalam_errors.ORDER", (("a", "b"),))
        for name in ("OURS_OVER", "MORE_OVER_LESS"):
            monkeypatch.setattr(f"galprism.recipes.mmlforgalam_errors.{name}", ())
        found = []
        for _ in range(300):
            common, own = RNG.standard_normal((2, 400, 2))
            points = {"a": common + 0.1, "b": common + 0.5 * own}
            found.append(ratios_of(points, np.zeros((400, 2)))["a over b"])
        for of, expected in (("SD", 1 / np.sqrt(1.25)), ("rms", np.sqrt(1.01 / 1.25))):
            ratio, err = (np.array([one[of][name] for one in found]) for name in ("ratio", "err"))
            np.testing.assert_allclose(ratio.mean(axis=0), expected, rtol=0.01)
            np.testing.assert_allclose(err.mean(axis=0), ratio.std(axis=0), rtol=0.15)

    def test_errors_beside_the_exact_posteriors_are_of_the_same_galaxies(self):
        true = RNG.normal(0, 1, (500, 2))
        ids = np.arange(500) + 9
        nothing = {"flags": np.zeros(500, np.uint32), "n_bands": np.zeros(500, np.int16)}
        method = Predictions(ids, NAMES, (true + np.array([0.3, -0.4])).astype("f4"), **nothing)
        rows = RNG.permutation(500)[:60]
        point = true[rows] + np.array([0.1, 0.2])
        quantiles = np.stack([point - [0.2, 0.1], point + 0.2], axis=-1)
        exact = Predictions(
            ids[rows],
            NAMES,
            point.astype("f4"),
            nothing["flags"][:60],
            nothing["n_bands"][:60],
            levels=(0.16, 0.84),
            quantiles=quantiles.astype("f4"),
            extra={"converged": np.arange(60) % 2},
        )
        found = beside_exact(exact, {"method": method}, NAMES, ids, true)
        assert (found["n"], found["converged"]) == (60, 30)
        assert found["inside"] == [1.0, 0.0]
        np.testing.assert_allclose(found["exact"]["bias"], [0.1, 0.2], atol=1e-6)
        np.testing.assert_allclose(found["errors"]["method"]["bias"], [0.3, -0.4], atol=1e-6)


class TestParts:
    def test_what_is_hidden_is_not_shown(self):
        sources = toy.measured(np.arange(4))
        less = shown(sources, ("cutouts",))
        assert (less.photometry, less.spectra) == (None, None)
        assert less.cutouts is sources.cutouts
        assert np.isnan(less.redshift).all()  # it is the spectrum's
        np.testing.assert_array_equal(shown(sources, ("spectra", "cutouts")).redshift, sources.redshift)


def planted(**changed):
    """Every SD as in the paper, ours a tenth better, each the better the more it sees."""
    sd = {name: np.array(values) for name, values in PAPER.items()}
    sd |= {
        "ours: photometry": np.array([0.25, 0.2]),
        "ours: image": 0.9 * sd[FUSED],
        "ours: spectra": 0.9 * sd[SPECTRA],
    }
    sd |= {
        "ours: photometry + image": 0.85 * sd[FUSED],
        "ours: spectra + image": 0.9 * sd[BOTH],
        "ours: all": 0.5 * sd[BOTH],
    }
    sd |= {name: np.array(values) for name, values in changed.items()}
    errors = {name: {"sd": value.tolist(), "mse": (value**2).tolist()} for name, value in sd.items()}
    varied = {"64px": {"sd": [0.2, 0.17]}, "128px": {"sd": [0.15, 0.13]}}
    features = {"of_galaxies": 0.975, "of_features": 0.4}
    ratios = {}
    for one, other in (*ORDER, *OURS_OVER, *MORE_OVER_LESS):
        ratio = {"ratio": (sd[one] / sd[other]).tolist(), "err": [0.1, 0.1]}
        ratios[f"{one} over {other}"] = {"SD": ratio, "rms": ratio}
    return {"errors": errors, "ratios": ratios, "features": features, "varied": varied}


class TestBars:
    def test_all_is_met_by_the_papers_own_numbers_but_what_they_miss(self):
        found = {bar.name: bar for bar in bars(planted())}
        missed = {name for name, bar in found.items() if not bar.met}
        # the paper's own gains are 26.8 and 14.7 per cent
        assert missed == {f"MMLforGalAM's gain over image alone: {what}" for what in ("age", "[M/H]")}
        assert len(found) == 39
        assert found[f"{IMAGE}: SD of age"].paper == 0.2057
        assert found["ours: image over MMLforGalAM: image: SD of age"].ours == pytest.approx(0.9)
        assert "0.400" in found["R2 of simulated features, over those of a galaxy"].note

    @pytest.mark.parametrize(
        ("changed", "name"),
        [
            ({SPECTRA: (0.16, 0.12)}, "M1: spectra over MMLforGalAM: image: SD of age"),
            ({BOTH: (0.12, 0.128)}, "MMLforGalAM: spectra + image over M1: spectra: SD of [M/H]"),
            (
                {"ours: spectra + image": (0.12, 0.13)},
                "ours: spectra + image over MMLforGalAM: spectra + image: SD of [M/H]",
            ),
            ({"ours: all": (0.13, 0.05)}, "ours: all over ours: spectra + image: rms of age"),
            ({"ours: all": (0.137, 0.05)}, "ours: gain over image alone: age"),
        ],
    )
    def test_what_is_worse_is_not_met(self, changed, name):
        found = {bar.name: bar for bar in bars(planted(**changed))}
        assert not found[name].met

    def test_a_gain_beyond_the_bar_is_met(self):
        found = {bar.name: bar for bar in bars(planted(**{FUSED: (0.14, 0.13)}))}
        assert found["MMLforGalAM's gain over image alone: age"].met
        assert found["MMLforGalAM's gain over image alone: age"].ours == pytest.approx(1 - 0.14 / 0.2057)

    def test_pictures_of_two_sizes_are_compared_where_there_are_both(self):
        measured = planted()
        del measured["varied"]["64px"]
        assert not any("128 over 64" in bar.name for bar in bars(measured))


N_TRAIN, N = 60, 100
EXACT_RMS = 0.01


def exact_of_toys(recipe, sources, config, *, workers):
    """Means that are EXACT_RMS off, of posteriors that are as wide."""
    known = toy.pairs(N)
    place = {one: row for row, one in enumerate(known.ident.tolist())}
    true = np.stack([known.column(name) for name in NAMES], axis=1)[[place[one] for one in sources.id.tolist()]]
    n, spread = len(true), EXACT_RMS * np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    found = true + EXACT_RMS * np.where(np.arange(n) % 2, 1, -1)[:, None]
    none = np.zeros(n, np.uint32)
    return Predictions(
        sources.id,
        NAMES,
        found.astype("f4"),
        none,
        none.astype("i2"),
        levels=(0.025, 0.16, 0.5, 0.84, 0.975),
        quantiles=(found[..., None] + spread).astype("f4"),
        extra={"converged": np.ones(n)},
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder after a run with as little of everything as there can be, on toy galaxies."""
    settings = (f"images.size={toy.SIDE}", "sample.train=60", "sample.validation=20", "sample.test=20")
    tiny = mmlforgalam.Size(
        settings=(*settings, "staged.seen.size=32", "staged.epochs=[1, 1, 1, 1]"),
        ours=(*toy.SETTINGS[1:4], "train={epochs=[2], lr=[4e-3], batch_size=20}"),
        few=("staged.epochs=[1, 1, 1, 1]",),
        fitted=2,
        realisations=2,
        exact=3,
    )
    small = {
        "SpectrumConfig": lambda: nets.SpectrumConfig(filters=(4, 6), dense=(24, 16)),
        "SimulatorConfig": lambda: nets.SimulatorConfig(filters=(4, 6), dense=24, features=16),
        "PictureConfig": lambda: nets.PictureConfig(filters=(4, 6), dense=(24, 16)),
        "AttentionConfig": lambda: nets.AttentionConfig(16, 4, 4, dense=(20, 16, 12, 10, 8)),
    }
    sides = [(name, (f"staged.seen.size={px}", f"staged.seen.crop={px}")) for name, px in ((64, 24), (128, 48))]
    with pytest.MonkeyPatch.context() as patch:
        for name, make in small.items():
            patch.setattr(staged, name, make)
        patch.setattr(mmlforgalam, "SMALL", tiny)
        patch.setattr(mmlforgalam, "TABLE_A2", ("r", "gri"))
        patch.setattr(mmlforgalam.Reproduction, "_sides", lambda self: sides)
        patch.setattr(mmlforgalam, "pairs_of", lambda *given: toy.pairs(N))
        patch.setattr(mmlforgalam, "kept_basis", lambda *given: toy.basis())
        patch.setattr(mmlforgalam, "exact_answers", exact_of_toys)
        folder = tmp_path_factory.mktemp("reproduce") / "out"
        table = reproduce("mmlforgalam", folder, quick=True, say=lambda text: None)
        again = []
        reproduce("mmlforgalam", folder, quick=True, say=again.append)
    return folder, table, again


def test_it_ends_in_its_table_and_pages(whole):
    folder, table, again = whole
    found = json.loads((folder / "table.json").read_text())
    assert len(found) == 39
    assert all(bar["ours"] is not None for bar in found)
    assert "MMLforGalAM's gain over image alone: age" in table.text()
    page = (folder / "results.md").read_text()
    for words in (
        "Errors (Table 1)",
        "Sides of pictures (Table A.1)",
        "Colours of pictures (Table A.2)",
        "Beside the exact posterior of the spectrum",
        "On 3 of the test galaxies, of whose posteriors 3 have converged",
        *METHODS,
        *SEEN,
    ):
        assert words in page
    exact = json.loads((folder / "measured.json").read_text())["exact"]
    np.testing.assert_allclose(np.sqrt(exact["exact"]["mse"]), EXACT_RMS, rtol=1e-3)
    assert any("done already" in line for line in again)
    figures = {path.stem for path in (folder / "report-published" / "figures").glob("*.png")}
    assert {"by_signal", "features"} <= figures


def test_all_methods_are_asked_about_the_same_galaxies(whole):
    from galprism.data.tables import read_predictions

    folder = whole[0]
    ids = {path.stem: read_predictions(path).id.tolist() for path in (folder / "predictions").glob("*.parquet")}
    fit, exact = ids.pop("full-spectrum-fit"), ids.pop("exact-posterior-spectra")
    assert exact[: len(fit)] == fit
    assert len(exact) == 3
    assert len(ids) == len(METHODS) + len(SEEN)
    first = next(iter(ids.values()))
    assert all(found == first for found in ids.values())
    assert set(fit) <= set(first)
    assert set(first) <= set(range(1080, 1100))


def test_its_bundles_are_there_and_answer(whole):
    from galprism import bundle
    from galprism.infer import predict

    sources = toy.measured(np.arange(3))
    found = predict(bundle.load(whole[0] / "bundles" / "galaxy-populations"), sources)
    assert np.isfinite(found.point).all()
    spectra = predict(bundle.load(whole[0] / "bundles" / "mmlforgalam-spectra"), shown(sources, ("spectra",)))
    assert spectra.names == NAMES
    assert not np.any(spectra.flags & np.uint32(Flag.NOT_INFERRED))

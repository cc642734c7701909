"""Posteriors joint with the redshift by the model that ships, on simulated KiDS galaxies that ship too."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from galprism import bundle, surveys
from galprism.cli.main import main
from galprism.cosmology import age_gyr
from galprism.data import Photometry
from galprism.data.tables import open_table, read_predictions, read_truth, write_table
from galprism.flags import Flag
from galprism.infer import Posteriors, predict, predict_file, read_posteriors
from galprism.infer.stored import COLUMN
from galprism.recipes.demo import CATALOGUE, FOLDER

KIDS = surveys.get("kids")
N = 800
LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)
NAMES = ("logmstar", "logsfr", "age_mw", "age_lw", "logzsol", "av", "redshift")


@pytest.fixture(scope="module")
def model():
    return bundle.load("galaxy-photometry").bind(KIDS)


@pytest.fixture(scope="module")
def sky():
    return surveys.read(str(FOLDER / CATALOGUE), KIDS).take(slice(0, N))


@pytest.fixture(scope="module")
def blind(model, sky):
    """The answers to galaxies whose redshifts were not told, with their joint posteriors."""
    return predict(model, replace(sky, redshift=None), LEVELS, posterior=True, infer_redshift=True)


def read(found):
    return Posteriors.unpack(found.extra[COLUMN], found.point.astype(float), found.meta[COLUMN])


@pytest.fixture(scope="module")
def joint(blind):
    return read(blind)


def test_bytes(blind, joint):
    assert joint.names == blind.names == NAMES
    assert blind.extra[COLUMN].shape == (N, 512)


@pytest.mark.parametrize("name", NAMES)
def test_quantiles_are_those_of_the_table(blind, joint, name):
    """From 16 to 84 % half of them within 0.02 sigma (of the redshift 0.05), and all but one in fifty within 0.12
    (0.3); the ends of 95 % lie where there is little, and are judged by the probability below them."""
    width = 0.5 * (blind.quantile(name, 0.84) - blind.quantile(name, 0.16))
    typical, most, beyond = (0.05, 0.3, 0.07) if name == "redshift" else (0.02, 0.12, 0.03)
    for level in LEVELS:
        assert np.quantile(np.abs(joint.below(name, blind.quantile(name, level)) - level), 0.98) < beyond
        if 0.1 < level < 0.9:
            off = np.abs(joint.quantile(name, level) - blind.quantile(name, level)) / width
            assert np.median(off) < typical
            assert np.quantile(off, 0.98) < most


def test_the_truth_falls_anywhere(sky, joint):
    """In each tenth of the distributions a tenth of the galaxies, as far as so few can tell (1 in 10,000 a tenth)."""
    truth = read_truth(str(FOLDER / CATALOGUE))
    least, most = binom.interval(1 - 1e-4, N, 0.1)
    for name in ("redshift", "logmstar"):
        true = sky.redshift if name == "redshift" else truth.column(name)[:N]
        counts, _ = np.histogram(joint.below(name, true), 10, (0, 1))
        assert counts.sum() == N
        assert counts.min() >= least, name
        assert counts.max() <= most, name


def test_no_galaxy_is_older_than_the_universe_at_its_own_redshift(joint):
    draws = joint.draws(100)
    z = draws[:, :, NAMES.index("redshift")]
    for name in ("age_mw", "age_lw"):
        age = draws[:, :, NAMES.index(name)]
        assert age.min() >= 0
        assert (age <= age_gyr(z)).all()
        below = (draws[:, :, NAMES.index(name)] < joint.quantile(name, 0.5)).mean(axis=0)
        np.testing.assert_allclose(below, 0.5, atol=5 * 0.05)
        assert abs(below.mean() - 0.5) < 0.01
        assert np.median(np.abs(joint.density(name, np.linspace(0.0, 14.0, 281)).sum(axis=1) * 0.05 - 1.0)) < 5e-3
    assert z.min() > 0.005
    assert z.max() < 3.02


def test_mass_goes_with_redshift(joint):
    """A galaxy that is farther is brighter: where the redshift is loose, both go together."""
    draws = joint.draws(400, seed=1)
    z, mass = np.log1p(draws[:, :, NAMES.index("redshift")]), draws[:, :, 0]
    loose = z.std(axis=0) > 0.05
    assert loose.sum() > 50
    together = [np.corrcoef(z[:, i], mass[:, i])[0, 1] for i in np.flatnonzero(loose)]
    assert np.median(together) > 0.5


@pytest.fixture(scope="module")
def mixed(sky):
    """Sixty galaxies: every third with its redshift, and one without a band."""
    few = sky.take(slice(0, 60))
    redshift = np.where(np.arange(60) % 3 == 0, few.redshift, np.nan)
    ivar = few.photometry.ivar.copy()
    ivar[7] = 0.0
    return replace(few, redshift=redshift, photometry=Photometry(few.photometry.flux, ivar, few.photometry.bands))


def catalogue(path, sources):
    columns = {"id": sources.id, "redshift": sources.redshift}
    seen = sources.photometry
    for j, band in enumerate(seen.bands):
        columns[f"flux_{band}"] = np.where(seen.ivar[:, j] > 0, seen.flux[:, j], np.nan)
        columns[f"flux_err_{band}"] = np.array(seen.flux_err[:, j])
    write_table(path, columns, units={name: "nJy" for name in columns if name.startswith("flux")})
    return path


def test_known_redshifts_beside_those_that_are_not(model, sky, mixed, joint):
    """They are as they are alone, and sharp; a row without a band is nan."""
    found = predict(model, mixed, LEVELS, posterior=True, infer_redshift=True)
    some, known = read(found), np.arange(0, 60, 3)
    alone = read(predict(model, sky.take(known), LEVELS, posterior=True))
    for name in alone.names:
        width = alone.quantile(name, 0.84) - alone.quantile(name, 0.16)
        for level in (0.16, 0.5, 0.84):
            off = (some.quantile(name, level)[known] - alone.quantile(name, level)) / width
            assert np.abs(off).max() < 0.02  # an age's range is that of the redshift, or of the mean age
    np.testing.assert_allclose(some.quantile("redshift", 0.5)[known], sky.redshift[known], rtol=1e-5)
    width = some.quantile("redshift", 0.84) - some.quantile("redshift", 0.16)
    assert (width / (1 + some.quantile("redshift", 0.5)))[known].max() < 1e-3
    dark = np.arange(60) == 7
    np.testing.assert_array_equal(np.isnan(some.quantile("logmstar", 0.5)), dark)
    np.testing.assert_array_equal(np.isnan(some.draws(2)).all(axis=(0, 2)), dark)
    other = np.setdiff1d(np.arange(60), [*known, 7])
    np.testing.assert_allclose(some.quantile("av", 0.5)[other], joint.quantile("av", 0.5)[other], atol=0.01)
    assert ((found.flags[other] & np.uint32(Flag.REDSHIFT_INFERRED)) != 0).all()


class Stop:
    """A progress report that interrupts after some rows."""

    def __init__(self, after):
        self.left = after

    def __call__(self, rows):
        self.left -= rows
        if self.left <= 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("suffix", [".parquet", ".fits"])
def test_from_file_to_file_taken_up_where_it_stopped(mixed, tmp_path, suffix):
    path, out, whole = catalogue(tmp_path / "in.parquet", mixed), tmp_path / f"out{suffix}", tmp_path / "whole.parquet"
    model = bundle.load("galaxy-photometry")
    both = {"posterior": True, "infer_redshift": True}
    with pytest.raises(KeyboardInterrupt):
        predict_file(model, KIDS, path, out, batch_rows=16, progress=Stop(32), **both)
    assert predict_file(model, KIDS, path, out, batch_rows=16, infer_redshift=True).n_resumed == 0  # another request
    with open_table(out) as table:
        assert COLUMN not in table.columns
    assert predict_file(model, KIDS, path, out, batch_rows=16, **both).n_resumed == 32
    predict_file(model, KIDS, path, whole, batch_rows=16, **both)
    one, other = read_posteriors(out), read_posteriors(whole)
    assert one.names == NAMES
    np.testing.assert_array_equal(one.draws(10), other.draws(10))
    found = predict(model.bind(KIDS), mixed, **both)
    np.testing.assert_allclose(read_predictions(out).point, found.point, atol=2e-3)
    expected = read(found)
    for name in NAMES:
        width = found.quantile(name, 0.84) - found.quantile(name, 0.16) + 1e-2
        off = (one.quantile(name, 0.5) - expected.quantile(name, 0.5)) / width
        assert np.nanquantile(np.abs(off), 0.95) < 0.02
    assert not list(tmp_path.glob(".*"))


def test_on_the_command_line(mixed, tmp_path, capsys):
    path, out = catalogue(tmp_path / "mine.parquet", mixed.take(slice(0, 9))), tmp_path / "found.parquet"
    words = ["predict", "galaxy-photometry", str(path), "-o", str(out), "--survey", "kids"]
    assert main([*words, "--infer-redshift", "--posterior", "--redshift-pdf", str(tmp_path / "pz.hdf5")]) == 0
    assert "5 REDSHIFT_INFERRED" in capsys.readouterr().out
    joint = read_posteriors(out)
    assert joint.draws(3).shape == (3, 9, 7)
    with open_table(out) as table:
        median = table.read(["redshift_p50"])["redshift_p50"]
    inferred = np.array([1, 2, 4, 5, 8])
    np.testing.assert_allclose(joint.below("redshift", median)[inferred], 0.5, atol=0.08)


def test_an_empty_table_has_the_column(mixed, tmp_path):
    path, out = catalogue(tmp_path / "none.parquet", mixed.take(slice(0, 0))), tmp_path / "out.parquet"
    predict_file(bundle.load("galaxy-photometry"), KIDS, path, out, posterior=True, infer_redshift=True)
    assert read_posteriors(out).draws(3).shape == (3, 0, 7)

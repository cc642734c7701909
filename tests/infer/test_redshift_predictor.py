"""Redshifts from whatever is there: light decides between redshifts that a spectrum leaves open, and no more."""

from dataclasses import replace
from functools import lru_cache

import h5py
import numpy as np
import pytest

from galprism.cli.main import main
from galprism.data import Cutouts, Sources
from galprism.data.cutout_file import CutoutWriter
from galprism.data.tables import open_table, write_table
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.infer import Predictor, RedshiftPredictor
from galprism.infer.redshift_file import COLUMN as PDF
from galprism.infer.redshift_predictor import WRONG
from galprism.prep.binned_spectra import binned
from planted_redshifts import BANDS, FAR, NEAR, WAVE, photometry_of, planted, predictor, sources_of


def has(found, flag):
    return (found.flags & np.uint32(flag)) != 0


def near(density, redshift):
    """(N,), the probability within 0.02 (1 + z)."""
    return density.probability[:, np.abs(density.redshift - redshift) < 0.02 * (1 + redshift)].sum(axis=1)


def without(sources, row):
    """Fluxes and inverse variances of spectra, one of them without data."""
    flux, ivar = sources.spectra.flux.copy(), sources.spectra.ivar.copy()
    flux[row] = ivar[row] = 0.0
    return flux, ivar


@lru_cache(maxsize=1)
def of_galaxies():
    """Where there are galaxies alone."""
    model = predictor().bundle
    shares = {"star": 1e-100, "qso": 1e-100, "galaxy": 1.0}
    return RedshiftPredictor(replace(model, spectroscopic=replace(model.spectroscopic, shares=shares)))


def one_line():
    """Flux and inverse variance (1, L) of a stretch of spectrum with one line of 10 Angstrom on a flat continuum: H
    alpha at NEAR, or [O III] at FAR."""
    inside = (WAVE > 6600) & (WAVE < 7900)
    at = 6564.6 * (1 + NEAR)
    width = 6e-4 * at
    line = 10.0 * np.exp(-0.5 * ((WAVE - at) / width) ** 2) / (width * np.sqrt(2 * np.pi))
    return (2.0 * (1 + line) * inside)[None].astype(np.float32), inside[None].astype(np.float32)


def test_photometry_decides_between_redshifts_that_a_spectrum_leaves_open():
    flux, ivar = (np.repeat(each, 3, axis=0) for each in one_line())
    open_to_doubt = of_galaxies().redshifts(sources_of(flux, ivar))
    assert near(open_to_doubt, NEAR)[0] > 0.3
    assert near(open_to_doubt, FAR)[0] > 0.3
    sources = sources_of(flux, ivar, photometry=photometry_of(NEAR, FAR, None))
    found, density = of_galaxies().predict(sources), of_galaxies().redshifts(sources)
    assert np.all(np.abs(found.column("redshift")[:2] - [NEAR, FAR]) < 0.01)
    assert near(density, NEAR)[0] > 0.9
    assert near(density, FAR)[1] > 0.9
    np.testing.assert_allclose(density.probability[2], open_to_doubt.probability[2], atol=1e-4)
    assert np.all(has(found, Flag.REDSHIFT_UNSURE))  # the network, which may be wrong, makes nothing sure
    assert has(found, Flag.NO_PHOTOMETRY).tolist() == [False, False, True]


def test_a_star_by_its_spectrum_stays_one_whatever_its_light_is_like():
    sources, z = planted("star", 4, 6.0, seed=1)
    found = predictor().predict(replace(sources, photometry=photometry_of(NEAR, FAR, FAR, NEAR)))
    assert found.extra["class"].tolist() == ["star"] * 4
    assert found.extra["prob_star"].min() > 0.99
    assert np.abs(found.column("redshift") - z).max() < 1e-3


def test_posteriors_are_those_of_spectra_times_what_light_tells():
    """Of spectra that are galaxies' for sure: the density with what light tells over that without it is what light
    tells, but for a factor, at all redshifts that count."""
    sources, _ = planted("galaxy", 12, 2.0, seed=4)
    of, spectra = predictor()._of_spectra, binned(sources.spectra)
    middle = 0.5 * (of.edges[1:] + of.edges[:-1])
    favour = np.repeat((WRONG + 8.0 * np.exp(-0.5 * ((middle - 0.3) / 0.4) ** 2))[None], 12, axis=0)
    alone, both = of(spectra, cells=True), of(spectra, (), favour, cells=True)
    galaxies = alone.classes[:, 2] > 0.999
    assert galaxies.sum() >= 3
    expected = (alone.cells * favour)[galaxies]
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.cumsum(both.cells[galaxies], axis=1), np.cumsum(expected, axis=1), atol=0.03)


def test_classes_weigh_as_before_where_light_is_what_the_spectrum_says():
    """What light tells moves probability among the redshifts of galaxies: of all of them together it is none."""
    of = predictor()._of_spectra
    light = predictor()._network.redshifts(Sources(id=np.arange(2), photometry=photometry_of(NEAR, FAR))).probability
    favour = predictor()._favour(light, np.zeros(2, np.uint32))
    first, last = predictor().bundle.spectroscopic.basis.of("galaxy").redshift
    inside = (of.edges[:-1] >= np.log1p(first)) & (of.edges[1:] <= np.log1p(last))
    np.testing.assert_allclose(favour[:, inside].mean(axis=1), 1.0, atol=0.01)
    assert favour.min() == pytest.approx(WRONG)


def test_without_a_spectrum_the_answer_is_the_networks_own():
    spectra, _ = planted("galaxy", 3, 5.0, seed=5)
    flux, ivar = without(spectra, 1)
    photometry = photometry_of(FAR, NEAR, NEAR)
    both = sources_of(flux, ivar, photometry=photometry)
    alone = Sources(id=np.arange(3), photometry=photometry)
    own = Predictor(predictor().bundle).predict(alone)
    found, mixed = predictor().predict(alone), predictor().predict(both)
    np.testing.assert_array_equal(found.point, own.point)
    np.testing.assert_array_equal(found.quantiles, own.quantiles)
    np.testing.assert_array_equal(found.flags, own.flags | np.uint32(Flag.SPECTRUM_MISSING))
    np.testing.assert_allclose(mixed.point[1], own.point[1], rtol=1e-5)
    np.testing.assert_allclose(mixed.quantiles[1], own.quantiles[1], rtol=1e-5)
    assert mixed.flags[1] == found.flags[1]
    for found_or_mixed in (found, mixed):
        assert found_or_mixed.extra["class"][1] == ""
        assert np.isnan([found_or_mixed.extra[name][1] for name in ("p_max", "prob_star", "reduced_chi2")]).all()


def test_densities_are_of_one_grid_and_sum_to_one():
    spectra, _ = planted("galaxy", 3, 3.0, seed=6)
    flux, ivar = without(spectra, 0)
    found = predictor().predict(sources_of(flux, ivar, photometry=photometry_of(FAR, None, NEAR)), redshift_pdf=True)
    np.testing.assert_allclose(found.extra[PDF].sum(axis=1), 1.0, atol=1e-3)
    own = Predictor(predictor().bundle).redshifts(Sources(id=np.arange(1), photometry=photometry_of(FAR)))
    here = predictor().redshifts(Sources(id=np.arange(1), photometry=photometry_of(FAR)))
    for level in (0.1, 0.5, 0.9):
        np.testing.assert_allclose(here.quantile(level), own.quantile(level), atol=2e-4)


def test_answers_do_not_depend_on_what_else_is_asked():
    spectra, _ = planted("galaxy", 5, 2.0, seed=7)
    flux, ivar = without(spectra, 2)
    sources = sources_of(flux, ivar, photometry=photometry_of(FAR, None, NEAR, NEAR, FAR))
    whole = predictor().predict(sources, redshift_pdf=True)
    for i in range(5):
        one = predictor().predict(sources.take(slice(i, i + 1)), redshift_pdf=True)
        np.testing.assert_allclose(one.quantiles[0], whole.quantiles[i], rtol=1e-4)
        np.testing.assert_allclose(one.extra[PDF][0], whole.extra[PDF][i], atol=1e-3)
        assert one.flags[0] == whole.flags[i]


@pytest.mark.parametrize("flag", [Flag.POSITION_MISMATCH, None])
def test_light_that_is_unlike_a_galaxys_or_of_another_place_tells_nothing(flag):
    flux, ivar = one_line()
    photometry = photometry_of(NEAR)
    if flag is None:
        photometry = replace(photometry, flux=photometry.flux * np.array([1e3, 1.0, 1e3, 1.0, 1e3]))
    light = {} if flag is None else {"flags": np.full(1, np.uint32(flag))}
    found = of_galaxies().predict(sources_of(flux, ivar, photometry=photometry, **light))
    alone = of_galaxies().predict(sources_of(flux, ivar))
    assert has(found, flag or Flag.UNLIKE_TRAINING).all() or has(found, Flag.INPUT_OUT_OF_RANGE).all()
    np.testing.assert_array_equal(found.point, alone.point)
    np.testing.assert_array_equal(found.quantiles, alone.quantiles)


def test_what_is_missing_is_flagged():
    spectra, _ = planted("galaxy", 1, 5.0, seed=8)
    blank = np.zeros_like(spectra.spectra.flux)
    nothing = predictor().predict(sources_of(blank, blank, photometry=photometry_of(None)))
    missing = Flag.NO_PHOTOMETRY | Flag.IMAGE_MISSING | Flag.SPECTRUM_MISSING | Flag.NOT_INFERRED
    assert nothing.flags[0] & np.uint32(missing) == np.uint32(missing)
    assert np.isnan(nothing.point).all()
    alone = predictor().predict(spectra)
    expected = np.uint32(Flag.NO_PHOTOMETRY | Flag.IMAGE_MISSING)
    assert alone.flags[0] & np.uint32(missing) == expected
    with pytest.raises(RequestError, match="no photometry, no cutouts, no spectra; accepted: any of them"):
        predictor().predict(Sources(id=np.arange(1)))


def test_a_catalogue_alone_and_cutouts_alone(tmp_path):
    photometry = photometry_of(NEAR, FAR, None)
    columns = {"id": np.array(["near", "far", "none"])}
    for j, band in enumerate(BANDS):
        there = photometry.ivar[:, j] > 0
        columns |= {f"flux_{band}": np.where(there, photometry.flux[:, j], np.nan)}
        columns |= {f"flux_err_{band}": np.where(there, photometry.flux_err[:, j], np.nan)}
    write_table(tmp_path / "table.parquet", columns, units={name: "nJy" for name in columns if name != "id"})
    out, densities = tmp_path / "z.parquet", tmp_path / "z.hdf5"
    words = ["predict", "galaxy-redshift", str(tmp_path / "table.parquet"), "-o", str(out)]
    assert main([*words, "--redshift-pdf", str(densities)]) == 0
    with open_table(out) as table:
        found = table.read(list(table.columns))
    assert found["redshift_p16"][0] < found["redshift_p84"][0] < found["redshift_p16"][1]
    assert np.isnan(found["redshift"][2])
    assert np.isnan(np.asarray(found["p_max"], float)).all()
    with h5py.File(densities) as file:
        assert file["data/pdfs"].shape == (3, len(predictor().redshifts_asked.redshift))

    y, x = np.indices((32, 32)) - 15.5
    shape = np.exp(-np.hypot(x, y) / 3.0)
    flux = (shape / shape.sum() * photometry.flux[0, :, None, None])[None].astype(np.float32)
    ivar = np.full_like(flux, 30.0**-2)
    cutouts = Cutouts(flux, ivar, BANDS, 0.396, psf_fwhm=np.full((1, 5), 1.3, np.float32))
    with CutoutWriter(tmp_path / "cut.h5") as writer:
        writer.write(np.array(["near"]), cutouts)
    words = ["predict", "galaxy-redshift", str(tmp_path / "cut.h5"), "-o", str(out)]
    assert main(words) == 0
    with open_table(out) as table:
        found = table.read(list(table.columns))
    assert np.isfinite(found["redshift"]).all()
    assert found["flags"][0] & int(Flag.NO_PHOTOMETRY | Flag.IMAGE_MISSING) == int(Flag.NO_PHOTOMETRY)

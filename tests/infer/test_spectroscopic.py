"""Redshifts of spectra by the shipped bundle: planted ones come back within their errors, noise is flagged."""

from dataclasses import replace

import numpy as np
import pytest

from galprism import bundle
from galprism.cli.main import main
from galprism.data import CLASSES, Sources
from galprism.data.tables import open_table
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.infer import RedshiftPredictor, predict
from galprism.prep.redshift_basis import FIRST
from made_spectra import write_sdss
from planted_redshifts import WAVE, planted, predictor, sources_of

UNSURE = np.uint32(Flag.REDSHIFT_UNSURE)


def read(path):
    with open_table(path) as table:
        return table.read(list(table.columns))


@pytest.mark.parametrize(("name", "sn", "least"), [("galaxy", 4.0, 0.95), ("qso", 4.0, 0.9), ("star", 4.0, 1.0)])
def test_a_planted_redshift_and_class_come_back(name, sn, least):
    sources, z = planted(name, 24, sn)
    found = predictor().predict(sources)
    right = np.abs(found.column("redshift") - z) < 0.005 * (1 + z)
    assert right.mean() >= least
    assert right[(found.flags & UNSURE) == 0].mean() >= least
    assert (found.extra["class"][right] == name).mean() > 0.9
    assert found.extra[f"prob_{name}"][right].mean() > 0.9


def test_errors_are_as_wide_as_they_say():
    sources, z = planted("galaxy", 48, 3.0, seed=3)
    found = predictor().predict(sources)
    low, middle, high = (found.quantile("redshift", level) for level in (0.16, 0.5, 0.84))
    sure = (found.flags & UNSURE) == 0
    pull = ((middle - z) / (0.5 * (high - low)))[sure]
    assert sure.mean() > 0.8
    assert 0.6 < 0.7413 * np.subtract(*np.percentile(pull, [75, 25])) < 1.5
    assert abs(np.median(pull)) < 0.5


def test_noise_alone_is_flagged_and_its_posterior_is_broad():
    flux = np.random.default_rng(5).standard_normal((12, len(WAVE))).astype(np.float32)
    found = predictor().predict(sources_of(flux))
    assert np.all(found.flags & UNSURE)
    assert np.median(found.quantile("redshift", 0.84) - found.quantile("redshift", 0.16)) > 0.1


def test_answers_do_not_depend_on_the_batch():
    sources, _ = planted("galaxy", 9, 5.0, seed=8)
    whole = predictor().predict(sources)
    alone = predictor().predict(sources.take(slice(4, 5)))
    np.testing.assert_allclose(alone.quantiles[0], whole.quantiles[4], rtol=1e-5)
    np.testing.assert_allclose(alone.extra["redshift_margin"][0], whole.extra["redshift_margin"][4], rtol=1e-2)


def test_a_brighter_unit_changes_nothing():
    sources, _ = planted("galaxy", 4, 5.0, seed=9)
    one = predictor().predict(sources)
    for unit in (1e-17, 1e3, 1e17):
        ivar = (sources.spectra.ivar.astype(float) / unit**2).astype(np.float32)
        other = predictor().predict(sources_of(sources.spectra.flux * np.float32(unit), ivar))
        np.testing.assert_allclose(one.column("redshift"), other.column("redshift"), atol=1e-6)
        np.testing.assert_array_equal(one.flags, other.flags)


def test_a_piece_and_a_negative_spectrum_are_not_relied_on():
    sources, _ = planted("galaxy", 4, 20.0, seed=10)
    flux, ivar = sources.spectra.flux, sources.spectra.ivar
    piece = np.zeros_like(ivar)
    piece[:, 2000:2800] = ivar[:, 2000:2800]
    found = predictor().predict(sources_of(np.where(piece > 0, flux, 0), piece))
    doubt = np.uint32(Flag.REDSHIFT_UNSURE | Flag.CLASS_UNSURE)
    assert np.all(found.flags & np.uint32(Flag.PIXELS_MISSING))
    assert np.all((found.flags & doubt) == doubt)
    found = predictor().predict(sources_of(-flux, ivar))
    assert np.all(found.flags & np.uint32(Flag.POOR_FIT))
    assert np.all((found.flags & doubt) == doubt)
    assert not np.any(predictor().predict(sources).flags & doubt)


def test_what_says_nothing_is_null_and_flagged_and_keeps_its_row():
    sources, z = planted("galaxy", 4, 6.0, seed=2)
    flux, ivar = sources.spectra.flux.copy(), sources.spectra.ivar.copy()
    ivar[0] = flux[0] = 0.0  # no data
    flux[1] = 7.0  # constant
    ivar[2, 300:] = flux[2, 300:] = 0.0  # too short
    found = predictor().predict(sources_of(flux, ivar))
    missing = np.uint32(Flag.SPECTRUM_MISSING | Flag.NOT_INFERRED)
    assert np.all((found.flags[:3] & missing) == missing)
    assert np.isnan(found.column("redshift")[:3]).all()
    assert np.isnan(found.extra["p_max"][:3]).all()
    assert abs(found.column("redshift")[3] - z[3]) < 1e-3


def test_half_a_spectrum_is_answered_and_flagged():
    sources, _ = planted("galaxy", 3, 6.0, seed=4)
    some = slice(800, 2800)
    found = predictor().predict(sources_of(sources.spectra.flux[:, some], wave=WAVE[some]))
    assert np.all(found.flags & np.uint32(Flag.PIXELS_MISSING))
    assert np.isfinite(found.column("redshift")).all()


def test_other_wavelengths_are_resampled():
    sources, z = planted("galaxy", 2, 8.0, seed=6)
    wave = np.arange(3700.0, 10000.0, 1.0)
    flux = np.stack([np.interp(wave, WAVE, one) for one in sources.spectra.flux]).astype(np.float32)
    found = predictor().predict(sources_of(flux, wave=wave))
    np.testing.assert_allclose(found.column("redshift"), z, atol=1e-3)


def test_cosmic_rays_are_no_lines():
    sources, z = planted("galaxy", 5, 6.0, seed=7)
    flux = sources.spectra.flux.copy()
    hit = np.random.default_rng(0).choice(len(WAVE), 30, replace=False)
    flux[:, hit] += 400.0
    found = predictor().predict(sources_of(flux))
    np.testing.assert_allclose(found.column("redshift"), z, atol=1e-3)


def test_the_density_has_the_quantiles_and_can_be_multiplied():
    sources, z = planted("galaxy", 6, 5.0, seed=11)
    density = predictor().redshifts(sources)
    np.testing.assert_allclose(density.probability.sum(axis=1), 1.0, atol=1e-3)
    assert np.abs(density.mean - z).max() < 0.01
    assert np.allclose(np.diff(np.log1p(density.edges)), 0.002)
    other = density.probability * np.exp(-0.5 * ((density.redshift - z[:, None]) / 0.1) ** 2)
    assert np.abs((other @ density.redshift) / other.sum(axis=1) - z).max() < 0.01


def test_flags_about_redshifts_of_files_are_gone_and_others_stay():
    sources, _ = planted("star", 2, 8.0)
    flags = np.full(2, np.uint32(Flag.NOT_A_GALAXY | Flag.POSITION_MISMATCH))
    found = predictor().predict(replace(sources, flags=flags))
    assert not np.any(found.flags & np.uint32(Flag.NOT_A_GALAXY))
    assert np.all(found.flags & np.uint32(Flag.POSITION_MISMATCH))


def test_what_it_cannot_do_is_refused():
    model = predictor().bundle
    sources, _ = planted("star", 1, 8.0)
    with pytest.raises(RequestError, match="sdss-redshift finds no redshifts of spectra"):
        RedshiftPredictor(bundle.load("sdss-redshift"))
    with pytest.raises(RequestError, match="redshift_pdf"):
        predict(model, sources, posterior=True)
    with pytest.raises(RequestError, match="no photometry, no cutouts, no spectra; accepted: any of them"):
        predictor().predict(Sources(id=np.arange(2), redshift=np.zeros(2)))
    assert predict(model, sources).names == ("redshift",)


def test_files_to_table_with_a_density_for_each(tmp_path):
    sources, z = planted("galaxy", 2, 8.0, seed=12)
    for k, flux in enumerate(sources.spectra.flux):
        how = {"flux": flux, "ivar": np.ones(len(flux), "f4"), "FIBERID": k + 1, "Z": 0.9}
        write_sdss(tmp_path / f"spec-{k}.fits", first=FIRST, n=len(flux), **how)
    out, densities = tmp_path / "z.parquet", tmp_path / "z.hdf5"
    files = [str(tmp_path / f"spec-{k}.fits") for k in (0, 1)]
    assert main(["predict", "galaxy-redshift", *files, "-o", str(out), "--redshift-pdf", str(densities)]) == 0
    table = read(out)
    np.testing.assert_allclose(table["redshift"], z, atol=1e-3)
    assert set(table["class"]) <= set(CLASSES)
    assert {"redshift_p16", "redshift_p50", "redshift_p84", "prob_star", "prob_qso", "prob_galaxy", "p_max"} <= set(
        table
    )
    assert densities.exists()


def test_rows_without_a_spectrum_have_no_class_and_those_of_another_place_are_flagged(tmp_path):
    sources, z = planted("galaxy", 1, 8.0, seed=13)
    flux = sources.spectra.flux[0]
    write_sdss(tmp_path / "spec-0.fits", first=FIRST, n=len(flux), flux=flux, ivar=np.ones(len(flux), "f4"))
    bands = ",".join(f"flux_{band},flux_err_{band}" for band in "ugriz")
    rows = [f"0266-51602-0013,10.0,20.0{',40000,900' * 5}", f"other,1,2{',40000,900' * 5}"]
    catalogue = tmp_path / "sources.csv"
    catalogue.write_text("\n".join([f"id,ra,dec,{bands}", *rows]) + "\n")
    out = tmp_path / "z.csv"
    words = ["predict", "galaxy-redshift", str(catalogue), "--spectra", str(tmp_path / "spec-0.fits"), "-o", str(out)]
    assert main([*words, "--unit", "nJy"]) == 0
    table = read(out)
    assert abs(table["redshift"][0] - z[0]) < 1e-3
    assert table["flags"][0] & int(Flag.POSITION_MISMATCH)
    assert table["flags"][1] & int(Flag.SPECTRUM_MISSING)
    assert table["redshift_p16"][1] < table["redshift"][1] < table["redshift_p84"][1]  # by its photometry
    assert list(table["class"]) == ["galaxy", ""]

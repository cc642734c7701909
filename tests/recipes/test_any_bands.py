"""A model for any bands, small but whole: trained on random surveys, asked about others."""

import shutil

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table
from scipy.stats import kstest
from tiny_survey import mock, with_photometry

from galprism import bundle, passbands, surveys
from galprism.cli.main import main
from galprism.cosmology import age_gyr
from galprism.data import Photometry, Sources
from galprism.data.tables import open_table, write_table
from galprism.errors import RequestError
from galprism.flags import Flag, names
from galprism.infer import Posteriors, Predictor, band_offsets, predict, read_posteriors
from galprism.infer.stored import COLUMN
from galprism.prep.preparation import SUSPECT


@pytest.mark.parametrize("name", ["kids", "rubin", "hsc"])
def test_a_survey_that_it_never_saw(model, name):
    """Errors far below what knowing nothing gives, no bias, and intervals that hold the truth."""
    sources, truth = mock(name)
    found = predict(model.bind(surveys.get(name)), sources)
    off = found.column("logmstar") - truth.column("logmstar")
    assert np.sqrt(np.mean(off**2)) < 0.35 * truth.column("logmstar").std()
    assert abs(np.median(off)) < 0.1
    inside = (found.quantile("logmstar", 0.16) < truth.column("logmstar")) & (
        truth.column("logmstar") < found.quantile("logmstar", 0.84)
    )
    assert 0.5 < inside.mean() < 0.85


def test_ten_times_the_light_is_ten_times_the_mass_of_the_same_stars(kids):
    """The inputs but the scale are those of colours and S/N alone, so that a tiny network is nearly exact too."""
    bound, sources, _ = kids
    bright = with_photometry(sources, sources.photometry.flux * 10, sources.photometry.ivar / 100)
    one, ten = (bound.preparation.features(each, check=False) for each in (sources, bright))
    np.testing.assert_allclose(ten.anchor, one.anchor + 1, atol=1e-5)
    scale = list(bound.preparation.input_names).index("ln_scale")
    others = np.arange(one.inputs.shape[1]) != scale
    np.testing.assert_allclose(ten.inputs[:, others], one.inputs[:, others], atol=2e-3)


def test_a_missing_band_is_a_survey_without_it(model, kids):
    bound, sources, _ = kids
    ivar = sources.photometry.ivar.copy()
    ivar[:, [0, 7]] = 0.0
    some = predict(bound, with_photometry(sources, ivar=ivar))
    fewer = surveys.get("kids").without(("u", "H"))
    rest = predict(model.bind(fewer), with_photometry(sources, *_columns(sources, fewer.band_names)))
    np.testing.assert_allclose(some.point, rest.point, atol=2e-4)
    assert (some.n_bands == 7).all()


def test_the_order_of_bands_says_nothing(model, kids):
    bound, sources, _ = kids
    survey = surveys.get("kids")
    turned = surveys.Survey("turned", survey.bands[::-1])
    again = predict(model.bind(turned), with_photometry(sources, *_columns(sources, turned.band_names)))
    np.testing.assert_allclose(again.point, predict(bound, sources).point, atol=2e-3)


def _columns(sources: Sources, bands: tuple[str, ...]):
    index = [sources.photometry.bands.index(band) for band in bands]
    return sources.photometry.flux[:, index], sources.photometry.ivar[:, index], bands


def test_noise_takes_information_away(kids):
    bound, sources, _ = kids
    rng = np.random.default_rng(0)
    noise = 20 * sources.photometry.flux_err * rng.standard_normal(sources.photometry.flux.shape)
    worse = with_photometry(sources, (sources.photometry.flux + noise).astype("f4"), sources.photometry.ivar / 401)
    for name in ("logmstar", "logsfr"):
        clear, dim = (predict(bound, each).extra[f"info_{name}"] for each in (sources, worse))
        assert np.median(clear) > np.median(dim), name


def test_a_band_that_is_wrong_is_found(kids):
    bound, sources, _ = kids
    honest = predict(bound, sources)
    flux = sources.photometry.flux.copy()
    flux[:, 3] *= 2.0
    wrong = predict(bound, with_photometry(sources, flux))
    assert np.mean((honest.flags & Flag.POOR_FIT) != 0) < 3 * SUSPECT
    bright = sources.photometry.flux[:, 3] ** 2 * sources.photometry.ivar[:, 3] > 30**2
    assert np.mean((wrong.flags[bright] & Flag.POOR_FIT) != 0) > 0.9
    assert (wrong.extra["max_pull"] > honest.extra["max_pull"])[bright].mean() > 0.9
    assert (wrong.extra["reduced_chi2"] > honest.extra["reduced_chi2"])[bright].mean() > 0.9


def test_a_zero_point_that_is_off_is_found_in_the_sample(kids):
    """5 % too bright in r is 0.053 mag: no single source shows it, the median does; r is the band that stands out."""
    bound, sources, _ = kids
    flux = sources.photometry.flux.copy()
    flux[:, 2] *= 1.05
    honest, off = band_offsets(bound, sources), band_offsets(bound, with_photometry(sources, flux))
    shift = [b.offset - a.offset for a, b in zip(honest, off, strict=True)]
    assert shift[2] == pytest.approx(-2.5 * np.log10(1.05), abs=0.012)
    assert np.argmax([abs(each) / one.error for each, one in zip(shift, off, strict=True)]) == 2
    assert all(one.n > 500 for one in off[1:])
    few = band_offsets(bound, sources.take(slice(0, 5)))
    assert all(np.isnan(one.offset) for one in few)
    with pytest.raises(RequestError, match="by a model of any bands"):
        band_offsets(bundle.load("kids-mass-sfr"), sources)


def test_the_distance_says_how_rare_a_source_is(kids):
    """Above 0 is what the flag is set by; spectra like saws are far out, honest sources are not."""
    bound, sources, _ = kids
    found = predict(bound, sources)
    unlike = (found.flags & Flag.UNLIKE_TRAINING) != 0
    np.testing.assert_array_equal(unlike, found.extra["distance"] > 0)
    assert unlike.mean() < 0.05
    flux = sources.photometry.flux.copy()
    flux[:, ::2] *= 5.0
    far = predict(bound, with_photometry(sources, flux))
    assert np.mean(far.extra["distance"] > found.extra["distance"]) > 0.9
    assert np.mean(far.extra["distance"] > 0) > 0.3


def test_two_bands_of_one_curve_that_contradict_each_other(model, kids):
    _, sources, _ = kids
    r = surveys.get("kids").bands[2]
    twin = surveys.Band("r2", r.passband, r.depth, r.zeropoint_error, r.extinction, r.mag_bright, r.mag_faint)
    survey = surveys.Survey("twins", (*surveys.get("kids").bands, twin))
    flux, ivar = sources.photometry.flux, sources.photometry.ivar
    doubled = np.concatenate([flux, 1.5 * flux[:, [2]]], 1), np.concatenate([ivar, ivar[:, [2]]], 1)
    found = predict(model.bind(survey), with_photometry(sources, *doubled, survey.band_names))
    bright = flux[:, 2] * np.sqrt(ivar[:, 2]) > 50
    assert np.mean((found.flags[bright] & Flag.POOR_FIT) != 0) > 0.95


def test_rows_that_cannot_be_answered_say_why(kids):
    bound, sources, _ = kids
    few = sources.take(slice(0, 5))
    ivar, redshift = few.photometry.ivar.copy(), few.redshift.copy()
    ivar[0] = 0.0
    ivar[1, 1:] = 0.0
    redshift[2:4] = 2.5, np.nan
    found = predict(
        bound,
        Sources(few.id, redshift=redshift, photometry=Photometry(few.photometry.flux, ivar, few.photometry.bands)),
    )
    said = [set(names(value)) for value in found.flags]
    assert {"NO_PHOTOMETRY", "NOT_INFERRED"} <= said[0]
    assert {"BAND_MISSING", "INPUT_OUT_OF_RANGE"} <= said[1]
    assert {"REDSHIFT_OUT_OF_RANGE", "NOT_INFERRED"} <= said[2]
    assert {"REDSHIFT_MISSING", "NOT_INFERRED"} <= said[3]
    assert np.isnan(found.point[[0, 2, 3]]).all()
    assert np.isnan(found.extra["reduced_chi2"][[0, 2, 3]]).all()
    assert np.isfinite(found.point[[1, 4]]).all()


def test_bands_without_a_meaning_here_are_refused(model):
    wave = np.linspace(2e8, 2.2e8, 20)
    with pytest.raises(RequestError, match="passband"):
        passbands.Passband.from_arrays("radio", wave, np.interp(wave, [2e8, 2.1e8, 2.2e8], [0, 1, 0]))
    far = surveys.Band("far", "tophat/1000000x100000", 20.0, 0.02, 0.0, 10.0, 25.0)
    with pytest.raises(RequestError, match=r"band far .* sees rest-frame light beyond"):
        model.bind(surveys.Survey("radio", (far,)))
    with pytest.raises(RequestError, match="say which"):
        predict(model, mock("kids", 5)[0])


def test_the_command_line_asks_whose_bands_they_are(folder, tmp_path, capsys, kids):
    bound, sources, _ = kids
    columns = {"id": sources.id, "redshift": sources.redshift}
    for j, band in enumerate(sources.photometry.bands):
        columns |= {
            f"flux_{band}": sources.photometry.flux[:, j],
            f"flux_err_{band}": sources.photometry.flux_err[:, j],
        }
    path = tmp_path / "mine.parquet"
    write_table(path, columns, units={name: "nJy" for name in columns if name.startswith("flux")})
    assert main(["predict", str(folder), str(path), "-o", str(tmp_path / "no.parquet")]) == 2
    said = capsys.readouterr().err
    assert "takes any bands: say whose these are, with --survey (euclid, hsc, jpas, kids, rubin, sdss" in said
    curves = tmp_path / "curves"
    curves.mkdir()
    for band in surveys.get("kids").bands:
        passbands.write_ecsv(curves / f"{band.name}.ecsv", passbands.get(band.passband))
    by_curves = predict(bundle.load(folder).bind(surveys.from_curves(curves)), sources)  # knows no zero-point errors
    for how, expected in ((["--survey", "kids"], predict(bound, sources)), (["--passbands", str(curves)], by_curves)):
        out = tmp_path / f"{how[0]}.parquet"
        assert main(["predict", str(folder), str(path), "-o", str(out), *how]) == 0
        with open_table(out) as table:
            found = table.read()
            assert "nats" in table.columns["info_logmstar"].description
        np.testing.assert_allclose(found["logmstar"], expected.column("logmstar"), atol=1e-5)
        np.testing.assert_allclose(found["max_pull"], expected.extra["max_pull"], rtol=1e-3)
    assert main(["check", str(folder), str(path), "--passbands", str(curves)]) == 0
    assert "u: flux_u +- flux_err_u" in capsys.readouterr().out
    assert main(["check", "kids", str(path), "--passbands", str(curves)]) == 2
    assert "kids is a survey" in capsys.readouterr().err
    assert main(["predict", str(folder), str(path), "-o", str(out), "--passbands", str(tmp_path / "none")]) == 2
    assert "is not a folder" in capsys.readouterr().err


def test_curves_alone_know_no_depth_but_extinction(kids, tmp_path):
    """Thirty times the light and the noise is another survey, not a wrong unit; E(B-V) takes light away."""
    _, sources, _ = kids
    for band in surveys.get("kids").bands:
        passbands.write_ecsv(tmp_path / f"{band.name}.ecsv", passbands.get(band.passband))
    survey = surveys.from_curves(tmp_path)
    assert survey.band_names == surveys.get("kids").band_names
    columns = {"redshift": sources.redshift, "EBV": np.full(len(sources), 0.3)}
    for j, band in enumerate(survey.band_names):
        columns[f"flux_{band}"] = 30 * sources.photometry.flux[:, j]
        columns[f"flux_err_{band}"] = 30 * sources.photometry.flux_err[:, j]
    path = tmp_path / "bright.parquet"
    write_table(path, columns, units={name: "nJy" for name in columns if name.startswith("flux")})
    plain = surveys.read(path, survey)
    reddened = surveys.read(path, survey, columns_map={"ebv": "EBV"})
    ratio = reddened.photometry.flux[0] / plain.photometry.flux[0]
    expected = [10 ** (0.4 * 0.3 * band.extinction) for band in surveys.get("kids").bands]
    np.testing.assert_allclose(ratio, expected, rtol=0.02)


def test_a_band_beyond_the_spectra_is_left_out_and_said(model, kids):
    """At 3.4 micron nothing is known of a galaxy at z = 0.2; the answer is that without the band, and flagged."""
    _, sources, _ = kids
    far = surveys.Band("W1", "tophat/34000x6000", 21.0, 0.02, 0.1, 12.0, 23.0)
    survey = surveys.Survey("more", (*surveys.get("kids").bands, far))
    near = sources.take(sources.redshift < 0.2)
    flux = np.concatenate([near.photometry.flux, near.photometry.flux[:, -1:]], axis=1)
    ivar = np.concatenate([near.photometry.ivar, near.photometry.ivar[:, -1:]], axis=1)
    found = predict(model.bind(survey), with_photometry(near, flux, ivar, survey.band_names))
    assert ((found.flags & Flag.BAND_MISSING) != 0).all()
    assert (found.n_bands == 9).all()
    np.testing.assert_allclose(found.point, predict(model.bind("kids"), near).point, atol=2e-3)


def test_an_empty_table_has_all_columns(folder, tmp_path):
    columns = {"id": np.zeros(0, np.int64), "redshift": np.zeros(0)}
    columns |= {
        f"{kind}_{band}": np.zeros(0) for kind in ("flux", "flux_err") for band in surveys.get("kids").band_names
    }
    path, out = tmp_path / "empty.fits", tmp_path / "out.parquet"
    write_table(path, columns, units={name: "nJy" for name in columns if name.startswith("flux")})
    assert main(["predict", str(folder), str(path), "-o", str(out), "--survey", "kids", "--posterior"]) == 0
    with open_table(out) as table:
        assert {"logmstar", "reduced_chi2", "max_pull", "info_logsfr"} <= set(table.columns)
    assert read_posteriors(out).draws(3).shape == (3, 0, 4)


def test_a_basis_that_was_changed_is_noticed(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    data = bytearray((copy / "basis.npz").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "basis.npz").write_bytes(data)
    with pytest.raises(RequestError, match=r"basis\.npz is not what the bundle was made with"):
        bundle.load(copy)


def test_the_certificate_says_how_often_the_truth_is_inside(model, kids):
    """By survey too; and the row of KiDS is what asking about KiDS galaxies gives."""
    rows = {(row["by"], row["what"]): row for row in model.metrics["certificate"]["rows"]}
    assert {("survey", name) for name in ("kids", "hsc", "rubin", "sdss")} <= set(rows)
    assert {"redshift", "magnitude", "bands", "S/N of the best band"} <= {by for by, _ in rows}
    whole = rows["all", ""]
    parts = [row for (by, _), row in rows.items() if by == "redshift"]
    total = sum(row["n"] for row in parts)
    assert 0.9 * whole["n"] < total <= whole["n"]
    square = sum(row["n"] * row["logmstar"]["rms"] ** 2 for row in parts) / total
    assert np.sqrt(square) == pytest.approx(whole["logmstar"]["rms"], rel=0.05)
    for row in rows.values():
        assert 0.3 < row["logmstar"]["covers"][0] < row["logmstar"]["covers"][1] <= 1
    assert "| survey | kids |" in model.card
    blind = rows["redshift inferred", "kids"]
    assert blind["logmstar"]["rms"] > rows["survey", "kids"]["logmstar"]["rms"]
    assert 0.5 < blind["redshift"]["covers"][0] < blind["redshift"]["covers"][1] <= 1
    assert "| redshift inferred | kids |" in model.card


def test_a_recipe_of_any_bands_is_fitted_as_one_survey(kids, tmp_path, capsys):
    """The prior is the population's, the models are in the survey's bands; without a survey it asks for one."""
    _, sources, truth = kids
    columns = {"id": sources.id[:60], "redshift": sources.redshift[:60]}
    for j, band in enumerate(sources.photometry.bands):
        columns[f"flux_{band}"] = sources.photometry.flux[:60, j]
        columns[f"flux_err_{band}"] = sources.photometry.flux_err[:60, j]
    path, out = tmp_path / "mine.parquet", tmp_path / "fit.parquet"
    write_table(path, columns, units={name: "nJy" for name in columns if name.startswith("flux")})
    words = ["fit", "galaxy-photometry", str(path), "-o", str(out), "--method", "posterior"]
    words += ["--cache", str(tmp_path / "draws.npz"), "fit.n_draws=20000", "population.redshift=[0.05,1.0]"]
    assert main(words) == 2
    assert "takes any bands: say whose these are" in capsys.readouterr().err
    assert main([*words, "--survey", "kids"]) == 0
    with open_table(out) as table:
        found = table.read()
    off = found["logmstar"] - truth.column("logmstar")[:60]
    assert np.sqrt(np.nanmean(off**2)) < 0.35
    assert main(["fit", "kids-mass-sfr", str(path), "-o", str(out), "--survey", "sdss"]) == 2
    assert "is of the survey kids" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["ecsv", "parquet", "hdf5"])
def test_a_table_may_name_its_passbands(folder, kids, tmp_path, capsys, suffix):
    """astropy's metadata say which filter each band is, by the SVO's names; the answers are those of the curves."""
    _, sources, _ = kids
    few = sources.take(slice(0, 20))
    named = {band.name: band.passband for band in surveys.get("kids").bands}
    table = Table({"id": few.id, "redshift": few.redshift}, meta={"passbands": named})
    for j, band in enumerate(few.photometry.bands):
        table[f"flux_{band}"] = few.photometry.flux[:, j] * u.nJy
        table[f"flux_err_{band}"] = few.photometry.flux_err[:, j] * u.nJy
    path, out = tmp_path / f"mine.{suffix}", tmp_path / "found.parquet"
    table.write(path, **({"serialize_meta": True, "path": "data"} if suffix == "hdf5" else {}))
    assert main(["predict", str(folder), str(path), "-o", str(out)]) == 0
    assert main(["check", str(folder), str(path)]) == 0
    assert "medians of each band against what the others say" in capsys.readouterr().out
    with open_table(out) as found:
        answers = found.read()["logmstar"]
    model = bundle.load(folder).bind(surveys.from_names(named, "mine"))
    np.testing.assert_allclose(answers, predict(model, few).column("logmstar"), atol=1e-4)
    table.meta["passbands"] = {"u": "Nowhere/Camera"}
    table.write(path, overwrite=True, **({"serialize_meta": True, "path": "data"} if suffix == "hdf5" else {}))
    assert main(["predict", str(folder), str(path), "-o", str(out)]) == 2
    assert "no passband 'Nowhere/Camera'" in capsys.readouterr().err
    table.meta["passbands"] = ["u", "g"]
    table.write(path, overwrite=True, **({"serialize_meta": True, "path": "data"} if suffix == "hdf5" else {}))
    assert main(["predict", str(folder), str(path), "-o", str(out)]) == 2
    assert "its metadata say passbands = ['u', 'g']; expected band: passband" in capsys.readouterr().err
    del table.meta["passbands"]
    table.write(path, overwrite=True, **({"serialize_meta": True, "path": "data"} if suffix == "hdf5" else {}))
    assert main(["predict", str(folder), str(path), "-o", str(out)]) == 2
    assert "or metadata of the table that names them (passbands)" in capsys.readouterr().err


def test_no_answer_is_outside_its_range(kids):
    """Nor is a draw: no galaxy is older than the Universe, none more metal-rich than those of the training."""
    bound, sources, truth = kids
    levels = (0.001, 0.16, 0.5, 0.84, 0.999)
    found = predict(bound, sources, levels, posterior=True)
    assert (found.quantile("age_mw", 0.001) > 0).all()
    assert (found.quantile("age_mw", 0.999) < age_gyr(sources.redshift)).all()
    low, high = bound.ranges[bound.targets.index("logzsol")]
    assert low < found.quantile("logzsol", 0.001).min() < found.quantile("logzsol", 0.999).max() < high
    joint = Posteriors.unpack(found.extra[COLUMN], found.point.astype(float), found.meta[COLUMN])
    draws = joint.draws(200)
    age = bound.targets.index("age_mw")
    assert draws[:, :, age].min() >= 0
    assert (draws[:, :, age] <= age_gyr(sources.redshift) * (1 + 1e-6)).all()
    for name in ("age_mw", "logzsol"):
        j = joint.names.index(name)
        width = found.quantile(name, 0.84) - found.quantile(name, 0.16)
        np.testing.assert_allclose(draws[:, :, j].mean(axis=0), found.column(name), atol=0.3 * width.max())
        assert np.mean(np.abs(joint.quantile(name, 0.84) - found.quantile(name, 0.84)) / width) < 0.03
        np.testing.assert_allclose(joint.below(name, joint.quantile(name, 0.3)), 0.3, atol=1e-4)
        grid = np.linspace(-3.0, 14.0, 6001)
        whole = joint.density(name, grid).sum(axis=1) * (grid[1] - grid[0])
        assert np.quantile(np.abs(whole - 1.0), 0.98) < 0.01  # a few are steeper at an end than the grid is fine
        assert kstest(Predictor(bound).pit(sources, truth)[:, j], "uniform").statistic < 0.1

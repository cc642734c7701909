"""CIGALE's files: what we write is what it reads, and what it writes is what we read."""

import ast
import configparser
import math

import numpy as np
import pytest
from astropy.table import Column, Table

from galprism import surveys
from galprism.cosmology import luminosity_distance_mpc
from galprism.data import Photometry, Sources
from galprism.errors import RequestError
from galprism.fit import GridConfig, cigale_filters, read_cigale, write_cigale
from galprism.flags import Flag
from galprism.params import compress_logssfr

KIDS = surveys.get("kids")
FILTERS = cigale_filters(KIDS)
IDS = np.array(["SPEC2", "SPEC3", "SPEC24", "SPEC31"])


def sources(**changes) -> Sources:
    """Four sources: plain; one band missing and one without an error; a limit; no redshift."""
    rng = np.random.default_rng(0)
    flux = rng.uniform(1e3, 1e5, (4, 9))
    ivar = (0.05 * flux) ** -2.0
    ivar[1, 3], ivar[1, 5], flux[1, 3] = 0.0, np.nan, 0.0
    limit = np.zeros((4, 9), bool)
    limit[2, 0] = True
    given = {"id": IDS, "redshift": np.array([0.3456, 0.6866, 0.4661, np.nan])} | changes
    return Sources(photometry=Photometry(flux=flux, ivar=ivar, bands=KIDS.band_names, limit=limit), **given)


def sections(path):
    """pcigale.ini by section, subsections by their own names, values as text (configobj's syntax for flat keys)."""
    text = "[top]\n" + path.read_text().replace("[[", "[").replace("]]", "]")
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


def test_the_filters_are_cigales():
    assert FILTERS["u"] == "sdss.up"
    assert FILTERS["Ks"] == "vista.vircam.Ks"
    plain = surveys.Survey("mine", KIDS.bands)
    with pytest.raises(RequestError, match="mine has no preset named cigale"):
        cigale_filters(plain)


def test_the_table_is_in_mjy_with_nan_and_negative_errors(tmp_path):
    given = sources()
    folder = write_cigale(tmp_path / "run", given, FILTERS)
    table = Table.read(folder / "sources.fits", mask_invalid=False)
    assert [str(i).strip() for i in table["id"]] == ["SPEC2", "SPEC3", "SPEC24"]
    assert table["redshift"].tolist() == [0.3456, 0.6866, 0.4661]
    assert table["distance"].tolist() == pytest.approx(luminosity_distance_mpc(np.array([0.3456, 0.6866, 0.4661])))
    flux = given.photometry.flux
    assert table["sdss.gp"][0] == pytest.approx(flux[0, 1] * 1e-6)
    assert table["sdss.gp_err"][0] == pytest.approx(0.05 * flux[0, 1] * 1e-6)
    assert table["sdss.gp"].unit == "mJy"
    for band in ("sdss.ip", "vista.vircam.Y"):  # not observed; no error known
        assert math.isnan(table[band][1])
        assert math.isnan(table[f"{band}_err"][1])
    assert table["sdss.up_err"][2] == pytest.approx(-0.05 * flux[2, 0] * 1e-6)
    assert np.count_nonzero(np.isnan(table["sdss.rp"])) == 0


def test_unknown_errors_can_be_filled(tmp_path):
    folder = write_cigale(tmp_path, sources(), FILTERS, flux_err=KIDS.flux_err)
    table = Table.read(folder / "sources.fits", mask_invalid=False)
    flux = sources().photometry.flux
    assert table["vista.vircam.Y_err"][1] == pytest.approx(KIDS.flux_err(flux)[1, 5] * 1e-6)
    assert math.isnan(table["sdss.ip_err"][1])


def test_what_we_write_is_read_by_our_own_preset(tmp_path):
    folder = write_cigale(tmp_path, sources(), FILTERS)
    back = surveys.read(folder / "sources.fits", KIDS)
    given = sources().photometry
    seen = (given.ivar[:3] > 0) & ~given.limit[:3]
    assert np.asarray(back.photometry.flux)[seen] == pytest.approx(given.flux[:3][seen], rel=1e-5)
    assert np.asarray(back.photometry.ivar)[seen] == pytest.approx(given.ivar[:3][seen], rel=1e-5)
    assert back.photometry.limit[2, 0]
    assert back.photometry.ivar[1, 3] == 0


def test_the_configuration_is_that_of_the_paper(tmp_path):
    write_cigale(tmp_path, sources(), FILTERS, cores=4)
    ini = sections(tmp_path / "pcigale.ini")
    top = ini["top"]
    assert top["data_file"] == "sources.fits"
    assert top["sed_modules"] == "sfhdelayed, bc03, dustatt_modified_starburst, dale2014, redshifting"
    assert top["analysis_method"] == "pdf_analysis"
    assert top["cores"] == "4"
    assert top["bands"].split(", ")[:3] == ["sdss.up", "sdss.up_err", "sdss.gp"]
    assert len(top["bands"].split(", ")) == 18
    assert ini["sfhdelayed"]["tau_main"].startswith("250, 500, 1000")
    assert ini["sfhdelayed"]["f_burst"] == "0.0"
    assert ini["sfhdelayed"]["age_main"].endswith("12000, 13000")
    assert ini["bc03"] == {
        "imf": "1",
        "metallicity": "0.0001, 0.0004, 0.004, 0.008, 0.02, 0.05",
        "separation_age": "10",
    }
    assert len(ini["dustatt_modified_starburst"]["E_BV_lines"].split(", ")) == 21
    assert ini["dale2014"]["alpha"] == "1.0, 2.0, 3.0, 4.0"
    assert ini["redshifting"] == {"redshift": ""}
    assert ini["analysis_params"]["variables"] == "stellar.m_star, stellar.m_star_log, sfh.sfr, sfh.sfr_log"
    assert ini["analysis_params"]["redshift_decimals"] == "2"


def test_every_value_passes_the_check_that_its_spec_names(tmp_path):
    """pcigale.ini.spec holds CIGALE's own checks; here they are applied to what stands in pcigale.ini."""
    grid = GridConfig(tau=(1.0,), age=(0.25, 5.0), z_met=(0.02,), ebv_lines=(0.0, 0.3))
    write_cigale(tmp_path, sources(), FILTERS, grid=grid, alpha=(2.0,))
    ini, spec = sections(tmp_path / "pcigale.ini"), sections(tmp_path / "pcigale.ini.spec")
    assert list(ini) == list(spec)
    assert (tmp_path / "pcigale.ini").read_text().count("[[") == 5
    for section, entries in spec.items():
        assert list(ini[section]) == list(entries)
        for key, check in entries.items():
            kind, _, rest = check.partition("(")
            value = ini[section][key]
            if kind in ("string", "cigale_string_list"):
                continue
            if kind == "boolean":
                assert value in ("True", "False")
                continue
            if kind == "option":
                assert value in ast.literal_eval(f"({rest}")
                continue
            numbers = [float(x) for x in value.split(",")] if value else []
            options = dict(part.split("=", 1) for part in rest.rstrip(")").split(", ") if "=" in part)
            if options.get("dtype") == "int" or kind == "integer":
                assert all(x == int(x) for x in numbers)
            assert all(x >= float(options.get("minvalue", options.get("min", "-inf"))) for x in numbers)
            assert all(x <= float(options.get("maxvalue", "inf")) for x in numbers)
            if "options" in options:
                assert set(numbers) <= {float(x) for x in options["options"].split("&")}
            assert len(set(numbers)) == len(numbers)


def test_what_cigale_would_choke_on_is_refused(tmp_path):
    given = sources()
    with pytest.raises(RequestError, match="no CIGALE filter for band Ks"):
        write_cigale(tmp_path, given, {b: f for b, f in FILTERS.items() if b != "Ks"})
    with pytest.raises(RequestError, match="id 'A' stands in 2 rows"):
        write_cigale(tmp_path, sources(id=np.array(["A", "A", "B", "C"])), FILTERS)
    with pytest.raises(RequestError, match="nothing to fit"):
        write_cigale(tmp_path, sources(redshift=np.array([np.nan, -1.0, 0.0, np.nan])), FILTERS)
    with pytest.raises(RequestError, match="nothing to fit"):
        write_cigale(tmp_path, Sources(id=IDS, photometry=given.photometry), FILTERS)
    with pytest.raises(RequestError, match="no photometry"):
        write_cigale(tmp_path, Sources(id=IDS), FILTERS)
    (tmp_path / "file").write_text("x")
    with pytest.raises(RequestError, match="cannot write"):
        write_cigale(tmp_path / "file" / "run", given, FILTERS)


def results(path, *, logs=True, drop=(), ids=("SPEC24", "SPEC2", "SPEC3"), sfr=(1.0, 0.0, 30.0)):
    """A results.fits as CIGALE's ResultsManager.save writes it: names, order and units."""
    mass, sfr = np.array([1e10, 3e11, np.nan]), np.array(sfr)
    table = Table()
    table.add_column(Column(list(ids), name="id"))
    for name, value, error, unit in (
        ("sfh.sfr", sfr, 0.3 * sfr, "solMass / yr"),
        ("stellar.m_star", mass, 0.2 * mass, "solMass"),
    ):
        with np.errstate(divide="ignore"):
            columns = [(name, value, error, unit), (f"{name}_log", np.log10(value) - 0.05, 0.11 * np.ones(3), None)]
        for column, v, e, u in columns[: 1 + logs]:
            table.add_column(Column(v, name=f"bayes.{column}", unit=u))
            table.add_column(Column(e, name=f"bayes.{column}_err", unit=u))
    table.add_column(Column([8.0, 160.0, np.nan], name="best.chi_square"))
    table.add_column(Column([1.0, 20.0, np.nan], name="best.reduced_chi_square"))
    table.add_column(Column(2 * sfr, name="best.sfh.sfr", unit="solMass / yr"))
    table.add_column(Column(mass / 2, name="best.stellar.m_star", unit="solMass"))
    table.add_column(Column([0.1, 0.1, 0.1], name="best.sdss.up", unit="mJy"))
    table.remove_columns(list(drop))
    table.write(path, format="fits")
    return path


def test_results_are_joined_by_id_and_carry_log_means(tmp_path):
    found = read_cigale(results(tmp_path / "results.fits"), sources())
    assert found.id.tolist() == IDS.tolist()
    assert found.names == ("logmstar", "logsfr")
    assert found.point[2] == pytest.approx([9.95, -0.05])
    assert found.extra["logmstar_linear_mean"][2] == pytest.approx(10.0)
    assert found.extra["logsfr_std"][2] == pytest.approx(0.11)
    assert found.extra["best_logmstar"][2] == pytest.approx(np.log10(5e9))
    assert found.extra["best_logsfr"][2] == pytest.approx(np.log10(2.0))
    assert found.extra["chi2"][2] == 8.0
    assert found.n_bands.tolist() == [9, 0, 9, 0]
    assert found.levels == ()
    assert found.flags[2] == 0
    assert found.flags[0] == Flag.POOR_FIT
    assert found.meta["method"] == "cigale"


def test_a_source_that_cigale_did_not_fit_is_null_and_flagged(tmp_path):
    found = read_cigale(results(tmp_path / "results.fits"), sources())
    assert np.isnan(found.point[[1, 3]]).all()
    assert found.flags[1] == Flag.NOT_INFERRED  # CIGALE's own NaN
    assert found.flags[3] == Flag.NOT_INFERRED  # not in its table
    assert all(np.isnan(found.extra[name][[1, 3]]).all() for name in found.extra)


def test_linear_means_alone_and_a_rate_of_zero(tmp_path):
    found = read_cigale(results(tmp_path / "results.fits", logs=False), sources())
    assert found.point[2] == pytest.approx([10.0, 0.0])
    assert found.extra["logmstar_std"][2] == pytest.approx(0.2 / np.log(10))
    # SPEC2 forms no stars: its log sSFR is the floor of the definition, not -inf
    assert found.point[0, 1] == pytest.approx(np.log10(3e11) + compress_logssfr(np.array(-np.inf)))
    assert found.point[0, 1] == pytest.approx(np.log10(3e11) - 13.0)


def test_results_of_something_else_are_refused(tmp_path):
    with pytest.raises(RequestError, match=r"no column bayes.sfh.sfr; is it the results.fits of pcigale run"):
        read_cigale(results(tmp_path / "a.fits", drop=["bayes.sfh.sfr"]), sources())
    with pytest.raises(RequestError, match="id 'SPEC2' in more than one row"):
        read_cigale(results(tmp_path / "b.fits", ids=("SPEC2", "SPEC2", "SPEC3")), sources())
    with pytest.raises(RequestError, match=r"none.fits"):
        read_cigale(tmp_path / "none.fits", sources())

"""Rows that are wrong: each is kept in its place and flagged, and its neighbours never notice."""

import numpy as np
import pytest

from galprism.data.tables import open_table, write_table
from galprism.flags import Flag

NOTHING = Flag.NO_PHOTOMETRY | Flag.REDSHIFT_MISSING | Flag.REDSHIFT_OUT_OF_RANGE
"""One of these is behind every null."""
ROW = 17
FLUX_FAULTS = [
    (-99.0, 30.0, Flag.FLUX_IMPLAUSIBLE | Flag.BAND_MISSING),
    (-9999.0, 30.0, Flag.FLUX_IMPLAUSIBLE | Flag.BAND_MISSING),
    (-99.0, -99.0, Flag.NEGATIVE_ERROR | Flag.BAND_MISSING),
    (np.nan, 30.0, Flag.BAND_MISSING),
    (np.nan, np.nan, Flag.BAND_MISSING),
    (np.inf, 30.0, Flag.NONFINITE | Flag.BAND_MISSING),
    (-np.inf, 30.0, Flag.NONFINITE | Flag.BAND_MISSING),
    (None, np.inf, Flag.NONFINITE | Flag.BAND_MISSING),
    (None, -30.0, Flag.NEGATIVE_ERROR | Flag.BAND_MISSING),
    (None, 0.0, Flag.ZERO_ERROR | Flag.BAND_MISSING),
    (None, np.nan, Flag.ERROR_UNKNOWN),
    (1e12, 1e9, Flag.FLUX_IMPLAUSIBLE),
]
"""Flux (None: as it was), error, and the flags that say so: a row each."""
REDSHIFT_FAULTS = [
    (np.nan, Flag.REDSHIFT_MISSING),
    (np.inf, Flag.REDSHIFT_MISSING),
    (-99.0, Flag.REDSHIFT_MISSING),
    (-1.0, Flag.REDSHIFT_MISSING),
    (99.0, Flag.REDSHIFT_MISSING),
    (-0.2, Flag.REDSHIFT_OUT_OF_RANGE),
    (0.0, Flag.REDSHIFT_OUT_OF_RANGE),
    (12.0, Flag.REDSHIFT_OUT_OF_RANGE),
]


@pytest.fixture
def others_agree(predicted, catalogue, columns):
    """Check that all rows but those named are as if those were sound; returns the answer to the sound table."""

    def check(answer, *rows):
        sound = predicted(catalogue(columns, "sound.parquet"), name="sound-predicted.parquet")
        others = np.setdiff1d(np.arange(64), rows)
        assert np.array_equal(answer["id"], sound["id"])
        for name in ("logmstar", "logmstar_p16", "logsfr_p84"):
            np.testing.assert_allclose(answer[name][others], sound[name][others], rtol=0, atol=2e-5)
        assert np.array_equal(answer["flags"][others], sound["flags"][others])
        return sound

    return check


def test_a_wrong_flux_or_error_costs_its_band_alone(predicted, catalogue, columns, others_agree):
    spoiled = dict(columns, flux_J=columns["flux_J"].copy(), flux_err_J=columns["flux_err_J"].copy())
    for row, (flux, error, _) in enumerate(FLUX_FAULTS):
        spoiled["flux_J"][row] = columns["flux_J"][row] if flux is None else flux
        spoiled["flux_err_J"][row] = error
    answer = predicted(catalogue(spoiled))
    sound = others_agree(answer, *range(len(FLUX_FAULTS)))
    for row, (_, _, flags) in enumerate(FLUX_FAULTS):
        faults = Flag(int(answer["flags"][row])) & ~(Flag.INPUT_OUT_OF_RANGE | Flag.UNLIKE_TRAINING)
        assert faults == flags, FLUX_FAULTS[row]
        assert answer["n_bands"][row] == (8 if flags & Flag.BAND_MISSING else 9)
        assert np.isfinite(answer["logmstar"][row])
        if flags & Flag.BAND_MISSING:
            # One of nine bands less: the mass moves by no more than a few of its own uncertainties.
            width = sound["logmstar_p84"][row] - sound["logmstar_p16"][row]
            assert abs(answer["logmstar"][row] - sound["logmstar"][row]) < 2 * width


def test_a_redshift_that_is_none_gives_a_null_and_its_reason(predicted, catalogue, columns, others_agree):
    spoiled = dict(columns, redshift=columns["redshift"].copy())
    faulty = list(range(len(REDSHIFT_FAULTS)))
    spoiled["redshift"][faulty] = [redshift for redshift, _ in REDSHIFT_FAULTS]
    answer = predicted(catalogue(spoiled))
    others_agree(answer, *faulty)
    for name in (name for name in answer if name.startswith("log")):
        assert np.flatnonzero(np.isnan(answer[name])).tolist() == faulty
    for row, (redshift, flag) in enumerate(REDSHIFT_FAULTS):
        assert answer["flags"][row] & NOTHING == flag, redshift
        assert answer["flags"][row] & Flag.NOT_INFERRED


def test_a_magnitude_that_means_missing_costs_its_band(predicted, catalogue, columns):
    table = {"id": columns["id"], "redshift": columns["redshift"]}
    good = np.ones(64, bool)
    for name, error in columns.items():
        if name.startswith("flux_err_"):
            band = name.removeprefix("flux_err_")
            good &= columns[f"flux_{band}"] > error
            light = np.maximum(columns[f"flux_{band}"], error)
            table[f"mag_{band}"] = 31.4 - 2.5 * np.log10(light)
            table[f"mag_err_{band}"] = 2.5 / np.log(10) * error / light
    sound = predicted(catalogue(columns, "fluxes.parquet"))
    rows = np.flatnonzero(good)[:4]
    table["mag_H"][rows], table["mag_err_H"][rows] = (99.0, -99.0, 99.0, np.nan), (99.0, -99.0, 0.1, 0.1)
    answer = predicted(catalogue(table, unit=None))
    assert np.all(answer["flags"][rows] & Flag.BAND_MISSING)
    assert answer["n_bands"][rows].tolist() == [8] * 4
    others = np.setdiff1d(np.flatnonzero(good), rows)
    np.testing.assert_allclose(answer["logmstar"][others], sound["logmstar"][others], atol=2e-4)


@pytest.mark.parametrize("suffix", ["fits", "ecsv", "vot", "parquet"])
def test_masked_values_are_missing_ones(suffix, predicted, catalogue, columns, tmp_path):
    from astropy.table import MaskedColumn, Table

    table = Table({name: MaskedColumn(values) for name, values in columns.items()}, masked=True)
    for name in columns:
        if name.startswith("flux"):
            table[name].unit = "nJy"
    table["flux_J"].mask[ROW] = True
    table["redshift"].mask[ROW + 1] = True
    path = tmp_path / f"masked.{suffix}"
    table.write(path, **({"format": "votable"} if suffix == "vot" else {}))
    answer = predicted(path)
    assert answer["flags"][ROW] & Flag.BAND_MISSING
    assert answer["n_bands"][ROW] == 8
    assert answer["flags"][ROW + 1] & Flag.REDSHIFT_MISSING
    assert np.flatnonzero(np.isnan(answer["logmstar"])).tolist() == [ROW + 1]


def test_no_band_at_all_gives_a_null_and_its_reason(predicted, catalogue, columns, others_agree):
    spoiled = {name: values.copy() for name, values in columns.items()}
    for name in columns:
        if name.startswith("flux"):
            spoiled[name][ROW] = np.nan
    answer = predicted(catalogue(spoiled))
    others_agree(answer, ROW)
    assert np.flatnonzero(np.isnan(answer["logmstar"])).tolist() == [ROW]
    assert answer["flags"][ROW] & NOTHING == Flag.NO_PHOTOMETRY
    assert answer["n_bands"][ROW] == 0


def test_the_template_fit_flags_the_same_rows_for_the_same_reasons(galprism, predicted, catalogue, columns, tmp_path):
    columns["redshift"][3], columns["redshift"][4], columns["flux_err_u"][5] = np.nan, -99.0, -1.0
    for name in columns:
        if name.startswith("flux"):
            columns[name][6] = np.nan
    path, out = catalogue(columns), tmp_path / "grid.parquet"
    assert galprism("fit", "mlp-gap", path, "-o", out).status == 0
    network = predicted(path)
    with open_table(out) as table:
        grid = table.read()
    assert np.array_equal(grid["id"], network["id"])
    assert np.flatnonzero(np.isnan(grid["logmstar"])).tolist() == [3, 4, 6]
    why = NOTHING | Flag.NOT_INFERRED | Flag.BAND_MISSING | Flag.NEGATIVE_ERROR
    assert np.array_equal(grid["flags"] & why, network["flags"] & why)
    assert np.array_equal(grid["n_bands"], network["n_bands"])


@pytest.mark.parametrize("text", [False, True])
def test_repeated_ids_are_flagged_from_their_second_row_on(text, predicted, catalogue, columns):
    ids = columns["id"].copy()
    ids[10] = ids[20] = ids[3]
    columns["id"] = np.array([f"J{ident:04d}" for ident in ids]) if text else ids
    answer = predicted(catalogue(columns))
    assert np.flatnonzero(answer["flags"] & Flag.DUPLICATE_ID).tolist() == [10, 20]
    assert np.array_equal(answer["id"], columns["id"])
    assert "2 DUPLICATE_ID" in answer["said"]
    assert np.isfinite(answer["logmstar"]).all()


def test_check_counts_what_predict_flags(galprism, catalogue, columns):
    columns["redshift"][3], columns["flux_err_u"][5], columns["id"][9] = -99.0, 0.0, columns["id"][8]
    result = galprism("check", "kids-mass-sfr", catalogue(columns))
    assert result.status == 0
    counted = {line.split()[1].rstrip(":"): line.split()[0] for line in result.out.splitlines() if ": " in line}
    assert {counted[name] for name in ("REDSHIFT_MISSING", "ZERO_ERROR", "BAND_MISSING", "DUPLICATE_ID")} == {"1"}
    assert "flux_u +- flux_err_u [nJy]" in result.out


@pytest.mark.parametrize("rows", ["0", "-3"])
def test_check_of_no_rows_is_refused(rows, refused, catalogue, columns):
    assert refused(("check", "kids", catalogue(columns), "--rows", rows), f"--rows {rows}", "1 or more")


@pytest.mark.parametrize("ids", ["text", "large"])
def test_every_format_in_and_out_gives_the_same_numbers_rows_and_ids(ids, predicted, catalogue, columns):
    columns["id"] = (
        np.array([f"KiDS J{7 * k % 64:02d}.{'x' * (k % 5)}" for k in range(64)])
        if ids == "text"
        else 2**53 + 1 + 7 * np.arange(64)[::-1]
    )
    columns["redshift"][ROW] = np.nan
    reference = predicted(catalogue(columns))
    for suffix in ("fits", "fits.gz", "ecsv", "vot", "hdf5", "csv"):
        unit = ("--unit", "nJy") if suffix == "csv" else ()
        answer = predicted(catalogue(columns, f"catalogue.{suffix}"), *unit, name=f"answer.{suffix}")
        assert answer["id"].dtype.kind == columns["id"].dtype.kind
        assert np.array_equal(answer["id"], columns["id"])
        for name in ("logmstar", "logmstar_p16", "logmstar_p50", "logsfr_p84", "n_bands", "flags"):
            same = answer[name].astype(reference[name].dtype)  # CSV does not say how wide its numbers are
            np.testing.assert_array_equal(same, reference[name], err_msg=f"{suffix}: {name}")


def test_rows_and_answers_move_together(predicted, catalogue, columns):
    order = np.random.default_rng(5).permutation(64)
    shuffled = {name: values[order] for name, values in columns.items()}
    first, second = predicted(catalogue(columns, "a.parquet")), predicted(catalogue(shuffled, "b.parquet"))
    assert np.array_equal(second["id"], first["id"][order])
    np.testing.assert_allclose(second["logsfr_p50"], first["logsfr_p50"][order], atol=2e-5)


def test_positions_are_passed_on(predicted, columns, tmp_path):
    columns |= {"ra": np.linspace(0, 359, 64), "dec": np.linspace(-30, 2, 64)}
    path = tmp_path / "placed.parquet"
    write_table(path, columns, units={name: "nJy" for name in columns if name.startswith("flux")})
    answer = predicted(path)
    assert np.array_equal(answer["ra"], columns["ra"])
    assert np.array_equal(answer["dec"], columns["dec"])

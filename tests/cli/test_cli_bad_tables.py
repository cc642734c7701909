"""Tables that are wrong as a whole: refused in one line, and nothing is written."""

import numpy as np
import pytest
from commands import BANDS, MODEL

from galprism.data.tables import open_table
from galprism.flags import Flag

FLUXES = [f"{kind}_{band}" for band in BANDS for kind in ("flux", "flux_err")]
READERS = {"predict": (MODEL,), "fit": ("mlp-gap",), "check": (MODEL,)}
"""Verbs that read a catalogue, each with what it reads it for."""


def asks(verb, path, out, *options):
    """The words of a command."""
    return (verb, *READERS[verb], path, *(() if verb == "check" else ("-o", out)), *options)


def magnitudes(columns):
    """The same catalogue in AB magnitudes, named as fluxes if nobody renames them."""
    spoiled = dict(columns)
    for band in BANDS:
        flux, err = columns[f"flux_{band}"], columns[f"flux_err_{band}"]
        spoiled[f"flux_{band}"] = 31.4 - 2.5 * np.log10(np.maximum(flux, err))
        spoiled[f"flux_err_{band}"] = 1.0857 * err / np.maximum(flux, err)
    return spoiled


@pytest.mark.parametrize("verb", READERS)
def test_fluxes_without_a_unit_are_refused(verb, refused, catalogue, columns, out):
    path = catalogue(columns, unit=None)
    assert refused(asks(verb, path, out), path, "flux_u", "no unit", "--unit mJy")


@pytest.mark.parametrize("unit", ["furlong", "counts", "mag"])
def test_an_unknown_unit_is_refused_by_its_name(unit, refused, catalogue, columns, out):
    path = catalogue(columns, unit=None)
    assert refused(asks("predict", path, out, "--unit", unit), path, f"'{unit}'", "nJy")


def test_an_unknown_unit_in_the_table_is_refused_with_its_column(refused, catalogue, columns, out):
    path = catalogue(columns, unit="furlong")
    assert refused(asks("predict", path, out), path, "flux_u", "'furlong'")


def test_a_unit_that_is_given_replaces_a_missing_one(predicted, catalogue, columns):
    bare = predicted(catalogue(columns, "bare.csv", unit=None), "--unit", "nJy")
    said = predicted(catalogue(columns, "said.parquet"))
    np.testing.assert_allclose(bare["logmstar_p50"], said["logmstar_p50"], rtol=1e-6)


@pytest.mark.parametrize("verb", ["predict", "fit"])
def test_the_catalogue_is_not_overwritten_by_the_answer(verb, refused, catalogue, columns):
    path = catalogue(columns)
    before = path.read_bytes()
    assert refused(asks(verb, path, path), path, "the output must be another file")
    assert path.read_bytes() == before


@pytest.mark.parametrize("verb", READERS)
def test_another_unit_than_the_tables_own_is_refused(verb, refused, catalogue, columns, out):
    path = catalogue(columns, unit="nJy")
    assert refused(asks(verb, path, out, "--unit", "mJy"), path, "flux_u is in nJy by the table", "'mJy'")


def test_a_binary_file_that_is_called_csv(refused, catalogue, columns, out, tmp_path):
    path = catalogue(columns, "whole.parquet").rename(tmp_path / "renamed.csv")
    assert refused(asks("predict", path, out), path, "holds binary data, not text")


@pytest.mark.parametrize("verb", ["predict", "fit"])
@pytest.mark.parametrize(("unit", "word"), [("uJy", "bright"), ("pJy", "faint")])
def test_fluxes_a_thousand_times_off_are_refused(verb, unit, word, refused, catalogue, columns, out):
    path = catalogue(columns, unit=unit)
    assert refused(asks(verb, path, out), path, f"too {word}", unit, "r ")


@pytest.mark.parametrize("unit", ["nJy", "uJy", "mJy"])
def test_magnitudes_in_the_place_of_fluxes_are_refused(unit, refused, catalogue, columns, out):
    path = catalogue(magnitudes(columns), unit=unit)
    assert refused(asks("predict", path, out), path, "magnitudes")


def test_fluxes_in_the_place_of_magnitudes_are_refused(refused, catalogue, columns, out):
    renamed = {name.replace("flux_err_", "mag_err_").replace("flux_", "mag_"): data for name, data in columns.items()}
    path = catalogue(renamed)
    assert refused(asks("predict", path, out), path, "magnitudes")


@pytest.mark.parametrize("verb", READERS)
def test_a_missing_column_is_named_and_refused(verb, refused, catalogue, columns, out):
    del columns["flux_H"]
    path = catalogue(columns)
    assert refused(asks(verb, path, out), path, "flux_H", "--without H")


def test_a_missing_column_of_errors_is_named_and_refused(refused, catalogue, columns, out):
    del columns["flux_err_H"]
    path = catalogue(columns)
    assert refused(asks("predict", path, out), path, "flux_err_H", "none")


@pytest.mark.parametrize("verb", ["predict", "fit"])
def test_without_a_band_every_row_says_so(verb, galprism, catalogue, columns, tmp_path):
    for name in ("flux_H", "flux_err_H", "flux_Ks", "flux_err_Ks"):
        del columns[name]
    path, out = catalogue(columns), tmp_path / "answer.parquet"
    result = galprism(*asks(verb, path, out, "--without", "H", "--without", "Ks"))
    assert result.status == 0, result.err
    with open_table(out) as table:
        answer = table.read()
    assert np.all(answer["flags"] & Flag.BAND_MISSING)
    assert np.array_equal(answer["n_bands"], np.full(64, 7))
    assert np.isfinite(answer["logmstar"]).all()


def test_predict_counts_the_flags_aloud(predicted, catalogue, columns):
    del columns["flux_H"], columns["flux_err_H"]
    said = predicted(catalogue(columns), "--without", "H")["said"]
    assert "64 BAND_MISSING: at least one band was not observed" in said


def test_going_without_a_band_is_the_same_as_never_having_observed_it(predicted, catalogue, columns):
    empty = dict(columns, flux_H=np.full(64, np.nan), flux_err_H=np.full(64, np.nan))
    absent = {name: data for name, data in columns.items() if not name.endswith("_H")}
    first = predicted(catalogue(empty, "empty.parquet"))
    second = predicted(catalogue(absent, "absent.parquet"), "--without", "H")
    assert np.array_equal(first["logsfr_p84"], second["logsfr_p84"])
    assert np.array_equal(first["flags"], second["flags"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--without", "K"), ("'K'", "Ks")),
        (tuple(word for band in BANDS for word in ("--without", band)), ("no band",)),
        (("--preset", "dr4"), ("'dr4'", "kids-dr4")),
        (("--column", "flux_u"), ("'flux_u'", "NAME=COLUMN")),
        (("--column", "flux_u=FLUX_U"), ("'FLUX_U'", "flux_u")),
        (("--column", "flux_v=flux_u"), ("'flux_v'", "kids")),
        (("--column", "flux_g=flux_u"), ("flux_u", "two bands")),
        (("--column", "redshift=zed"), ("'zed'",)),
        (("--columns", "nowhere.toml"), ("nowhere.toml", "No such file")),
        (("--quantiles", "0.16,half"), ("'0.16,half'", "0.16,0.5,0.84")),
        (("--quantiles", "0.84,0.16"), ("0.84", "ascending")),
        (("--quantiles", "16,50,84"), ("16", "0.001")),
        (("--threads", "0"), ("threads = 0", "1 or more")),
        (("--threads", "many"), ("--threads", "'many'")),
        (("--survey", "kidz"), ("'kidz'", "kids")),
        (("--posterior", "-o", "answers.csv"), ("answers.csv", "vectors, which CSV cannot hold", "Parquet")),
        (("--predictive-check", "nowhere/draws.npz"), ("nowhere/draws.npz", "there is no folder nowhere")),
        (("--predictive-check", "draws.npz", "-o", "nowhere/a.fits"), ("nowhere/a.fits", "there is no folder")),
        (("--survey", "sdss"), ("sdss", "SLOAN/SDSS.u", MODEL)),
    ],
)
def test_a_wrong_option_is_refused(options, words, refused, catalogue, columns, out):
    assert refused(asks("predict", catalogue(columns), out, *options), *words)


@pytest.mark.parametrize(("text", "word"), [("flux_u = 3", "flux_u = 3"), ("flux_u = = ", "not TOML")])
def test_a_wrong_column_map_is_refused(text, word, refused, catalogue, columns, out, tmp_path):
    (tmp_path / "map.toml").write_text(text)
    assert refused(asks("predict", catalogue(columns), out, "--columns", tmp_path / "map.toml"), "map.toml", word)


def test_a_column_map_reads_foreign_names(predicted, catalogue, columns, tmp_path):
    foreign = {name.replace("flux_", "F"): data for name, data in columns.items()}
    path = catalogue(foreign, "foreign.parquet", unit=None)
    lines = [f'{name} = "{name.replace("flux_", "F")}"' for name in FLUXES]
    (tmp_path / "map.toml").write_text("\n".join(lines))
    here = predicted(path, "--columns", tmp_path / "map.toml", "--unit", "nJy")
    assert np.array_equal(here["logmstar"], predicted(catalogue(columns))["logmstar"])


@pytest.mark.parametrize("verb", ["predict", "fit"])
def test_a_table_without_redshifts_is_refused(verb, refused, catalogue, columns, out):
    del columns["redshift"]
    path = catalogue(columns)
    assert refused(asks(verb, path, out), path, "redshift")


def test_text_in_the_place_of_numbers_is_refused(refused, catalogue, columns, out):
    columns["flux_u"] = np.array(["bright"] * 64)
    path = catalogue(columns)
    assert refused(asks("predict", path, out), path, "flux_u", "holds text", "numbers or empty cells")


@pytest.mark.parametrize("verb", ["predict", "fit"])
def test_no_rows_in_no_rows_out(verb, galprism, catalogue, columns, tmp_path):
    path, out = catalogue({name: data[:0] for name, data in columns.items()}), tmp_path / "answer.parquet"
    result = galprism(*asks(verb, path, out))
    assert result.status == 0, result.err
    with open_table(out) as table:
        assert table.n_rows == 0
        assert {"id", "logmstar", "logsfr_p50", "n_bands", "flags"} <= set(table.columns)


def test_check_says_that_a_table_is_empty(galprism, catalogue, columns):
    path = catalogue({name: data[:0] for name, data in columns.items()})
    result = galprism("check", MODEL, path)
    assert result.status == 0
    assert "the table is empty" in result.out


@pytest.mark.parametrize("verb", READERS)
def test_a_missing_file_is_refused(verb, refused, out, tmp_path):
    path = tmp_path / "nowhere.fits"
    assert refused(asks(verb, path, out), path, "no such file")


def test_a_folder_in_the_place_of_a_table_is_refused(refused, out, tmp_path):
    (tmp_path / "folder.parquet").mkdir()
    assert refused(asks("predict", tmp_path / "folder.parquet", out), "folder.parquet", "directory")


@pytest.mark.parametrize("suffix", ["fits", "parquet", "hdf5", "vot"])
@pytest.mark.parametrize("share", [0.0, 0.9])
def test_a_truncated_file_is_refused(suffix, share, refused, catalogue, columns, out):
    path = catalogue(columns, f"catalogue.{suffix}")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert refused(asks("predict", path, out), path)


@pytest.mark.parametrize("suffix", ["fits", "parquet", "hdf5", "vot", "ecsv", "csv"])
def test_text_under_the_name_of_a_table_is_refused(suffix, refused, out, tmp_path):
    path = tmp_path / f"letter.{suffix}"
    path.write_text("Dear Sir,\nplease find enclosed the galaxies that you asked for.\n" * 100)
    assert refused(asks("predict", path, out), path)


def test_an_unknown_suffix_is_refused(refused, out, tmp_path):
    path = tmp_path / "catalogue.xlsx"
    path.write_bytes(b"PK")
    assert refused(asks("predict", path, out), path, ".fits", ".parquet")


@pytest.mark.parametrize("verb", ["predict", "fit"])
@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("missing/out.parquet", "there is no folder"),
        ("folder.parquet", "is a directory"),
        ("out.dat", "accepted: .fits"),
        ("out", "accepted: .fits"),
        ("file/out.parquet", "there is no folder"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_any_work(
    verb, name, word, refused, catalogue, columns, tmp_path
):
    (tmp_path / "folder.parquet").mkdir()
    (tmp_path / "file").write_text("")
    assert refused(asks(verb, catalogue(columns), tmp_path / name), tmp_path / name, word)

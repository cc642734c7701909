"""`galprism predict` with a model of photometry, images and spectra: from any files of them, and from bad ones."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

import toy_modalities as toy
from galprism import bundle
from galprism.data.cutout_file import CutoutWriter
from galprism.data.tables import open_table, read_predictions, write_table
from galprism.flags import Flag
from galprism.infer.beside import stamp
from made_spectra import write_sdss

N = 12
SOURCES = toy.measured(toy.TEST[:N])
IDS = np.array([f"0266-51602-{1 + k:04d}" for k in range(N)])
RA, DEC = 150.0 + 0.01 * np.arange(N), np.full(N, 20.0)
BLOCKS = {"photometry": Flag.NO_PHOTOMETRY, "image": Flag.IMAGE_MISSING, "spectrum": Flag.SPECTRUM_MISSING}


def write_spectrum(folder, k, there=slice(None), **said):
    """The spectrum of source k as SDSS has it."""
    columns = {"flux": SOURCES.spectra.flux[k], "ivar": SOURCES.spectra.ivar[k], "wdisp": np.ones(toy.N_PIXELS, "f4")}
    columns |= {"loglam": 1e-4 * (toy.FIRST + np.arange(toy.N_PIXELS)), "and_mask": np.zeros(toy.N_PIXELS, "i4")}
    known = {"FIBERID": 1 + k, "PLUG_RA": RA[k], "PLUG_DEC": DEC[k], "Z": SOURCES.redshift[k]}
    columns = {name: column[there] for name, column in (columns | said).items() if name in columns}
    said = {name: value for name, value in said.items() if name not in columns}
    return write_sdss(folder / f"spec-{k:02d}.fits", n=len(columns["flux"]), **(known | columns | said))


def write_catalogue(path, **changes):
    columns = {"id": IDS, "ra": RA, "dec": DEC, "redshift": SOURCES.redshift}
    for j, band in enumerate(SOURCES.photometry.bands):
        columns[f"flux_{band}"] = SOURCES.photometry.flux[:, j]
        columns[f"flux_err_{band}"] = SOURCES.photometry.flux_err[:, j]
    columns = {name: value for name, value in (columns | changes).items() if value is not None}
    write_table(path, columns, units={name: "nJy" for name in columns if name.startswith("flux")})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A bundle; a catalogue, cutouts and spectra of the same galaxies, in other orders; one has no image, one no
    spectrum."""
    folder = tmp_path_factory.mktemp("modalities")
    bundle.save(toy.bundle(), folder / "toy")
    write_catalogue(folder / "table.parquet")
    order = np.random.default_rng(1).permutation(N - 1)
    with CutoutWriter(folder / "cut.h5") as writer:
        writer.write(IDS[order], SOURCES.cutouts.take(order))
    (folder / "spectra").mkdir()
    for k in range(1, N):
        write_spectrum(folder / "spectra", N - k)
    return folder


@pytest.fixture
def predict(made, galprism, tmp_path):
    def run(name, *words, status=0, suffix="parquet"):
        out = tmp_path / f"out.{suffix}"
        result = galprism("predict", made / "toy", name, *words, "-o", out, "--threads", "1")
        assert result.status == status, result.err
        return read_predictions(out), result

    return run


def has(found, flag):
    return found.flags & np.uint32(flag) != 0


def missing(found):
    return {name: np.flatnonzero(has(found, flag)).tolist() for name, flag in BLOCKS.items()}


EVERY = list(range(N))


def test_all_three_are_joined_by_id(predict, made):
    found, result = predict(made / "table.parquet", "--cutouts", made / "cut.h5", "--spectra", made / "spectra")
    np.testing.assert_array_equal(found.id, IDS)
    assert missing(found) == {"photometry": [], "image": [N - 1], "spectrum": [0]}
    true = toy.pairs().column("mean_log_age_lw")[toy.TEST[:N]]
    assert np.std(found.column("mean_log_age_lw") - true) < 0.7 * np.std(true)
    expected = bundle_answers(made)
    np.testing.assert_allclose(found.point[1 : N - 1], expected[1 : N - 1], atol=2e-3)
    assert "12 sources by galaxy-populations" in result.out
    assert "1 SPECTRUM_MISSING: " in result.out


def bundle_answers(made):
    """Asked in one piece, in Python."""
    from galprism.infer import predict

    return predict(bundle.load(made / "toy"), SOURCES).point


@pytest.mark.parametrize(
    ("name", "words", "lacking"),
    [
        ("table.parquet", (), {"photometry": [], "image": EVERY, "spectrum": EVERY}),
        ("table.parquet", ("--cutouts", "cut.h5"), {"photometry": [], "image": [N - 1], "spectrum": EVERY}),
        ("table.parquet", ("--spectra", "spectra"), {"photometry": [], "image": EVERY, "spectrum": [0]}),
    ],
)
def test_any_of_them_beside_a_catalogue(predict, made, name, words, lacking):
    words = [made / word if not word.startswith("--") else word for word in words]
    found, _ = predict(made / name, *words)
    assert missing(found) == lacking
    assert np.isfinite(found.point).all()


def test_cutouts_alone_spectra_alone_and_the_two(predict, made):
    cut, _ = predict(made / "cut.h5")
    assert sorted(cut.id) == sorted(IDS[: N - 1])
    assert missing(cut)["image"] == []
    assert np.all(has(cut, Flag.REDSHIFT_MISSING))
    spectra, _ = predict(made / "spectra")
    assert spectra.id.tolist() == IDS[1:].tolist()
    assert missing(spectra) == {"photometry": EVERY[:-1], "image": EVERY[:-1], "spectrum": []}
    both, _ = predict(made / "spectra", "--cutouts", made / "cut.h5")
    assert missing(both)["image"] == [N - 2]
    other, _ = predict(made / "cut.h5", "--spectra", made / "spectra")
    assert sorted(other.id) == sorted(IDS[: N - 1])
    for found in (cut, spectra, both, other):
        assert np.isfinite(found.point).all()
    by_id = dict(zip(other.id.tolist(), other.point, strict=True))
    for ident, point in zip(both.id[:-1].tolist(), both.point, strict=False):
        np.testing.assert_allclose(by_id[ident], point, atol=1e-4)


def test_one_file_of_one_spectrum(predict, made):
    found, _ = predict(made / "spectra" / "spec-03.fits")
    assert found.id.tolist() == [IDS[3]]
    assert np.isfinite(found.point).all()


@pytest.mark.parametrize("suffix", ["parquet", "fits", "ecsv", "csv", "h5"])
def test_beside_answers_to_spectra_stands_what_their_files_say(predict, made, tmp_path, suffix):
    folder = tmp_path / "few"
    folder.mkdir()
    some = [write_spectrum(folder, k, ZWARNING=4 * (k == 5)) for k in (5, 2)]
    found, _ = predict(*some, suffix=suffix)
    assert found.id.tolist() == [IDS[5], IDS[2]]
    np.testing.assert_allclose(np.asarray(found.extra["redshift"]), SOURCES.redshift[[5, 2]])
    assert found.extra["zwarning"].tolist() == [4, 0]
    assert found.extra["spectral_class"].tolist() == ["GALAXY", "GALAXY"]
    assert [str(name).rpartition("/")[2] for name in found.extra["file"]] == ["spec-05.fits", "spec-02.fits"]
    assert np.array_equal(found.flags & np.uint32(Flag.REDSHIFT_WARNING) != 0, [True, False])
    assert [column.shape for column in found.extra.values()] == [(2,)] * len(found.extra)


def test_files_one_by_one_are_the_folder_of_them(predict, made):
    files = [made / "spectra" / f"spec-{k:02d}.fits" for k in range(1, N)]
    one, two = predict(*files)[0], predict(made / "spectra")[0]
    np.testing.assert_array_equal(one.point, two.point)
    assert one.extra["file"].tolist() == two.extra["file"].tolist()


def test_several_files_that_are_not_of_spectra(refused, galprism, made):
    both, out = (made / "table.parquet", made / "cut.h5"), ("-o", made / "no.parquet")
    refused(("predict", "kids-mass-sfr", *both, *out), "accepted: one catalogue")
    result = galprism("predict", made / "toy", *both, *out)
    assert result.status == 2
    assert "2 of 2 files cannot be read as spectra" in result.err
    assert not (made / "no.parquet").exists()


@pytest.fixture
def tables(tmp_path):
    """The spectra of three sources as tables of pixels, which say no redshift."""
    folder, unit = tmp_path / "tables", "1e-17 erg / (s cm2 Angstrom)"
    folder.mkdir()
    for k in (1, 2, 3):
        columns = {"wave": SOURCES.spectra.wave, "flux": SOURCES.spectra.flux[k], "ivar": SOURCES.spectra.ivar[k]}
        write_table(folder / f"{IDS[k]}.parquet", columns, units={"wave": "Angstrom", "flux": unit})
    return folder


def test_tables_of_pixels_with_redshifts_that_are_told(predict, made, tables, tmp_path):
    by_files, _ = predict(made / "spectra")
    expected = dict(zip(by_files.id.tolist(), by_files.point, strict=True))
    without, result = predict(tables)
    assert np.all(has(without, Flag.REDSHIFT_MISSING | Flag.NOT_INFERRED))
    assert "3 REDSHIFT_MISSING: " in result.out
    write_table(tmp_path / "z.csv", {"id": IDS[[3, 1]], "redshift": SOURCES.redshift[[3, 1]]})
    some, _ = predict(tables, "--redshift", tmp_path / "z.csv")
    assert np.flatnonzero(has(some, Flag.REDSHIFT_MISSING)).tolist() == [1]
    for row in (0, 2):
        np.testing.assert_allclose(some.point[row], expected[some.id[row]], atol=1e-3)
    alone, _ = predict(tables / f"{IDS[2]}.parquet", "--redshift", str(SOURCES.redshift[2]))
    np.testing.assert_allclose(alone.point[0], expected[IDS[2]], atol=1e-3)


def test_files_of_surveys_beside_tables_need_no_options(galprism, predict, made, tables, tmp_path):
    """Tables have the redshift that is told; the file its own; what cannot be read is named."""
    shutil.copy(made / "spectra" / "spec-05.fits", tables)
    found, result = predict(tables, "--redshift", "0.1")
    assert IDS[5] in found.id.tolist()
    assert len(found) == 4
    assert not np.any(has(found, Flag.REDSHIFT_MISSING))
    (tables / "words.fits").write_text("no spectrum")
    result = galprism("check", made / "toy", tables, "--redshift", "0.1", "--skip-unreadable")
    assert "left out: " in result.out
    assert "words.fits" in result.out


def test_doubts_of_a_file_and_pixels_that_are_missing_are_flagged(predict, tmp_path):
    folder = tmp_path / "doubtful"
    folder.mkdir()
    write_spectrum(folder, 0)
    write_spectrum(folder, 1, ZWARNING=4)
    ivar = SOURCES.spectra.ivar[2].copy()
    ivar[300 : 300 + toy.N_PIXELS // 20] = 0
    write_spectrum(folder, 2, ivar=ivar)
    ivar = SOURCES.spectra.ivar[3].copy()
    ivar[300 : 300 + toy.N_PIXELS // 200] = 0
    write_spectrum(folder, 3, ivar=ivar)
    write_spectrum(folder, 4, there=slice(0, int(0.8 * toy.N_PIXELS)))
    found, _ = predict(folder)
    assert has(found, Flag.REDSHIFT_WARNING).tolist() == [False, True, False, False, False]
    assert has(found, Flag.PIXELS_MISSING).tolist() == [False, False, True, False, True]
    assert np.isfinite(found.point).all()


def test_a_resumed_request_is_the_same_only_with_the_same_redshifts(made, tables):
    from galprism import surveys
    from galprism.infer.beside import opened

    model = bundle.load(made / "toy")

    def identity(**options):
        return opened(model, tables, surveys.get("sdss"), None, None, {}, options)[2].identity

    ids = np.array([IDS[1]])
    assert identity(redshift=0.1) == identity(redshift=0.1) != identity(redshift=0.2)
    told = [identity(redshifts=(ids, np.array([z]))) for z in (0.1, 0.1, 0.2)]
    assert told[0] == told[1] != told[2]


def test_options_of_spectra_without_spectra(made, refused, tmp_path):
    assert refused(("check", "sdss", made / "table.parquet", "--air"), "air: ", "is not of spectra")
    write_table(tmp_path / "z.csv", {"id": np.array(["other"]), "redshift": np.array([0.1])})
    for words, said in (
        (
            ("spectra", "--redshift", tmp_path / "z.csv"),
            ("redshifts of 1 ids (other, …), none of which",),
        ),
        (("spectra", "--redshift", "0.1"), ("spec-01.fits and 10 more: says all that a reader needs; redshift: ",)),
        (("table.parquet", "--redshift", "0.1", "--air"), ("air, redshift: ", "is not of spectra")),
        (("spectra", "--without", "u"), ("is of spectra, and has no bands",)),
        (("spectra", "--redshift", made / "cut.h5"), ("cut.h5: there is no table",)),
        (("spectra", "--redshift", "nowhere.csv"), ("accepted: a number, or a table of id and redshift",)),
    ):
        command = ("predict", made / "toy", made / words[0], *words[1:], "-o", tmp_path / "out.parquet")
        assert refused(command, *said)


def test_bad_spectra_keep_their_rows_with_the_reason(predict, tmp_path):
    """All without weight, gaps, wrong redshifts, a star: each in its row, the good one as ever."""
    folder = tmp_path / "bad"
    folder.mkdir()
    nothing = np.zeros(toy.N_PIXELS, "f4")
    write_spectrum(folder, 0)
    write_spectrum(folder, 1, ivar=nothing)
    write_spectrum(folder, 2, there=np.r_[0:1000, 1400 : toy.N_PIXELS])
    write_spectrum(folder, 3, Z=9.0)
    write_spectrum(folder, 4, Z=np.nan)
    write_spectrum(folder, 5, CLASS="STAR")
    write_spectrum(folder, 6, flux=np.full(toy.N_PIXELS, np.nan, "f4"))
    write_spectrum(folder, 7, Z=0.7)
    found, result = predict(folder)
    assert found.id.tolist() == IDS[:8].tolist()
    lost = [1, 3, 4, 6, 7]
    assert np.flatnonzero(has(found, Flag.NOT_INFERRED)).tolist() == lost
    assert np.flatnonzero(np.isnan(found.point).all(axis=1)).tolist() == lost
    assert has(found, Flag.SPECTRUM_MISSING).tolist() == [False, True, False, True, True, False, True, False]
    assert np.flatnonzero(has(found, Flag.REDSHIFT_MISSING)).tolist() == [3, 4]
    assert np.flatnonzero(has(found, Flag.REDSHIFT_OUT_OF_RANGE)).tolist() == [7]
    assert np.flatnonzero(has(found, Flag.NOT_A_GALAXY)).tolist() == [5]
    assert "1 NOT_A_GALAXY: its file calls the source a star or a quasar" in result.out
    true = toy.pairs().column("mean_log_age_lw")[toy.TEST[[0, 2]]]
    np.testing.assert_allclose(found.column("mean_log_age_lw")[[0, 2]], true, atol=0.5)


def test_with_photometry_a_bad_spectrum_costs_nothing_but_itself(predict, made, tmp_path):
    folder = tmp_path / "bad"
    folder.mkdir()
    write_spectrum(folder, 3, ivar=np.zeros(toy.N_PIXELS, "f4"))
    write_spectrum(folder, 5, CLASS="STAR", PLUG_RA=RA[5] + 3 / 3600)
    with_them, _ = predict(made / "table.parquet", "--spectra", folder)
    without, _ = predict(made / "table.parquet")
    others = np.arange(N) != 5
    np.testing.assert_allclose(with_them.point[others], without.point[others], atol=1e-4)
    assert np.flatnonzero(has(with_them, Flag.POSITION_MISMATCH)).tolist() == [5]
    assert np.flatnonzero(has(with_them, Flag.NOT_A_GALAXY)).tolist() == [5]
    assert np.isfinite(with_them.point).all()  # what is doubtful is said, and answered


def test_redshifts_that_are_none_in_a_catalogue(predict, made, tmp_path):
    redshift = SOURCES.redshift.copy()
    redshift[[1, 2, 3]] = np.nan, -9.0, 8.0
    write_catalogue(tmp_path / "table.parquet", redshift=redshift)
    found, _ = predict(tmp_path / "table.parquet")
    assert np.flatnonzero(has(found, Flag.REDSHIFT_MISSING)).tolist() == [1, 2]
    assert np.flatnonzero(has(found, Flag.NOT_INFERRED)).tolist() == [3]
    assert np.isfinite(found.point[1:3]).all()  # photometry needs none
    with_them, _ = predict(tmp_path / "table.parquet", "--spectra", made / "spectra")
    assert not np.any(has(with_them, Flag.REDSHIFT_MISSING))  # the spectra's


def test_a_catalogue_without_redshifts_is_answered(predict, made, tmp_path):
    write_catalogue(tmp_path / "table.parquet", redshift=None)
    found, _ = predict(tmp_path / "table.parquet")
    assert np.isfinite(found.point).all()
    assert np.all(has(found, Flag.REDSHIFT_MISSING))


def write_cutouts(path, cutouts):
    with CutoutWriter(path) as writer:
        writer.write(IDS, cutouts)


def test_cutouts_of_another_size_band_or_unit_are_refused(made, refused, tmp_path):
    whole = SOURCES.cutouts
    odd = replace(whole, flux=whole.flux[:, :, 2:-3, 2:-3], ivar=whole.ivar[:, :, 2:-3, 2:-3])
    write_cutouts(tmp_path / "odd.h5", odd)
    write_cutouts(tmp_path / "one.h5", replace(whole, flux=whole.flux[:, :1], ivar=whole.ivar[:, :1], bands=("g",),
                                               psf_fwhm=None))  # fmt: skip
    write_cutouts(tmp_path / "wide.h5", replace(whole, pixel_scale=0.2))
    levels = replace(whole, flux=np.full_like(whole.flux, 9), ivar=np.ones_like(whole.ivar), unit="8-bit")
    write_cutouts(tmp_path / "jpegs.h5", levels)
    for name, *words in (
        ("odd.h5", "needs cutouts of 24 x 24 pixels; these have 19 x 19"),
        ("one.h5", "needs cutouts in g, r, i; these are in g and lack r, i"),
        ("wide.h5", "pixels of 0.396 arcsec; these have 0.2"),
        ("jpegs.h5", "8-bit"),
    ):
        for command in ((tmp_path / name,), (made / "table.parquet", "--cutouts", tmp_path / name)):
            assert refused(("predict", made / "toy", *command, "-o", tmp_path / "out.parquet"), *words)


def test_empty_and_black_images_keep_their_rows_and_cost_no_other(predict, made, tmp_path):
    """What has no data is missing, and beside photometry not missed; what is zero everywhere, with errors, is no galaxy
    that was learned from."""
    flux, ivar = SOURCES.cutouts.flux.copy(), SOURCES.cutouts.ivar.copy()
    flux[[2, 4]], ivar[2] = 0, 0
    write_cutouts(tmp_path / "cut.h5", replace(SOURCES.cutouts, flux=flux, ivar=ivar))
    write_cutouts(tmp_path / "whole.h5", SOURCES.cutouts)
    alone, _ = predict(tmp_path / "cut.h5")
    whole, _ = predict(tmp_path / "whole.h5")
    np.testing.assert_array_equal(alone.id, IDS)
    assert np.flatnonzero(has(alone, Flag.IMAGE_MISSING)).tolist() == [2]
    assert np.flatnonzero(has(alone, Flag.NOT_INFERRED)).tolist() == [2]
    assert np.isnan(alone.point[2]).all()
    assert has(alone, Flag.INPUT_OUT_OF_RANGE)[4]
    others = ~np.isin(np.arange(N), [2, 4])
    np.testing.assert_allclose(alone.point[others], whole.point[others], atol=1e-4)
    beside, _ = predict(made / "table.parquet", "--cutouts", tmp_path / "cut.h5")
    assert missing(beside)["image"] == [2]
    assert np.isfinite(beside.point).all()


def test_what_was_done_to_spectra_is_said(made, predict, tmp_path):
    shutil.copytree(made / "spectra", tmp_path / "spectra")
    write_spectrum(tmp_path / "spectra", 3, Z=9.0)
    _, result = predict(tmp_path / "spectra")
    assert "spec-03.fits: redshift 9 was taken as none" in result.out


def test_cutouts_in_place_of_the_catalogue_of_a_model_of_photometry(made, refused, tmp_path):
    command = ("predict", "sdss-mass-sfr", made / "cut.h5", "-o", tmp_path / "out.parquet")
    assert refused(command, "cut.h5: bundle sdss-mass-sfr looks at photometry alone")


def test_our_own_files_in_a_folder_of_spectra_do_not_change_it(made, tmp_path):
    shutil.copytree(made / "spectra", tmp_path / "spectra")
    before = stamp(tmp_path / "spectra")
    (tmp_path / "spectra" / ".out.parquet.parts").mkdir()
    assert stamp(tmp_path / "spectra") == before
    write_spectrum(tmp_path / "spectra", 0)
    assert stamp(tmp_path / "spectra") != before


def test_larger_cutouts_are_looked_at_in_their_middle(predict, made, tmp_path):
    whole = SOURCES.cutouts
    wider = [np.pad(array, ((0, 0), (0, 0), (3, 3), (3, 3)), mode="edge") for array in (whole.flux, whole.ivar)]
    write_cutouts(tmp_path / "wide.h5", replace(whole, flux=wider[0], ivar=wider[1]))
    write_cutouts(tmp_path / "same.h5", whole)
    np.testing.assert_allclose(
        predict(tmp_path / "wide.h5")[0].point, predict(tmp_path / "same.h5")[0].point, atol=1e-4
    )


def test_spectra_that_cannot_be_read_are_named_and_those_of_others_refused(made, galprism, refused, tmp_path):
    folder = tmp_path / "bad"
    folder.mkdir()
    write_spectrum(folder, 0)
    (folder / "words.fits").write_text("no spectrum")
    out = ("-o", tmp_path / "out.parquet")
    result = galprism("predict", made / "toy", made / "table.parquet", "--spectra", folder, *out)
    assert result.status == 2
    assert "1 of 2 files cannot be read as spectra" in result.err
    assert "words.fits" in result.err
    other = tmp_path / "others"
    other.mkdir()
    write_spectrum(other, 0, PLATE=999)
    said = ("has no spectrum of any of the catalogue's first 12 ids", IDS[0], "0999-51602-0001")
    refused(("predict", made / "toy", made / "table.parquet", "--spectra", other, *out), *said)
    twice = ("predict", made / "toy", made / "spectra", "--spectra", made / "spectra", *out)
    refused(twice, "accepted: one, or a catalogue")
    refused(("predict", made / "toy", made / "cut.h5", "--cutouts", made / "cut.h5", *out), "accepted: one")
    refused(("predict", "kids-mass-sfr", made / "table.parquet", "--spectra", made / "spectra", *out), "alone")


def test_it_is_taken_up_with_other_spectra_anew(predict, made, tmp_path):
    """An answer depends on the files of spectra: with another one it is another."""
    folder = tmp_path / "spectra"
    shutil.copytree(made / "spectra", folder)
    first, _ = predict(made / "table.parquet", "--spectra", folder)
    (folder / "spec-05.fits").unlink()
    second, _ = predict(made / "table.parquet", "--spectra", folder)
    assert np.flatnonzero(np.any(first.point != second.point, axis=1)).tolist() == [5]


def test_check_says_how_each_is_understood(galprism, made):
    result = galprism("check", made / "toy", made / "table.parquet")
    assert result.status == 0, result.err
    assert "needs redshifts" not in result.out
    result = galprism("check", made / "toy", made / "spectra")
    assert result.status == 0, result.err
    assert "11 spectra of 3260 pixels from 3801.89 to 8051.93 Angstrom" in result.out
    assert "redshift 0.0" in result.out
    assert "looks at their pixels from 3801.89 to 8051.93 Angstrom" in result.out
    result = galprism("check", made / "toy", made / "cut.h5")
    assert result.status == 0, result.err
    assert "11 cutouts in g, r, i, 24 x 24 pixels of 0.396 arcsec, in nJy" in result.out


def test_check_asks_for_no_redshift_where_it_is_what_is_found(galprism, tmp_path):
    write_spectrum(tmp_path, 0, Z=np.nan)
    result = galprism("check", "galaxy-redshift", tmp_path / "spec-00.fits")
    assert result.status == 0, result.err
    assert "galaxy-redshift looks at their pixels from 3548.13 to 10411.2 Angstrom" in result.out
    assert "REDSHIFT" not in result.out


def test_columns_are_described(predict, made, tmp_path):
    predict(made / "table.parquet", "--quantiles", "0.16,0.5,0.84")
    with open_table(tmp_path / "out.parquet") as table:
        assert {"mean_log_age_lw_p16", "ebv_p84", "flags"} <= set(table.columns)
        assert table.columns["mean_log_age_lw"].unit.startswith("dex")
        assert "5500 A" in table.meta["predictions"]["definitions"]["mean_log_age_lw"]


@pytest.mark.parametrize(
    ("reads", "writes", "said"),
    [
        (("table.parquet", "--cutouts", "cut.h5"), ("-o", "cut.h5"), "is what is read"),
        (("table.parquet", "--cutouts", "cut.h5"), ("-o", "a.csv", "--redshift-pdf", "cut.h5"), "is what is read"),
        (("table.parquet", "--cutouts", "cut.h5"), ("-o", "a.csv", "--redshift-pdf", "link.h5"), "is what is read"),
        (("table.parquet", "--redshift", "z.csv", "--spectra", "spectra"), ("-o", "z.csv"), "is what is read"),
        (("spectra",), ("-o", "spectra/spec-03.fits"), "spectra, all of which is read"),
        (("table.parquet", "--spectra", "spectra"), ("-o", "spectra/spec-03.fits"), "all of which is read"),
        (("table.parquet", "--spectra", "spectra"), ("-o", "a.csv", "--redshift-pdf", "spectra/a.h5"), "all of which"),
        (("spectra/spec-03.fits", "spectra/spec-04.fits"), ("-o", "spectra/spec-04.fits"), "is what is read"),
        (("table.parquet",), ("-o", "a.h5", "--redshift-pdf", "./a.h5"), "need a file each"),
    ],
)
def test_what_is_read_is_not_written(made, refused, tmp_path, reads, writes, said):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    write_table(tmp_path / "z.csv", {"id": IDS, "redshift": SOURCES.redshift})
    (tmp_path / "link.h5").symlink_to(tmp_path / "cut.h5")
    words = [word if word.startswith("-") else tmp_path / word for word in (*reads, *writes)]
    cutouts, spectrum = ((tmp_path / name).read_bytes() for name in ("cut.h5", "spectra/spec-03.fits"))
    assert said in refused(("predict", tmp_path / "toy", *words))
    assert (tmp_path / "cut.h5").read_bytes() == cutouts
    assert (tmp_path / "spectra/spec-03.fits").read_bytes() == spectrum


def test_which_pixels_there_are_and_which_are_looked_at(predict, tmp_path):
    """Wavelengths in nm that are called Angstrom: no pixel is where the model looks."""
    wave = 10 ** (1e-4 * (toy.FIRST + np.arange(toy.N_PIXELS)))
    columns = {"wave": wave / 10, "flux": SOURCES.spectra.flux[0], "ivar": SOURCES.spectra.ivar[0]}
    units = {"wave": "Angstrom", "flux": "1e-17 erg / (s cm2 Angstrom)"}
    write_table(tmp_path / "nm.ecsv", columns, units=units)
    _, result = predict(tmp_path / "nm.ecsv", "--redshift", "0.1")
    assert f"the spectra have data from {wave[0] / 10:.6g} to" in result.out
    low, high = SOURCES.spectra.wave[[0, -1]]
    assert f"looks at those from {low:.6g} to {high:.6g} Angstrom, observed; is the unit of the wave" in result.out

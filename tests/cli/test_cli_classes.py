"""`galprism predict` with a classifier: from a catalogue, from cutouts, from both, and what it will not do."""

import numpy as np
import pytest

import toy_classes
from galprism import bundle
from galprism.data import CLASSES
from galprism.data.cutout_file import CutoutWriter
from galprism.data.tables import open_table, read_predictions, write_table
from galprism.flags import Flag

N = 400
SOURCES, TRUE = toy_classes.sources(N, seed=4)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A bundle, a catalogue, and cutouts of all but the last ten sources, in another order."""
    folder = tmp_path_factory.mktemp("classes")
    bundle.save(toy_classes.bundle(), folder / "toy")
    columns = {"id": SOURCES.id}
    for k, band in enumerate(SOURCES.photometry.bands):
        columns[f"flux_{band}"] = SOURCES.photometry.flux[:, k]
        columns[f"flux_err_{band}"] = SOURCES.photometry.flux_err[:, k]
    write_table(folder / "table.parquet", columns, units=dict.fromkeys(list(columns)[1:], "nJy"))
    others = columns | {"id": SOURCES.id + 10_000}
    write_table(folder / "others.parquet", others, units=dict.fromkeys(list(columns)[1:], "nJy"))
    order = np.random.default_rng(1).permutation(N - 10)
    with CutoutWriter(folder / "cut.h5") as writer:
        writer.write(SOURCES.id[order], SOURCES.cutouts.take(order))
    return folder


@pytest.fixture
def predict(made, galprism, tmp_path):
    def run(name, *words, out="out.parquet"):
        return galprism("predict", made / "toy", made / name, *words, "-o", tmp_path / out)

    return run


def probability(path):
    found = read_predictions(path)
    return found, np.stack([found.extra[f"prob_{name}"] for name in CLASSES], axis=1)


def test_catalogue_and_cutouts_are_joined_by_id(predict, made, tmp_path):
    result = predict("table.parquet", "--cutouts", made / "cut.h5")
    assert result.status == 0, result.err
    assert "10 IMAGE_MISSING: " in result.out
    found, p = probability(tmp_path / "out.parquet")
    np.testing.assert_array_equal(found.id, SOURCES.id)
    assert (p.argmax(axis=1) == TRUE).mean() > 0.95
    assert set(np.flatnonzero(found.flags & np.uint32(Flag.IMAGE_MISSING))) == set(range(N - 10, N))
    assert {"mag_r", "class", "p_max"} <= set(open_table(tmp_path / "out.parquet").columns)


def test_images_alone_are_classified_from_their_file(predict, tmp_path):
    result = predict("cut.h5", out="images.fits")
    assert result.status == 0, result.err
    found, p = probability(tmp_path / "images.fits")
    assert len(found) == N - 10
    true = TRUE[np.searchsorted(SOURCES.id, found.id)]
    assert ((p.argmax(axis=1) == 2) == (true == 2)).mean() > 0.9


def test_batches_and_threads_make_no_difference(predict, made, tmp_path, monkeypatch):
    predict("table.parquet", "--cutouts", made / "cut.h5", out="one.parquet")
    monkeypatch.setattr("galprism.infer.beside.IMAGE_BYTES", 8 * 41 * 41 * 64)
    predict("table.parquet", "--cutouts", made / "cut.h5", "--threads", "2", out="two.parquet")
    (_, one), (_, two) = probability(tmp_path / "one.parquet"), probability(tmp_path / "two.parquet")
    np.testing.assert_allclose(one, two, atol=1e-6)


def test_priors_are_taken_and_told(predict, tmp_path):
    assert predict("table.parquet", "--priors", "star=0.9,qso=0.05,galaxy=0.05").status == 0
    stars = (probability(tmp_path / "out.parquet")[1].argmax(axis=1) == 0).sum()
    assert predict("table.parquet", out="plain.parquet").status == 0
    assert stars >= (probability(tmp_path / "plain.parquet")[1].argmax(axis=1) == 0).sum()
    said = open_table(tmp_path / "out.parquet").meta["predictions"]["class_shares"]
    assert said == {"star": 0.9, "qso": 0.05, "galaxy": 0.05}


def test_a_table_without_redshifts_is_as_it_should_be(made, galprism):
    """Classes need none, and `check` does not ask for them."""
    checked = galprism("check", made / "toy", made / "table.parquet")
    assert checked.status == 0, checked.err
    assert f"{N} rows" in checked.out
    assert "needs redshifts" not in checked.out


def test_an_empty_table_has_its_columns(predict, made, tmp_path):
    table = open_table(made / "table.parquet")
    columns = table.read(list(table.columns))
    write_table(made / "empty.parquet", {name: value[:0] for name, value in columns.items()})
    result = predict("empty.parquet", "--cutouts", made / "cut.h5", "--unit", "nJy")
    assert result.status == 0, result.err
    assert "prob_qso" in open_table(tmp_path / "out.parquet").columns


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--priors", "star=1"), "accepted: star, qso, galaxy, each once"),
        (("--priors", "star=x,qso=1,galaxy=1"), "a number for each class"),
        (("--priors", "star=0,qso=0,galaxy=0"), "class shares after"),
        (
            ("--priors", "star=.3,star=.3,qso=.1,galaxy=.3"),
            "names star, star, qso, galaxy; accepted: star, qso, galaxy, each",
        ),
        (("--priors", "star=-1,qso=1,galaxy=1"), "the share of star is no number from 0 on"),
        (("--posterior",), "tells classes and infers no parameters"),
        (("--infer-redshift",), "tells classes and infers no parameters"),
        (("--cutouts", "nothing.h5"), "nothing.h5"),
    ],
)
def test_what_it_cannot_do_is_refused(made, refused, tmp_path, words, said):
    assert refused(("predict", made / "toy", made / "table.parquet", *words, "-o", tmp_path / "out.parquet"), said)


def test_cutouts_of_other_sources_are_refused(made, refused, tmp_path):
    command = ("predict", made / "toy", made / "others.parquet", "--cutouts", made / "cut.h5")
    assert refused((*command, "-o", tmp_path / "out.parquet"), "put to sources by id", "11000")


def test_models_of_parameters_take_no_cutouts(made, refused, tmp_path):
    command = ("predict", "kids-mass-sfr", made / "table.parquet", "--cutouts", made / "cut.h5")
    assert refused((*command, "-o", tmp_path / "out.parquet"), "looks at photometry alone")


def test_a_recipe_of_classes_without_its_catalogue_says_so(refused, tmp_path):
    command = ("train", "sdss-star-qso-galaxy", "-o", tmp_path / "bundle")
    assert refused(command, "classes.labels.catalogue=FILE")

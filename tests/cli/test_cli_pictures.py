"""`galprism pictures` on pictures and cutouts that are made here."""

import numpy as np
import pytest
from PIL import Image

from galprism.data import Cutouts
from galprism.data.cutout_file import CutoutWriter
from galprism.data.three_colour import NANOMAGGY
from made_pictures import galaxy, picture

MIDDLE = 63.5


@pytest.fixture
def folder(tmp_path):
    """A galaxy as JPEG, a pair, an empty picture and wrong files; cutouts with g, r and i by number, and others."""
    one, two = galaxy(MIDDLE, MIDDLE, 8, 0.6, 1), galaxy(78, MIDDLE, 4, 1, 0)
    Image.fromarray(picture(one, noise=0.05)).save(tmp_path / "one.jpg", quality=95)
    Image.fromarray(picture(one, two, noise=0.05)).save(tmp_path / "two.png")
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "empty.png")
    Image.fromarray(picture(one)[..., 0]).save(tmp_path / "grey.png")
    (tmp_path / "text.jpg").write_text("galaxy")
    light = np.stack([one / 7.8, one / 5.7, one / 4.9])[None].repeat(2, axis=0)
    flux = (light * NANOMAGGY).astype(np.float32)
    for name, bands, ids in (("a.h5", ("g", "r", "i"), [7, 3]), ("z.h5", ("g", "r", "z"), ["x", "y"])):
        with CutoutWriter(tmp_path / name) as writer:
            writer.write(np.array(ids), Cutouts(flux, np.ones_like(flux), bands, 0.396))
    return tmp_path


def test_pictures_are_drawn(galprism, folder):
    out = folder / "out.png"
    out.write_bytes(b"what stood here before")
    files = [folder / name for name in ("one.jpg", "two.png", "empty.png")]
    result = galprism("pictures", *files, "-o", out)
    assert result.status == 0, result.err
    lines = result.out.splitlines()
    assert lines[0].startswith("one: prepared, ellipse of ")
    assert lines[1].startswith("two: blended, ellipse of ")
    assert lines[2] == "empty: one level throughout"
    assert lines[3] == f"3 pictures drawn: {out}"
    with Image.open(out) as drawn:
        assert drawn.size[0] > 1000
        levels = np.asarray(drawn.convert("RGB"))
    assert len(np.unique(levels.reshape(-1, 3), axis=0)) > 200


def test_cutouts_are_drawn(galprism, folder):
    result = galprism("pictures", "--cutouts", folder / "a.h5", "--id", "3", "--id", "7", "-o", folder / "out.png")
    assert result.status == 0, result.err
    assert [line.split(":")[0] for line in result.out.splitlines()] == ["3", "7", "2 pictures drawn"]
    assert galprism("pictures", "--cutouts", folder / "a.h5", "-o", folder / "out.png").out.startswith("7: prepared")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "accepted: FILE … with pictures, or --cutouts FILE.h5 with --id ID"),
        (("one.jpg", "--cutouts", "a.h5"), "accepted: FILE … with pictures, or"),
        (("one.jpg", "--id", "3"), "accepted: FILE … with pictures, or"),
        (("one.jpg", "grey.png"), "grey.png: its colours are L; accepted: RGB of 8 bits each"),
        (("text.jpg",), "text.jpg: is not a picture; accepted: JPEG, PNG"),
        (("none.jpg",), "none.jpg: no such file"),
        (("one.jpg", "--pixels", "64"), "one.jpg: has 128 x 128 pixels; accepted: 64 x 64"),
        (("one.jpg", "--size", "0"), "size = 0"),
        (("one.jpg",) * 31, "31 pictures; accepted: up to 30"),
        (("--cutouts", "a.h5", "--id", "5"), "has no cutout of id 5"),
        (("--cutouts", "a.h5", "--id", "x"), "--id x; accepted: whole numbers"),
        (("--cutouts", "z.h5"), "these are in g, r, z and lack i"),
        (("--cutouts", "one.jpg"), "one.jpg: "),
    ],
)
def test_what_is_wrong_is_refused(words, said, refused, folder):
    assert refused(["pictures", *(folder / w if "." in w else w for w in words), "-o", folder / "out.png"], said)


def test_where_it_cannot_be_written(refused, folder):
    for out, said in (
        ("out.jpg", "the figure is a .png"),
        ("no/out.png", "there is no folder"),
        ("two.png", "is what"),
    ):
        assert refused(["pictures", folder / "two.png", "-o", folder / out], said)

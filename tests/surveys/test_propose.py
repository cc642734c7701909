"""The file of a new survey: what is read from a table is what went into it, and what is a guess is said."""

import numpy as np
import pytest

from galprism import surveys
from galprism.cli.main import main
from galprism.data.tables import write_table
from galprism.errors import RequestError
from galprism.surveys.curves import extinction
from galprism.surveys.propose import as_toml, propose


def table(tmp_path, kids, made, n=4000):
    """A catalogue of two KiDS bands with noise of known depth, under names of its own."""
    rng = np.random.default_rng(2)
    columns = {"id": np.arange(n), "redshift": rng.uniform(0.1, 1.0, n)}
    for band, depth in (("g", 24.0), ("J", 21.5)):
        sky = 10 ** (0.4 * (31.4 - depth)) / 5
        true = 10 ** (0.4 * (31.4 - rng.uniform(depth - 5, depth + 1, n)))
        columns[f"flux_{band}"] = true + sky * rng.standard_normal(n)
        columns[f"flux_err_{band}"] = np.full(n, sky)
    path = tmp_path / "mine.fits"
    write_table(path, columns, units={name: "nJy" for name in columns if name.startswith("flux")})
    return path


def test_depths_and_ranges_come_from_the_table_and_it_is_read_with_them(tmp_path, kids, made):
    path = table(tmp_path, kids, made)
    proposal = propose("mine", {"J": "viking/J", "g": "kids/g"}, str(path))
    g, j = proposal.survey.bands
    assert (g.name, j.name) == ("g", "J")  # from blue to red
    assert g.depth == pytest.approx(24.0, abs=0.05)
    assert j.depth == pytest.approx(21.5, abs=0.05)
    (tmp_path / "mine.toml").write_text(as_toml(proposal))
    survey = surveys.get(tmp_path / "mine.toml")
    assert survey == proposal.survey
    assert len(surveys.read(path, survey)) == 4000
    with pytest.raises(RequestError, match="in nJy by the table"):
        surveys.read(path, survey, unit="uJy")
    assert any("zeropoint_error" in guess for guess in proposal.guesses)


def test_extinction_is_that_of_the_same_wavelength():
    for name, band in (("kids", "g"), ("sdss", "r"), ("kids", "Ks")):
        known = next(b for b in surveys.get(name).bands if b.name == band)
        assert extinction(known.passband) == pytest.approx(known.extinction, rel=0.02)
    assert extinction("kids/g") > extinction("tophat/5600x500") > extinction("kids/r")


def test_the_command_writes_the_file_and_says_what_it_guessed(tmp_path, kids, made, capsys):
    path, out = table(tmp_path, kids, made), tmp_path / "mine.toml"
    words = ["survey", "mine", "--passbands", "g=kids/g", "J=viking/J", "--catalogue", str(path), "-o", str(out)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "2 bands, g J" in said
    assert "zeropoint_error: 0.02 mag in every band" in said
    assert "from the 4,000 sources" in said
    assert surveys.get(out).band_names == ("g", "J")
    assert main(words) == 2  # nothing is overwritten
    assert "accepted: a new file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--passbands", "g"], "is not a folder"),
        (["--passbands", "g=kids/g", "g=kids/r"], "band g is given twice"),
        (["--passbands", "g=kids/q"], "no passband 'kids/q'"),
        (["--passbands", "=kids/g"], "accepted: a folder, or BAND=PASSBAND"),
    ],
)
def test_wrong_words_write_nothing(tmp_path, capsys, words, message):
    out = tmp_path / "mine.toml"
    assert main(["survey", "mine", *words, "-o", str(out)]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("name", ["kids", "", " "])
def test_a_name_that_is_taken_or_none_is_refused(tmp_path, capsys, name):
    out = tmp_path / "mine.toml"
    assert main(["survey", name, "--passbands", "g=kids/g", "-o", str(out)]) == 2
    assert f"survey {name!r}: accepted: a name that no survey of galprism has (euclid, hsc" in capsys.readouterr().err
    assert not out.exists()


def test_a_table_that_lacks_a_band_is_refused(tmp_path, kids, made):
    with pytest.raises(RequestError, match="lacks the columns flux_H, flux_err_H"):
        propose("mine", {"g": "kids/g", "H": "viking/H"}, str(table(tmp_path, kids, made)))


def test_an_empty_table_says_nothing_of_depths(tmp_path):
    path = tmp_path / "empty.fits"
    columns = {"flux_g": np.zeros(0), "flux_err_g": np.zeros(0)}
    write_table(path, columns, units={"flux_g": "nJy", "flux_err_g": "nJy"})
    with pytest.raises(RequestError, match="is empty; depths"):
        propose("mine", {"g": "kids/g"}, str(path))


def test_a_survey_whose_curve_is_gone_is_noticed_by_check(tmp_path, kids, made, capsys):
    out = tmp_path / "mine.toml"
    out.write_text(as_toml(propose("mine", {"g": "kids/g", "J": "viking/J"})).replace("viking/J", "gone.txt"))
    assert main(["check", str(out), str(table(tmp_path, kids, made))]) == 2
    assert "no passband 'gone.txt'" in capsys.readouterr().err

"""The words of a command: help, version, what there is, and words that make no sense."""

import os
import subprocess
import sys

import pytest
from commands import BANDS, MODEL

import galprism as package
from galprism import flags, params, passbands
from galprism.cli.main import VERBS


def test_version(galprism):
    result = galprism("--version")
    assert (result.status, result.out.strip()) == (0, f"galprism {package.__version__}")


def test_help_lists_every_verb(galprism):
    result = galprism("-h")
    assert result.status == 0
    assert all(f"\n    {verb} " in result.out or f"\n    {verb}\n" in result.out for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb, galprism):
    result = galprism(verb, "-h")
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith(f"usage: galprism {verb} ")
    assert VERBS[verb][1:].split()[0] in result.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "VERB"),
        (("prdict",), "'prdict'"),
        (("--loud",), "VERB"),
        (("predict",), "-o/--output"),
        (("predict", MODEL, "-o", "out.parquet"), "catalogue"),
        (("check", MODEL, "table.fits", "out.fits"), "unrecognized arguments: out.fits"),
        (("fit", "mlp-gap", "table.fits", "-o", "out.fits", "--method", "guess"), "'guess'"),
        (("list",), "WHAT"),
        (("list", "galaxies"), "'galaxies'"),
        (("mock", "mlp-gap", "-n", "many", "-o", "out"), "'many'"),
        (("evaluate", "-o", "report"), "PREDICTIONS"),
    ],
)
def test_words_that_make_no_sense_are_refused_in_one_line(words, said, galprism):
    result = galprism(*words)
    assert result.status == 2
    assert result.out == ""
    assert len(result.complaint) == 1
    assert result.err.startswith("galprism")
    assert said in result.err
    assert "-h`" in result.err


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("models", [MODEL]),
        ("recipes", ["mlp-gap", "kids-mass-sfr", "sdss-mass-sfr", "galaxy-photometry"]),
        ("surveys", ["euclid", "hsc", "jpas", "kids", "rubin", "sdss"]),
        ("passbands", passbands.names()),
        ("params", list(params.PARAMS)),
        ("flags", [str(int(flag)) for flag in flags.Flag]),
    ],
)
def test_list_names_everything_once(what, names, galprism):
    result = galprism("list", what)
    assert (result.status, result.err) == (0, "")
    listed = [line.split()[0] for line in result.out.splitlines()]
    assert set(names) <= set(listed)
    assert len(listed) == len(set(listed))


def test_lists_say_what_a_name_is(galprism):
    surveys = dict(line.split(maxsplit=1) for line in galprism("list", "surveys").out.splitlines())
    assert tuple(surveys["kids"].split()) == BANDS
    assert "[dex(Msun)]" in galprism("list", "params").out
    assert all(sentence in galprism("list", "flags").out for sentence in flags.SENTENCE.values())


def test_predict_at_the_shell_needs_no_torch_and_ends_with_its_status(catalogue, columns, tmp_path):
    code = (
        "import sys; from galprism.cli.main import main; "
        "words, out = sys.argv[1:5], sys.argv[5]; "
        "done = main([*words, '-o', out]); wrong = main([*words, '-o', out + '.xlsx']); "
        "assert not {'torch', 'galsim', 'dask'} & set(sys.modules); sys.exit(10 * done + wrong)"
    )
    words = ["predict", MODEL, str(catalogue(columns)), "--threads=1", str(tmp_path / "out.parquet")]
    ended = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert ended.returncode == 2, ended.stderr
    assert (tmp_path / "out.parquet").exists()
    assert "out.parquet.xlsx" in ended.stderr.splitlines()[-1]


def test_what_is_for_any_bands_is_checked_by_survey(galprism, catalogue, columns):
    path = catalogue(columns)
    asked = galprism("check", "galaxy-photometry", path)
    assert (asked.status, len(asked.complaint)) == (2, 1)
    assert "say whose these are, with --survey (euclid, hsc, jpas, kids, rubin, sdss" in asked.err
    told = galprism("check", "galaxy-photometry", path, "--survey", "kids")
    assert told.status == 0
    assert "medians of each band against what the others say" in told.out
    assert galprism("check", "kids", path).status == 0
    unknown = galprism("check", "kidz", path)
    assert "no model and no survey 'kidz'" in unknown.err


def test_the_details_of_models_are_their_cards(galprism):
    result = galprism("list", "models", "--details")
    assert result.status == 0
    assert result.out.count("## Calibration certificate") == 5
    assert "| survey | rubin |" in result.out
    assert galprism("list", "flags", "--details").status == 2


def test_linear_algebra_has_one_thread_unless_the_user_says_so(galprism, monkeypatch):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    galprism("list", "flags")
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "4")
    galprism("list", "flags")
    assert os.environ["OPENBLAS_NUM_THREADS"] == "4"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ((), "stopped; nothing is kept yet, and the same command begins anew"),
        (("100 of 700 rows are done; run the same command again",), "stopped; 100 of 700 rows are done; run the same"),
    ],
)
def test_a_run_that_is_stopped_says_what_is_kept(galprism, columns, catalogue, tmp_path, monkeypatch, said, told):
    def stopped(*args, **options):
        raise KeyboardInterrupt(*said)

    monkeypatch.setattr("galprism.cli.predict.predict_file", stopped)
    result = galprism("predict", "kids-mass-sfr", catalogue(columns), "-o", tmp_path / "a.csv")
    assert result.status == 130
    assert told in result.err

"""Answers checked against galaxies of the model's own population: `galprism predict --predictive-check`."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest
from tiny_survey import with_photometry

from galprism import bundle, config, passbands, recipes, surveys
from galprism.cli.main import main
from galprism.data import Sources
from galprism.data.tables import open_table, write_table
from galprism.errors import RequestError
from galprism.fit import load_cache
from galprism.flags import Flag
from galprism.infer import Posteriors, predict
from galprism.infer.predictive import SUSPECT, PredictiveCheck
from galprism.mocks.simulate import simulate
from galprism.recipes import Recipe
from galprism.recipes.references import make_reference_cache, models_of
from galprism.recipes.sky import sky


@pytest.fixture(scope="module")
def draws(model, tmp_path_factory):
    """The place of the models of KiDS galaxies."""
    path = tmp_path_factory.mktemp("check") / "draws.npz"
    models_of(model, "kids", path)
    return path


@pytest.fixture(scope="module")
def catalogue(kids, tmp_path_factory):
    """200 of the galaxies as a table; the first has no redshift."""
    _, sources, _ = kids
    redshift = sources.redshift[:200].copy()
    redshift[0] = np.nan
    columns = {"id": sources.id[:200], "redshift": redshift}
    for j, band in enumerate(sources.photometry.bands):
        columns[f"flux_{band}"] = sources.photometry.flux[:200, j]
        columns[f"flux_err_{band}"] = sources.photometry.flux_err[:200, j]
    path = tmp_path_factory.mktemp("catalogue") / "mine.parquet"
    write_table(path, columns, units={name: "nJy" for name in columns if name.startswith("flux")})
    return path


@pytest.fixture(scope="module")
def known_model():
    """A shipped model that is well trained, galaxies of its population, and models of them."""
    recipe = recipes.load("kids-mass-sfr", ["population.redshift=[0.2,0.6]", "fit.n_draws=10000", "seed=98"])
    sources, truth = next(simulate(sky(recipe), recipe.noise, 2000))
    return bundle.load("kids-mass-sfr"), sources, truth, make_reference_cache(recipe, "posterior")


def test_honest_galaxies_of_a_good_model_are_about_even(known_model):
    """Not quite, since the answers come of the same fluxes: few are very low, as many are below a half as above."""
    shipped, sources, _, models = known_model
    p = predict(shipped, sources, models=models).extra["predictive_p"]
    assert np.isfinite(p).mean() > 0.99
    p = p[np.isfinite(p)]
    for level in (0.01, 0.05, 0.2):
        assert binomtest(int((p < level).sum()), len(p), 1.5 * level, alternative="greater").pvalue > 1e-3
        assert binomtest(int((p < level).sum()), len(p), 0.4 * level, alternative="less").pvalue > 1e-3
    assert 0.4 < np.median(p) < 0.65


def test_answers_of_other_galaxies_are_found(known_model):
    """Masses and rates of another galaxy; what the photometry leaves open decides how often."""
    shipped, sources, truth, models = known_model
    found = predict(shipped, sources, models=models, posterior=True)
    told = Posteriors.unpack(found.extra["posterior"], found.point.astype(float), found.meta["posterior"])
    other = np.random.default_rng(3).permutation(len(sources))
    swapped = replace(told, weight=told.weight[other], mean=told.mean[other], factor=told.factor[other])
    p = PredictiveCheck(shipped, models).p_values(sources, swapped)
    off = np.abs(truth.column("logmstar") - truth.column("logmstar")[other])
    assert np.mean(p[off > 1.0] < 0.01) > 0.8
    assert np.mean(p[off > 1.0] < 0.01) > 2 * np.mean(p[off < 0.2] < 0.01)


def test_a_wrong_band_is_found(kids, draws):
    bound, sources, _ = kids
    models = load_cache(draws)
    honest = predict(bound, sources, models=models).extra["predictive_p"]
    assert np.isfinite(honest).all()
    assert np.mean(honest < SUSPECT) < 0.05  # of a network that has seen little
    flux = sources.photometry.flux.copy()
    flux[:, 3] *= 2.0
    wrong = predict(bound, with_photometry(sources, flux), models=models).extra["predictive_p"]
    bright = sources.photometry.flux[:, 3] ** 2 * sources.photometry.ivar[:, 3] > 30**2
    assert np.mean(wrong[bright] < SUSPECT) > 0.8


def test_on_the_command_line(folder, model, draws, catalogue, tmp_path, capsys):
    out = tmp_path / "out.parquet"
    words = ["predict", str(folder), str(catalogue), "-o", str(out), "--survey", "kids"]
    assert main([*words, "--predictive-check", str(draws)]) == 0
    capsys.readouterr()
    sources = surveys.read(str(catalogue), "kids")
    expected = predict(model.bind("kids"), sources, models=load_cache(draws))
    with open_table(out) as table:
        found = table.read()
        assert table.meta["predictions"]["predictive_p"]["models"] == load_cache(draws).file_hash
        assert "over the posterior" in table.columns["predictive_p"].description
    np.testing.assert_allclose(found["predictive_p"], expected.extra["predictive_p"], atol=1e-3)
    assert np.isnan(found["predictive_p"][0])
    low = found["predictive_p"] < SUSPECT
    assert np.all(found["flags"][low] & Flag.POOR_FIT)


def test_inferred_redshifts_are_not_checked(folder, draws, catalogue, tmp_path):
    known, inferred = tmp_path / "known.parquet", tmp_path / "inferred.parquet"
    words = ["predict", str(folder), str(catalogue), "--survey", "kids", "--predictive-check", str(draws)]
    assert main([*words, "-o", str(known)]) == 0
    assert main([*words, "-o", str(inferred), "--infer-redshift"]) == 0
    with open_table(known) as one, open_table(inferred) as other:
        a, b = one.read(), other.read()
    np.testing.assert_array_equal(np.isnan(b["predictive_p"]), np.arange(200) == 0)
    assert np.isfinite(b["logmstar"][0])
    np.testing.assert_allclose(b["predictive_p"], a["predictive_p"], atol=1e-3)


def test_models_are_made_and_kept(model, draws):
    models = load_cache(draws)
    assert models.meta["n"] == 20_000
    assert models.meta["survey"] == "kids"
    assert models_of(model, "kids", draws).identity == models.identity


@pytest.mark.parametrize("name", bundle.names())
def test_every_shipped_model_says_what_its_own_population_is(name):
    shipped = bundle.load(name)
    assert config.fill(Recipe, shipped.recipe).name == shipped.recipe_name


def test_models_of_something_else_are_refused(model, draws, tmp_path):
    with pytest.raises(RequestError, match=r"draws\.npz holds models of survey kids; expected rubin"):
        models_of(model, "rubin", draws)
    with pytest.raises(RequestError, match=r"draws\.npz was made for population\.\w+ = .*--predictive-check"):
        models_of(bundle.load("kids-mass-sfr"), None, draws)
    grid = tmp_path / "grid.npz"
    grid.write_bytes((bundle.SHIPPED.parent / "fit" / "caches" / "kids.npz").read_bytes())
    with pytest.raises(RequestError, match=r"grid\.npz holds the models of a grid fit, not of posterior"):
        models_of(model, "kids", grid)
    with pytest.raises(RequestError, match="takes any bands: say which survey"):
        models_of(model, None, draws)


def test_words_that_cannot_be_met(folder, draws, catalogue, tmp_path, capsys):
    out, curves = tmp_path / "out.parquet", tmp_path / "curves"
    curves.mkdir()
    for band in surveys.get("kids").bands:
        passbands.write_ecsv(curves / f"{band.name}.ecsv", passbands.get(band.passband))
    words = ["predict", str(folder), str(catalogue), "-o", str(out)]
    for more, said in (
        (["--passbands", str(curves), "--predictive-check", str(draws)], "galprism survey NAME --passbands FOLDER"),
        (["--survey", "kids", "--predictive-check", "draws.fits"], "--predictive-check draws.fits; accepted: the name"),
        (["--survey", "kids", "--predictive-check", str(curves)], "accepted: the name of an .npz file"),
    ):
        assert main([*words, *more]) == 2
        assert said in capsys.readouterr().err
    assert not out.exists()


def test_a_source_alone_is_checked_as_in_company(kids, draws):
    bound, sources, _ = kids
    models = load_cache(draws)
    whole = predict(bound, sources.take(slice(0, 40)), models=models).extra["predictive_p"]
    photometry = sources.photometry.take(slice(7, 8))
    alone = Sources(id=sources.id[7:8], redshift=sources.redshift[7:8], photometry=photometry)
    assert predict(bound, alone, models=models).extra["predictive_p"] == pytest.approx(whole[7:8], abs=2e-3)

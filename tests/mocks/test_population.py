import numpy as np
import pytest
from scipy import stats

from galprism.cosmology import age_gyr
from galprism.errors import RequestError
from galprism.mocks import CatalogueMagnitudeRedshift, MagnitudeRedshift, PopulationConfig, block_rng, draw_stars

N = 20_000


def rng(seed=1):
    return np.random.default_rng(seed)


def test_priors_are_uniform_over_their_ranges():
    redshift = np.full(N, 0.5)
    stars = draw_stars(PopulationConfig(), redshift, rng())
    for name, low, high in [("tau", 0.25, 8.0), ("age", 0.25, age_gyr(0.5)), ("ebv", 0.0, 2.0 / 3.1)]:
        assert stats.kstest(stars[name], stats.uniform(low, high - low).cdf).pvalue > 1e-3, name
    values, counts = np.unique(stars["z_met"], return_counts=True)
    assert list(values) == [0.0001, 0.0004, 0.004, 0.008, 0.02, 0.05]
    assert stats.chisquare(counts).pvalue > 1e-3


def test_no_galaxy_is_older_than_the_universe():
    redshift = rng().uniform(0.01, 3.0, N)
    for steps in (False, True):
        age = draw_stars(PopulationConfig(steps=steps), redshift, rng())["age"]
        assert (age <= age_gyr(redshift)).all()
        assert (age >= 0.25).all()


def test_steps_are_those_of_the_paper():
    stars = draw_stars(PopulationConfig(steps=True), np.full(N, 0.3), rng())
    for name, step in [("tau", 0.05), ("age", 0.05), ("ebv", 0.01 / 3.1)]:
        on_step = stars[name] / step
        np.testing.assert_allclose(on_step, np.round(on_step), atol=1e-6)
    assert stars["tau"].min() == pytest.approx(0.25)
    assert stars["tau"].max() == pytest.approx(8.0)
    assert stars["ebv"].max() == pytest.approx(2.0 / 3.1)


RICH = PopulationConfig(
    logu_spread=0.5,
    z_met_between=True,
    constant_share=0.1,
    burst_share=0.3,
    change_share=0.4,
    dust_slope=(-0.5, 0.2),
    dust_bump=(0.0, 3.0),
)


def test_a_richer_population_has_the_stated_shares_and_is_the_plain_one_besides():
    redshift = rng(2).uniform(0.01, 3.0, N)
    plain, rich = draw_stars(PopulationConfig(), redshift, rng()), draw_stars(RICH, redshift, rng())
    for name in ("tau", "age", "ebv"):
        np.testing.assert_array_equal(rich[name], plain[name])
    error = 4 * np.sqrt(0.25 / N)
    assert np.mean(rich["constant"]) == pytest.approx(0.1, abs=error)
    assert np.mean(rich["f_burst"] > 0) == pytest.approx(0.3, abs=error)
    assert np.mean(rich["change"] != 1) == pytest.approx(0.4, abs=error)
    bursting, cut = rich["f_burst"][rich["f_burst"] > 0], np.log(rich["change"][rich["change"] != 1])
    span = np.log([0.003, 0.3])
    assert stats.kstest(np.log(bursting), stats.uniform(span[0], np.diff(span)[0]).cdf).pvalue > 1e-3
    assert stats.kstest(cut, stats.uniform(np.log(0.001), np.log(1e4)).cdf).pvalue > 1e-3
    span = np.log10([0.0001, 0.05])
    assert stats.kstest(np.log10(rich["z_met"]), stats.uniform(span[0], np.diff(span)[0]).cdf).pvalue > 1e-3
    for name, low, high in [("logu", -3.5, -2.5), ("dust_slope", -0.5, 0.2), ("dust_bump", 0.0, 3.0)]:
        assert stats.kstest(rich[name], stats.uniform(low, high - low).cdf).pvalue > 1e-3, name
    assert (rich["age_burst"] <= rich["age"]).all()
    assert (rich["age_change"] <= 0.9 * rich["age"] + 1e-12).all()


def test_counts_rise_as_stated_and_redshifts_have_the_stated_median():
    config = PopulationConfig(redshift=(1e-4, 8.0))
    redshift, magnitude = MagnitudeRedshift(config).draw(400_000, rng())
    counts, edges = np.histogram(magnitude, np.arange(19.0, 24.01, 0.5))
    slope = np.polyfit(0.5 * (edges[1:] + edges[:-1]), np.log10(counts), 1, w=np.sqrt(counts))[0]
    assert slope == pytest.approx(0.33, abs=0.01)
    for at, median in [(22.0, 0.75 * 10**-0.25), (23.9, 0.75 * 10**-0.0125)]:
        near = abs(magnitude - at) < 0.1
        assert np.median(redshift[near]) == pytest.approx(median, rel=0.02)


def test_log_density_is_that_of_the_draws():
    """The posterior fit weighs by this density what the mocks draw: they must be one and the same."""
    config = PopulationConfig()
    built_in = MagnitudeRedshift(config)
    redshift, magnitude = built_in.draw(400_000, rng())
    edges_m, edges_z = np.linspace(21, 24, 7), np.linspace(0.2, 1.4, 7)
    counts, _, _ = np.histogram2d(magnitude, redshift, bins=(edges_m, edges_z))
    fine_m, fine_z = np.linspace(21, 24, 241), np.linspace(0.2, 1.4, 241)
    centre_m, centre_z = 0.5 * (fine_m[1:] + fine_m[:-1]), 0.5 * (fine_z[1:] + fine_z[:-1])
    density = np.exp(built_in.log_density(centre_m[:, None], centre_z[None, :]))
    expected = density.reshape(6, 40, 6, 40).sum(axis=(1, 3))
    expected *= counts.sum() / expected.sum()
    assert stats.chisquare(counts.ravel(), expected.ravel()).pvalue > 1e-3


def test_log_density_is_minus_infinity_outside():
    built_in = MagnitudeRedshift(PopulationConfig())
    assert np.all(built_in.log_density(np.array([15.9, 24.1, 20.0, 20.0]), np.array([0.5, 0.5, 0.001, 3.1])) == -np.inf)


def test_catalogue_rows_are_drawn_together():
    config = PopulationConfig()
    redshift = rng().uniform(0.1, 1.0, 1000)
    catalogue = CatalogueMagnitudeRedshift(config, redshift, 18 + 5 * redshift)
    z, m = catalogue.draw(5000, rng(2))
    np.testing.assert_allclose(m, 18 + 5 * z)
    inside, outside = catalogue.log_density(np.array([20.5, 20.5]), np.array([0.5, 2.9]))
    assert inside > outside
    assert catalogue.log_density(np.array([15.0]), np.array([0.5]))[0] == -np.inf


def test_catalogue_without_rows_in_range_is_refused():
    with pytest.raises(RequestError, match="has 0 rows with a redshift"):
        CatalogueMagnitudeRedshift(PopulationConfig(), np.full(500, 5.0), np.full(500, 20.0))


def test_blocks_have_streams_of_their_own():
    def first(*key):
        return block_rng(*key).random()

    assert first(1, 0, "noise") == first(1, 0, "noise")
    assert len({first(1, 0, "noise"), first(2, 0, "noise"), first(1, 1, "noise"), first(1, 0, "population")}) == 4


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tau": (8.0, 0.25)}, "population.tau"),
        ({"redshift": (0.0, 3.0)}, "above zero"),
        ({"burst_share": 1.5}, "population.burst_share = 1.5; accepted: 0 to 1"),
        ({"f_burst": (0.1, 1.0)}, "both below 1"),
        ({"change": (0.0, 1.0)}, "accepted: two numbers above zero"),
        ({"dust_slope": (0.3, 0.1)}, "the first must not be above the second"),
        ({"age_min": 3.0}, "more than the age of the Universe at z = 3.0, 2.11 Gyr"),
    ],
)
def test_impossible_populations_are_refused(values, message):
    with pytest.raises(RequestError, match=message):
        PopulationConfig(**values)

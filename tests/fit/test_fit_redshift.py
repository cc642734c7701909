"""The exact posterior at unknown redshift: brute force over redshift, draw and magnitude, and planted redshifts."""

import numpy as np
import pytest
from fit_toys import BANDS, flux_of, sources_of, toy_cache, young_enough
from scipy.stats import kstest

from galprism.data import Photometry, Sources
from galprism.errors import RequestError
from galprism.fit import MagnitudePrior, fit_redshift
from galprism.fit.cache import log_distance_factor
from galprism.units import njy_from_abmag

FEW = toy_cache(150, seed=6)
MANY = toy_cache(3000, seed=8, block=500)
NODES = np.linspace(0.1, 1.5, 29)
SKY = np.array([60.0, 40.0, 40.0, 90.0, 600.0])
"""nJy."""


def joint(m, z):
    """ln p(m, z): fainter galaxies are more, and farther."""
    return 0.6 * m - 0.5 * ((z - 0.5 - 0.1 * (m - 21.0)) / 0.3) ** 2


PRIOR = MagnitudePrior("r", 18.0, 24.0, joint)


def mocks(cache, n, seed):
    """n sources of the joint prior: (sources, redshifts, log mass)."""
    rng = np.random.default_rng(seed)
    m, z = np.meshgrid(np.linspace(18, 24, 601), NODES, indexing="ij")
    # at each redshift the stars are drawn from those that are young enough, so that p(m, z) is as it says
    p = np.exp(joint(m, z)).ravel()
    cell = rng.choice(p.size, n, p=p / p.sum())
    magnitude, redshift = m.ravel()[cell], z.ravel()[cell]
    rows = [rng.choice(np.flatnonzero(young_enough(cache, each))) for each in redshift]
    unit = np.array([flux_of(cache, row, each, 0.0) for row, each in zip(rows, redshift, strict=True)])
    mass = njy_from_abmag(magnitude) / unit[:, 2]
    flux = unit * mass[:, None]
    error = np.hypot(SKY, 0.02 * flux)
    return sources_of(flux + error * rng.normal(size=flux.shape), error, redshift), redshift, np.log10(mass)


def by_brute_force(flux, error):
    """p(z) at the nodes and the mean of log M*, over redshift, draw and magnitude."""
    magnitude = np.linspace(18.0, 24.0, 3001)
    evidence, mean = [], []
    for z in NODES:
        rows = np.flatnonzero(young_enough(FEW, z))
        light = FEW.light(z)[rows].astype(float)
        value = njy_from_abmag(magnitude)[None, :, None] * (light / light[:, [2]])[:, None]
        weight = np.exp(-0.5 * (((flux - value) / error) ** 2).sum(axis=2) + joint(magnitude, z) + 30.0)
        log_mass = np.log10(njy_from_abmag(magnitude)[None] / light[:, [2]]) - log_distance_factor(z)
        evidence.append(weight.sum(axis=1).mean())
        mean.append((weight * (log_mass + FEW.values["logmstar"][rows][:, None])).sum() / weight.sum())
    p = np.array(evidence) / np.sum(evidence)
    return p, float(p @ np.nan_to_num(mean))


@pytest.mark.parametrize("row", range(6))
def test_the_same_answer_by_brute_force(row):
    sources, _, _ = mocks(FEW, 6, seed=3)
    one = sources.take(slice(row, row + 1))
    found = fit_redshift(one, FEW, PRIOR, NODES, enough=1e9)
    p, mass = by_brute_force(one.photometry.flux[0], one.photometry.flux_err[0])
    np.testing.assert_allclose(found.probability[0], p, atol=0.01)
    assert found.point[0, 0] == pytest.approx(mass, abs=0.01)
    assert found.mean[0] == pytest.approx(p @ NODES, abs=0.01)


def test_planted_redshifts_fall_evenly_in_their_posteriors():
    """And the sources' own redshifts are not looked at."""
    sources, redshift, _ = mocks(MANY, 300, seed=5)
    blind = Sources(sources.id, photometry=sources.photometry)
    found = fit_redshift(blind, MANY, PRIOR, NODES)
    np.testing.assert_allclose(found.probability.sum(axis=1), 1.0)
    node = np.abs(NODES - redshift[:, None]).argmin(axis=1)
    rows = np.arange(len(node))
    below = np.cumsum(found.probability, axis=1)[rows, node] - found.probability[rows, node]
    place = below + np.random.default_rng(0).uniform(size=len(node)) * found.probability[rows, node]
    good = found.ess > 30
    assert good.mean() > 0.6
    assert kstest(place[good], "uniform").pvalue > 1e-3
    # the errors are as large as the posteriors say that they are, and smaller than knowing nothing leaves
    variance = found.probability @ NODES**2 - found.mean**2
    assert np.mean((found.mean - redshift)[good] ** 2) == pytest.approx(variance[good].mean(), rel=0.25)
    assert variance.mean() < 0.7 * np.var(redshift)


def test_candidates_are_all_that_is_looked_at():
    sources, _, _ = mocks(FEW, 4, seed=9)
    some = np.zeros((4, len(NODES)), bool)
    some[:, 5:9] = True
    found = fit_redshift(sources, FEW, PRIOR, NODES, candidates=some)
    whole = fit_redshift(sources, FEW, PRIOR, NODES)
    assert (found.probability[:, :5] == 0).all()
    share = whole.probability[:, 5:9]
    np.testing.assert_allclose(found.probability[:, 5:9], share / share.sum(axis=1, keepdims=True), rtol=1e-6)


def test_where_nothing_was_seen_nothing_is_said():
    sources, _, _ = mocks(FEW, 2, seed=9)
    ivar = sources.photometry.ivar.copy()
    ivar[0] = 0.0
    seen = Photometry(sources.photometry.flux, ivar, BANDS)
    found = fit_redshift(Sources(sources.id, photometry=seen), FEW, PRIOR, NODES)
    assert np.isnan(found.point[0]).all()
    assert np.isnan(found.mean[0])
    assert found.probability[0].sum() == 0
    assert np.isfinite(found.point[1]).all()


def test_redshifts_that_the_models_do_not_have():
    sources, _, _ = mocks(FEW, 2, seed=9)
    with pytest.raises(RequestError, match=r"within 0\.02 to 2"):
        fit_redshift(sources, FEW, PRIOR, np.array([0.5, 2.5]))

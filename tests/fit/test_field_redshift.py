"""The exact posterior of the redshifts of a field's galaxies: true redshifts lie where it says, blind, it is the
population, and what it says of two redshifts is what counting says."""

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from galprism import surveys
from galprism.data import Photometry
from galprism.errors import RequestError
from galprism.fit.field_draws import NODES, FieldPosteriorConfig
from galprism.fit.field_redshift import FieldRedshift, RedshiftDistributions
from galprism.flags import Flag
from galprism.mocks.sky.field_config import GalaxyConfig
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.mocks.sky.members import joined
from galprism.sps import load_bc03_miles
from galprism.units import abmag_from_njy, njy_from_abmag

MAGNITUDES = (15.0, 16.8, 17.3)
EACH = 60
SDSS = surveys.get("sdss")
LITTLE = FieldPosteriorConfig(block=1500, most=1, looks=3)
R = 2


@pytest.fixture(scope="module")
def field():
    torch.set_num_threads(1)
    return FieldGalaxies(GalaxyConfig(redshift=(0.08, 0.13)), SDSS, "r", MAGNITUDES[-1], load_bc03_miles())


@pytest.fixture(scope="module")
def posterior(field):
    return kept(FieldRedshift(field, MAGNITUDES, seed=2, config=LITTLE))


def kept(posterior):
    """Its draws, made once for all tests."""
    for each in posterior.ranges:
        each.draws = cache(lambda cell, made=each.draws: list(made(cell)))
    return posterior


@pytest.fixture(scope="module")
def sky(field):
    """Galaxies of the field, in any order, and which range each is of."""
    members = field.patch(120.0, np.random.default_rng(4))
    members = members.take(np.random.default_rng(5).permutation(len(members)))
    return members, np.digitize(abmag_from_njy(members.flux[:, R]), MAGNITUDES) - 1


@pytest.fixture(scope="module")
def galaxies(sky):
    """As many of each range."""
    members, range_of = sky
    return joined([members.take(np.flatnonzero(range_of == k)[:EACH]) for k in (0, 1)])


def seen(galaxies, part, seed=1):
    """Photometry with errors of a part of the flux."""
    error = part * galaxies.flux
    flux = galaxies.flux + error * np.random.default_rng(seed).standard_normal(error.shape)
    return Photometry(flux, 1 / error**2, SDSS.band_names)


def test_true_redshifts_lie_where_it_says(posterior, galaxies):
    """Their places in the distributions are even, in all and in each range, and it tells them from one another."""
    found = posterior(seen(galaxies, 0.05))
    assert np.percentile(found.ess, 10) > 50
    place = found.below(galaxies.redshift)
    for rows in (slice(None), slice(0, EACH), slice(EACH, None)):
        assert kstest(place[rows], "uniform").pvalue > 0.01
    for inside in (0.68, 0.95):
        share = np.mean(np.abs(place - 0.5) < 0.5 * inside)
        assert abs(share - inside) < 2.5 * np.sqrt(inside * (1 - inside) / len(place)) + 0.01, inside
    assert np.std(galaxies.redshift - found.mean) < 0.95 * np.std(galaxies.redshift)
    pull = (galaxies.redshift - found.mean) / found.sd
    assert abs(np.mean(pull**2) - 1) < 0.3


def test_where_light_tells_nothing_it_is_the_population(posterior, sky):
    """Of as many galaxies in each range: cells, masses and magnitudes are weighed as the sky has them."""
    members, range_of = sky
    blind = Photometry(np.ones((1, 5)), np.full((1, 5), 1e-20), SDSS.band_names)
    found = posterior(blind)
    share = [np.histogram(members.redshift[range_of == k], found.edges)[0] for k in (0, 1)]
    expected = np.mean([np.cumsum(n) / n.sum() for n in share], axis=0)
    few = min(n.sum() for n in share)
    assert np.abs(np.cumsum(found.share[0]) - expected).max() < 1.7 / np.sqrt(few) + 0.01


def test_two_redshifts_compare_as_galaxies_of_the_sky_that_are_like_the_source(posterior, sky, galaxies):
    """By brute force: the likelihoods of all galaxies of the sky in each cell, as they are."""
    members, range_of = sky
    source = seen(galaxies, 0.3).take([3])
    residual = (source.flux - members.flux) * np.sqrt(source.ivar)
    likelihood = np.exp(-0.5 * (residual**2).sum(axis=1)) / np.bincount(range_of, minlength=2)[range_of]
    found = posterior(source)
    edges = [0.08, 0.1, 0.115, 0.13]
    ours = np.diff(np.interp(edges, found.edges, np.append(0.0, np.cumsum(found.share[0]))))
    counted = np.array(
        [likelihood[(members.redshift > a) & (members.redshift < b)] for a, b in pairwise(edges)], object
    )
    brute = np.array([own.sum() for own in counted])
    err = np.array([np.sqrt((own**2).sum()) / own.sum() for own in counted])
    for a, b in ((0, 1), (0, 2), (1, 2)):
        apart = np.log((ours[a] / ours[b]) / (brute[a] / brute[b]))
        assert abs(apart) < 3 * np.hypot(err[a], err[b]) + 0.05, (a, b, apart)


def test_better_photometry_knows_more_and_model_errors_less(posterior, galaxies):
    some = galaxies.take(slice(0, 30))
    sd = [np.median(posterior(seen(some, part), error).sd) for part, error in ((0.03, 0.0), (0.03, 0.1), (0.4, 0.0))]
    assert sd[0] < 0.9 * sd[1] < sd[2]


def test_a_source_has_the_same_answer_with_others_beside_it_and_pieces_in_any_order(posterior, galaxies):
    photometry = seen(galaxies, 0.05).take(slice(0, 8))
    together = posterior(photometry)
    few = posterior.weighed(photometry.take([7, 3]))
    alone = posterior.joined(posterior.evidence(piece, few) for piece in reversed(posterior.pieces))
    np.testing.assert_allclose(alone.share, together.share[[7, 3]], atol=1e-6)
    np.testing.assert_allclose(alone.ess, together.ess[[7, 3]], rtol=1e-4)


def test_other_draws_say_the_same(field, posterior, galaxies):
    photometry = seen(galaxies, 0.05).take(slice(0, 40))
    first, again = (each(photometry) for each in (posterior, FieldRedshift(field, MAGNITUDES, seed=9, config=LITTLE)))
    apart = (first.mean - again.mean) / first.sd
    assert np.std(apart) < 0.25
    assert np.abs(first.quantile(0.5) - again.quantile(0.5)).max() < 1.5 * first.sd.max()


def test_few_draws_are_flagged(field, galaxies):
    coarse = FieldRedshift(field, MAGNITUDES, seed=2, config=FieldPosteriorConfig(block=100, most=1, looks=1))
    found = coarse(seen(galaxies, 0.005).take(slice(0, 5)))
    assert np.all((found.flags & np.uint32(Flag.LOW_SAMPLE_SIZE) != 0) == (found.ess < 50))
    assert found.flags.any()
    assert np.all(np.isfinite(found.mean) == (found.ess > 0))


def test_quantiles_undo_the_probability_below():
    edges = np.array([0.1, 0.2, 0.4, 0.5])
    found = RedshiftDistributions(edges, np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]]), np.full(2, 100.0))
    np.testing.assert_allclose(found.quantile(0.625), [0.3, 0.325])
    np.testing.assert_allclose(found.below(np.array([0.3, 0.325])), 0.625)
    np.testing.assert_allclose(found.mean, [0.5 * 0.15 + 0.25 * 0.3 + 0.25 * 0.45, 0.3])
    np.testing.assert_allclose(found.pdf.sum(axis=1), [5.0 + 1.25 + 2.5, 5.0])
    np.testing.assert_allclose(found.sd[1], 0.2 / np.sqrt(12))


def test_cells_are_parted_evenly(posterior):
    assert posterior.edges[0] == pytest.approx(0.08)
    assert posterior.edges[-1] == pytest.approx(0.13)
    assert len(posterior.edges) == NODES * (len(posterior.pieces) // 2) + 1
    assert np.all(np.diff(posterior.edges) > 0)


def test_what_cannot_be_answered_is_refused(field, posterior, galaxies):
    photometry = seen(galaxies, 0.1).take(slice(0, 2))
    with pytest.raises(RequestError, match="source 1 has no flux"):
        posterior(replace(photometry, ivar=photometry.ivar * np.array([[1.0], [0.0]])))
    with pytest.raises(RequestError, match=r"bands \('g',\)"):
        posterior(Photometry(photometry.flux[:, :1], photometry.ivar[:, :1], ("g",)))
    with pytest.raises(RequestError, match=r"magnitudes \[17\.0\]; accepted: two or more, rising"):
        FieldRedshift(field, (17.0,), seed=1)


def test_a_source_of_no_range_is_known_of_nothing(posterior, galaxies):
    faint = Photometry(np.full((1, 5), njy_from_abmag(20.0)), np.full((1, 5), 1e-4), SDSS.band_names)
    found = posterior(faint)
    assert found.ess[0] == 0
    assert np.isnan(found.mean[0])
    assert found.flags[0] & Flag.LOW_SAMPLE_SIZE

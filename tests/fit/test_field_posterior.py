"""The exact posterior of the SFR of a field's galaxies: true rates lie where it says, blind, it is the prior."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from galprism import surveys
from galprism.data import Photometry
from galprism.errors import RequestError
from galprism.fit import field_draws as module
from galprism.fit.field_draws import NODES, FieldPosteriorConfig
from galprism.fit.field_posterior import FieldPosterior
from galprism.fit.sfr_statistics import EDGES, binned, sfr_statistics
from galprism.mocks.sky.field_config import GalaxyConfig
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.sps import load_bc03_miles
from galprism.units import njy_from_abmag

LIMIT, BRIGHT = 17.3, 14.0
N = 200
SDSS = surveys.get("sdss")
LITTLE = FieldPosteriorConfig(block=5000, most=1)
R = 2


@pytest.fixture(scope="module")
def field():
    torch.set_num_threads(1)
    return FieldGalaxies(GalaxyConfig(redshift=(0.08, 0.085)), SDSS, "r", LIMIT, load_bc03_miles())


@pytest.fixture(scope="module")
def posterior(field):
    return FieldPosterior(field, BRIGHT, seed=2, config=LITTLE)


@pytest.fixture(scope="module")
def galaxies(field):
    """Of the field, in any order."""
    rng = np.random.default_rng(4)
    members = field.patch(400.0, rng)
    some = members.take(rng.permutation(np.flatnonzero(members.flux[:, R] < njy_from_abmag(BRIGHT))))
    assert len(some) > 2 * N
    return some


def seen(galaxies, part, seed=1):
    """Photometry with errors of a part of the flux."""
    rng = np.random.default_rng(seed)
    error = part * galaxies.flux[:, [R]] * np.ones(5)
    return Photometry(galaxies.flux + error * rng.standard_normal(error.shape), 1 / error**2, SDSS.band_names)


def test_true_rates_lie_where_it_says(posterior, galaxies):
    """Of 200, 68 % within two standard deviations of what counting gives, and their places in it are even."""
    some = galaxies.take(slice(0, N))
    found = posterior(seen(some, 0.04), some.redshift)
    below = np.cumsum(found.share, axis=1)
    place = np.array([np.interp(t, EDGES[1:], p) for t, p in zip(some.values["logsfr"], below, strict=True)])
    for inside in (0.68, 0.95):
        share = np.mean(np.abs(place - 0.5) < 0.5 * inside)
        assert abs(share - inside) < 2.5 * np.sqrt(inside * (1 - inside) / N) + 0.01, inside
    counts = np.histogram(place, 5, (0, 1))[0]
    assert ((counts - N / 5) ** 2 / (N / 5)).sum() < 18.5  # chi2 of 4 degrees of freedom, one in a thousand
    spread = found.share @ (0.5 * (EDGES[1:] + EDGES[:-1]))
    assert np.std(some.values["logsfr"] - spread) < 0.6 * np.std(some.values["logsfr"])
    assert np.median(found.ess) > 50


def test_where_light_tells_nothing_it_is_the_population(posterior, galaxies):
    """Limits, masses and their weights: the distribution of all galaxies between the magnitudes."""
    one = galaxies.take(slice(0, 1))
    blind = Photometry(np.ones((1, 5)), np.full((1, 5), 1e-20), SDSS.band_names)
    prior = posterior(blind, one.redshift).share[0]
    sky = binned(galaxies.values["logsfr"])
    apart = np.abs(np.cumsum(prior) - np.cumsum(sky)).max()
    assert apart < 1.7 / np.sqrt(len(galaxies)) + 0.02  # Kolmogorov and Smirnov, one in a hundred


def test_masses_near_by_say_the_same_as_those_at_the_place(posterior, galaxies, monkeypatch):
    """With a third of the smear, where photometry is so coarse that few draws do."""
    some = galaxies.take(slice(0, 40))
    photometry = seen(some, 0.15)
    wide = sfr_statistics(posterior(photometry, some.redshift).share)
    monkeypatch.setattr(module, "SMEAR", 0.03)
    narrow = sfr_statistics(posterior(photometry, some.redshift).share)
    width = 0.5 * (wide[:, 6] - wide[:, 4])
    apart = (wide - narrow)[:, [0, 2, 4, 6]] / width[:, None]
    assert np.abs(apart.mean(axis=0)).max() < 0.06
    assert np.abs(apart).max() < 0.6


def test_a_source_has_the_same_answer_with_others_beside_it(posterior, galaxies):
    some = galaxies.take(slice(0, 12))
    photometry, done = seen(some, 0.05), []
    together = posterior(photometry, some.redshift, progress=done.append)
    assert sum(done) == 12
    rows = [7, 3]
    alone = posterior(photometry.take(rows), some.redshift[rows])
    np.testing.assert_allclose(alone.share, together.share[rows], atol=1e-9)


def test_better_photometry_knows_more_and_model_errors_less(posterior, galaxies):
    some = galaxies.take(slice(0, 30))
    entropy = [
        np.median(sfr_statistics(posterior(seen(some, part), some.redshift, error).share)[:, 1])
        for part, error in ((0.03, 0.0), (0.03, 0.1), (0.3, 0.0))
    ]
    assert entropy[0] < entropy[1] < entropy[2]


def test_more_draws_are_made_until_there_are_enough(posterior, galaxies, monkeypatch):
    some = galaxies.take(slice(0, 2))
    photometry = seen(some, 0.03)
    counted = []
    for enough in (1.0, 1e9):
        monkeypatch.setattr(posterior, "config", FieldPosteriorConfig(enough=enough, block=500, most=2))
        counted.append(posterior(photometry, some.redshift).ess)
    assert np.all(counted[1] > counted[0])


def test_light_at_several_redshifts_is_that_at_each(field, galaxies):
    bodies = galaxies.take(slice(0, 20)).bodies
    flux, values = field.seen_at(bodies, np.array([0.081, 0.084]))
    for redshift, seen_there in zip((0.081, 0.084), flux, strict=True):
        moved = field.light(replace(bodies, redshift=np.full(20, redshift)))
        np.testing.assert_allclose(seen_there, moved.flux, rtol=1e-4)
        np.testing.assert_allclose(values["logsfr"], moved.values["logsfr"], rtol=1e-6)


def test_cells_are_narrow_near_by_and_nodes_are_within(posterior):
    cells = np.arange(len(posterior.edges) - 1)
    assert posterior.edges[0] == pytest.approx(0.08)
    for cell in cells:
        nodes = posterior.nodes(cell)
        assert len(nodes) == NODES
        assert posterior.edges[cell] < nodes[0] < nodes[-1] < posterior.edges[cell + 1]
        np.testing.assert_array_equal(posterior.cell_of(nodes), cell)


def test_what_cannot_be_answered_is_refused(posterior, galaxies):
    some = galaxies.take(slice(0, 2))
    photometry = seen(some, 0.1)
    with pytest.raises(RequestError, match=r"redshift = 0\.2; accepted: of the field's galaxies, 0\.08 to 0\.085"):
        posterior(photometry, np.array([0.08, 0.2]))
    with pytest.raises(RequestError, match="source 1 has no flux"):
        posterior(replace(photometry, ivar=photometry.ivar * np.array([[1.0], [0.0]])), some.redshift)
    with pytest.raises(RequestError, match=r"bands \('g',\)"):
        posterior(Photometry(photometry.flux[:, :1], photometry.ivar[:, :1], ("g",)), some.redshift)
    with pytest.raises(RequestError, match="blocks of 100 draws or more"):
        FieldPosteriorConfig(block=10)

"""Galaxies of a patch of sky: published relations hold in what is drawn, and its counts are those of the real sky."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from galprism import surveys
from galprism.cosmology import arcsec_per_kpc, comoving_volume_per_deg2, luminosity_distance_mpc
from galprism.errors import RequestError
from galprism.mocks.sky import relations
from galprism.mocks.sky.field_config import GalaxyConfig
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.mocks.sky.mass_function import POPULATIONS, MassFunction, continuity, density, schechter
from galprism.mocks.sky.members import Members, Shapes, joined
from galprism.sps import load_bc03_miles
from galprism.units import abmag_from_njy

COSMOS = {20.75: 3.64, 21.25: 3.85, 21.75: 4.03, 22.25: 4.21, 22.75: 4.38}
"""log10 of galaxies a square degree and magnitude, by i (Weaver et al. 2022, Table 2)."""


@pytest.fixture(scope="module")
def field():
    return FieldGalaxies(GalaxyConfig(), surveys.get("kids"), "i", 23.0, load_bc03_miles())


@pytest.fixture(scope="module")
def patch(field):
    return field.patch(0.25, np.random.default_rng(1))


def test_volumes_and_angles():
    """All the sky to z = 1 holds 153 Gpc^3 in this cosmology, and a kpc at z = 1 is seen under 1 / 8.01 arcsec."""
    whole_sky = 4 * np.pi * (180 / np.pi) ** 2
    volume = quad(lambda z: float(comoving_volume_per_deg2(z)), 0, 1)[0] * whole_sky
    comoving = float(luminosity_distance_mpc(1.0)) / 2
    assert volume == pytest.approx(4 / 3 * np.pi * comoving**3, rel=1e-6)
    assert volume == pytest.approx(1.52e11, rel=0.02)
    assert 1 / arcsec_per_kpc(1.0) == pytest.approx(8.01, rel=0.002)


def test_a_schechter_function():
    """Its integral over all masses is phi Gamma(alpha + 1)."""
    number = quad(lambda m: float(schechter(m, 10.7, 1e-3, -0.3)), 4, 13)[0]
    assert number == pytest.approx(1e-3 * 1.29805533, rel=1e-4)


def test_both_populations_together_are_all_galaxies():
    logm = np.linspace(8.5, 11.5, 13)
    for z in (0.2, 0.9, 2.0):
        both = sum(density(each, logm, np.full(13, z)) for each in POPULATIONS)
        np.testing.assert_allclose(both, continuity(logm, np.full(13, z)), rtol=1e-9)
    assert density("quiescent", 10.5, 4.5) == 0 < density("star-forming", 10.5, 4.5)
    assert density("quiescent", 11.0, 0.1) > density("star-forming", 11.0, 0.1)
    assert density("quiescent", 9.0, 1.0) < 0.1 * density("star-forming", 9.0, 1.0)


def test_draws_are_of_the_density():
    function = MassFunction("star-forming", (0.5, 1.0), lambda z: 9.0 + z)
    redshift, logm = function.draw(20.0, np.random.default_rng(1))
    assert abs(len(redshift) - 20 * function.total) < 4 * np.sqrt(20 * function.total)
    assert (logm > 8.99 + redshift).all()
    some = (np.abs(redshift - 0.75) < 0.05) & (np.abs(logm - 10.5) < 0.1)
    z, m = np.meshgrid(np.linspace(0.7, 0.8, 41), np.linspace(10.4, 10.6, 41))
    expected = (density("star-forming", m, z) * comoving_volume_per_deg2(z)).mean() * 0.1 * 0.2 * 20
    assert some.sum() == pytest.approx(expected, abs=4 * np.sqrt(expected))


def test_a_history_has_the_rate_that_it_was_asked_for():
    rng = np.random.default_rng(2)
    wanted, asked = rng.uniform(-13.5, -8.0, 500), rng.uniform(0.5, 13.0, 500)
    age, tau = relations.delayed_history(wanted, asked)
    x = age / tau
    rate = x**2 * np.exp(-x) / (1 - (1 + x) * np.exp(-x)) / age
    possible = 10 ** (wanted + 9) * asked < 1.99
    np.testing.assert_allclose(np.log10(rate) - 9, wanted, atol=0.01)
    assert (age[possible] == asked[possible]).all()
    assert (age[~possible] < asked[~possible]).all()


def test_published_relations():
    for z in (0.0, 1.0, 2.5, 5.0):  # at the mass where the sequence bends, its rate
        at = min(z, 3.0)
        bend = 10.22 + 0.3826 * at - 0.04491 * at**2
        assert relations.main_sequence(bend, z) == pytest.approx(0.2516 + 1.118 * at - 0.2006 * at**2)
    assert relations.metallicity(np.array([10.47]), np.array([0.0])) == pytest.approx(-0.01)
    assert relations.metallicity(np.array([10.47]), np.array([-1.0])) == pytest.approx(-0.41)
    assert relations.metallicity(np.array([7.87]), np.array([0.0])) == pytest.approx(-0.90)
    assert relations.dust(np.array([10.0]), np.array([0.0])) == pytest.approx(0.44 * 0.91 / 2.53)
    ratio = relations.axis_ratio("disc", np.random.default_rng(3).random(100_000))
    counts, _ = np.histogram(ratio, [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    np.testing.assert_allclose(counts / counts[0], np.array([900, 1143, 1127, 1059, 898, 775, 548]) / 900, rtol=0.06)


def test_counts_are_those_of_cosmos(patch):
    """Within 0.1 dex, where the simulated patch has some 10 to 2 % of noise, from i = 20.5 to 23."""
    i = abmag_from_njy(patch.flux[:, 3])
    for middle, expected in COSMOS.items():
        found = np.log10((np.abs(i - middle) <= 0.25).sum() / 0.25 / 0.5)
        assert found == pytest.approx(expected, abs=0.1), middle


def test_a_patch_is_complete_to_its_limit_and_no_further(field, patch):
    assert (abmag_from_njy(patch.flux[:, 3]) < 23.0).all()
    for population, (function, _) in field.populations.items():
        rows = patch.kind == population
        floor = np.interp(patch.redshift[rows], 0.5 * (function.z_edges[1:] + function.z_edges[:-1]), function.floor)
        spare = patch.values["logmstar"][rows] - floor
        assert np.mean((spare < 0.1) & (floor > 6.01)) < 0.004, population  # hardly any where it was cut


def test_no_bright_galaxy_is_left_out_by_foresight(field):
    """Of galaxies of all masses and redshifts, light made of each, none is brighter than it was foreseen; and the
    foresight is worth something: hardly any is foreseen brighter by more than a magnitude and a half."""
    rng = np.random.default_rng(11)
    for population, (_, foresight) in field.populations.items():
        redshift, logm = np.expm1(rng.uniform(0.01, 1.8, 1500)), rng.uniform(7.0, 11.8, 1500)
        bodies = field.bodies(redshift, logm, np.full(1500, population == "quiescent"), rng)
        log_flux = np.log10(field.light(bodies).flux[:, field.place]) - logm
        spare = foresight.brightest(redshift, bodies.features) - log_flux
        assert spare.min() > 0.0, population
        assert np.quantile(spare, 0.99) < 0.6, population


def test_everything_hangs_together(patch):
    """At one redshift and mass the quiescent are redder and smaller; bulges are redder than discs; rates are of the
    sequence; redder galaxies form less."""
    values, mag = patch.values, abmag_from_njy(patch.flux)
    some = (np.abs(patch.redshift - 0.5) < 0.15) & (np.abs(values["logmstar"] - 10.5) < 0.4)
    calm = some & (patch.kind == "quiescent")
    busy = some & (patch.kind == "star-forming")
    assert calm.sum() > 30
    assert busy.sum() > 30
    colour = mag[:, 1] - mag[:, 3]
    assert np.median(colour[calm]) - np.median(colour[busy]) > 0.3
    assert np.median(values["logssfr"][calm]) < -11 < np.median(values["logssfr"][busy])
    assert np.median(values["age_lw"][calm]) > 2 * np.median(values["age_lw"][busy])
    off = values["logsfr"] - relations.main_sequence(values["logmstar"], patch.redshift)
    assert abs(np.median(off[busy])) < 0.12
    busy &= (patch.disc > 0).all(axis=1)
    parts = [abmag_from_njy(part[busy]) for part in (patch.bulge, patch.disc)]
    bulge, disc = (part[:, 1] - part[:, 3] for part in parts)
    assert np.median(bulge - disc) > 0.15
    bulge_share = (patch.bulge / patch.flux)[:, 3]
    assert np.median(bulge_share[calm]) > np.median(bulge_share[busy]) + 0.1


def test_sums_and_masses(field):
    rng = np.random.default_rng(4)
    n = 200
    logm = rng.uniform(8.0, 11.5, n)
    bodies = field.bodies(rng.uniform(0.1, 2.0, n), logm, rng.random(n) < 0.3, rng)
    seen = field.light(bodies, rng)
    np.testing.assert_allclose(seen.values["logmstar"], logm, atol=1e-6)
    np.testing.assert_allclose(seen.flux, seen.bulge + seen.disc)
    np.testing.assert_allclose(bodies.share.sum(axis=1), 1.0)
    heavier = field.light(replace(bodies, logm=bodies.logm + 1.0), rng)
    np.testing.assert_allclose(heavier.flux, 10 * seen.flux, rtol=1e-6)
    assert not seen.point.any()


def test_the_same_numbers_make_the_same_patch(field):
    first, second, other = (field.patch(0.01, np.random.default_rng(seed)) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.flux, second.flux)
    np.testing.assert_array_equal(first.shapes.re_disc, second.shapes.re_disc)
    assert len(first) != len(other) or (first.flux != other.flux).any()


def test_wrong_settings():
    for settings, message in (
        ({"redshift": (1.0, 0.5)}, r"galaxies.redshift = \[1.0, 0.5\]; accepted"),
        ({"age_disc": (0.5, 1.2)}, "accepted: shares below 1"),
        ({"starburst_share": 2.0}, "galaxies.starburst_share = 2.0; accepted: 0 to 1"),
        ({"rate_scatter": -0.1}, "galaxies.rate_scatter = -0.1; accepted: zero or more"),
    ):
        with pytest.raises(RequestError, match=message):
            GalaxyConfig(**settings)
    with pytest.raises(RequestError, match="band 'R' is not one of kids: u, g, r"):
        FieldGalaxies(GalaxyConfig(), surveys.get("kids"), "R", 23.0, load_bc03_miles())


def test_members_of_several_kinds():
    stars = Members(np.zeros(2), np.ones((2, 3)), np.zeros((2, 3)), np.zeros((2, 3)), Shapes.of_points(2))
    known = replace(stars, values={"logmstar": np.array([9.0, 10.0])}, kind=np.array(["a", "b"]))
    both = joined([stars, known])
    assert len(both) == 4
    np.testing.assert_array_equal(both.values["logmstar"], [np.nan, np.nan, 9.0, 10.0])
    assert both.kind.tolist() == ["", "", "a", "b"]
    assert both.take([3]).kind.tolist() == ["b"]
    with pytest.raises(RequestError, match="expected the same"):
        replace(stars, disc=np.zeros((2, 4)))

import numpy as np
import pytest

from galprism.sps.imf import (
    IMFS,
    lifetime_gyr,
    living_fraction,
    power_law,
    remnant_mass,
    surviving_fraction,
    turn_off_mass,
)


def test_mass_fractions_have_their_closed_forms():
    def salpeter(low, high):
        return (low**-0.35 - high**-0.35) / 0.35

    expected = salpeter(0.1, 1.0) / salpeter(0.1, 100.0)
    assert IMFS["salpeter"].mass_fraction_below(1.0) == pytest.approx(expected, rel=1e-6)
    assert power_law(2.35).mass_fraction_below(8.0) == pytest.approx(IMFS["salpeter"].mass_fraction_below(8.0))

    below = (0.5**0.7 - 0.1**0.7) / 0.7  # Kroupa: slope 1.3 to 0.5 Msun, then 0.5 m^-2.3
    above = 0.5 * (0.5**-0.3 - 100.0**-0.3) / 0.3
    assert IMFS["kroupa"].mass_fraction_below(0.5) == pytest.approx(below / (below + above), rel=1e-4)


def test_chabrier_joins_at_one_solar_mass():
    xi = IMFS["chabrier"].xi
    assert xi(np.array(1.0 - 1e-9)) == pytest.approx(xi(np.array(1.0 + 1e-9)), rel=1e-6)


def test_remnants_of_renzini_and_ciotti():
    np.testing.assert_allclose(remnant_mass([1.0, 5.0, 20.0, 60.0]), [0.557, 0.865, 1.4, 30.0])


def test_the_sun_lives_ten_billion_years():
    assert lifetime_gyr(1.0, 0.02) == pytest.approx(10.0, rel=0.15)
    assert 0.003 < lifetime_gyr(60.0, 0.02) < 0.006  # massive stars, Schaller et al. (1992): 4 Myr
    masses = np.geomspace(0.6, 100.0, 50)
    assert np.all(np.diff(lifetime_gyr(masses, 0.004)) < 0)


@pytest.mark.parametrize("name", IMFS)
def test_turn_off_mass_undoes_the_living_fraction(name):
    masses = np.array([0.9, 2.0, 10.0, 50.0])
    np.testing.assert_allclose(turn_off_mass(IMFS[name].mass_fraction_below(masses), IMFS[name]), masses, rtol=1e-4)


def test_surviving_masses_are_the_published_ones():
    """Living stars and remnants at 10 Gyr and solar metallicity.

    FSPS has 0.58 for Chabrier (Leja et al. 2015, for example), and BC03 has 0.69 to 0.71 for Salpeter with remnants
    (Bruzual & Charlot 2003, as their files give it). Lifetimes here are a fit: 0.02 is its accuracy.
    """
    expected = {"kroupa": 0.59, "chabrier": 0.57, "salpeter": 0.70}
    for name, value in expected.items():
        living = living_fraction(10.0, 0.02, IMFS[name])
        assert surviving_fraction(living, IMFS[name]) == pytest.approx(value, abs=0.02)


@pytest.mark.parametrize("name", IMFS)
def test_mass_is_kept(name):
    """Formed = living + remnants + gas returned; the dead return gas, and the living never come back."""
    age = np.geomspace(0.004, 14.0, 60)
    living = living_fraction(age, 0.02, IMFS[name])
    surviving = surviving_fraction(living, IMFS[name])
    assert np.all(np.diff(living) < 0)
    assert np.all(np.diff(surviving) < 0)
    assert np.all((living < surviving) & (surviving < 1.0))
    m = IMFS[name].mass_grid()
    dead = m > turn_off_mass(living[-1], IMFS[name])
    born = m * IMFS[name].xi(m)
    gas = np.trapezoid(((m - remnant_mass(m)) * IMFS[name].xi(m))[dead], m[dead]) / np.trapezoid(born, m)
    assert surviving[-1] + gas == pytest.approx(1.0, abs=2e-3)

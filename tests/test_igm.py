import numpy as np
import pytest

from galprism.igm import binned_depth, optical_depth, transmission


@pytest.mark.parametrize("z", [2.2, 2.6, 3.0, 3.5, 4.0, 4.5])
def test_lyman_alpha_forest_is_as_opaque_as_measured(z):
    """Transmission of the forest as Becker et al. (2013, eq. 5) fit it to SDSS quasars, to 0.03."""
    measured = 0.751 * ((1.0 + z) / 4.5) ** 2.90 - 0.132
    emitted = 1215.0 * (1.0 + z) / (1.0 + z + 0.2)  # light of a quasar at z + 0.2, now passing z
    assert np.exp(-optical_depth(emitted, z + 0.2)) == pytest.approx(np.exp(-measured), abs=0.03)


def test_nothing_is_absorbed_redwards_of_lyman_alpha():
    assert np.all(transmission(np.linspace(1216.0, 9000.0, 50), 6.0) == 1.0)


def test_transmission_is_a_fraction_and_falls_with_redshift():
    wave = np.linspace(700.0, 1215.0, 400)
    z = np.array([0.5, 1.5, 2.5, 3.5, 4.5, 5.5])
    t = transmission(wave, z[:, None])
    assert np.all((t > 0) & (t <= 1))
    assert np.all(np.diff(t.mean(axis=1)) < 0)


@pytest.mark.parametrize("z", [1.2, 2.0, 4.7])
def test_fits_of_different_redshifts_meet(z):
    """Inoue et al. (2014) fit ranges of redshift apart; where they meet they agree to 4 % in transmission."""
    wave = np.linspace(600.0, 1215.0, 300)
    wave = wave[wave * (1.0 + z) > 912.0]
    below, above = transmission(wave, z - 1e-6), transmission(wave, z + 1e-6)
    np.testing.assert_allclose(below, above, atol=0.04)


def test_lyman_alpha_to_beta_at_redshift_three():
    """The mean flux decrement D_A at z = 3 is 0.25 to 0.36 (Madau 1995, fig. 3; Inoue et al. 2014, fig. 4)."""
    wave = np.linspace(1026.0, 1215.0, 500)
    assert 0.25 < 1.0 - transmission(wave, 3.0).mean() < 0.36


def test_binned_depth_is_of_the_mean_transmission():
    edges = np.exp(np.linspace(np.log(900.0), np.log(1230.0), 60))
    depth = binned_depth(edges, np.array([3.0]), samples=50)[0]
    fine = np.linspace(edges[10], edges[11], 5001)
    assert np.exp(-depth[10]) == pytest.approx(transmission(fine, 3.0).mean(), rel=2e-3)
    assert depth[-1] == 0.0

import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM

from galprism import cosmology

PEER = FlatLambdaCDM(H0=70, Om0=0.3, Tcmb0=0)
Z = np.array([1e-4, 0.01, 0.1, 0.5, 1.0, 3.0, 6.0, 10.0])


def test_age_agrees_with_astropy():
    np.testing.assert_allclose(cosmology.age_gyr(Z), PEER.age(Z).value, rtol=1e-6)
    assert cosmology.age_gyr(0.0) == pytest.approx(13.467, abs=1e-3)


def test_distances_agree_with_astropy():
    np.testing.assert_allclose(cosmology.luminosity_distance_mpc(Z), PEER.luminosity_distance(Z).value, rtol=1e-7)
    np.testing.assert_allclose(cosmology.distance_modulus(Z), PEER.distmod(Z).value, atol=1e-6)


def test_nearby_distance_follows_hubble():
    z = 1e-6
    assert cosmology.luminosity_distance_mpc(z) == pytest.approx(299792.458 * z / 70, rel=1e-5)
    assert cosmology.distance_modulus(0.0) == -np.inf


def test_volume_agrees_with_astropy():
    per_deg2 = PEER.differential_comoving_volume(Z).value * np.radians(1.0) ** 2
    np.testing.assert_allclose(cosmology.comoving_volume_per_deg2(Z), per_deg2, rtol=1e-6)

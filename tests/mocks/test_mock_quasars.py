import numpy as np
import pytest

from galprism import passbands, surveys
from galprism.errors import RequestError
from galprism.mocks.sky.field_config import QuasarConfig
from galprism.mocks.sky.quasar_hosts import Hosts
from galprism.mocks.sky.quasar_luminosity import density
from galprism.mocks.sky.quasars import Quasars
from galprism.sps.quasars import Nuclei, QuasarModel
from galprism.units import abmag_from_njy

SDSS = surveys.get("sdss")
G, R, I_BAND = 1, 2, 3


@pytest.fixture(scope="module")
def faint() -> Quasars:
    return Quasars(QuasarConfig(), SDSS, "g", 22.5)


@pytest.fixture(scope="module")
def sky(faint):
    return faint.patch(100.0, np.random.default_rng(5))


@pytest.fixture(scope="module")
def bright() -> Quasars:
    return Quasars(QuasarConfig(), SDSS, "i", 20.2)


@pytest.mark.parametrize(
    ("z", "m_g", "log_phi"),
    [
        (1.25, -26.0, -6.39),
        (1.25, -24.4, -5.59),
        (2.01, -27.2, -6.63),
        (2.01, -26.0, -5.99),
        (2.01, -24.8, -5.60),
        (2.8, -27.2, -6.80),
        (2.8, -25.6, -6.05),
        (3.25, -26.0, -6.37),
    ],
)
def test_the_luminosity_function_passes_through_that_of_eboss(z, m_g, log_phi):
    """Palanque-Delabrouille et al. (2016), binned; M_1450 = M_g(z=2) + 1.24 for alpha = -0.5; within 0.25 dex."""
    assert np.log10(density(m_g + 1.24, z)) == pytest.approx(log_phi, abs=0.25)


def test_counts_to_g_22_5_agree_with_the_survey_of_boss(sky):
    """Palanque-Delabrouille et al. (2013): 99 and 47 a square degree at 1 < z < 2.15 and beyond; within 20 %."""
    z = sky.redshift
    assert ((z > 1) & (z < 2.15)).sum() / 100 == pytest.approx(99, rel=0.2)
    assert ((z > 2.15) & (z < 4)).sum() / 100 == pytest.approx(47, rel=0.2)


def test_bright_counts_agree_with_those_of_sdss(bright):
    """Richards et al. (2006), Tables 2 and 3: cumulative, at the far edges of their bins of 0.25 mag; within 40 %."""
    area = 1500.0
    members = bright.patch(area, np.random.default_rng(11))
    z, i = members.redshift, abmag_from_njy(members.flux[:, I_BAND])
    low, high = (z > 0.3) & (z < 2.2), (z > 3) & (z < 5)
    for limit, number in ((18.35, 1.35), (18.85, 3.42), (19.1, 5.28)):
        assert (low & (i < limit)).sum() / area == pytest.approx(number, rel=0.4)
    assert (high & (i < 20.2)).sum() / area == pytest.approx(1.37, rel=0.4)


def test_patches_are_poisson_draws_of_the_surface_density(bright):
    rng = np.random.default_rng(8)
    counts = np.array([len(bright.patch(2.0, rng)) for _ in range(150)])
    expected = 2.0 * bright.surface_density()
    assert counts.mean() == pytest.approx(expected, abs=4 * np.sqrt(expected / 150) + 0.01 * expected)
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=4 * np.sqrt(2 / 150))


def test_two_halves_make_a_whole(bright):
    rng = np.random.default_rng(9)
    halves = sum(len(bright.patch(50.0, rng)) for _ in range(2))
    whole = len(bright.patch(100.0, rng))
    assert abs(halves - whole) < 4 * np.sqrt(halves + whole)


def test_the_same_numbers_give_the_same_sky(bright):
    one, two = (bright.patch(3.0, np.random.default_rng(2)) for _ in range(2))
    np.testing.assert_array_equal(one.flux, two.flux)
    np.testing.assert_array_equal(one.shapes.re_disc, two.shapes.re_disc)


def test_what_is_drawn_is_above_the_limit_and_whole(sky, faint):
    magnitude = abmag_from_njy(sky.flux[:, G])
    assert magnitude.max() <= 22.5
    assert np.sort(magnitude)[-len(sky) // 20] > 22.3  # and reaches it
    assert len(sky) == pytest.approx(100 * faint.surface_density(), rel=0.03)
    assert sky.redshift.min() > 0.01
    assert sky.redshift.max() < 6.0
    assert set(sky.kind) == {"qso"}
    assert np.isfinite(sky.values["logmstar"]).all()
    np.testing.assert_array_equal(sky.values["redshift"], sky.redshift)
    assert (sky.bulge >= 0).all()
    assert (sky.disc >= 0).all()


def test_counts_grow_as_steeply_as_published(bright):
    """Tenfold in about 1.6 mag below the break: 10^0.6 a magnitude (Richards et al. 2006, Table 2: 3.4 to 7.9 a square
    degree from i = 18.85 to 19.35, 10^0.73 a magnitude, and flatter beyond)."""
    members = bright.patch(400.0, np.random.default_rng(12))
    i = abmag_from_njy(members.flux[:, I_BAND])
    assert 0.45 < np.log10((i < 20.0).sum() / (i < 19.0).sum()) < 0.8


def test_near_quasars_are_seen_with_their_galaxies(sky):
    host = (sky.bulge + sky.disc)[:, R] / sky.flux[:, R]
    near, far = sky.redshift < 0.5, (sky.redshift > 2) & (sky.redshift < 3)
    assert np.median(host[near]) > 0.2
    assert np.median(host[far]) < 0.1
    # Several kpc at 6 kpc an arcsecond (z = 0.5); 8 kpc an arcsecond beyond z = 1.
    assert 0.5 < np.median(sky.shapes.re_disc[near]) < 3.0
    assert 0.15 < np.median(sky.shapes.re_disc[far]) < 0.8
    assert sky.shapes.q_disc.min() >= 0.1
    assert sky.shapes.q_disc.max() <= 1.0


def test_a_host_has_the_share_of_the_light_that_it_was_given():
    """A quarter (0.244) at M_i(z=2) = -23 from 4000 to 5000 A (Temple et al. 2021), in a band that is that."""
    z, share = np.array([0.5]), 0.244
    band = [passbands.get("tophat/6750x1500")]
    model, hosts = QuasarModel(band), Hosts(band, (0.4, 0.6))
    nucleus = Nuclei(z, np.array([-23.0]), np.zeros(1), np.zeros(1), np.zeros(1))
    host, mass = hosts.light(z, share / (1.0 - share) * model.optical_luminosity(nucleus))
    assert host[0, 0] / (host + model(nucleus))[0, 0] == pytest.approx(share, abs=0.01)
    twice, heavier = hosts.light(z, 2.0 * share / (1.0 - share) * model.optical_luminosity(nucleus))
    np.testing.assert_allclose(twice, 2.0 * host)
    np.testing.assert_allclose(heavier, 2.0 * mass)


def test_hosts_are_massive_galaxies(sky):
    """Around 10^10.5 to 10^11 solar masses, as quasars' are (Kormendy & Ho 2013; Temple et al. 2021)."""
    near = sky.values["logmstar"][sky.redshift < 1.0]
    assert 10.0 < np.median(near) < 11.3


def test_the_light_of_hosts_follows_the_setting():
    bare = Quasars(QuasarConfig(host_fraction=0.0), SDSS, "i", 20.0)
    members = bare.patch(20.0, np.random.default_rng(1))
    assert not (members.bulge + members.disc).any()
    assert np.isnan(members.values["logmstar"]).all()


def test_dust_makes_the_red_tail():
    z = (1.0, 1.3)
    skies = [
        Quasars(QuasarConfig(redshift=z, reddened_share=share, reddening=0.2), SDSS, "i", 20.5).patch(
            100.0, np.random.default_rng(4)
        )
        for share in (0.0, 0.5)
    ]
    clean, dusty = (-2.5 * np.log10(sky.flux[:, G] / sky.flux[:, I_BAND]) for sky in skies)
    assert np.quantile(dusty, 0.95) - np.quantile(clean, 0.95) > 0.2
    assert len(skies[1]) < len(skies[0])  # and dims some below the limit
    assert abs(np.quantile(dusty, 0.1) - np.quantile(clean, 0.1)) < 0.1


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"redshift": (2.0, 1.0)}, "quasars.redshift"),
        ({"redshift": (0.0, 1.0)}, "quasars.redshift"),
        ({"faintest": -10.0}, "quasars.faintest = -10"),
        ({"slope_scatter": -0.1}, "quasars.slope_scatter = -0.1"),
        ({"reddened_share": 1.5}, "quasars.reddened_share = 1.5"),
        ({"host_fraction": 1.0}, "quasars.host_fraction = 1.0"),
        ({"host_index": 2.0}, "quasars.host_index = 2.0"),
    ],
)
def test_settings_that_cannot_be_are_refused(setting, message):
    with pytest.raises(RequestError, match=message):
        QuasarConfig(**setting)


def test_requests_that_cannot_be_met_are_refused(bright):
    with pytest.raises(RequestError, match="band 'Y' is not one of sdss: u, g, r, i, z"):
        Quasars(QuasarConfig(), SDSS, "Y", 20.0)
    with pytest.raises(RequestError, match="no quasar is that bright"):
        Quasars(QuasarConfig(), SDSS, "i", -5.0)
    with pytest.raises(RequestError, match="area = 0"):
        bright.patch(0.0, np.random.default_rng(0))

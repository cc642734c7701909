import numpy as np
import pytest

from galprism import passbands
from galprism.cosmology import distance_modulus
from galprism.errors import RequestError
from galprism.passbands import abflux
from galprism.sps.quasar_lines import line_type
from galprism.sps.quasars import Nuclei, QuasarModel, disc, extinction, hot_dust
from galprism.units import abmag_from_njy

BANDS = ("u", "g", "r", "i", "z")
SDSS = [passbands.get(f"sdss/{band}") for band in BANDS]


def nuclei(redshift, m_i=-26.0, slope=0.0, lines=0.0, ebv=0.0) -> Nuclei:
    return Nuclei(*np.broadcast_arrays(np.atleast_1d(redshift), m_i, slope, lines, ebv))


@pytest.fixture(scope="module")
def model() -> QuasarModel:
    return QuasarModel(SDSS)


@pytest.fixture(scope="module")
def bare() -> QuasarModel:
    """The power laws alone."""
    return QuasarModel(SDSS, lines=False, dust=False, igm=False)


@pytest.mark.parametrize("slope", [-0.5, 0.0, 0.4])
def test_a_power_law_has_the_colours_of_a_power_law(bare, slope):
    """At z = 1.4 the bands griz see 1570 to 4600 A: from g to i between the breaks."""
    seen = bare(nuclei(1.4, slope=slope))[0]
    wave = np.geomspace(2500.0, 12000.0, 4000)
    expected = [abflux(band, wave, wave ** (-2.0 + 0.349 - slope)) for band in SDSS[1:4]]
    np.testing.assert_allclose(seen[1:4] / seen[2], expected / expected[1], rtol=2e-3)


def test_at_redshift_two_the_i_magnitude_is_the_absolute_one_at_its_distance(bare, model):
    """What M_i(z=2) means (Richards et al. 2006, eq. 4), lines included whatever their type."""
    expected = -26.0 + distance_modulus(2.0)
    for light, quasars in (
        (bare, nuclei(2.0)),
        (model, nuclei(np.full(4, 2.0), lines=np.array([-2.0, 0.0, 1.0, 3.0]))),
    ):
        np.testing.assert_allclose(abmag_from_njy(light(quasars)[:, 3]), expected, atol=0.03)


def test_distance_dims_and_the_slope_corrects(bare):
    """m - M = DM + K with K = -2.5 (1 + alpha) log10(1 + z), between redshifts where r sees one power law."""
    z = np.array([0.9, 1.4, 2.4])
    m = abmag_from_njy(bare(nuclei(z))[:, 2])
    k = -2.5 * (1.0 - 0.349) * np.log10(1.0 + z)
    np.testing.assert_allclose(np.diff(m), np.diff(distance_modulus(z) + k), atol=3e-3)


def test_ten_times_the_light_is_two_and_a_half_magnitudes(model):
    flux = model(nuclei(np.full(2, 1.0), m_i=np.array([-24.0, -26.5])))
    np.testing.assert_allclose(flux[1] / flux[0], 10.0, rtol=1e-5)


def test_the_continuum_is_continuous_and_one_at_its_pivot():
    assert disc(2500.0) == pytest.approx(1.0)
    for edge in (1200.0, 3880.0):
        assert disc(edge * (1 - 1e-9)) == pytest.approx(float(disc(edge * (1 + 1e-9))), rel=1e-6)
    # 3.961 times f_nu of the power law at 5500 A, and cold enough to peak near 2.9e7 / 1244 A in f_lambda (Wien).
    assert hot_dust(2e4) * 2e4**2 == pytest.approx(3.961 * float(disc(5500.0)) * 5500.0**2)
    wave = np.geomspace(5e3, 1e5, 5000)
    assert wave[hot_dust(wave).argmax()] == pytest.approx(2.8978e7 / 1243.6, rel=2e-3)


def test_dust_reddens_by_its_law():
    bands = [passbands.get(f"tophat/{wave}x60") for wave in (4000, 5000, 6500, 8000)]
    model = QuasarModel(bands, lines=False, dust=False, igm=False)
    z = 1.0
    clean, dusty = model(nuclei(z)), model(nuclei(z, ebv=0.2))
    magnitudes = -2.5 * np.log10(dusty / clean)[0]
    np.testing.assert_allclose(magnitudes, 0.2 * extinction(np.array([2000.0, 2500.0, 3250.0, 4000.0])), rtol=2e-3)


def test_the_extinction_curve_has_its_tabulated_values():
    """E(lambda - V) / E(B - V) at 1500, 3000 and 4400 A in the published curve, and R_V = 3.1."""
    np.testing.assert_allclose(
        extinction([1500.0, 3000.0, 4400.0, 5500.0]) - 3.1, [9.21437, 3.12428, 0.906897, 0.0], atol=2e-3
    )


def line_flux(model: QuasarModel, low: float, high: float, **given) -> float:
    """erg/s above a straight line between two places."""
    wave, flux = model.rest_sed(nuclei(1.0, **given))
    at = (wave > low) & (wave < high)
    level = np.interp(wave[at], [low, high], np.interp([low, high], wave, flux[0]))
    return float(np.trapezoid(flux[0][at] - level, wave[at]))


C_IV = (1494, 1620)


@pytest.mark.parametrize(
    ("low", "high", "ratio"),
    [(1830, 1976, 15.943), (2686, 2913, 14.725)],
    ids=["CIII]", "MgII"],
)
def test_lines_are_as_strong_as_in_the_composite_of_sdss(model, low, high, ratio):
    """Vanden Berk et al. (2001), Table 2, over C IV's 25.291; another sample, measured otherwise, so within 40 %."""
    assert line_flux(model, low, high) / line_flux(model, *C_IV) == pytest.approx(ratio / 25.291, rel=0.4)


def test_brighter_quasars_have_weaker_carbon_lines(model):
    """The Baldwin (1977) effect: of light in proportion, C IV falls with luminosity, and Mg II less so."""
    faint, bright = line_type(-25.0), line_type(-28.0)
    slopes = [
        np.log10(line_flux(model, *line, lines=bright) / line_flux(model, *line, lines=faint)) / 1.2
        for line in (C_IV, (2686, 2913))
    ]
    assert -0.25 < slopes[0] < -0.05
    assert slopes[0] < slopes[1] < 0.0
    assert line_type(-27.0) == 0.0


def test_the_intergalactic_medium_takes_the_blue_bands(model):
    without = QuasarModel(SDSS, igm=False)
    z = np.array([0.8, 2.0, 3.2, 4.5])
    loss = abmag_from_njy(model(nuclei(z))) - abmag_from_njy(without(nuclei(z)))
    np.testing.assert_allclose(loss[0], 0.0, atol=1e-5)
    assert 0.0 < loss[1, 0] < 0.3  # the forest in u alone
    np.testing.assert_allclose(loss[1, 1:], 0.0, atol=1e-4)
    # Lyman-alpha is at 6690 A: r is half behind it, g all behind and dark below 5016 A; i and z see nothing of it.
    assert loss[3, 1] > 1.0
    assert 0.3 < loss[3, 2] < loss[3, 1]
    np.testing.assert_allclose(loss[3, 3:], 0.0, atol=1e-3)


def test_quasars_beyond_three_drop_out_of_u(model):
    colour = np.diff(-abmag_from_njy(model(nuclei([1.5, 3.4]))), axis=1)[:, 0]
    assert colour[0] < 0.4  # the ultraviolet excess that finds quasars (Richards et al. 2002: u - g < 0.6)
    assert colour[1] > 2.0


def test_the_order_and_the_batches_do_not_matter(model):
    rng = np.random.default_rng(3)
    n = 300
    many = Nuclei(
        rng.uniform(0.1, 5, n),
        rng.uniform(-28, -23, n),
        rng.normal(0, 0.3, n),
        rng.uniform(-2, 3, n),
        rng.uniform(0, 0.1, n),
    )
    small = QuasarModel(SDSS, batch=17)
    assert model(many).dtype == np.float64
    np.testing.assert_allclose(small(many)[::-1], model(many.take(slice(None, None, -1))), rtol=1e-5)


def test_what_cannot_be_is_refused(model):
    with pytest.raises(RequestError, match="redshift = 8"):
        model(nuclei(8.0))
    with pytest.raises(RequestError, match=r"ebv = -0\.1"):
        nuclei(1.0, ebv=-0.1)
    with pytest.raises(RequestError, match="lines = 4"):
        nuclei(1.0, lines=4.0)
    with pytest.raises(RequestError, match="slope is not finite"):
        nuclei(1.0, slope=np.nan)
    with pytest.raises(RequestError, match="m_i has shape"):
        Nuclei(np.ones(2), np.ones(3), np.zeros(2), np.zeros(2), np.zeros(2))
    with pytest.raises(RequestError, match="at least one passband"):
        QuasarModel([])
    with pytest.raises(RequestError, match="z_max"):
        QuasarModel(SDSS, 0.0)

"""Stars of a field: counts against published ones, the shape of the Galaxy, pairs, and the Poisson draw."""

from dataclasses import replace

import numpy as np
import pytest

from galprism import surveys
from galprism.errors import RequestError
from galprism.mocks.sky import star_counts
from galprism.mocks.sky.field_config import StarConfig
from galprism.mocks.sky.milky_way import SUN_RADIUS, Disc, Halo, Volume, place, uniform
from galprism.mocks.sky.stars import Stars, components
from galprism.passbands import get
from galprism.sps.star_colours import absolute_r, bluest_reddest, giant_g_i
from galprism.sps.star_spectra import WAVE
from galprism.sps.stars import StarModel
from galprism.surveys import Band, Survey
from galprism.units import abmag_from_njy

SDSS = surveys.get("sdss")
V = Survey("V", tuple(Band(name, curve, 25.0, 0.02, 3.1, 5.0, 30.0) for name, curve in (("V", "tophat/5480x850"),)))
"""Close to Johnson V, whose magnitudes are AB within 0.03."""


@pytest.fixture(scope="module")
def pole() -> Stars:
    return Stars(StarConfig(), SDSS, "r", 21.0)


def counts(limit: float, survey=SDSS, band="r", **settings) -> float:
    return Stars(StarConfig(**settings), survey, band, limit).surface_density()


def test_counts_at_the_pole_are_those_of_bahcall_and_soneira():
    """Their V counts at the pole (1980, ApJS 44, 73, eq. B1; good to 15 %), to 20 %. Beyond V = 21 they had too few."""
    published = {14.0: 48.9, 16.0: 188.0, 18.0: 587.8, 20.0: 1439.8}
    for limit, expected in published.items():
        assert counts(limit, V, "V", bright=5.0) == pytest.approx(expected, rel=0.2)


def test_counts_away_from_the_pole_are_those_of_bahcall_and_soneira():
    """(l, b) = (90, 60), (90, 45) and (90, 30) to V = 18, to 25 %."""
    for latitude, expected in ((60.0, 722.0), (45.0, 1010.1), (30.0, 1980.4)):
        found = counts(18.0, V, "V", bright=5.0, longitude=90.0, latitude=latitude)
        assert found == pytest.approx(expected, rel=0.25)


def test_the_pole_has_the_fewest_and_the_plane_the_most():
    found = [counts(20.0, longitude=90.0, latitude=b) for b in (90.0, 60.0, 45.0, 30.0, 20.0)]
    assert np.all(np.diff(found) > 0)
    assert found[-1] > 4 * found[0]


def test_the_centre_has_more_than_the_anticentre():
    assert counts(20.0, longitude=0.0, latitude=45.0) > 1.5 * counts(20.0, longitude=180.0, latitude=45.0)


def test_the_southern_pole_has_a_few_more():
    """The Sun stands 25 pc above the plane: more of the thin disc lies to the south."""
    assert 1.0 < counts(16.0, latitude=-90.0) / counts(16.0, latitude=90.0) < 1.2


def test_white_dwarfs_at_the_pole():
    """Of r < 20 some two a square degree: a tenth of 4.5e-3 pc^-3 is of M_r = 11 to 12, seen to 500 pc."""
    stars = Stars(StarConfig(), SDSS, "r", 20.0)
    found = stars.patch(200.0, np.random.default_rng(0))
    assert 1.0 < (found.kind == "white dwarf").sum() / 200.0 < 4.0


def test_locally_there_are_as_many_as_the_luminosity_function_says():
    """In a field so shallow that all is near, dwarfs of one absolute magnitude fill 4/3 pi d^3."""
    deg2 = np.radians(1.0) ** 2
    everywhere = Volume(uniform, 0.0, 90.0)
    assert everywhere(5.0) == pytest.approx(100.0**3 / 3.0 * deg2, rel=1e-4)
    np.testing.assert_allclose(everywhere.modulus(everywhere(np.array([-3.0, 4.567, 20.0]))), [-3.0, 4.567, 20.0])
    assert Volume(Disc(2600.0, 300.0), 0.0, 90.0)(0.0) == pytest.approx(10.0**3 / 3.0 * deg2, rel=0.03)


def test_a_disc_seen_from_within_holds_two_scale_heights_cubed():
    """int d^2 exp(-d / H) dd = 2 H^3 towards the pole."""
    deep = Volume(Disc(1e9, 300.0), 0.0, 90.0)(25.0)
    assert deep == pytest.approx(np.radians(1.0) ** 2 * 2.0 * 300.0**3, rel=1e-3)


def test_a_uniform_galaxy_counts_as_euclid():
    """log N rises by 0.6 a magnitude where densities hardly change."""
    far = {"thin_height": 1e9, "thin_length": 1e9, "thick_height": 1e9, "thick_length": 1e9, "young_height": 1e9}
    flat = StarConfig(**far, halo_fraction=0.0, bright=-20.0)
    found = [Stars(flat, SDSS, "r", limit).surface_density() for limit in (14.0, 16.0)]
    assert np.log10(found[1] / found[0]) == pytest.approx(1.2, abs=0.01)


def test_the_halo_is_a_broken_power_law_of_elliptical_radius():
    halo = Halo(2.8, 0.64, 3.8, 28e3)
    along, up = halo(np.array([8e3, 16e3, 56e3]), np.zeros(3)), halo(np.zeros(1), np.array([0.64 * 16e3]))
    assert along[0] == pytest.approx(1.0, rel=1e-4)
    assert along[1] == pytest.approx(2.0**-2.8, rel=1e-4)
    assert along[2] == pytest.approx(3.5**-2.8 * 2.0**-3.8, rel=1e-4)
    assert up[0] == pytest.approx(along[1])
    assert halo(np.zeros(1), np.array([2e5]))[0] == 0.0


def test_where_a_distance_leads():
    radius, height = place(8000.0, 0.0, 0.0)
    assert (radius, height) == (pytest.approx(0.0, abs=1e-9), 25.0)
    radius, height = place(1000.0, 90.0, 30.0)
    assert radius == pytest.approx(np.hypot(SUN_RADIUS, 1000.0 * np.cos(np.radians(30.0))))
    assert height == pytest.approx(525.0)


def test_every_star_is_between_the_limits(pole):
    found = pole.patch(2.0, np.random.default_rng(1))
    mags = abmag_from_njy(found.flux[:, 2])
    assert mags.min() > 12.0
    assert mags.max() <= 21.0 + 1e-6
    assert set(found.kind) <= {"dwarf", "binary", "giant", "white dwarf"}
    assert not found.redshift.any()
    assert not found.bulge.any()
    assert not found.disc.any()
    assert len(found.shapes.angle) == len(found)


def test_the_draw_has_the_counts_that_are_promised(pole):
    """Brighter limits on one draw are the surface densities of those limits, to Poisson noise."""
    found = pole.patch(20.0, np.random.default_rng(2))
    mags = abmag_from_njy(found.flux[:, 2])
    for limit in (15.0, 17.0, 19.0):
        expected = 20.0 * counts(limit)
        assert abs((mags < limit).sum() - expected) < 4.0 * np.sqrt(expected) + 0.01 * expected


def test_numbers_scatter_as_poisson(pole):
    rng = np.random.default_rng(3)
    numbers = np.array([len(pole.patch(0.02, rng)) for _ in range(400)])
    mean = 0.02 * pole.surface_density()
    assert numbers.mean() == pytest.approx(mean, abs=4.0 * np.sqrt(mean / 400.0))
    assert numbers.var() == pytest.approx(mean, rel=0.3)
    assert len(pole.patch(0.0, rng)) == 0


def test_the_same_numbers_the_same_sky(pole):
    one, two = (pole.patch(0.5, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one.flux, two.flux)
    np.testing.assert_array_equal(one.kind, two.kind)
    other = pole.patch(0.5, np.random.default_rng(8))
    assert len(other) != len(one) or not np.array_equal(other.flux, one.flux)


def test_two_equal_stars_are_as_bright_as_two():
    """2.5 log10(2) = 0.753 mag brighter, and of the same colours."""
    model = StarModel([get(band.passband) for band in SDSS.bands])
    mass = star_counts.dwarf_mass(1.5)
    twin = float(star_counts.g_i_of_mass(mass))
    assert twin == pytest.approx(1.5, abs=1e-3)
    one = model.dwarfs([absolute_r(1.5, -0.5)], [1.5], [-0.5])
    pair = one + model.dwarfs([absolute_r(twin, -0.5)], [twin], [-0.5])
    np.testing.assert_allclose(abmag_from_njy(one) - abmag_from_njy(pair), 0.753, atol=3e-3)
    assert star_counts.dwarf_mass(0.6) == pytest.approx(1.0, abs=0.12), "the Sun"


def test_pairs_are_above_single_stars():
    """None with a binary fraction of zero; with one, a third of the dwarfs (between 26 % of M stars and 44 % of solar
    ones, less companions that give no light), and as many systems, for pairs are seen farther."""
    single = Stars(StarConfig(binary_fraction=0.0), SDSS, "r", 20.0)
    assert not (single.patch(3.0, np.random.default_rng(0)).kind == "binary").any()
    both = Stars(StarConfig(), SDSS, "r", 20.0)
    kind = both.patch(20.0, np.random.default_rng(0)).kind
    pairs = (kind == "binary").sum() / np.isin(kind, ["binary", "dwarf"]).sum()
    assert 0.25 < pairs < 0.45
    assert 1.0 < both.surface_density() / single.surface_density() < 1.3


def test_companions_by_mass():
    np.testing.assert_allclose(star_counts.companion_share(np.array([0.2, 1.0, 4.0]), 0.44), [0.26, 0.44, 0.5])
    np.testing.assert_allclose(star_counts.companion_share(np.array([0.2, 1.0]), 0.22), [0.13, 0.22])


def test_the_luminosity_functions_have_the_published_densities():
    """Systems of 7 < M_r < 16: Bochanski et al. (2010, AJ 139, 2679) have 0.0331 pc^-3 in both discs. Off the main
    sequence Bovy (2017) has 3.9e-4 pc^-3 of giants."""
    m_r = np.arange(7.0, 16.0, 0.01)
    assert 1.12 * star_counts.dwarf_density(m_r).sum() * 0.01 == pytest.approx(0.0331, rel=0.3)
    m_r, phi = star_counts.giant_density(-0.5)
    assert phi.sum() * (m_r[1] - m_r[0]) == pytest.approx(3.9e-4, rel=0.15)


def test_dwarfs_between_colour_and_magnitude():
    grid = np.arange(0.2, 4.3, 0.1)
    for feh in (-1.5, 0.0):
        np.testing.assert_allclose(star_counts.dwarf_g_i(absolute_r(grid, feh), feh), grid, atol=1e-3)
    assert np.isnan(star_counts.dwarf_g_i([-3.0, 25.0], 0.0)).all()
    low, high = bluest_reddest()
    assert np.all(np.diff(star_counts.dwarf_mass(np.linspace(low, high, 200))) <= 0)
    assert giant_g_i(0.0, -1.5) > 0.8


def test_halo_stars_are_bluer_than_disc_stars(pole):
    """At r = 20 to 21 the turn-off of the halo (g-r about 0.3) and the M dwarfs of the discs stand apart."""
    found = pole.patch(10.0, np.random.default_rng(5))
    mags = abmag_from_njy(found.flux)
    faint = mags[mags[:, 2] > 20.0]
    g_r = faint[:, 1] - faint[:, 2]
    blue, green, red = ((g_r > a) & (g_r < b) for a, b in ((0.2, 0.45), (0.8, 1.05), (1.25, 1.5)))
    assert blue.sum() > 2 * green.sum()
    assert red.sum() > 1.3 * green.sum()
    halo = replace(StarConfig(), thick_fraction=0.0, normalisation=1.0)
    assert components(halo)[3].feh < components(halo)[2].feh < components(halo)[1].feh


def test_dust_of_the_milky_way_dims_and_reddens():
    clear, dusty = (Stars(StarConfig(ebv=ebv), SDSS, "r", 18.0) for ebv in (0.0, 0.3))
    assert dusty.surface_density() < 0.8 * clear.surface_density()
    mags = [abmag_from_njy(stars.patch(10.0, np.random.default_rng(1)).flux) for stars in (clear, dusty)]
    g, i = (SDSS.bands[k].extinction for k in (1, 3))
    reddened = np.median(mags[1][:, 1] - mags[1][:, 3]) - np.median(mags[0][:, 1] - mags[0][:, 3])
    assert reddened == pytest.approx(0.3 * (g - i), abs=0.15)


def test_densities_scale_the_counts(pole):
    assert Stars(StarConfig(normalisation=2.0), SDSS, "r", 21.0).surface_density() == pytest.approx(
        2.0 * pole.surface_density()
    )


def test_a_folder_of_templates_is_the_light(tmp_path):
    """Two black bodies: the sky has two colours, white dwarfs aside."""
    for teff in (4000.0, 6500.0):
        flux = WAVE**-5.0 / np.expm1(1.438777e8 / (WAVE * teff))
        rows = zip(WAVE, flux / flux.max(), strict=True)
        (tmp_path / f"{teff:.0f}.txt").write_text("".join(f"{w} {f:.6e}\n" for w, f in rows))
    stars = Stars(StarConfig(spectra=str(tmp_path), binary_fraction=0.0), SDSS, "r", 18.0)
    found = stars.patch(2.0, np.random.default_rng(0))
    mags = abmag_from_njy(found.flux[found.kind != "white dwarf"])
    assert len(np.unique(np.round(mags[:, 1] - mags[:, 2], 4))) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"latitude": 100.0}, r"stars\.latitude = 100\.0; accepted: -90 to 90"),
        ({"longitude": np.nan}, r"stars\.longitude = nan"),
        ({"thin_height": 0.0}, r"stars\.thin_height = 0\.0; accepted: above zero"),
        ({"ebv": -0.1}, r"stars\.ebv = -0\.1; accepted: zero or more"),
        ({"halo_break": 10.0}, r"stars\.halo_break = 10\.0; accepted: 8000 pc or more"),
        ({"binary_fraction": 1.0}, r"stars\.binary_fraction = 1\.0; accepted: 0 to 0\.88"),
        ({"helium_fraction": 1.1}, r"stars\.helium_fraction = 1\.1"),
    ],
)
def test_settings_that_are_not_accepted(settings, message):
    with pytest.raises(RequestError, match=message):
        StarConfig(**settings)


def test_requests_that_are_not_accepted(pole):
    with pytest.raises(RequestError, match=r"band 'K'; accepted: a band of .*u, g, r, i, z"):
        Stars(StarConfig(), SDSS, "K", 20.0)
    with pytest.raises(RequestError, match="limit 11"):
        Stars(StarConfig(), SDSS, "r", 11.0)
    with pytest.raises(RequestError, match="area -1"):
        pole.patch(-1.0, np.random.default_rng(0))
    with pytest.raises(RequestError, match=r"b from -90"):
        Volume(uniform, 0.0, 91.0)
    with pytest.raises(RequestError, match="no such folder"):
        Stars(StarConfig(spectra="nowhere"), SDSS, "r", 20.0)

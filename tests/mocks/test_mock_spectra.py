"""Spectra of simulated galaxies: the light that photometry has, where and as wide as physics puts it, in the fibre."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from galprism import passbands, surveys
from galprism.data import Sources
from galprism.data.spectrum_noise import signal_to_noise
from galprism.errors import RequestError
from galprism.fit.full_spectrum import FullSpectrumConfig, fit_full_spectrum
from galprism.fit.spectrum_templates import spectrum_templates
from galprism.mocks.images.rendering import PSF, render
from galprism.mocks.sky.field_config import GalaxyConfig
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.mocks.sky.members import Members, Shapes, joined
from galprism.mocks.sky.patch import Patch
from galprism.mocks.spectra.broadening import MARGIN, Broadening
from galprism.mocks.spectra.config import SpectrumConfig
from galprism.mocks.spectra.fibre import fibre_shares
from galprism.mocks.spectra.instrument import STEP
from galprism.mocks.spectra.lines import drawn_lines
from galprism.mocks.spectra.model import PIXEL, SpectrumModel, scatter
from galprism.mocks.spectra.motions import bulge_dispersion, motions, rotation
from galprism.mocks.spectra.noise import exposures, observe_spectra
from galprism.mocks.spectra.resolution import library_sigma
from galprism.sps import Galaxies, load_bc03_miles
from galprism.sps.light import RestLight
from galprism.sps.projection import flux_per_luminosity
from galprism.units import LIGHT_SPEED_ANGSTROM_PER_S
from galprism.wavegrid import LogGrid

CONFIG = SpectrumConfig(farthest=0.35)


@pytest.fixture(scope="module")
def library():
    torch.set_num_threads(1)
    return load_bc03_miles()


@pytest.fixture(scope="module")
def model(library):
    return SpectrumModel(library, CONFIG)


@pytest.fixture(scope="module")
def field(library):
    return FieldGalaxies(GalaxyConfig(redshift=(0.01, 0.35)), surveys.get("sdss"), "r", 18.0, library)


@pytest.fixture(scope="module")
def patch(field):
    members = field.patch(2.0, np.random.default_rng(3))
    assert len(members) > 100
    return Patch(np.arange(1000, 1000 + len(members)), members)


@pytest.fixture(scope="module")
def spectra(model, patch):
    return model(patch, seed=1)


def with_settings(model, **given):
    """The same model, its library's spectra not made again, with other settings that these do not depend on."""
    other = object.__new__(SpectrumModel)
    other.__dict__.update(model.__dict__)
    other.config = replace(model.config, **given)
    return other


def planted(field, redshift, logm, *, share, age, tau, z_met, ebv=0.0, angle=0.0):
    """One galaxy of a bulge and a disc of the same stars."""
    bodies = field.bodies(np.array([redshift]), np.array([logm]), np.array([True]), np.random.default_rng(0))
    two = {"share": [share, 1 - share], "age": [age] * 2, "tau": [tau] * 2, "z_met": [z_met] * 2, "ebv": [ebv] * 2}
    bodies = replace(bodies, **{name: np.array([value]) for name, value in two.items()})
    return Patch(np.array([5]), field.light(bodies, np.random.default_rng(1)))


def test_photometry_of_the_spectrum_is_that_of_the_galaxy(model, patch):
    """In a fibre that takes all light, through SDSS's g and r: < 0.3 %, as two ways of binning differ."""
    whole = with_settings(model, fibre=1e4)(patch, seed=1)
    np.testing.assert_allclose(whole.fibre_share, 1.0, atol=1e-5)
    for band in ("g", "r"):
        curve = passbands.get(f"sdss/{band}")
        response = np.interp(whole.wave, curve.wave, curve.throughput, left=0.0, right=0.0)
        width = model.instrument.width
        f_nu = (whole.flux * response * whole.wave * width).sum(1) / (response * width / whole.wave).sum()
        njy = f_nu * 1e-17 / LIGHT_SPEED_ANGSTROM_PER_S * 1e32
        expected = patch.members.flux[:, surveys.get("sdss").band_names.index(band)]
        np.testing.assert_allclose(njy / expected, 1.0, atol=3e-3)
    for name in ("log_age_lw", "logzsol_lw", "log_age_mw", "logmstar"):
        np.testing.assert_allclose(whole.values[name], patch.members.values[name], atol=2e-3, err_msg=name)


def test_a_spectrum_computed_directly(library, field):
    """The same light on pixels eight times finer, convolved one pixel at a time with a Gaussian of its own width, and
    averaged: three Fourier transforms give it to 3e-3 of the continuum at worst."""
    config = SpectrumConfig(wave_range=(5000.0, 5700.0), farthest=0.15, fibre=1e4)
    patch = planted(field, 0.123, 9.3, share=0.4, age=2.0, tau=0.05, z_met=0.012, ebv=0.1)
    model = SpectrumModel(library, config)
    found = model(patch, seed=2)
    finer = 8
    fine = LogGrid.covering(4300.0, 5300.0, STEP / finer)
    light = RestLight(library, fine, metallicity="interpolate", sharp=True)
    bodies = patch.members.bodies
    galaxies = Galaxies.from_numpy(**bodies.populations())
    ordered, _, batches = light.arrange(galaxies)
    ((rows, metal),) = batches
    part = ordered.take(rows)
    flux = light.shine(part, metal, light.weights(part), 0, fine.size)[0].double().numpy()
    library_variance = (library_sigma(library, fine.wave) / fine.wave / STEP) ** 2
    sigma = model_sigma(model, patch, 2)
    x = (np.log(fine.wave) - fine.start) / STEP
    direct = np.zeros(len(found.wave))
    for j, wave in enumerate(found.wave):
        centre = (np.log(wave / 1.123) - fine.start) / STEP
        near = slice(int((centre - 40) * finer), int((centre + 40) * finer))
        at = np.interp(centre, x, library_variance)
        for k in (0, 1):
            variance = (sigma[k] / PIXEL) ** 2 + model.instrument.lsf[j] ** 2 - at
            assert variance > 0
            d = x[near] - centre
            sub = (np.arange(finer) - (finer - 1) / 2) / finer
            kernel = np.exp(-0.5 * (d[:, None] - sub) ** 2 / variance).sum(axis=1)
            direct[j] += bodies.share[0, k] * (kernel @ flux[k, near]) / kernel.sum()
    ratio = found.flux[0] / direct
    ratio /= np.median(ratio)
    assert np.abs(ratio - 1).max() < 3e-3
    assert np.sqrt(np.mean((ratio - 1) ** 2)) < 5e-4


def model_sigma(model, patch, seed):
    """(2,), km/s, of the stars of the one galaxy of a patch."""
    members = patch.members
    return motions(members.bodies, members.shapes, scatter(patch.id, seed), model.config).stars[0]


def test_broadening_conserves_flux_and_adds_variance():
    """A line moved by 0.3 pixels to the left, of two components with variances of 2 and 9."""
    size = 400
    x = np.arange(size + 2 * MARGIN) - MARGIN
    line = np.exp(-0.5 * ((x - 200.0) / 1.5) ** 2)
    flux = torch.tensor(np.stack([line, 2 * line])[None], dtype=torch.float32)
    more = torch.linspace(-1.0, 1.0, size)[None]
    made = Broadening(size)(flux, torch.tensor([0.3]), torch.tensor([[2.0, 9.0]]), more)[0].double().numpy()
    pixels = np.arange(size)
    total = made.sum()
    assert total == pytest.approx(3 * line.sum(), rel=2e-3)  # the width changes by a per cent across the line
    middle = (made * pixels).sum() / total
    assert middle == pytest.approx(199.7, abs=0.05)
    variance = (made * (pixels - middle) ** 2).sum() / total
    assert variance == pytest.approx(1.5**2 + (2 + 2 * 9) / 3, rel=0.01)
    level = Broadening(size)(torch.ones(1, 1, len(x)), torch.tensor([0.7]), torch.tensor([[30.0]]), more)
    np.testing.assert_allclose(level.numpy(), 1.0, atol=1e-5)


def test_lines_are_integrated_over_pixels():
    width = torch.full((200,), 0.5)
    place = torch.tensor([[50.3, 150.0, 500.0]], dtype=torch.float64)
    made = drawn_lines(torch.tensor([[2.0, 3.0, 9.0]]), place, torch.tensor([[1.0, 5.0, 1.0]]), width)[0].double()
    pixels = torch.arange(200, dtype=torch.float64)
    for at, flux, sigma in ((50.3, 2.0, 1.0), (150.0, 3.0, 5.0)):
        near = torch.abs(pixels - at) < 40
        part, where = made[near] * 0.5, pixels[near]
        assert part.sum().item() == pytest.approx(flux, rel=1e-5)
        mean = (part * where).sum().item() / flux
        assert mean == pytest.approx(at, abs=1e-4)
        assert (part * (where - at) ** 2).sum().item() / flux == pytest.approx(sigma**2 + 1 / 12, rel=1e-3)


def test_lines_stand_at_their_wavelengths_in_vacuum(library, model, patch, spectra):
    """[O III] 5008.24 of star-forming galaxies: place to a fifth of a pixel, and the flux that the gas gives."""
    rest = 5008.24
    bodies = patch.members.bodies
    light = model.light
    k = light.spectra.gas.line_names.index("O  3  5006.84A")
    assert light.line_wave[k] == pytest.approx(rest, abs=0.02)
    _, lines, derived = model._populations(bodies, 3000, 3100)
    formed = bodies.formed(derived.mstar.view(2, -1).T.numpy()) * spectra.fibre_share
    each = (formed.T * lines[:, k].view(2, -1).numpy()).sum(0) * library.lsun * 1e17
    expected = each * flux_per_luminosity(torch.from_numpy(bodies.redshift)).numpy()
    place = np.log(spectra.wave / rest)[None] - np.log1p(spectra.redshift)[:, None]
    checked = 0
    for row in np.argsort(-expected / spectra.flux.mean(1))[:8]:
        off = place[row] / STEP
        inside, sides = np.abs(off) < 14, (np.abs(off) > 16) & (np.abs(off) < 40)
        level = np.polyval(np.polyfit(off[sides], spectra.flux[row, sides], 1), off)
        line = ((spectra.flux[row] - level) * model.instrument.width)[inside]
        assert line.sum() == pytest.approx(expected[row], rel=0.05)
        assert (line * off[inside]).sum() / line.sum() == pytest.approx(0.0, abs=0.2)
        checked += 1
    assert checked == 8


def test_a_fibre_takes_what_an_image_has_within_it():
    """The sums of Gaussians drawn on fine pixels, summed within the circle."""
    shapes = Shapes(
        *(np.array(v) for v in ([0.5, 1.5, 4.0], [1.0, 3.0, 6.0], [0.9, 0.6, 0.4], [0.5, 0.2, 1.0], [0.3, 1.0, 2.0]))
    )
    share = fibre_shares(shapes, diameter=3.0, seeing=1.4, beta=3.0)
    nothing, unit = np.zeros((3, 1)), np.ones((3, 1))
    psf = PSF(np.full((3, 1), 1.4), nothing, nothing, 3.0)
    size, scale = 81, 0.05
    fine = np.mgrid[: 10 * size, : 10 * size] - (10 * size - 1) / 2  # tenths of pixels, since the circle cuts some
    covered = (np.hypot(*fine) * scale / 10 < 1.5).reshape(size, 10, size, 10).mean(axis=(1, 3))
    for k, (bulge, disc) in enumerate(((unit, nothing), (nothing, unit))):
        members = Members(np.zeros(3), nothing, bulge, disc, shapes)
        image = render(members, psf, np.zeros(3), np.zeros(3), size=size, pixel_scale=scale)[:, 0]
        inside = (image * covered).sum(axis=(1, 2))
        np.testing.assert_allclose(inside, share[:, k], rtol=1e-3)
    assert (fibre_shares(shapes, diameter=2e4, seeing=1.4, beta=3.0) > 1 - 1e-5).all()


def test_motions_are_the_published_relations():
    np.testing.assert_allclose(
        bulge_dispersion(np.array([10.26, 11.26, 9.26])), 118.3 * 10 ** np.array([0, 0.293, -0.403])
    )
    assert rotation(10.10) == pytest.approx(138.7, rel=1e-3)


def test_planted_stars_and_motions_are_found_by_a_fit(model, field, library):
    """A quiescent galaxy at S/N of 200 a pixel, by our own full-spectrum fit with the library's templates."""
    patch = planted(field, 0.08, 10.9, share=1.0, age=9.0, tau=0.3, z_met=0.02, ebv=0.05)
    made = model(patch, seed=4)
    config = replace(CONFIG, sn=(250.0, 250.0), sky_residual=0.0)
    sources = Sources(made.id, redshift=made.redshift, spectra=observe_spectra(made, config, seed=1))
    templates = spectrum_templates(
        library, ages=[1.0152, 2.0, 4.0, 6.0, 8.0, 9.0, 10.0, 12.0], logzsol=[-0.4, 0.0, 0.4]
    )
    found = fit_full_spectrum(sources, templates, FullSpectrumConfig(n_realisations=0)).predictions
    assert found.extra["velocity"][0] == pytest.approx(0.0, abs=5.0)
    assert found.extra["dispersion"][0] == pytest.approx(made.values["dispersion"][0], rel=0.03)
    assert found.extra["mean_log_age_lw"][0] == pytest.approx(made.values["mean_log_age_lw"][0], abs=0.03)
    assert found.extra["mean_logzsol_lw"][0] == pytest.approx(made.values["mean_logzsol_lw"][0], abs=0.03)


def test_noise_is_as_stated_where_nothing_is_hidden(spectra):
    calm = replace(CONFIG, sky_residual=0.0, calibration=0.0)
    seen = observe_spectra(spectra, calm, seed=1)
    chi = (seen.flux - spectra.flux) * np.sqrt(seen.ivar)
    n = chi.size
    assert chi.mean() == pytest.approx(0.0, abs=4 / np.sqrt(n))
    assert (chi**2).mean() == pytest.approx(1.0, abs=4 * np.sqrt(2 / n))
    by_pixel = (chi**2).mean(axis=0)
    assert np.abs(by_pixel - 1).max() < 6 * np.sqrt(2 / len(chi))
    np.testing.assert_allclose(seen.lsf_sigma, spectra.lsf_sigma, rtol=1e-6)


def test_what_is_not_stated_is_at_the_lines_of_the_sky(spectra, model):
    seen = observe_spectra(spectra, replace(CONFIG, calibration=0.0), seed=1)
    chi2 = ((seen.flux - spectra.flux) ** 2 * seen.ivar).mean(axis=0)
    excess = model.instrument.excess**2
    assert chi2.mean() == pytest.approx(excess.mean(), rel=0.02)
    line = np.abs(spectra.wave - 5578.9) < 3
    assert chi2[line].mean() == pytest.approx(excess[line].mean(), rel=0.2)
    assert excess[line].mean() > 1.5 * np.median(excess)


def test_calibration_errors_are_smooth_and_of_their_size(spectra):
    config = replace(CONFIG, sn=(1e6, 1e6), sky_residual=0.0)
    ratio = observe_spectra(spectra, config, seed=1).flux / spectra.flux - 1
    assert ratio.std() == pytest.approx(config.calibration, rel=0.15)
    steps = np.diff(ratio[:, ::100], axis=1)
    assert steps.std() < 0.35 * config.calibration


def test_signal_to_noise_is_what_was_asked_for(spectra, patch):
    flat = replace(CONFIG, sn_from="range", sn=(5.0, 50.0), calibration=0.0, sky_residual=0.0, depth_scatter=0.0)
    sn = signal_to_noise(observe_spectra(spectra, flat, seed=1))
    assert sn.min() > 4
    assert sn.max() < 55
    assert np.log10(sn).mean() == pytest.approx(np.log10([5, 50]).mean(), abs=0.1)
    by_light = signal_to_noise(observe_spectra(spectra, replace(flat, sn_from="magnitude", sn=(0.1, 1e3)), seed=1))
    faint = (patch.members.bulge * spectra.fibre_share[:, :1] + patch.members.disc * spectra.fibre_share[:, 1:])[:, 2]
    assert np.corrcoef(np.log10(by_light), np.log10(faint))[0, 1] > 0.97
    error = exposures(spectra, flat, seed=1).error
    assert (error[:, :100].mean(1) > error[:, 2000:2100].mean(1)).all()  # the blue end is the worst


def test_the_same_however_split(model, patch, spectra):
    rows = np.array([7, 3, 50])
    some = model(patch, seed=1, rows=rows)
    np.testing.assert_allclose(some.flux, spectra.flux[rows], rtol=2e-5, atol=1e-5)
    for name, value in some.values.items():
        np.testing.assert_allclose(value, spectra.values[name][rows], rtol=1e-9, err_msg=name)
    seen, whole = observe_spectra(some, CONFIG, seed=6), observe_spectra(spectra, CONFIG, seed=6)
    error = 1 / np.sqrt(whole.ivar[rows])
    assert np.abs((seen.flux - whole.flux[rows]) / error).max() < 1e-3
    other = observe_spectra(some, CONFIG, seed=7)
    assert np.abs((seen.flux - other.flux) / error).std() > 0.5


def test_noise_is_redrawn_without_the_rest(spectra):
    exposed = exposures(spectra, CONFIG, seed=1)
    stated = observe_spectra(spectra, CONFIG, seed=1).ivar
    np.testing.assert_allclose(1 / exposed.error**2, stated, rtol=1e-5)
    rng = np.random.default_rng(1)
    first, second = (exposed.drawn(spectra.flux[:5], rng, slice(0, 5)) for _ in range(2))
    chi = (first - second) / exposed.error[:5]
    assert chi.std() == pytest.approx(np.sqrt(2) * np.sqrt((exposed.excess**2).mean()), rel=0.2)


def test_a_fibre_sees_the_older_middle(patch, spectra):
    """Bulges are older and richer in metals: where both shine, the fibre has more of the bulge and is older."""
    both = (patch.members.bodies.share > 0.2).all(axis=1)
    assert both.sum() > 20
    older = spectra.values["log_age_lw"] - patch.members.values["log_age_lw"]
    richer = spectra.values["logzsol_lw"] - patch.members.values["logzsol_lw"]
    more_bulge = spectra.fibre_share[:, 0] > spectra.fibre_share[:, 1]
    assert (both & more_bulge).sum() > 10
    assert older[both & more_bulge].mean() > 0.01
    assert richer[both & more_bulge].mean() > 0.01
    assert richer[both & more_bulge].min() >= 0
    for suffix in ("log_age_lw", "logzsol_lw"):  # a mean of logarithms is never above the logarithm of the mean
        assert (spectra.values[f"mean_{suffix}"] <= spectra.values[suffix] + 1e-9).all()


def test_joined_members_keep_what_they_are_made_of(patch, model, spectra):
    n_bands = patch.members.flux.shape[1]
    dark = np.zeros((2, n_bands))
    stars = Members(np.zeros(2), dark + 1.0, dark, dark, Shapes.of_points(2))
    members = joined([stars, patch.members.take(slice(0, 3))])
    assert members.bodies.known.tolist() == [False, False, True, True, True]
    mixed = Patch(np.append([1, 2], patch.id[:3]), members)
    np.testing.assert_allclose(
        model(mixed, seed=1, rows=np.array([2, 3, 4])).flux, spectra.flux[:3], rtol=2e-5, atol=1e-5
    )
    assert joined([stars, stars]).bodies is None
    with pytest.raises(RequestError, match="2 of 5 sources are no galaxies"):
        model(mixed, seed=1)


def test_none_at_all(model, patch):
    nothing = model(patch, seed=1, rows=slice(0, 0))
    assert nothing.flux.shape == (0, len(nothing.wave))
    assert len(observe_spectra(nothing, CONFIG, seed=1)) == 0


def test_what_is_refused(library, model, field, spectra):
    near = with_settings(model, farthest=0.1)
    with pytest.raises(RequestError, match=r"redshift = 0\.2; accepted: up to spectra\.farthest = 0\.1"):
        near(planted(field, 0.2, 10.9, share=0.5, age=5.0, tau=1.0, z_met=0.02), seed=1)
    for key, value in (
        ("wave_range", (5000.0, 4000.0)),
        ("fibre", 0.0),
        ("beta", 1.5),
        ("calibration", 0.9),
        ("sn", (50.0, 5.0)),
        ("sn_from", "luck"),
    ):
        with pytest.raises(RequestError, match=rf"spectra\.{key}"):
            replace(CONFIG, **{key: value})
    with pytest.raises(RequestError, match=r"spectra\.wave_range = \[3000, 9200\]; accepted"):
        SpectrumModel(library, SpectrumConfig(wave_range=(3000.0, 9200.0)))
    with pytest.raises(RequestError, match=r"are not of spectra\.wave_range"):
        observe_spectra(spectra, SpectrumConfig(wave_range=(4000.0, 9000.0)), seed=1)

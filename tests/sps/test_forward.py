import dataclasses

import numpy as np
import pytest
import torch

from galprism import igm, passbands
from galprism.cosmology import luminosity_distance_mpc
from galprism.errors import RequestError
from galprism.params import PARAMS
from galprism.sps import Dust, ForwardModel, Galaxies, mix, parameters
from galprism.sps.dust import ccm89, starburst
from galprism.sps.galaxies import Derived
from galprism.sps.histories import Burst, Constant, DelayedTau, bin_weights, bursts, with_burst
from galprism.sps.projection import flux_per_luminosity

PARSEC_CM = 3.0856775814913673e18


def slow_flux(library, model, galaxies, n, curves):
    """Fluxes of one galaxy the straightforward way: raw spectra, exact wavelengths, float64, no bins, no shifts."""
    wave = library.to_vacuum(library.wave)
    z, ebv = galaxies.redshift[n].item(), galaxies.ebv[n].item()
    metal = np.argmin(np.abs(np.log(library.z_met / galaxies.z_met[n].item())))
    history, neb = galaxies.history.take(slice(n, n + 1)), library.nebular
    edges = np.union1d(library.age_edges, 0.01)
    weight = bin_weights(history, torch.as_tensor(edges))[0].numpy()
    raw = np.searchsorted(library.age_edges, 0.5 * (edges[1:] + edges[:-1])) - 1
    young = edges[1:] <= 0.01
    stars = weight @ library.flux[metal][raw].astype(float)
    stars -= np.where(wave < 912.0, weight[young] @ library.flux[metal][raw[young]].astype(float), 0.0)
    ionising = bin_weights(history, torch.as_tensor(neb.age_edges))[0].numpy()
    at_logu = np.clip(1.0 - np.abs(galaxies.logu[n].item() - neb.logu) / 0.5, 0.0, None)
    continuum = np.einsum("u,a,uav->v", at_logu, ionising, neb.continuum[metal].astype(float))
    line = np.einsum("u,a,ual->l", at_logu, ionising, neb.line[metal])
    line_wave = library.to_vacuum(neb.line_wave)
    gas_ebv = ebv / 0.44

    def milky_way(w):
        return ccm89(w, 3.1, "odonnell94")

    light = stars * 10 ** (-0.4 * ebv * starburst(wave)) + continuum * 10 ** (-0.4 * gas_ebv * milky_way(wave))
    light *= igm.transmission(wave, z)
    line = line * 10 ** (-0.4 * gas_ebv * milky_way(line_wave)) * igm.transmission(line_wave, z)
    scale = library.lsun / (4 * np.pi * (luminosity_distance_mpc(z) * 1e6 * PARSEC_CM) ** 2)
    inside = (wave > 500.0) & (wave < 30000.0)
    seen = wave[inside] * (1 + z)
    return np.array(
        [
            passbands.abflux(curve, seen, scale * light[inside] / (1 + z))
            + passbands.line_abflux(curve, line_wave * (1 + z), scale * line).sum()
            for curve in curves
        ]
    )


def test_fluxes_the_slow_way(library, kids, model, draw):
    """Same answer another way: to 1 mmag in every band, to 5 where Lyman alpha crosses u and dust dims the rest."""
    galaxies = draw(24, 8, logu=np.random.default_rng(8).uniform(-4.0, 0.0, 24))
    fast = model(galaxies).flux.numpy()
    for n in range(24):
        dm = 2.5 * np.log10(fast[n] / slow_flux(library, model, galaxies, n, kids))
        np.testing.assert_allclose(dm[1:], 0.0, atol=1e-3)
        assert abs(dm[0]) < (1e-3 if galaxies.redshift[n] < 1.9 else 5e-3)


def test_bins_half_as_wide_agree(library, kids, model, draw):
    galaxies = draw(200, 9)
    fine = ForwardModel(library, kids, d_ln_lambda=0.001, z_max=4.0)(galaxies).flux
    dm = (2.5 * torch.log10(model(galaxies).flux / fine)).abs()
    assert torch.all(dm.median(0).values < 1e-4)
    assert torch.all(dm[:, 1:].amax(0) < 2e-3)


def test_order_and_batches_do_not_matter(library, kids, draw, model):
    galaxies = draw(300, 10)
    whole = model(galaxies)
    some = torch.tensor([7, 250, 3, 3, 299])
    few = model(galaxies.take(some))
    for f in dataclasses.fields(whole):
        torch.testing.assert_close(getattr(few, f.name), getattr(whole, f.name)[some], rtol=2e-5, atol=0)
    small = ForwardModel(library, kids, z_max=4.0, batch=17)(galaxies)
    torch.testing.assert_close(small.flux, whole.flux, rtol=2e-5, atol=0)


def test_light_is_made_once_and_seen_at_many_redshifts(model, draw):
    galaxies = draw(40, 11)
    redshifts = [0.05, 0.7, 3.3]
    together = model.fluxes_at(galaxies, redshifts)
    assert together.shape == (3, 40, 9)
    light = model.rest_sed(galaxies)
    before = light.flux.clone()
    for k, z in enumerate(redshifts):
        moved = dataclasses.replace(galaxies, redshift=torch.full((40,), z, dtype=torch.float64), history=None)
        torch.testing.assert_close(together[k], model(moved).flux, rtol=2e-5, atol=0)
        torch.testing.assert_close(model.project(light, moved.redshift), model(moved).flux, rtol=2e-5, atol=0)
    assert torch.equal(before, light.flux)  # absorption by the intergalactic medium did not leak into the rest frame


def test_distances_are_those_of_the_cosmology():
    z = np.array([1e-4, 0.01, 0.3, 1.0, 3.0, 7.0, 10.0])
    expected = 1.0 / (4 * np.pi * (luminosity_distance_mpc(z) * 1e6 * PARSEC_CM) ** 2)
    np.testing.assert_allclose(flux_per_luminosity(torch.as_tensor(z)).numpy(), expected, rtol=1e-9)


def test_dimming_with_redshift(library):
    """f_nu = (1 + z) L_nu / (4 pi d_L^2): a box passband moved with the redshift sees the same stretch of spectrum."""

    def box(z):
        wave = np.array([4999.0, 5000.0, 6000.0, 6001.0]) * (1 + z)
        return passbands.Passband.from_arrays("box", wave, np.array([0.0, 1.0, 1.0, 0.0]))

    history = Constant(torch.tensor([2.0]).double(), torch.tensor([0.0]).double())
    values = []
    for z in (0.1, 1.0, 2.5):
        model = ForwardModel(library, [box(z)], nebular=False, z_max=3.0)
        galaxy = Galaxies.from_numpy(redshift=[z], z_met=0.02, ebv=0.0, history=history)
        values.append(model(galaxy).flux.item() * luminosity_distance_mpc(z) ** 2 / (1 + z))
    np.testing.assert_allclose(values, values[0], rtol=5e-4)


def test_dust_takes_what_it_should(library, kids, draw):
    """Attenuation is monochromatic; what is absorbed is what the curve says; the gas sees 1 / 0.44 of it."""
    galaxies = draw(30, 12)
    clear = dataclasses.replace(galaxies, ebv=torch.zeros(30).double(), history=None)
    stars = ForwardModel(library, kids, nebular=False, z_max=3.1)
    before, after = stars.rest_sed(clear), stars.rest_sed(galaxies)
    wave = before.wave.numpy().astype(float)
    passed = 10 ** (-0.4 * galaxies.ebv.numpy()[:, None] * starburst(wave))
    np.testing.assert_allclose(after.flux.numpy(), before.flux.numpy() * passed, rtol=2e-4)
    width = wave * stars.grid.step
    absorbed = ((before.flux - after.flux).numpy() * width).sum(1)
    np.testing.assert_allclose(absorbed, (before.flux.numpy() * (1 - passed) * width).sum(1), rtol=1e-4)
    assert np.all((after.flux <= before.flux).numpy())

    both = ForwardModel(library, kids, z_max=3.1)
    before, after = both.rest_sed(clear), both.rest_sed(galaxies)
    k_line = ccm89(before.line_wave.numpy().astype(float), 3.1, "odonnell94")
    expected = before.line.numpy() * 10 ** (-0.4 * galaxies.ebv.numpy()[:, None] / 0.44 * k_line)
    np.testing.assert_allclose(after.line.numpy(), expected, rtol=2e-4)


def test_gas_takes_ionising_light_and_returns_it(library, kids, draw):
    """Without dust, what nebular emission adds is what young stars lose bluewards of the Lyman limit."""
    galaxies = draw(20, 13, ebv=0.0)
    curve = [
        passbands.Passband.from_arrays("wide", np.array([950.0, 1000.0, 2e5, 2.1e5]), np.array([0.0, 0.5, 0.5, 0.0]))
    ]
    with_gas = ForwardModel(library, curve, z_max=4.0).rest_sed(galaxies)
    without = ForwardModel(library, curve, z_max=4.0, nebular=False).rest_sed(galaxies)
    wave = with_gas.wave.double()
    width = wave * 0.002
    hard = wave < 914.0
    lost = ((without.flux - with_gas.flux).double() * width)[:, hard].sum(1)
    gained = ((with_gas.flux - without.flux).double() * width)[:, ~hard].sum(1) + with_gas.line.double().sum(1)
    assert torch.all(lost > 0)
    # Wavelengths end at 20 um and 200 A, and some energy is taken and given beyond; the nebular grid's last age bin is
    # of stars of 10 Myr, though only their younger half ionises.
    torch.testing.assert_close(gained, lost, rtol=0.12, atol=0)
    assert torch.all(with_gas.flux[:, ~hard] >= without.flux[:, ~hard] * (1 - 1e-5))


def test_star_formation_shows_in_h_alpha_and_ultraviolet(library, kids):
    """log SFR = log L(H alpha) - 41.27 = log nu L_nu(1550 A) - 43.35 (Kennicutt & Evans 2012, table 1; Kroupa).

    For 100 Myr of constant star formation at solar metallicity; stellar models differ by up to 0.2 dex.
    """
    history = Constant(torch.tensor([0.1]).double(), torch.tensor([0.0]).double())
    galaxy = Galaxies.from_numpy(redshift=[0.1], z_met=0.02, ebv=0.0, logu=-3.0, history=history)
    model = ForwardModel(library, kids, z_max=2.0)
    light, sfr = model.rest_sed(galaxy), model.derive(galaxy).sfr.item()
    alpha = light.line[0, model.spectra.gas.line_names.index("H  1  6562.80A")].item() * library.lsun
    ultraviolet = light.flux[0, model.grid.index(1550.0)].item() * 1550.0 * library.lsun
    assert np.log10(alpha / sfr) == pytest.approx(41.27, abs=0.2)
    assert np.log10(ultraviolet / sfr) == pytest.approx(43.35, abs=0.2)


CONTINUOUS = {
    "redshift": (0.6123, 1e-4),
    "tau": (2.0, 0.02),
    "age": (4.0, 0.02),
    "z_met": (0.011, 1e-4),
    "ebv": (0.2, 2e-3),
    "logu": (-2.7, 0.02),
    "f_burst": (0.1, 5e-3),
    "tau_burst": (0.05, 1e-3),
    "age_burst": (0.03, 5e-4),
    "dust_slope": (-0.3, 0.01),
    "dust_bump": (2.0, 0.05),
}


@pytest.fixture(scope="module")
def smooth(library, kids):
    return ForwardModel(library, kids, metallicity="interpolate", z_max=3.1)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_gradients_flow_to_every_parameter(smooth, name):
    values = {k: torch.tensor([v], dtype=torch.float64) for k, (v, _) in CONTINUOUS.items()}
    step = CONTINUOUS[name][1]
    values[name].requires_grad_()
    log_flux = torch.log(smooth(Galaxies(**values)).flux[0])
    slopes = torch.stack([torch.autograd.grad(f, values[name], retain_graph=True)[0][0] for f in log_flux])

    def at(shift):
        moved = values | {name: values[name].detach() + shift}
        return torch.log(smooth(Galaxies(**moved)).flux[0])

    differences = (at(step) - at(-step)) / (2 * step)
    assert torch.all(torch.isfinite(slopes))
    assert torch.any(slopes != 0)
    scale = differences.abs().max()
    torch.testing.assert_close(slopes / scale, differences / scale, rtol=0.03, atol=0.01)


@pytest.mark.parametrize("nebular", [True, False])
def test_gradients_flow_through_the_intergalactic_medium(library, kids, nebular):
    model = ForwardModel(library, kids, nebular=nebular, z_max=3.1)
    fixed = {"tau": 1.0, "age": 1.5, "z_met": 0.008, "ebv": 0.1}
    redshift = torch.tensor([2.6004], dtype=torch.float64, requires_grad=True)
    given = {k: torch.tensor([v], dtype=torch.float64) for k, v in fixed.items()}
    log_u = torch.log(model(Galaxies(redshift=redshift, **given)).flux[0, 0])
    slope = torch.autograd.grad(log_u, redshift)[0].item()
    step = 5e-4
    ends = [torch.log(model(Galaxies(redshift=redshift.detach() + s, **given)).flux[0, 0]) for s in (-step, step)]
    assert slope < -1.0  # u leaves the light redwards of Lyman alpha
    assert slope == pytest.approx((ends[1] - ends[0]).item() / (2 * step), rel=0.03)


def test_gradients_of_derived_quantities(smooth):
    values = {k: torch.tensor([v], dtype=torch.float64, requires_grad=True) for k, (v, _) in CONTINUOUS.items()}
    observed = smooth(Galaxies(**values))
    for quantity in ("mstar", "mlive", "sfr", "sfr_10myr", "sfr_100myr", "age_mw", "age_lw"):
        slope = torch.autograd.grad(getattr(observed, quantity), values["age"], retain_graph=True)[0]
        assert torch.isfinite(slope).all()
        assert slope.item() != 0


def test_any_history_gives_light(model):
    """A burst at the end of a delayed history makes it bluer; a burst told as two halves is the same burst."""
    values = {"redshift": 0.1, "z_met": 0.02, "ebv": 0.0}
    one = torch.ones(1, dtype=torch.float64)
    quiet = model(Galaxies.from_numpy(history=DelayedTau(one, 8 * one), **values)).flux[0]
    history = with_burst(DelayedTau(one, 8 * one), 0.05 * one, 0.05 * one, 0.02 * one)
    starry = model(Galaxies.from_numpy(history=history, **values)).flux[0]
    assert starry[0] / starry[3] > 2 * quiet[0] / quiet[3]
    by_fields = Galaxies.from_numpy(tau=[1.0], age=8.0, f_burst=0.05, tau_burst=0.05, age_burst=0.02, **values)
    torch.testing.assert_close(model(by_fields).flux[0], starry)

    whole = Galaxies.from_numpy(history=Burst(2 * one, 1e-3 * one), **values)
    ages, shares = torch.tensor([[2.0, 2.0]]).double(), torch.tensor([[0.4, 0.6]]).double()
    halves = Galaxies.from_numpy(history=bursts(ages, shares), **values)
    torch.testing.assert_close(model(halves.to("cpu")).flux, model(whole.to("cpu")).flux, rtol=1e-5, atol=0)


def test_a_cut_galaxy_forms_fewer_stars_and_keeps_its_old_ones(model):
    """Its rate cut to a hundredth 0.5 Gyr ago: redder, older, less mass left, and the rate that the history says."""
    one = {"redshift": [0.1], "tau": 3.0, "age": 6.0, "z_met": 0.02, "ebv": 0.0}
    plain, cut = (model(Galaxies.from_numpy(**one, **change)) for change in ({}, {"change": 0.01, "age_change": 0.5}))
    recent = DelayedTau(torch.tensor([3.0]).double(), torch.tensor([6.0]).double()).younger(
        torch.tensor([0.5]).double()
    )
    assert (cut.sfr / plain.sfr).item() == pytest.approx(0.01 / (1 - 0.99 * recent.item()), rel=1e-6)
    assert cut.age_mw.item() > plain.age_mw.item()
    assert cut.mstar.item() < plain.mstar.item()
    assert cut.flux[0, 0] / cut.flux[0, 3] < 0.7 * plain.flux[0, 0] / plain.flux[0, 3]
    steady = model(Galaxies.from_numpy(**one, constant=1.0))
    history = Constant(torch.tensor([6.0]).double(), torch.zeros(1).double())
    values = {name: one[name] for name in ("redshift", "z_met", "ebv")}
    torch.testing.assert_close(steady.flux, model(Galaxies.from_numpy(history=history, **values)).flux)


def test_metallicities_are_snapped_or_mixed(model, smooth, library, draw):
    galaxies = draw(50, 14)
    torch.testing.assert_close(smooth(galaxies).flux, model(galaxies).flux, rtol=2e-5, atol=0)  # on the grid
    between = draw(50, 14, z_met=0.0133)
    torch.testing.assert_close(model(between).z_mw, torch.full((50,), 0.02).double())
    torch.testing.assert_close(smooth(between).z_mw, torch.full((50,), 0.0133).double())
    low, high = (model(draw(50, 14, z_met=z)).flux for z in (0.008, 0.02))
    share = np.log(0.0133 / 0.008) / np.log(0.02 / 0.008)
    torch.testing.assert_close(smooth(between).flux, (1 - share) * low + share * high, rtol=2e-5, atol=0)


def test_derived_quantities(library, model):
    start = torch.tensor([4.0, 0.05]).double()
    galaxies = Galaxies.from_numpy(redshift=0.1, z_met=0.02, ebv=0.3, history=Constant(start, torch.zeros(2).double()))
    d = model.derive(galaxies)
    torch.testing.assert_close(d.age_mw, start / 2, rtol=2e-3, atol=0)
    torch.testing.assert_close(d.sfr, 1 / (start * 1e9))
    torch.testing.assert_close(d.ssfr, d.sfr / d.mstar)
    torch.testing.assert_close(d.sfr_100myr, torch.tensor([1 / 4e9, 1 / 1e8]).double())
    assert torch.all(d.age_lw < d.age_mw)  # the young outshine the old
    assert torch.all((d.mlive < d.mstar) & (d.mstar < 1))

    tau, age = torch.tensor([2.0]).double(), torch.tensor([6.0]).double()
    x = 3.0
    mean = 6.0 - 2.0 * (2 - (2 + 2 * x + x * x) * np.exp(-x)) / (1 - (1 + x) * np.exp(-x))
    delayed = Galaxies.from_numpy(redshift=[0.1], z_met=0.02, ebv=0.0, history=DelayedTau(tau, age))
    assert model.derive(delayed).age_mw.item() == pytest.approx(mean, rel=1e-3)

    ssp = Galaxies.from_numpy(
        redshift=[0.1], z_met=0.02, ebv=0.0, history=Burst(torch.tensor([10.0]).double(), torch.tensor([0.01]).double())
    )
    old = np.argmin(np.abs(library.age - 10.0))
    assert model.derive(ssp).mstar.item() == pytest.approx(library.surviving[4, old], abs=1e-3)
    assert model.derive(ssp).mlive.item() == pytest.approx(library.living[4, old], abs=1e-3)
    observed = model(ssp)
    for f in dataclasses.fields(Derived):
        assert getattr(observed, f.name).item() == getattr(model.derive(ssp), f.name).item()


def test_parameters_are_as_defined(model, draw):
    d = model.derive(draw(20, 17))
    p = parameters(d, np.full(20, 10.0))
    assert set(p) <= set(PARAMS)
    np.testing.assert_allclose(p["logmstar"], 10.0 + np.log10(d.mstar.numpy()))
    np.testing.assert_allclose(p["logmlive"], 10.0 + np.log10(d.mlive.numpy()))
    active = np.log10(d.ssfr.numpy()) > -12
    np.testing.assert_allclose(p["logsfr"][active], 10.0 + np.log10(d.sfr.numpy()[active]))
    np.testing.assert_allclose(p["logsfr_100myr"], 10.0 + np.log10(d.sfr_100myr.numpy()))
    np.testing.assert_allclose(p["logzsol_mw"], np.log10(d.z_mw.numpy() / 0.02), atol=1e-12)
    quenched = Galaxies.from_numpy(redshift=0.1, tau=[0.05], age=10.0, z_met=0.02, ebv=0.0)
    old = parameters(model.derive(quenched), [10.0])
    assert old["logssfr"][0] < -50
    assert old["logsfr"][0] == pytest.approx(old["logmstar"][0] - 13.0)


def test_populations_mix(model, draw):
    young = draw(20, 15, age=0.3, z_met=0.004)
    old = dataclasses.replace(draw(20, 15, age=5.0, z_met=0.02), redshift=young.redshift, history=None)
    a, b = model(young), model(old)
    shares = torch.tensor([[0.1, 0.9]]).double().expand(20, 2)
    both = mix([a, b], shares)
    torch.testing.assert_close(both.flux, 0.1 * a.flux + 0.9 * b.flux)
    torch.testing.assert_close(both.mstar, 0.1 * a.mstar + 0.9 * b.mstar)
    torch.testing.assert_close(both.z_mw, torch.full((20,), 0.1 * 0.004 + 0.9 * 0.02).double())
    assert torch.all(both.z_lw < both.z_mw)  # the young, metal-poor stars give more light for their mass
    assert torch.all(both.age_lw < both.age_mw)
    same = mix([a, a], shares)
    for f in dataclasses.fields(a):
        torch.testing.assert_close(getattr(same, f.name), getattr(a, f.name))
    with pytest.raises(RequestError, match="summing to one"):
        mix([a, b], 2 * shares)


def test_intergalactic_medium_dims_only_what_it_reaches(library, kids, draw):
    galaxies = draw(60, 16, z=(0.5, 4.0))
    with_igm = ForwardModel(library, kids, z_max=4.0)(galaxies).flux
    without = ForwardModel(library, kids, z_max=4.0, igm=False)(galaxies).flux
    near = galaxies.redshift < kids[0].wave[0] / 1216.0 - 1.01
    torch.testing.assert_close(with_igm[near], without[near])
    far = galaxies.redshift > 3.5
    assert torch.all(with_igm[far, 0] < 0.8 * without[far, 0])
    torch.testing.assert_close(with_igm[:, 4:], without[:, 4:])


def test_lines_are_seen_where_they_are(library):
    """A box 40 A wide is brighter by the whole of H alpha when it holds it and by nothing when it does not."""

    def box(centre):
        wave = centre + np.array([-20.5, -20.0, 20.0, 20.5])
        return passbands.Passband.from_arrays("box", wave, np.array([0.0, 1.0, 1.0, 0.0]))

    history = Constant(torch.tensor([0.02]).double(), torch.tensor([0.0]).double())
    galaxy = Galaxies.from_numpy(redshift=[0.3], z_met=0.004, ebv=0.0, logu=-3.0, history=history)
    alpha = 6564.61 * 1.3
    curves = [box(alpha), box(alpha - 60.0)]
    model = ForwardModel(library, curves, z_max=0.5)
    light = model.rest_sed(galaxy)
    line = (light.line_wave > 6540.0) & (light.line_wave < 6590.0)
    assert line.sum() == 3  # H alpha and [N II]
    on, off = model(galaxy).flux[0]
    scale = library.lsun / (4 * np.pi * (luminosity_distance_mpc(0.3) * 1e6 * PARSEC_CM) ** 2)
    inside = line & ((light.line_wave * 1.3 - alpha).abs() < 20.0)
    expected = passbands.line_abflux(curves[0], alpha, scale * light.line[0, inside].sum().item())
    assert (on - off).item() == pytest.approx(expected, rel=0.05)  # the rest is the slope of the continuum


def test_a_library_without_gas_or_reach_is_refused(library, kids):
    with pytest.raises(RequestError, match="no nebular grids; ask for nebular=False"):
        ForwardModel(dataclasses.replace(library, nebular=None), kids)
    cut = library.wave > 2000.0
    short = dataclasses.replace(library, wave=library.wave[cut], flux=library.flux[..., cut], nebular=None)
    assert ForwardModel(short, kids, nebular=False).z_max == pytest.approx(0.48, abs=0.1)
    with pytest.raises(RequestError, match=r"z_max = 2: bc03-miles begins at 2\d\d\d A"):
        ForwardModel(short, kids, nebular=False, z_max=2.0)
    red = library.wave > 5000.0
    with pytest.raises(RequestError, match="z_max"):
        ForwardModel(
            dataclasses.replace(library, wave=library.wave[red], flux=library.flux[..., red], nebular=None), kids
        )


def test_bad_requests(library, kids, model, draw):
    with pytest.raises(RequestError, match="metallicity = 'linear'"):
        ForwardModel(library, kids, metallicity="linear")
    with pytest.raises(RequestError, match="at least one passband"):
        ForwardModel(library, [])
    with pytest.raises(RequestError, match=r"redshift = 4\.5; accepted: above 0, up to 4"):
        model(draw(3, 1, redshift=4.5))
    with pytest.raises(RequestError, match=r"z_met = 0\.2; bc03-miles has metallicities from 0\.0001 to 0\.05"):
        model(draw(3, 1, z_met=0.2))
    with pytest.raises(RequestError, match="logu from 1 to 1; accepted: -4 to 0"):
        model(draw(3, 1, logu=1.0))
    with pytest.raises(RequestError, match="the oldest stars formed 30 Gyr ago"):
        model(draw(3, 1, age=30.0))
    one = {"z_met": np.array([0.02]), "flux": library.flux[4:5], "nebular": None}
    one |= {"living": library.living[4:5], "surviving": library.surviving[4:5]}
    solar = dataclasses.replace(library, **one)
    assert ForwardModel(solar, kids, nebular=False)(draw(3, 1, z_met=0.02)).z_mw.tolist() == pytest.approx([0.02] * 3)
    with pytest.raises(RequestError, match="bc03-miles has one metallicity"):
        ForwardModel(solar, kids, nebular=False, metallicity="interpolate")
    with pytest.raises(RequestError, match="none given"):
        Galaxies.from_numpy(redshift=[], z_met=0.02, ebv=0.0, tau=1.0, age=1.0)
    for bad, message in (
        ({"redshift": -0.1}, "redshift = -0.1"),
        ({"ebv": -1.0}, "ebv = -1"),
        ({"tau": np.nan}, "tau is not finite"),
        ({"tau": np.ones(4)}, "disagree in length"),
        ({"f_burst": 0.1}, "a burst needs f_burst, tau_burst, age_burst; not given: tau_burst, age_burst"),
        ({"history": DelayedTau(torch.ones(3).double(), torch.ones(3).double())}, "not both"),
    ):
        with pytest.raises(RequestError, match=message):
            draw(3, 1, **bad)
    with pytest.raises(RequestError, match="need tau and age"):
        Galaxies.from_numpy(redshift=0.1, z_met=0.02, ebv=0.0)
    assert Dust().factor == 0.44

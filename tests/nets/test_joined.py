"""Networks of images and spectra: what their branches read, and what each way of joining looks at."""

import numpy as np
import pytest
import torch

from galprism.nets.joined import AttentionFusion, EarlyFusion, IntermediateFusion, JoinedConfig, Shape
from galprism.nets.light import Circles
from galprism.nets.spectrum_branch import SPREAD, STEP, ShiftReading, SpectrumBranch, _even_length, begin

SHAPE = Shape(2, 8, 64)
CONFIG = JoinedConfig(width=16, image_channels=(4, 8), spectrum_channels=4, tokens=2, heads=2)
FUSIONS = (EarlyFusion, IntermediateFusion, AttentionFusion)


def asked(n=6, seed=0):
    made = torch.Generator().manual_seed(seed)
    image, spectrum = torch.randn(n, 2, 8, 8, generator=made), torch.randn(n, 64, generator=made)
    return image, spectrum, torch.ones(n, 2)


@pytest.fixture(params=FUSIONS, ids=lambda kind: kind.__name__)
def fusion(request):
    torch.manual_seed(1)
    made = request.param(3, SHAPE, CONFIG)
    with torch.no_grad():  # fresh residual blocks pass their input on: the test is of all that there is
        for weight in made.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return made.eval()


def test_correlation_is_the_sum_that_it_says():
    torch.manual_seed(0)
    reading = ShiftReading(3, 20, 7, 2)
    windows = torch.randn(4, 3, 20)
    padded = torch.cat([windows, torch.zeros(4, 3, 7)], 2)
    direct = torch.stack(
        [torch.einsum("ncw,kcw->nk", padded[:, :, s : s + 20], reading.template) / 60**0.5 for s in range(7)], 2
    )
    torch.testing.assert_close(reading.correlation(windows), direct, rtol=1e-4, atol=1e-5)


def test_a_shifted_template_is_read_as_its_shift():
    torch.manual_seed(0)
    reading = ShiftReading(2, 40, 11, 1)
    template = torch.zeros(1, 2, 40)
    template[:, :, :30] = torch.randn(1, 2, 30)
    reading.template.data = 3 * 80**0.5 * template
    for shift in (0, 4, 10):
        read = reading(torch.roll(template, shift, dims=2))
        assert read.tolist()[0] == pytest.approx([2 * shift / 10 - 1] * 2, abs=0.01)


def test_templates_begin_as_spectra_at_rest_and_read_their_shifts():
    """A line and a break of a spectrum shifted by 60 and by 120 pixels, with noise, read with nothing learned."""
    torch.manual_seed(0)
    branch = SpectrumBranch(800, 8, 6, 0.0, reach=0.3, templates=1)
    pixel = np.arange(800.0)

    def spectrum(shift):
        return 4 * np.exp(-0.5 * ((pixel - 300 - shift) / 6) ** 2) + np.tanh((pixel - 450 - shift) / 10)

    begin(branch, spectrum(0)[None].astype(np.float32))
    noise = np.random.default_rng(0).normal(size=(2, 800))
    seen = np.stack([spectrum(60), spectrum(120)]) + 0.1 * noise
    read = branch(torch.from_numpy(seen.astype(np.float32))).detach().numpy()[:, -1]
    shifts = (read / SPREAD + 1) / 2 * (branch.shift.n_shifts - 1) * STEP
    np.testing.assert_allclose(shifts, [60, 120], atol=2.0)


def test_lengths_of_transforms_are_products_of_twos_and_a_three():
    assert [_even_length(n) for n in (2, 3, 5, 6, 7, 17, 1474)] == [2, 3, 6, 6, 8, 24, 1536]


def test_a_redder_spectrum_is_a_shifted_one():
    """Windows of a spectrum shifted by as many pixels as from one window to the next are the next ones."""
    torch.manual_seed(0)
    branch = SpectrumBranch(64, 8, 4, 0.0)
    spectrum = torch.randn(2, 68)
    one, other = (branch.window(part.unfold(1, 16, 4)) for part in (spectrum[:, :64], spectrum[:, 4:]))
    torch.testing.assert_close(one[:, 1:], other[:, :-1])


def test_light_in_circles_is_summed_as_flux_and_has_no_up():
    circles = Circles(8)
    flux = torch.full((1, 1, 8, 8), 3.0)
    place = np.hypot(*(np.indices((8, 8)) - 3.5)).ravel()
    for i, radius in enumerate((2.0, 4.0)):
        within = np.clip(radius - place + 0.5, 0, 1)
        wanted = np.arcsinh(3.0 * within.sum() / np.sqrt((within**2).sum()))
        assert circles(torch.asinh(flux))[0, i].item() == pytest.approx(wanted, rel=1e-5)
    image = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(circles(image), circles(torch.rot90(image, 1, (2, 3)).flip(3)), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="3 pixels"):
        Circles(3)


def test_fusions_see_both(fusion):
    image, spectrum, there = asked()
    image.requires_grad_()
    spectrum.requires_grad_()
    fusion(image, spectrum, there).square().sum().backward()
    for part in (image, spectrum):
        assert (part.grad.flatten(1).abs().sum(1) > 0).all()


def test_what_is_missing_is_not_looked_at(fusion):
    image, spectrum, there = asked()
    there[0, 0] = there[1, 1] = 0
    answer = fusion(image, spectrum, there)
    image[0], spectrum[1] = torch.nan, torch.nan
    torch.testing.assert_close(fusion(image, spectrum, there), answer)
    assert torch.isfinite(answer).all()
    image[2] += 1
    assert (fusion(image, spectrum, there)[2] != answer[2]).all()


def test_photometry_comes_behind_the_spectrum():
    torch.manual_seed(3)
    names = ("image", "spectrum", "photometry")
    fusion = IntermediateFusion(3, Shape(2, 8, 64, 5), CONFIG, names).eval()
    image, spectrum, _ = asked()
    photometry, there = torch.randn(6, 5), torch.ones(6, 3)
    there[1, 2] = 0
    answer = fusion(image, spectrum, photometry, there)
    photometry[1] = torch.nan
    torch.testing.assert_close(fusion(image, spectrum, photometry, there), answer)
    photometry[2] += 1
    assert (fusion(image, spectrum, photometry, there)[2] != answer[2]).all()


def test_the_mean_of_others_stands_in_for_what_is_missing():
    torch.manual_seed(2)
    fusion = IntermediateFusion(3, SHAPE, JoinedConfig(width=16, image_channels=(4,), dropout=0.0)).train()
    image, spectrum, there = asked(8)
    for _ in range(400):  # until the running mean has forgotten its start
        fusion(image, spectrum, there)
    features = fusion.features(image, spectrum, there)
    there[0, 1] = 0
    less = fusion.features(image, spectrum, there)
    torch.testing.assert_close(less[0, 16:], features[:, 16:].mean(0), rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(less[1:], features[1:], rtol=1e-4, atol=1e-5)


def test_settings_that_make_no_network_are_named():
    with pytest.raises(ValueError, match="multiple of the heads"):
        JoinedConfig(width=10, heads=4)
    with pytest.raises(ValueError, match="20 pixels"):
        SpectrumBranch(20, 8, 4, 0.0)

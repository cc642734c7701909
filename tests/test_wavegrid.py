import numpy as np
import pytest

from galprism.errors import RequestError
from galprism.wavegrid import LogGrid, averaging_matrix


def test_covering_grid_covers_with_centres_on_multiples_of_the_step():
    grid = LogGrid.covering(3000.0, 24000.0, 0.002)
    assert grid.edges[0] <= 3000.0 < grid.edges[2]
    assert grid.edges[-3] < 24000.0 <= grid.edges[-1]
    centres = np.log(grid.wave) / 0.002
    np.testing.assert_allclose(centres, np.round(centres), atol=1e-9)
    assert grid.index(5500.0) == np.argmin(np.abs(grid.wave - 5500.0))


def test_averages_of_a_straight_line_are_its_values_at_the_middle():
    wave = np.sort(np.random.default_rng(0).uniform(1000.0, 2000.0, 300))
    edges = np.linspace(wave[0], wave[-1], 41)
    averages = averaging_matrix(wave, edges) @ (3.0 + 0.01 * wave)
    np.testing.assert_allclose(averages, 3.0 + 0.005 * (edges[1:] + edges[:-1]), rtol=1e-12)


@pytest.mark.parametrize("bins", [7, 5000])
def test_bins_wider_or_narrower_than_the_samples_keep_the_integral(bins):
    rng = np.random.default_rng(1)
    wave = np.cumsum(rng.uniform(0.5, 50.0, 400)) + 900.0
    flux = rng.exponential(size=400)
    edges = np.geomspace(wave[0], wave[-1] * (1 - 1e-12), bins + 1)
    averages = averaging_matrix(wave, edges) @ flux
    assert averages @ np.diff(edges) == pytest.approx(np.trapezoid(flux, wave), rel=1e-9)


def test_bins_beyond_the_samples_are_refused():
    with pytest.raises(RequestError, match="bins from 900 to 2000 A exceed the spectrum's 1000 to 2000 A"):
        averaging_matrix(np.linspace(1000.0, 2000.0, 11), np.array([900.0, 2000.0]))

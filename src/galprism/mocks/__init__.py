"""Simulated skies: a population, the noise of a survey, then the photometry of it.

`galprism.mocks.simulate` makes the light and needs PyTorch; the priors and the noise here do not.
"""

from galprism.mocks.noise import ErrorSample, NoiseConfig, calibration_error, observe
from galprism.mocks.population import (
    BLOCK,
    CatalogueMagnitudeRedshift,
    Draws,
    MagnitudeRedshift,
    PopulationConfig,
    block_rng,
    draw_stars,
)

__all__ = [
    "BLOCK",
    "CatalogueMagnitudeRedshift",
    "Draws",
    "ErrorSample",
    "MagnitudeRedshift",
    "NoiseConfig",
    "PopulationConfig",
    "block_rng",
    "calibration_error",
    "draw_stars",
    "observe",
]

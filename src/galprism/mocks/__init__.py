"""Simulated skies: a population, the noise of a survey, then the photometry of it.

`galprism.mocks.simulate` makes the light and needs PyTorch; the priors and the noise here do not. `galprism.mocks.sky`
is a field of galaxies, quasars and stars, `galprism.mocks.images` what a camera sees of it.
"""

from galprism.mocks.counts import CatalogueMagnitudeRedshift, Counts, MagnitudeRedshift, counts_of
from galprism.mocks.noise import ErrorSample, NoiseConfig, calibration_error, light_factor, observe, unstated_error
from galprism.mocks.population import BLOCK, Draws, PopulationConfig, block_rng, draw_stars
from galprism.mocks.random_surveys import RandomSurveysConfig, observe_at_random, pool_survey

__all__ = [
    "BLOCK",
    "CatalogueMagnitudeRedshift",
    "Counts",
    "Draws",
    "ErrorSample",
    "MagnitudeRedshift",
    "NoiseConfig",
    "PopulationConfig",
    "RandomSurveysConfig",
    "block_rng",
    "calibration_error",
    "counts_of",
    "draw_stars",
    "light_factor",
    "observe",
    "observe_at_random",
    "pool_survey",
    "unstated_error",
]

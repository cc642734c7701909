"""Template fitting: the references that every network is held against.

A grid of models weighted by their likelihood, as CIGALE does it, and the exact posterior by weighting prior draws.
Making a cache of model fluxes needs PyTorch and is in `galprism.fit.make_cache`.
"""

from galprism.fit.cache import ModelCache, load_cache, save_cache, shipped
from galprism.fit.grid import fit_grid
from galprism.fit.posterior import MagnitudePrior, fit_posterior

__all__ = [
    "MagnitudePrior",
    "ModelCache",
    "fit_grid",
    "fit_posterior",
    "load_cache",
    "save_cache",
    "shipped",
]

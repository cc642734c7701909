"""Template fitting: the references that every network is held against.

A grid of models weighted by their likelihood, as CIGALE does it; the exact posterior by weighting prior draws; and
CIGALE's own files. Making a cache of model fluxes needs PyTorch and is in `galprism.fit.make_cache`. Spectra are fitted
by `galprism.fit.full_spectrum`.
"""

from galprism.fit.cache import ModelCache, load_cache, save_cache, shipped
from galprism.fit.cigale import cigale_filters, read_cigale, write_cigale
from galprism.fit.grid import fit_grid
from galprism.fit.models import GridConfig, magnitude_prior, prior_columns
from galprism.fit.posterior import MagnitudePrior, fit_posterior
from galprism.fit.redshift import RedshiftPosterior, fit_redshift

__all__ = [
    "GridConfig",
    "MagnitudePrior",
    "ModelCache",
    "RedshiftPosterior",
    "cigale_filters",
    "fit_grid",
    "fit_posterior",
    "fit_redshift",
    "load_cache",
    "magnitude_prior",
    "prior_columns",
    "read_cigale",
    "save_cache",
    "shipped",
    "write_cigale",
]

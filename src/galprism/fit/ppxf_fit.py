"""Full-spectrum fits by pPXF (Cappellari 2023, MNRAS 526, 3273), which the user installs: `pip install ppxf`.

Its licence is for non-commercial use, so that nothing of galprism holds it, needs it or installs it; this file is its
only door. pPXF is given the spectra, pixels, masks, templates, polynomials and regularisation that our own fit takes,
one spectrum a call, and its weights become ages and metallicities as ours do: only the solver is another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from galprism.data import LEVELS, Sources
from galprism.errors import RequestError
from galprism.fit.full_spectrum import FullSpectrumConfig, FullSpectrumFits, fit_full_spectrum
from galprism.fit.kinematics import LIGHT_SPEED
from galprism.fit.spectrum_solve import Problem, Solution
from galprism.fit.spectrum_templates import SpectrumTemplates

LEAST_START = 0.5
"""Pixels, standard deviation from which pPXF's search begins at least: at its own limit it may stay there."""
NOT_FITTED = 1.0
"""Error of pixels that are masked, which pPXF asks to be positive; the flux is of median 1."""


def fit_ppxf(
    sources: Sources,
    templates: SpectrumTemplates,
    config: FullSpectrumConfig | None = None,
    *,
    levels: Sequence[float] = LEVELS,
    progress: Callable[[int], None] | None = None,
) -> FullSpectrumFits:
    """What fit_full_spectrum gives, of the same columns, with every spectrum solved by pPXF.

    `regularisation` is pPXF's `regul`. Each realisation is one more call of pPXF, some 0.1 s.

    Raises RequestError where pPXF is not installed, for `reddening`, which is of our own fit alone, and as
    fit_full_spectrum does.
    """
    config = config or FullSpectrumConfig()
    version, ppxf = installed()
    if config.reddening:
        raise RequestError("reddening = True with pPXF; accepted: False, and a multiplicative polynomial in its place")
    solver = partial(_solve, ppxf, templates, config)
    fits = fit_full_spectrum(sources, templates, config, levels=levels, progress=progress, solver=solver)
    meta = fits.predictions.meta | {"method": f"pPXF {version}".rstrip()}
    return replace(fits, predictions=replace(fits.predictions, meta=meta))


def installed() -> tuple[str, Callable[..., Any]]:
    """pPXF's version, and the class that fits. Raises RequestError where it is not installed, or not whole."""
    try:
        import ppxf as package
        from ppxf.ppxf import ppxf
    except ImportError as error:
        raise RequestError(
            f"pPXF cannot be imported ({error}); galprism does not bring it, for its licence is non-commercial: if you "
            "accept that, pip install ppxf; our own fit, full-spectrum, gives the same columns without it"
        ) from error
    return str(getattr(package, "__version__", "")), ppxf


def _solve(
    ppxf: Callable[..., Any],
    templates: SpectrumTemplates,
    config: FullSpectrumConfig,
    problem: Problem,
    first: np.ndarray,
) -> Solution:
    """One call; `first` is where velocity and dispersion start, in pixels."""
    pixel = LIGHT_SPEED * templates.step
    stars = problem.templates.at(0.0, 0.0)
    fitted = problem.root > 0
    found = ppxf(
        np.moveaxis(stars.reshape(*templates.light.shape, -1), -1, 0),
        problem.flux,
        np.where(fitted, 1 / np.where(fitted, problem.root, 1), NOT_FITTED),
        pixel,
        [first[0] * pixel, max(first[1], LEAST_START) * pixel],
        moments=2,
        degree=config.additive,
        mdegree=config.multiplicative,
        regul=config.regularisation,
        reg_dim=templates.light.shape,
        mask=fitted,
        vsyst=(problem.offset - problem.start) * pixel,
        quiet=True,
    )
    tilts = np.zeros(0) if not config.multiplicative else np.asarray(found.mpolyweights, np.float64)
    model = np.asarray(found.bestfit, np.float64)
    residuals = (problem.flux - model) * problem.root
    theta = np.concatenate([np.asarray(found.sol, np.float64)[:2] / pixel, tilts])
    weights = np.asarray(found.weights, np.float64)[: len(stars)]
    return Solution(theta, np.maximum(weights, 0.0), model, float(residuals @ residuals))

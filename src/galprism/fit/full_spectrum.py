"""Full-spectrum fits: ages, metallicities and kinematics of galaxies by mixtures of simple populations.

Each spectrum is a sum of a library's spectra with non-negative weights, moved and broadened by the stars' velocities,
times a polynomial that takes up calibration and dust, or behind a dust curve (Cappellari & Emsellem 2004, PASP 116,
138; Cappellari 2017, MNRAS 466, 798). MMLforGalAM (2025) takes such fits for its labels. Libraries need PyTorch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.polynomial.legendre import legvander

from galprism.data import LEVELS, Sources, Spectra
from galprism.data.resampling import resample
from galprism.data.rest_frame import rest_from_observed
from galprism.errors import RequestError
from galprism.fit.kinematics import LIGHT_SPEED, Movable, blurred
from galprism.fit.spectrum_config import FullSpectrumConfig
from galprism.fit.spectrum_mask import off_lines, outliers
from galprism.fit.spectrum_means import MEAN_LOGS, NAMES, means, roughness
from galprism.fit.spectrum_results import FullSpectrumFits, Row, gathered
from galprism.fit.spectrum_solve import Problem, Solution, Solver, solve
from galprism.fit.spectrum_templates import SpectrumTemplates
from galprism.flags import Flag

__all__ = ["FullSpectrumConfig", "FullSpectrumFits", "fit_full_spectrum"]

MARGIN = 30
"""Pixels at either end of the templates that are not fitted, for velocities to reach into."""
FEWEST = 300
"""Pixels, with which a spectrum is fitted."""
FIRST_SIGMA = 2.0
"""Pixels, standard deviation from which the search for it begins."""
ROUNDS = 5
"""In which pixels are clipped, at most."""


def fit_full_spectrum(
    sources: Sources,
    templates: SpectrumTemplates,
    config: FullSpectrumConfig | None = None,
    *,
    levels: Sequence[float] = LEVELS,
    progress: Callable[[int], None] | None = None,
    solver: Solver = solve,
) -> FullSpectrumFits:
    """Ages and metallicities weighted by light and by mass, and kinematics, of sources with spectra and redshifts.

    levels : of the quantiles over the realisations; without realisations there are none
    progress : called with the number of rows done since the last call
    solver : of one spectrum; galprism.fit.ppxf_fit has another

    Spectra whose pixels are not even in ln wavelength by the templates' step are resampled to such (needs
    galprism[spectra]). Templates are broadened by what the galaxy's line-spread function has more of variance than the
    library's; where it has less they stay as they are, and the dispersion comes out too small: `lsf_short` is the part
    of the pixels where it is so. Where a galaxy's function is not known it is taken to be the library's, so that
    dispersions are not corrected for the instrument: `lsf_known` is 0.

    Extra columns: MEAN_LOGS; `velocity` (beyond the redshift, c times ln wavelength) and `dispersion`, km/s; `ebv` with
    reddening; the error of each (`<name>_std`); `chi2`, `reduced_chi2`,
    `n_pixels`, `lsf_short`, `lsf_known`. Rows that cannot be fitted are null and flagged: those flagged NOT_A_GALAXY
    before, no data, no redshift or one outside `redshift_range` or that moves the templates off the spectrum, fewer
    pixels than FEWEST, no flux above 0.

    Raises RequestError where the sources have no spectra or no redshifts.
    """
    config = config or FullSpectrumConfig()
    started = time.perf_counter()
    if sources.spectra is None or sources.redshift is None:
        missing = "spectra" if sources.spectra is None else "redshifts"
        raise RequestError(f"the sources have no {missing}; a full-spectrum fit needs spectra and redshifts")
    spectra = _on_step(sources.spectra, templates.step)
    assert sources.flags is not None
    rows = []
    for i in range(len(sources)):
        if sources.flags[i] & Flag.NOT_A_GALAXY:
            rows.append(Row(Flag.NOT_A_GALAXY))
        else:
            rows.append(_fit(spectra.take([i]), float(sources.redshift[i]), templates, config, solver, i))
        if progress is not None:
            progress(1)
    return gathered(sources, spectra, templates, config, rows, tuple(levels), time.perf_counter() - started)


def _on_step(spectra: Spectra, step: float) -> Spectra:
    """The spectra on pixels even in ln wavelength, by `step`."""
    log = np.log(spectra.wave)
    n = len(log)
    if np.all(np.abs(log - log[0] - step * np.arange(n)) < 0.02 * step):
        return spectra
    return resample(spectra, np.exp(np.arange(log[0], log[-1], step)))


def _fit(
    spectrum: Spectra, redshift: float, templates: SpectrumTemplates, config: FullSpectrumConfig, solver: Solver, i: int
) -> Row:
    flux, seen = spectrum.flux[0].astype(np.float64), spectrum.observed[0]
    low, high = config.redshift_range
    if not seen.any():
        return Row(Flag.SPECTRUM_MISSING)
    if not np.isfinite(redshift):
        return Row(Flag.REDSHIFT_MISSING)
    if not low <= redshift <= high:
        return Row(Flag.REDSHIFT_OUT_OF_RANGE)
    rest = rest_from_observed(spectrum.wave, redshift)
    place = (np.log(rest) - templates.log_wave[0]) / templates.step
    inside = np.flatnonzero((place >= MARGIN) & (place <= len(templates.log_wave) - 2 - MARGIN))
    if len(inside) < FEWEST:
        return Row(Flag.SPECTRUM_MISSING if seen.sum() < FEWEST else Flag.REDSHIFT_OUT_OF_RANGE)
    ends = np.flatnonzero(seen)[[0, -1]]
    part = slice(max(inside[0], ends[0]), max(min(inside[-1], ends[1]) + 1, inside[0]))
    clean = seen[part] & off_lines(rest[part], config.lines, config.line_width)
    used = clean
    unit = float(np.median(flux[part][used])) if used.sum() >= FEWEST else 0.0
    if unit <= 0:
        return Row(Flag.INPUT_OUT_OF_RANGE)
    row = Row(part=part)
    problem = _problem(spectrum, redshift, templates, config, part, place[part.start], unit, row)
    full = problem.root
    first = np.zeros(2 + len(problem.tilts))
    first[1] = FIRST_SIGMA
    for _ in range(ROUNDS):
        problem = replace(problem, root=np.where(used, full, 0.0))
        found = solver(problem, first)
        first = found.theta
        good = clean & ~outliers((problem.flux - found.model) * full, used, config.clip)
        if np.array_equal(good, used) or good.sum() < FEWEST:
            break
        used = good
    if not found.weights.any():
        return Row(Flag.INPUT_OUT_OF_RANGE)
    free = len(found.theta) + np.count_nonzero(found.weights) + len(problem.added)
    n_pixels = np.count_nonzero(problem.root)
    row.values |= _values(templates, config, found)
    row.values |= {"chi2": found.chi2, "reduced_chi2": found.chi2 / (n_pixels - free), "n_pixels": float(n_pixels)}
    row.weights = found.weights.reshape(templates.light.shape)
    row.model, row.used = found.model * unit, problem.root > 0
    rng = np.random.default_rng([config.seed, i])
    again = replace(problem, flux=found.model) if config.realisations_of == "model" else problem
    draws = [_realisation(again, found.theta, templates, config, solver, rng) for _ in range(config.n_realisations)]
    row.draws = {name: np.array([draw[name] for draw in draws]) for name in (draws[0] if draws else ())}
    return row


def _problem(
    spectrum: Spectra,
    redshift: float,
    templates: SpectrumTemplates,
    config: FullSpectrumConfig,
    part: slice,
    place: float,
    unit: float,
    row: Row,
) -> Problem:
    """The spectrum over `unit`, whose first pixel is at `place` of the templates'; what LSFs say goes to `row`."""
    base = int(np.floor(place)) - MARGIN
    n = part.stop - part.start
    around = slice(base, base + n + 2 * MARGIN + 1)
    rest = np.exp(templates.log_wave[around])
    library = (templates.lsf_sigma[around] / rest / templates.step) ** 2
    own = spectrum.lsf_of_each()[0].astype(np.float64)
    known = np.isfinite(own)
    more = np.zeros(len(rest))
    if known.any():
        observed = rest * (1 + redshift)
        sigma = np.interp(observed, spectrum.wave[known], own[known]) / observed / templates.step
        more = sigma**2 - library
    row.values |= {"lsf_known": float(known.any()), "lsf_short": float(np.mean(more[MARGIN:-MARGIN] < 0))}
    flux = blurred(templates.flux[..., around].reshape(-1, len(rest)), np.maximum(more, 0.0))
    x = np.linspace(-1, 1, n)
    tilts = legvander(x, config.multiplicative).T[1:]
    if config.reddening:
        from galprism.sps.dust import calzetti

        tilts = (calzetti(rest[MARGIN : MARGIN + n]) - calzetti(5500.0))[None]
    return Problem(
        Movable.of(flux),
        MARGIN,
        -(place - np.floor(place)),
        spectrum.flux[0, part] / unit,
        np.sqrt(spectrum.ivar[0, part].astype(np.float64)) * unit,
        tilts,
        legvander(x, config.additive).T if config.additive >= 0 else np.zeros((0, n)),
        config.regularisation * roughness(*templates.light.shape),
        config.reddening,
    )


def _realisation(
    problem: Problem,
    theta: np.ndarray,
    templates: SpectrumTemplates,
    config: FullSpectrumConfig,
    solver: Solver,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Values of the problem's flux with noise added to it."""
    fitted = problem.root > 0
    noise = np.zeros(len(fitted))
    noise[fitted] = rng.standard_normal(np.count_nonzero(fitted)) / problem.root[fitted]
    return _values(templates, config, solver(replace(problem, flux=problem.flux + noise), theta))


def _values(templates: SpectrumTemplates, config: FullSpectrumConfig, found: Solution) -> dict[str, float]:
    pixel = LIGHT_SPEED * templates.step
    values = {"velocity": found.theta[0] * pixel, "dispersion": found.theta[1] * pixel}
    if config.reddening:
        values["ebv"] = found.theta[2]
    weights = found.weights.reshape(templates.light.shape)
    names = (*NAMES, *MEAN_LOGS)
    return values | (means(templates, weights) if weights.any() else dict.fromkeys(names, np.nan))

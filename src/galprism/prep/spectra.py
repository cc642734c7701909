"""Preparations by spectra: what bands say of a galaxy's coefficients on a basis of spectra.

A source's inputs are the Gaussian posterior of its coefficients (mean, errors and correlations), the light of the
posterior-mean spectrum in a few rest-frame windows, its scale, how well the basis describes it, and the redshift. They
are the same numbers whatever the bands were, so that a network that has learnt from many surveys serves any other.

For the bands of one survey, whose noise tells all errors together, correlations and light say nothing new and are left
out: what remains is a spectrum at rest, with a band that is missing filled in by all that is known.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np

from galprism.data import Photometry
from galprism.prep.basis import FLOOR, BandTable, Basis, flux_per_lsun, level_njy
from galprism.prep.inputs import Inputs
from galprism.prep.linear import Posterior, ln_evidence, posterior

UNKNOWN_ERROR = 0.1
"""Relative: stands in for an error that is not known."""
WINDOWS = np.geomspace(1100.0, 22000.0, 25)
"""Angstrom: edges of the rest-frame windows of pseudo-photometry."""
LEAST_CHI2 = 0.1
"""Added to the reduced chi2, whose logarithm is an input."""
FAINT = 0.02
"""Of a window's light relative to the mean galaxy's: where pseudo-photometry goes over from logarithmic to linear."""


def names(size: int, *, any_bands: bool = True) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the values, and of no indicators, for a basis of `size` coefficients; of any bands, or of one
    survey's."""
    coefficients = ["scale", *[f"u{k}" for k in range(1, size + 1)]]
    values = [f"mean_{c}" for c in coefficients] + [f"ln_err_{c}" for c in coefficients]
    if any_bands:
        pairs = zip(*np.triu_indices(size + 1, 1), strict=True)
        values += [f"corr_{coefficients[i]}_{coefficients[j]}" for i, j in pairs]
        values += [f"ln_light_{wave:.0f}" for wave in np.sqrt(WINDOWS[1:] * WINDOWS[:-1])]
    return (*values, "ln_scale", "ln_scale_err", "ln_reduced_chi2", "ln_n_bands", "redshift", "ln_1pz"), ()


def typical_columns(size: int) -> slice:
    """The values by which a source is called unlike the training set: the coefficients' means."""
    return slice(0, size + 1)


@lru_cache(maxsize=8)
def windows(basis: Basis) -> np.ndarray:
    """(J, K + 1): the light of the basis in J rest-frame windows relative to that of its mean galaxy."""
    wave = basis.grid.wave
    inside = [(wave >= low) & (wave < high) for low, high in pairwise(WINDOWS)]
    light = np.stack([basis.continuum[:, rows].mean(axis=1) for rows in inside])
    return light / light[:, :1]


def measure(
    photometry: Photometry,
    redshift: np.ndarray,
    table: BandTable,
    light: np.ndarray | None,
    calibration: np.ndarray,
    model_error: float,
    *,
    trust: bool = False,
    evidence: bool = False,
) -> Inputs:
    """The inputs of N sources whose redshifts are positive and within the table.

    table : of the photometry's bands; light : `windows` of the basis, None for the inputs of one survey; calibration :
    (B,), errors of the zero points that the stated errors leave out, relative; model_error : of every flux, what the
    basis leaves out, relative; trust : say how well the bands go together, by reduced chi2 and by the
    band that is farthest from what the others say; evidence : say how probable the fluxes are. Upper limits count as
    not observed.

    The anchor is log10 of the scale in Lsun: log mass is predicted as a log of mass over light.
    """
    errors, across = (calibration, model_error), light is not None
    with np.errstate(all="ignore"):  # what overflows is found below
        found = encode(photometry, redshift, table, *errors, across=across, pulls=trust, evidence=evidence)
        values = _values(found, redshift, light)
        anchor = np.log10(found.scale)
    finite = np.isfinite(values)
    broken = ~finite.all(axis=1)
    return Inputs(
        values=np.where(finite, values, np.float32(0)),
        there=np.ones(values.shape, bool),
        indicators=np.zeros((len(values), 0), np.float32),
        anchor=np.where(broken, 0.0, anchor),
        broken=broken,
        n_bands=found.n_bands,
        trust=_trust(found) if trust else {},
        ln_evidence=None if found.ln_evidence is None else np.where(broken, -np.inf, found.ln_evidence),
    )


def encode(
    photometry: Photometry,
    redshift: np.ndarray,
    table: BandTable,
    calibration: np.ndarray,
    model_error: float,
    *,
    pulls: bool,
    across: bool = False,
    evidence: bool = False,
) -> Posterior:
    """What the bands of N sources say of their coefficients; arguments as of `measure`."""
    ivar = _ivar(photometry, calibration)
    per_lsun = flux_per_lsun(redshift)
    floor = FLOOR * level_njy(redshift) * per_lsun

    def seen(rows: slice) -> np.ndarray:
        return table.at(redshift[rows]) * per_lsun[rows].astype(np.float32)

    return posterior(seen, photometry.flux.T, ivar, model_error, floor, across=across, pulls=pulls, evidence=evidence)


def evidence(
    photometry: Photometry, redshifts: np.ndarray, table: BandTable, calibration: np.ndarray, model_error: float
) -> np.ndarray:
    """(N, Z): ln of the probability density of N sources' fluxes at each of Z redshifts, as far as the basis and its
    Gaussian prior know, each flux in units of its error; -inf where there is no band. Arguments as of `measure`."""
    ivar = _ivar(photometry, calibration)
    per_lsun, level = flux_per_lsun(redshifts), level_njy(redshifts)
    seen = table.at(redshifts)
    result = np.empty((len(photometry), len(redshifts)))
    for j, light in enumerate(per_lsun):
        inside = np.isfinite(seen[:, 0, j])
        flux, floor = photometry.flux.T[inside], FLOOR * level[j] * light
        result[:, j] = ln_evidence(seen[inside, :, j] * light, flux, ivar[inside], model_error, floor)
    return result


def _ivar(photometry: Photometry, calibration: np.ndarray) -> np.ndarray:
    """(B, N), nJy^-2: 0 where a band says nothing, zero points and unknown errors counted in."""
    used = photometry.observed if photometry.limit is None else photometry.observed & ~photometry.limit
    flux, ivar = photometry.flux.T, photometry.ivar.T
    unknown = np.isnan(ivar)
    if unknown.any():
        ivar = np.where(unknown, 1.0 / np.maximum(UNKNOWN_ERROR * np.abs(flux), 1e-6) ** 2, ivar)
    if calibration.any():  # as if the table had stated it
        ivar = ivar / (1.0 + ivar * (calibration[:, None] * flux) ** 2)
    return np.where(used.T, ivar, 0.0)


def _trust(found: Posterior) -> dict[str, np.ndarray]:
    assert found.max_pull is not None
    with np.errstate(all="ignore"):
        reduced = found.chi2 / found.n_bands
    return {"reduced_chi2": reduced.astype(np.float32), "max_pull": found.max_pull.astype(np.float32)}


def _values(found: Posterior, redshift: np.ndarray, light: np.ndarray | None) -> np.ndarray:
    d, n = found.mean.shape
    sigma = np.sqrt(found.variance)
    parts = [
        np.arcsinh(found.mean),  # a few are far out, and must not be felt as far
        np.log(sigma),
    ]
    if light is not None:
        assert found.covariance is not None
        i, j = np.triu_indices(d, 1)
        one_plus = np.concatenate([1.0 + found.mean[:1], found.mean[1:]])
        parts += [found.covariance / (sigma[i] * sigma[j]), np.arcsinh(light @ one_plus / (2.0 * FAINT))]
    parts += [
        np.log(found.scale)[None],
        np.log(found.scale_err)[None] - np.log(found.scale),
        np.log(found.chi2 / found.n_bands + LEAST_CHI2)[None],
        np.log(found.n_bands)[None],
        redshift[None],
        np.log1p(redshift)[None],
    ]
    values = np.empty((n, sum(len(part) for part in parts)), np.float32)
    column = 0
    for part in parts:
        values[:, column : column + len(part)] = part.T
        column += len(part)
    return values

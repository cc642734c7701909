"""The exact posterior of simulated galaxies given noisy spectra and redshifts, under the very prior of the sample:
the reference for whatever reads spectra.

A simulated galaxy is a function of some numbers of simple priors (galprism.mocks.sky.at_redshift), so that draws of
these, tempered from the prior, are draws of the posterior. Each galaxy has two runs that know nothing of each other;
where their means differ by too much the galaxy is flagged, and its answer is not to be called exact.

On 100 galaxies of MMLforGalAM's reproduction 71 and 66 % of true ages and [M/H] lie within the central 68 %, and the
two runs of 89 agree (docs/results/mmlforgalam); benchmarks/spectrum_limit.py looks at where they lie among the draws.

The errors of the pixels are taken as known. In the simulation they follow from the light itself; that they could tell
of it is not made use of. Needs PyTorch, by the model of spectra.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from galprism.data import Predictions, Sources
from galprism.errors import RequestError
from galprism.fit.spectrum_likelihood import SpectrumLikelihood
from galprism.fit.tempering import Draws, Tempering, TemperingConfig
from galprism.flags import Flag
from galprism.mocks.sky.at_redshift import MOTION, WIDTH, GalaxiesAt
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.mocks.spectra.model import OF_FIBRE, SpectrumModel
from galprism.mocks.spectra.noise import bend_of, excess_of

OF_WHOLE = ("ebv", "logmstar", "logssfr")
"""Of the galaxy; and OF_FIBRE of the light in the fibre: what is said."""
NAMES = OF_FIBRE + OF_WHOLE
LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)
AGREEMENT = 1.05
"""R-hat of two runs (Gelman & Rubin 1992, Stat. Sci. 7, 457) of what is said of the fibre's light, above which they
have not converged: means that are half a standard deviation from each other have 1.06."""
LOOKED = 3
"""Every so many of the final moves the whole galaxies are looked at."""


class SpectrumPosterior:
    """Draws of the posterior of galaxies of a field, one at a time."""

    def __init__(
        self,
        field: FieldGalaxies,
        model: SpectrumModel,
        *,
        bright: float = -np.inf,
        config: TemperingConfig | None = None,
    ):
        """field, model : the simulation's own; bright : AB mag, of the brightest that the sample has"""
        self.field, self.model, self.bright = field, model, bright
        self.config = config or TemperingConfig()
        self._bend = bend_of(model.instrument.wave, model.config).astype(float)
        self._excess = excess_of(model.config).astype(float)

    def runs(
        self, flux: np.ndarray, ivar: np.ndarray, redshift: float, seed: int | tuple[int, ...]
    ) -> tuple[Draws, Draws]:
        """Two runs that know nothing of each other, for a spectrum in the model's pixels: flux (L,), 1e-17
        erg/s/cm2/A, and ivar (L,) as stated."""
        at = GalaxiesAt(self.field, redshift, self.bright)
        with np.errstate(divide="ignore"):
            likelihood = SpectrumLikelihood(flux, self._excess / np.sqrt(np.asarray(ivar, float)), self._bend)

        def target(x: np.ndarray, kind: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            prior = at.log_density(x, kind)
            there = np.flatnonzero(np.isfinite(prior))
            bodies = at.bodies(x[there], kind[there] == 1)
            bright = at.bright(bodies)
            prior[there[~bright]] = -np.inf
            there = there[bright]
            chance, values = np.full(len(x), -np.inf), np.full((len(x), len(OF_FIBRE) + WIDTH), np.nan)
            if len(there):
                made, _, found = self.model.of_bodies(bodies.take(bright), at.shapes(x[there]), x[there, MOTION])
                chance[there] = likelihood(made)
                fibre = np.stack([found[name] for name in OF_FIBRE], axis=1)
                values[there] = np.concatenate([fibre, x[there]], axis=1)
            return prior, chance, values

        rng = np.random.default_rng(seed)
        first, second = (Tempering(target, *at.draw(self.config.points, rng), self.config, rng).run() for _ in range(2))
        return first, second

    def parted(self, runs: tuple[Draws, Draws], redshift: float) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Of each run, draws (n, 2) of OF_FIBRE and (m, 3) of OF_WHOLE."""
        k = len(OF_FIBRE)
        return [run.values[..., :k].reshape(-1, k) for run in runs], [self.of_whole(run, redshift) for run in runs]

    def of_whole(self, draws: Draws, redshift: float) -> np.ndarray:
        """(n, 3), OF_WHOLE of every LOOKED-th of the final moves' points."""
        at = GalaxiesAt(self.field, redshift, self.bright)
        x = draws.values[::LOOKED, :, len(OF_FIBRE) :].reshape(-1, WIDTH)
        values = self.field.light(at.bodies(x, draws.kind[::LOOKED].ravel() == 1)).values
        return np.stack([values[name] for name in OF_WHOLE], axis=1)


def spectrum_posterior(
    sources: Sources,
    posterior: SpectrumPosterior,
    *,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Predictions:
    """What the posterior says of every source: means as `point`, quantiles of LEVELS. A source's answer follows from
    `seed` and its id.

    `extra` has `rhat`, of the worse of OF_FIBRE, `converged`, 1 where it is below AGREEMENT, `spectrum_models`, how
    many spectra were made, and `quiescent`, the chance of it. What has not converged has LOW_SAMPLE_SIZE; what has no
    spectrum or no redshift of the field's, or is no galaxy, has no answer. progress : called with the rows done since
    the last call.

    Raises RequestError for spectra that are not in the model's pixels, and for ids that are not whole numbers.
    """
    spectra, wave = sources.spectra, posterior.model.instrument.wave
    if spectra is None or not (len(spectra.wave) == len(wave) and np.allclose(spectra.wave, wave, rtol=1e-7)):
        told = "none" if spectra is None else spectra.described()
        raise RequestError(f"spectra: {told}; accepted: the {len(wave)} pixels of the model of the mocks")
    if np.asarray(sources.id).dtype.kind not in "iu":
        raise RequestError(f"ids such as {sources.id[0]!r}; accepted: whole numbers, which seed a galaxy's draws")
    n, p = len(sources), len(NAMES)
    point, quantiles = np.full((n, p), np.nan), np.full((n, p, len(LEVELS)), np.nan)
    flags = np.zeros(n, np.uint32) if sources.flags is None else np.array(sources.flags, np.uint32)
    extra = {name: np.full(n, np.nan) for name in ("rhat", "converged", "spectrum_models", "quiescent")}
    redshift = np.full(n, np.nan) if sources.redshift is None else sources.redshift
    low, high = posterior.field.config.redshift

    for row in range(n):
        z = float(redshift[row])
        if flags[row] & Flag.NOT_A_GALAXY:
            flags[row] |= Flag.NOT_INFERRED
        elif not np.isfinite(z):
            flags[row] |= Flag.REDSHIFT_MISSING | Flag.NOT_INFERRED
        elif not low <= z <= min(high, posterior.model.config.farthest):
            flags[row] |= Flag.REDSHIFT_OUT_OF_RANGE | Flag.NOT_INFERRED
        elif not spectra.observed[row].any():
            flags[row] |= Flag.SPECTRUM_MISSING | Flag.NOT_INFERRED
        else:
            runs = posterior.runs(spectra.flux[row], spectra.ivar[row], z, (seed, int(sources.id[row])))
            fibre, whole = posterior.parted(runs, z)
            parts = [*np.concatenate(fibre).T, *np.concatenate(whole).T]
            point[row] = [part.mean() for part in parts]
            quantiles[row] = [np.quantile(part, LEVELS) for part in parts]
            rhat = float(r_hat(*fibre).max())
            extra["rhat"][row], extra["converged"][row] = rhat, float(rhat < AGREEMENT)
            extra["spectrum_models"][row] = sum(run.evaluations for run in runs)
            extra["quiescent"][row] = np.mean([run.kind.mean() for run in runs])
            if not rhat < AGREEMENT:
                flags[row] |= Flag.LOW_SAMPLE_SIZE
        if progress is not None:
            progress(1)

    return Predictions(
        id=sources.id,
        names=NAMES,
        point=point.astype(np.float32),
        flags=flags,
        n_bands=np.zeros(n, np.int16),
        levels=LEVELS,
        quantiles=quantiles.astype(np.float32),
        extra=extra,
        meta={"method": "exact posterior of the spectrum, by tempering", "points": posterior.config.points},
    )


def r_hat(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(P,), of two runs' draws (n, P): 1 where their means agree."""
    within = 0.5 * (first.var(axis=0) + second.var(axis=0))
    return np.sqrt(1.0 + 0.5 * (first.mean(axis=0) - second.mean(axis=0)) ** 2 / within)

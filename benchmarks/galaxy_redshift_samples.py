"""What `galaxy_redshift.py` judges: simulated galaxies never trained on, and what a network and the exact posterior say
of them; real ones, and what networks say that learned from such."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from galprism import recipes, surveys
from galprism.config import plain
from galprism.data import Predictions, Sources, Truth
from galprism.fit.field_draws import FOUNDED
from galprism.flags import Flag
from galprism.infer import Predictor
from galprism.recipes.catalogue import known_parameters
from galprism.recipes.pairs import measure_of
from galprism.recipes.populations import pairs_of, rows_of
from galprism.recipes.recipe import Recipe
from galprism.recipes.redshift_limit import exact_redshifts
from galprism.recipes.stages import digest
from galprism.units import abmag_from_njy
from sdss_redshift import BANDS, FOLDS, columns, folds, gathered, joined

NAME = "galaxy-redshift"
SEEN = {
    "photometry": ("photometry",),
    "image": ("cutouts",),
    "photometry and image": ("photometry", "cutouts"),
}
"""What the network is shown, by the name of it."""
LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)
MAIN = 17.77
"""r, where the main sample ends."""
CHUNK = 512
DOUBT = np.uint32(Flag.INPUT_OUT_OF_RANGE | Flag.UNLIKE_TRAINING | Flag.EXTRAPOLATED | Flag.NOT_INFERRED)
"""Flags of galaxies that are unlike what was learned from."""


@dataclass(frozen=True, eq=False)
class Said:
    """What was said of N galaxies."""

    mean: np.ndarray
    """(N,)."""
    quantiles: np.ndarray
    """(N, Q), at LEVELS."""
    pit: np.ndarray
    """(N,)."""
    ln_density: np.ndarray
    """(N,), ln of the density in redshift at the true one."""
    crps: np.ndarray
    """(N,), the continuous ranked probability score in redshift (Gneiting & Raftery 2007, JASA 102, 359)."""
    ess: np.ndarray
    """(N,), effective draws of an exact posterior; infinite of a network."""
    flags: np.ndarray
    """(N,)."""

    def take(self, rows) -> Said:
        return Said(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True, eq=False)
class Mocks:
    """N simulated galaxies of the test."""

    true: np.ndarray
    """(N,), redshifts."""
    magnitude: np.ndarray
    """(N,), r, true."""
    edges: tuple[float, ...]
    """Of the ranges of magnitude."""
    network: dict[str, Said]
    """By SEEN."""
    exact: Said
    """Of the first M."""
    again: Said
    """Of a quarter of them, from other draws."""


@dataclass(frozen=True, eq=False)
class Real:
    """N real galaxies."""

    true: np.ndarray
    magnitude: np.ndarray
    """r, AB."""
    network: Said
    learned: dict[str, np.ndarray] | None
    """Of `sdss-redshift`, each galaxy by what learned from other folds: quantiles and pit; None where nobody asked."""
    doubted: np.ndarray
    """(N,), bool: the network's flags say that it is unlike what was learned from."""


def kept(path: Path, make: Callable[[], Said]) -> Said:
    """What `make` gives, from a file where that was made before."""
    if not path.exists():
        found = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{name: getattr(found, name) for name in found.__dataclass_fields__})
        print(f"{path.stem} done", flush=True)
    with np.load(path) as stored:
        return Said(**dict(stored))


def test_galaxies(recipe: Recipe, work: Path) -> tuple[list[Sources], np.ndarray, np.ndarray]:
    """The test set in parts as it is measured, its true redshifts and r magnitudes."""
    known = pairs_of(recipe, work)
    rows, measure = rows_of(recipe, "test"), measure_of(recipe, known)
    parts = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
    chunks = [measure(part, np.random.default_rng((1, k))) for k, part in enumerate(parts)]
    return chunks, known.column("redshift")[rows], abmag_from_njy(np.asarray(known.flux[rows, BANDS.index("r")], float))


def by_network(predictor: Predictor, chunks: list[Sources], true: np.ndarray) -> Said:
    """What a network says; the sources' own redshifts are not looked at."""
    blind = [replace(some, redshift=None) for some in chunks]
    found = Predictions.joined([predictor.predict(some, LEVELS) for some in blind])
    pit = np.concatenate(
        [
            predictor.pit(some, Truth(some.id, ("redshift",), z[:, None]))[:, 0]
            for some, z in zip(blind, _parts(true, chunks), strict=True)
        ]
    )
    densities = [predictor.redshifts(some) for some in blind]
    share = np.concatenate([each.probability for each in densities])
    assert found.quantiles is not None
    return Said(
        found.point[:, 0].astype(float),
        found.quantiles[:, 0].astype(float),
        pit,
        *scores(share, densities[0].edges, true),
        np.full(len(true), np.inf),
        np.asarray(found.flags),
    )


def by_draws(recipe: Recipe, chunks: list[Sources], true: np.ndarray, workers: int, seed: int) -> Said:
    """What the exact posterior says."""
    n, parts = len(true), [some.photometry for some in chunks]
    photometry = replace(
        parts[0],
        flux=np.concatenate([part.flux for part in parts])[:n],
        ivar=np.concatenate([part.ivar for part in parts])[:n],
    )
    last = [0.0]

    def progress(done: float) -> None:
        if done - last[0] >= 0.1:
            last[0] = done
            print(f"exact posterior: {done:.0%}", flush=True)

    found = exact_redshifts(recipe, photometry, seed=seed, workers=workers, progress=progress)
    quantiles = np.stack([found.quantile(level) for level in LEVELS], axis=1)
    told = scores(found.share, found.edges, true)
    return Said(found.mean, quantiles, found.below(true), *told, found.ess, found.flags)


def scores(share: np.ndarray, edges: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) twice: ln of the density at the true redshifts, and the CRPS, of probabilities (N, G) between edges (G + 1,)
    that are even in their cells."""
    width = np.diff(edges)
    cell = np.clip(np.searchsorted(edges, true, side="right") - 1, 0, len(width) - 1)
    with np.errstate(divide="ignore"):
        ln_density = np.log(np.take_along_axis(share / width, cell[:, None], axis=1)[:, 0])
    below = np.concatenate([np.zeros((len(share), 1)), np.cumsum(share, axis=1, dtype=float)], axis=1)
    part = np.clip((true[:, None] - edges[:-1]) / width, 0.0, 1.0)  # of a cell, below the truth
    at = below[:, :-1] + part * np.diff(below, axis=1)
    low, high = below[:, :-1], below[:, 1:]
    first = part * (low**2 + low * at + at**2) / 3.0  # of F^2, linear in the cell
    second = (1.0 - part) * ((1 - at) ** 2 + (1 - at) * (1 - high) + (1 - high) ** 2) / 3.0
    return ln_density, (width * (first + second)).sum(axis=1)


def mocks(
    predictor: Predictor,
    recipe: Recipe,
    test: tuple[list[Sources], np.ndarray, np.ndarray],
    keep: Path,
    n_exact: int,
    workers: int,
) -> Mocks:
    """All that is said of the test set. keep : folder of the exact posteriors of its first `n_exact`."""
    assert recipe.chosen is not None
    chunks, true, magnitude = test
    network = {
        what: by_network(predictor, [shown(some, blocks) for some in chunks], true) for what, blocks in SEEN.items()
    }
    made_of = [*(plain(part) for part in (recipe.field, recipe.chosen, recipe.noise)), recipe.seed]

    def exact(n: int, seed: int) -> Said:
        path = keep / f"exact-{digest([*made_of, n])}-{seed}.npz"
        return kept(path, lambda: by_draws(recipe, chunks, true[:n], workers, seed))

    edges = recipe.chosen.galaxy_magnitude
    return Mocks(true, magnitude, edges, network, exact(n_exact, 0), exact(n_exact // 4, 1))


def real(predictor: Predictor, data: Path, keep: Path, of_folds: Path | None) -> Real:
    """What is said of BOSS's galaxies. of_folds : the folder that sdss_redshift.py keeps its folds in."""
    table = joined(data / "tables", keep / "boss-dr10.parquet")
    recipe = recipes.load("sdss-redshift", [f"labels.catalogue={table}", *columns()])
    known = known_parameters(recipe)
    true, photometry = known.values[:, 0], known.sources.photometry
    assert photometry is not None
    said = by_network(predictor, [known.sources], true)
    learned = None
    if of_folds is not None:
        paths = [of_folds / f"fold-{k}.npz" for k in range(FOLDS)]
        parts = [dict(np.load(path)) for path in paths]
        learned = gathered(parts, folds(len(known)), len(known))
    magnitude = abmag_from_njy(np.maximum(photometry.flux[:, BANDS.index("r")].astype(float), 1.0))
    return Real(true, magnitude, said, learned, said.flags & DOUBT != 0)


def main_sample(predictor: Predictor, data: Path) -> Real:
    """What is said of galaxies of SDSS's main sample, brighter than r = 17.77, by their model fluxes."""
    sources = surveys.read(data / "tables" / "sdss_galex_2mass_fluxes.fits", "sdss")
    assert sources.photometry is not None
    assert sources.redshift is not None
    magnitude = abmag_from_njy(np.maximum(sources.photometry.flux[:, BANDS.index("r")].astype(float), 1.0))
    own = np.flatnonzero((magnitude > 14) & (magnitude < MAIN) & (sources.redshift > 0.003))
    true = sources.redshift[own].astype(float)
    said = by_network(predictor, [sources.take(own)], true)
    return Real(true, magnitude[own], said, None, said.flags & DOUBT != 0)


def founded(exact: Said) -> np.ndarray:
    """(N,), bool: not flagged as coarse."""
    return exact.ess >= FOUNDED


def shown(sources: Sources, blocks: tuple[str, ...]) -> Sources:
    """Without the other blocks."""
    hidden = {name: None for name in ("photometry", "cutouts", "spectra") if name not in blocks}
    return replace(sources, **hidden)


def _parts(values: np.ndarray, chunks: list[Sources]) -> list[np.ndarray]:
    return np.split(values, np.cumsum([len(some) for some in chunks])[:-1])

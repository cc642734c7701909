"""The sample of the bench `sdss-fusion`: images and spectra of the same simulated galaxies with their redshifts and the
statistics of what photometry says of their star-formation rates; one data set that all models share.

Kept in a folder: what is measured, and the distributions of log SFR (galprism.fit.field_posterior), each made once. All
have the noise that they have: the labels are of that photometry, so that nothing is drawn afresh. Needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from galprism import surveys
from galprism.config import plain
from galprism.data import Cutouts, Photometry, Sources, Spectra, Truth
from galprism.data.sfr_labels import STATISTICS
from galprism.errors import RequestError
from galprism.fit.field_draws import FOUNDED, FieldPosteriorConfig
from galprism.fit.field_posterior import FieldPosterior, RateDistributions
from galprism.fit.sfr_statistics import EDGES, sfr_statistics
from galprism.flags import Flag
from galprism.mocks import observe, unstated_error
from galprism.mocks.images.cutouts import image_batches
from galprism.mocks.population import block_rng
from galprism.mocks.simulate import error_sample
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.mocks.spectra.model import SpectrumModel
from galprism.mocks.spectra.noise import observe_spectra
from galprism.recipes.pairs import chosen_of
from galprism.recipes.processes import shared_out
from galprism.recipes.recipe import Recipe
from galprism.recipes.sky import libraries_of
from galprism.recipes.stages import digest
from galprism.sps import load_library

NAME = "sdss-fusion"
TARGETS = ("redshift", *STATISTICS)
KNOWN = ("logsfr", "logmstar", "logssfr", "redshift")
"""What is true of each galaxy."""
PARTS = ("train", "validation", "test")
MEASURED = ("ident", "image", "fwhm", "spectrum", "spectrum_ivar", "flux", "flux_ivar", "known")
RATES = ("share", "ess")


@dataclass(frozen=True, eq=False)
class FusionSample:
    """N galaxies, mapped from files: those of training first, then of validation, then of the test."""

    ident: np.ndarray
    """(N,), integers."""
    image: np.ndarray
    """(N, B, H, W), float32, nJy per pixel, with noise."""
    fwhm: np.ndarray
    """(N, B), float32, arcsec."""
    spectrum: np.ndarray
    """(N, L), float32, 1e-17 erg/s/cm2/A, with noise."""
    spectrum_ivar: np.ndarray
    """(N, L), float32, as it is stated; 0 where there are no data."""
    flux: np.ndarray
    """(N, B), float32, nJy, with noise."""
    flux_ivar: np.ndarray
    """(N, B), float32."""
    known: np.ndarray
    """(N, K), float64, by KNOWN: the truth."""
    share: np.ndarray
    """(N, G), float32: the distributions of log SFR over the bins of galprism.fit.sfr_statistics.EDGES."""
    ess: np.ndarray
    """(N,), effective draws behind each."""
    targets: np.ndarray
    """(N, 9), float64, by TARGETS."""
    wave: np.ndarray
    """(L,), Angstrom, vacuum, observed."""
    lsf_sigma: np.ndarray
    """(L,), Angstrom."""
    bands: tuple[str, ...]
    """Of fluxes."""
    image_bands: tuple[str, ...]
    pixel_scale: float
    """arcsec."""
    counts: tuple[int, int, int]
    """Of PARTS."""
    place: Path
    """The folder of what was simulated; its name is a digest of all that it depends on."""

    @property
    def coarse(self) -> np.ndarray:
        """(N,), bool: the distribution rests on few draws."""
        return np.asarray(self.ess) < FOUNDED

    def __len__(self) -> int:
        return len(self.ident)

    def rows(self, part: str) -> slice:
        """Of one of PARTS. Raises RequestError for another."""
        if part not in PARTS:
            raise RequestError(f"part {part!r} of the sample; accepted: {', '.join(PARTS)}")
        ends = np.cumsum((0, *self.counts))
        place = PARTS.index(part)
        return slice(int(ends[place]), int(ends[place + 1]))

    def sources(self, rows: np.ndarray | slice) -> Sources:
        """Some of them; those whose distribution is coarse have LOW_SAMPLE_SIZE."""
        flux, ivar = (np.asarray(column[rows]) for column in (self.flux, self.flux_ivar))
        image = np.asarray(self.image[rows])
        seen = np.ones_like(image)
        return Sources(
            id=np.asarray(self.ident[rows]),
            redshift=self.column("redshift")[rows],
            photometry=Photometry(flux, ivar, self.bands),
            cutouts=Cutouts(image, seen, self.image_bands, self.pixel_scale, np.asarray(self.fwhm[rows])),
            spectra=Spectra(
                np.asarray(self.spectrum[rows]), np.asarray(self.spectrum_ivar[rows]), self.wave, self.lsf_sigma
            ),
            flags=np.where(self.coarse[rows], np.uint32(Flag.LOW_SAMPLE_SIZE), np.uint32(0)),
        )

    def labels(self, rows: np.ndarray | slice) -> Truth:
        """TARGETS of some of them."""
        return Truth(np.asarray(self.ident[rows]), TARGETS, self.targets[rows])

    def column(self, name: str) -> np.ndarray:
        """(N,), one of KNOWN."""
        return np.asarray(self.known[:, KNOWN.index(name)])


def fusion_sample(
    recipe: Recipe, folder: Path, *, workers: int = 1, progress: Callable[[int], None] | None = None
) -> FusionSample:
    """The sample of a recipe, made in `folder` where it is not there yet.

    workers : processes for the distributions; the sample is the same with any number. progress : called with galaxies
    done, each counted once when it is simulated and once when its distribution is known.

    Raises RequestError for a recipe without a field, galaxies chosen of it between two magnitudes, images or spectra.
    """
    for name in ("field", "chosen", "images", "spectra"):
        if getattr(recipe, name) is None:
            raise RequestError(f"recipe {recipe.name} has no [{name}]; a sample of images and spectra needs one")
    assert recipe.chosen is not None
    assert recipe.images is not None
    assert recipe.spectra is not None
    if len(recipe.chosen.galaxy_magnitude) != 2:
        raise RequestError(
            f"chosen.galaxy_magnitude = {list(recipe.chosen.galaxy_magnitude)}; accepted: two magnitudes, between "
            "which galaxies are as the sky has them: so are the draws of the posterior"
        )
    counts = (recipe.sample.train, recipe.sample.validation, recipe.sample.test)
    sky = [recipe.field, recipe.chosen, recipe.images, recipe.spectra, recipe.noise]
    hashes = [load_library(name).hash for name in recipe.stars]
    made_of = [*(plain(one) for one in sky), recipe.survey, recipe.seed, hashes, sum(counts)]
    place = folder / f"fusion-{digest(made_of)}"
    if not place.exists():
        _simulate(recipe, sum(counts), place, progress)
    kept = _mapped(place, MEASURED)
    rates = folder / f"rates-{digest([made_of, recipe.fit.n_draws])}"
    if not rates.exists():
        _infer(recipe, kept, rates, workers, progress)
    kept |= _mapped(rates, RATES)
    redshift = kept["known"][:, KNOWN.index("redshift")]
    with np.load(place / "all.npz", allow_pickle=False) as shared:
        return FusionSample(
            **kept,
            targets=np.column_stack([redshift, sfr_statistics(kept["share"])]),
            wave=shared["wave"],
            lsf_sigma=shared["lsf_sigma"],
            bands=surveys.get(recipe.survey).band_names,
            image_bands=recipe.images.bands,
            pixel_scale=recipe.images.pixel_scale,
            counts=counts,
            place=place,
        )


def rate_posterior(recipe: Recipe) -> FieldPosterior:
    """The posterior of a recipe's galaxies: of its very field and choice, with draws of a seed of their own."""
    assert recipe.field is not None
    assert recipe.chosen is not None
    (library,) = libraries_of(recipe)
    bright, limit = recipe.chosen.galaxy_magnitude
    field = FieldGalaxies(recipe.field.galaxies, surveys.get(recipe.survey), recipe.field.band, limit, library)
    block = FieldPosteriorConfig.block
    config = FieldPosteriorConfig(block=min(block, recipe.fit.n_draws), most=-(-recipe.fit.n_draws // block))
    return FieldPosterior(field, bright, seed=recipe.seed + 1, config=config)


def _mapped(place: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    return {name: np.load(place / f"{name}.npy", mmap_mode="r") for name in names}


def _made(place: Path, n: int, columns: Mapping[str, tuple[tuple[int, ...], Any]]) -> dict[str, np.ndarray]:
    """Files of arrays (n, …) to be filled."""
    place.mkdir(parents=True, exist_ok=True)
    return {
        name: np.lib.format.open_memmap(place / f"{name}.npy", "w+", dtype, (n, *rest))
        for name, (rest, dtype) in columns.items()
    }


def _done(arrays: Mapping[str, np.ndarray], part: Path, place: Path) -> None:
    for array in arrays.values():
        assert isinstance(array, np.memmap)
        array.flush()
    part.replace(place)


def _simulate(recipe: Recipe, n: int, place: Path, progress: Callable[[int], None] | None) -> None:
    images, spectra, survey = recipe.images, recipe.spectra, surveys.get(recipe.survey)
    assert images is not None
    assert spectra is not None
    (library,) = libraries_of(recipe)
    model, reference = SpectrumModel(library, spectra), error_sample(recipe.noise, survey)
    length, bands, b = len(model.instrument.wave), len(survey.bands), len(images.bands)
    part = place.with_suffix(".part")
    columns: dict[str, tuple[tuple[int, ...], Any]] = {
        "ident": ((), np.int64),
        "image": ((b, images.size, images.size), np.float32),
        "fwhm": ((b,), np.float32),
        **{name: ((length,), np.float32) for name in ("spectrum", "spectrum_ivar")},
        **{name: ((bands,), np.float32) for name in ("flux", "flux_ivar")},
        "known": ((len(KNOWN),), np.float64),
    }
    kept = _made(part, n, columns)
    done = 0
    for number, (patch, own) in enumerate(chosen_of(recipe, n).patches(images)):
        rows, members = slice(done, done + own), patch.members.take(slice(0, own))
        rng = block_rng(recipe.seed, number, "noise")
        photometry = observe(members.flux.astype(np.float32), survey, recipe.noise, rng, reference)
        seen = observe_spectra(model(patch, seed=recipe.seed, rows=slice(0, own)), spectra, seed=recipe.seed)
        for name, value in (
            ("ident", patch.id[:own]),
            ("spectrum", seen.flux),
            ("spectrum_ivar", seen.ivar),
            ("flux", photometry.flux),
            ("flux_ivar", photometry.ivar),
            ("known", np.stack([members.values[name] for name in KNOWN], axis=1)),
        ):
            kept[name][rows] = value
        at = done
        for ids, taken in image_batches(patch, survey, images, seed=recipe.seed, n=own):
            here = slice(at, at + len(ids))
            kept["image"][here], kept["fwhm"][here] = taken.flux, taken.psf_fwhm
            at += len(ids)
        done += own
        if progress is not None:
            progress(own)
    np.savez(part / "all.npz", wave=model.instrument.wave, lsf_sigma=model.instrument.lsf_sigma)
    _done(kept, part, place)


def _infer(
    recipe: Recipe,
    measured: Mapping[str, np.ndarray],
    place: Path,
    workers: int,
    progress: Callable[[int], None] | None,
) -> None:
    flux, ivar = (np.asarray(measured[name]) for name in ("flux", "flux_ivar"))
    redshift = np.asarray(measured["known"][:, KNOWN.index("redshift")])
    part = place.with_suffix(".part")
    kept = _made(part, len(flux), {"share": ((len(EDGES) - 1,), np.float32), "ess": ((), np.float64)})
    for rows, found in distributions(recipe, flux, ivar, redshift, workers):
        kept["share"][rows], kept["ess"][rows] = found.share, found.ess
        if progress is not None:
            progress(len(rows))
    _done(kept, part, place)


def distributions(
    recipe: Recipe, flux: np.ndarray, ivar: np.ndarray, redshift: np.ndarray, workers: int = 1
) -> Iterator[tuple[np.ndarray, RateDistributions]]:
    """Of galaxies with fluxes (N, B), nJy, and redshifts (N,): row numbers, and the distributions of log SFR of these;
    a cell of redshift at a time. The draws are those of the recipe's seed."""
    cells = rate_posterior(recipe).cell_of(redshift)
    pieces = [np.flatnonzero(cells == cell) for cell in np.unique(cells)]
    given = [(flux[rows], ivar[rows], redshift[rows]) for rows in pieces]
    yield from zip(pieces, shared_out(_asked, (recipe,), given, workers), strict=True)


def _asked(recipe: Recipe) -> Callable[[tuple[np.ndarray, np.ndarray, np.ndarray]], RateDistributions]:
    posterior, error = rate_posterior(recipe), unstated_error(surveys.get(recipe.survey), recipe.noise)
    bands = posterior.field.survey.band_names

    def ask(given: tuple[np.ndarray, np.ndarray, np.ndarray]) -> RateDistributions:
        flux, ivar, redshift = given
        return posterior(Photometry(flux, ivar, bands), redshift, error)

    return ask

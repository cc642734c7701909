"""The real galaxies of `real_galaxies.py`: what the networks, the fits and the published catalogue say of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from galprism import bundle, passbands, recipes, surveys
from galprism.data import Photometry, Predictions, Sources
from galprism.data.tables import open_table
from galprism.evaluate import UNFLAGGED
from galprism.fit import ModelCache
from galprism.flags import Flag
from galprism.infer import predict
from galprism.mocks import calibration_error, draw_stars
from galprism.recipes import references
from galprism.units import abmag_from_njy

KIDS, SDSS = "kids_viking_galex_cigale.fits", "sdss_galaxyzoo_mass.csv"
SDSS_FLUXES = "sdss_galex_2mass_fluxes.fits"
LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)
EVERY = 4
"""The exact posterior of SDSS galaxies is computed for one row in this many."""
RESIDUAL_DRAWS = 200_000
"""Prior draws among which the best model of a source is looked for when its residuals band by band are taken."""


def check(right: bool, what: str) -> None:
    """Stop where the work itself went wrong."""
    if not right:
        raise SystemExit(f"wrong: {what}")


def doubtful(*predictions: Predictions) -> np.ndarray:
    """(N,) bool: one of them carries a flag that casts doubt on its answer, or has no answer."""
    rows = [(p.flags & np.uint32(UNFLAGGED.forbidden)) != 0 for p in predictions]
    return np.logical_or.reduce([*rows, *(~np.isfinite(p.point[:, 0]) for p in predictions)])


@dataclass(frozen=True, eq=False)
class Kids:
    """What is known of the KiDS+VIKING galaxies; everything has N rows."""

    sources: Sources
    network: Predictions
    posterior: Predictions
    grid: Predictions
    residual: np.ndarray
    """(N, B), mag: observed minus the best of the prior draws; NaN where nothing was fitted."""
    residual_err: np.ndarray
    """(N, B), mag: the errors that the fit took."""
    n_rows: int
    n_draws: int

    @property
    def clean(self) -> np.ndarray:
        """Unflagged by the network and by the posterior."""
        return ~doubtful(self.network, self.posterior)

    @property
    def coarse(self) -> np.ndarray:
        """As `clean`, but too few draws resemble the source."""
        few = np.uint32(Flag.LOW_SAMPLE_SIZE)
        other = (self.posterior.flags & np.uint32(UNFLAGGED.forbidden) & ~few) != 0
        return ((self.posterior.flags & few) != 0) & ~other & ~doubtful(self.network)

    def difference(self, parameter: str) -> np.ndarray:
        return self.network.column(parameter) - self.posterior.column(parameter)

    def width(self, who: Predictions, parameter: str) -> np.ndarray:
        """Half of the central 68 %."""
        return 0.5 * (who.quantile(parameter, 0.84) - who.quantile(parameter, 0.16))


def work_kids(folder: Path, cache_folder: Path, model: str, n_draws: int) -> Kids:
    survey = surveys.get("kids")
    every = surveys.read(folder / KIDS, survey)
    sources = every.take(every.photometry.observed.all(axis=1))
    recipe = recipes.load("kids-mass-sfr", [f"fit.n_draws={n_draws}"])
    network = predict(bundle.load(model), sources, LEVELS)
    draws = cache_of(recipe, cache_folder)
    posterior = references.fit(recipe, sources, "posterior", draws, levels=LEVELS)
    grid = references.fit(recipe, sources, "grid", references.reference_cache(recipe, "grid"), levels=LEVELS)
    for found in (network, posterior, grid):
        check(np.array_equal(found.id, sources.id), "the rows of a result are not those of the catalogue")
    residual, err = residuals(sources, draws, calibration_error(survey))
    return Kids(sources, network, posterior, grid, residual, err, len(every), len(draws))


def cache_of(recipe: recipes.Recipe, folder: Path) -> ModelCache:
    """The prior draws of a recipe, from `folder` once they are there."""
    place = folder / f"{recipe.name}-{recipe.fit.n_draws}"
    place.mkdir(parents=True, exist_ok=True)
    return references.reference_cache(recipe, "posterior", place)


def residuals(sources: Sources, draws: ModelCache, calibration: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, B) magnitudes by which each source is fainter than the best of some draws at its best scale, and errors."""
    flux = np.asarray(sources.photometry.flux, np.float64)
    err = np.hypot(sources.photometry.flux_err, calibration * flux)
    found = np.full(flux.shape, np.nan)
    low, high = draws.redshift_range
    for i, redshift in enumerate(sources.redshift):
        if not low <= redshift <= high:
            continue
        best = np.inf
        for rows in draws.blocks(float(redshift)):
            if rows.start >= RESIDUAL_DRAWS:
                break
            light = draws.light(float(redshift), rows) / err[i].astype(np.float32)
            data = (flux[i] / err[i]).astype(np.float32)
            explained = (light @ data) ** 2 / np.einsum("mb,mb->m", light, light)
            k = int(np.argmax(explained))
            if -explained[k] < best:
                best, top = -explained[k], light[k].astype(np.float64)
                model = top * (top @ data) / (top @ top)
        with np.errstate(invalid="ignore", divide="ignore"):
            found[i] = -2.5 * np.log10(flux[i] / err[i] / model)
    with np.errstate(invalid="ignore", divide="ignore"):
        return found, 2.5 / np.log(10) * err / np.abs(flux)


@dataclass(frozen=True, eq=False)
class Sdss:
    """What is known of the SDSS galaxies; everything has N rows but for the posterior."""

    sources: Sources
    published: np.ndarray
    """log10 of the published stellar mass; NaN where missing."""
    colour: np.ndarray
    """g - r as observed."""
    network: Predictions
    """From fluxes whose errors are not known, as the table has them."""
    assumed: dict[str, Predictions]
    """The same network with errors assumed, by what was assumed."""
    rows: np.ndarray
    """Rows that the exact posterior was computed for."""
    posterior: Predictions
    living: np.ndarray
    """(len(rows),), dex: log of the mass in living stars over that in living stars and remnants."""
    matched: dict[str, np.ndarray]
    """(M, 5), mag: these magnitudes minus another table's, as observed and dereddened."""

    @property
    def clean(self) -> np.ndarray:
        return ~doubtful(self.network) & np.isfinite(self.published)

    @property
    def difference(self) -> np.ndarray:
        return self.network.column("logmstar") - self.published


def work_sdss(folder: Path, cache_folder: Path, model: str) -> Sdss:
    survey = surveys.get("sdss")
    # The ids of this table are rounded and repeat: rows are known by their number.
    sources = surveys.read(folder / SDSS, survey, columns_map={"mag_err_*": "none", "id": "none"})
    with open_table(folder / SDSS) as table:
        columns = {name: np.asarray(value) for name, value in table.read().items()}
    check(len(columns["stellar_mass"]) == len(sources), "rows were lost in reading")
    known = np.isfinite(sources.redshift)
    check(np.array_equal(sources.redshift[known], columns["redshift"][known]), "rows are out of order")
    published = np.where(columns["stellar_mass"] > 0, columns["stellar_mass"], np.nan).astype(np.float64)
    loaded = bundle.load(model)
    flux = np.asarray(sources.photometry.flux, np.float64)
    assumed = {
        "the survey's depths": predict(loaded, with_errors(sources, np.broadcast_to(survey.sky_err(), flux.shape))),
        "depths and zero points": predict(loaded, with_errors(sources, survey.flux_err(flux))),
    }
    recipe = recipes.load("sdss-mass-sfr", ['targets.names=["logmstar","logsfr","age_mw"]'])
    rows = np.arange(0, len(sources), EVERY)
    posterior = references.fit(
        recipe, sources.take(rows), "posterior", cache_of(recipe, cache_folder), levels=(0.16, 0.5, 0.84)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        colour = 2.5 * np.log10(flux[:, 2] / flux[:, 1])
    return Sdss(
        sources, published, colour, predict(loaded, sources), assumed, rows, posterior,
        living_over_surviving(recipe, posterior.column("age_mw")),
        compare_magnitudes(folder, sources),
    )  # fmt: skip


def with_errors(sources: Sources, err: np.ndarray) -> Sources:
    """The sources with errors (N, B) in nJy given to every band that was observed."""
    photometry = sources.photometry
    ivar = np.where(photometry.observed, err**-2.0, 0.0)
    return replace(sources, photometry=Photometry(photometry.flux, ivar, photometry.bands))


def living_over_surviving(recipe: recipes.Recipe, age: np.ndarray) -> np.ndarray:
    """(N,), dex: what leaving stellar remnants out does to the mass of galaxies of these mass-weighted ages [Gyr].

    The median over prior draws of the recipe whose age is alike.
    """
    from galprism.sps import ForwardModel, Galaxies, load_library

    stars = draw_stars(recipe.population, np.full(4096, recipe.population.redshift[0]), np.random.default_rng(1))
    galaxies = Galaxies.from_numpy(redshift=0.1, **stars)
    band = surveys.get(recipe.survey).bands[0].passband
    derived = ForwardModel(load_library(recipe.stars[0]), [passbands.get(band)], nebular=False).derive(galaxies)
    ratio = np.log10(derived.mlive.numpy() / derived.mstar.numpy())
    order = np.argsort(derived.age_mw.numpy())
    ages = derived.age_mw.numpy()[order]
    bins = np.array_split(np.arange(len(order)), 64)
    return np.interp(age, [np.median(ages[rows]) for rows in bins], [np.median(ratio[order][rows]) for rows in bins])


def compare_magnitudes(folder: Path, sources: Sources) -> dict[str, np.ndarray]:
    """Model magnitudes of the same galaxies in another table, subtracted from these.

    `as observed` and `dereddened` by that table's Galactic extinction, (M, 5) each; matched within 2 arcsec.
    """
    with open_table(folder / SDSS_FLUXES) as table:
        other = table.read()
    placed = np.isfinite(other["RA"]) & np.isfinite(other["DEC"])
    other = {name: np.asarray(value)[placed] for name, value in other.items()}
    rows = np.flatnonzero(np.isfinite(sources.ra) & np.isfinite(sources.dec))
    here = SkyCoord(sources.ra[rows], sources.dec[rows], unit="deg")
    nearest, distance, _ = here.match_to_catalog_sky(SkyCoord(other["RA"], other["DEC"], unit="deg"))
    near = distance < 2 * u.arcsec
    rows, nearest = rows[near], nearest[near]
    flux = other["MODELFLUX"].astype(np.float64)[nearest]
    extinction = other["EXTINCTION"].astype(np.float64)[nearest]
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = abmag_from_njy(sources.photometry.flux[rows]) - (22.5 - 2.5 * np.log10(flux))
    return {"as observed": difference, "dereddened": difference + extinction}

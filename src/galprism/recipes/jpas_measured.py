"""What the reproduction of the J-PAS paper measures, and the table of bars that it ends in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from galprism import bundle
from galprism.data import Photometry, Predictions, Sources, Truth
from galprism.data.tables import match_ids
from galprism.evaluate import Bar, rms_ratio
from galprism.evaluate.metrics import nmad
from galprism.fit.simple import LEAST_ESS, NAMES
from galprism.infer import predict
from galprism.mocks import observe
from galprism.mocks.composites import FAMILIES, composites
from galprism.recipes.recipe import load
from galprism.recipes.sky import sky
from galprism.sps.ssp import Z_SUN
from galprism.units import abmag_from_njy, njy_from_abmag

MAGNITUDES = tuple(np.arange(16.0, 22.01, 0.5).tolist())
OUTLIER = 0.25
"""dex or mag: the paper's outliers are farther off."""
PAPER, OURS, GALAXIES = "jpas-ssp", "jpas-populations", "jpas-galaxies"
GRID, LIMIT = "grid fit", "exact posterior"
LOST = (0, 1, 5, 15, 30)
"""Bands that are taken away, of 57."""
LOST_AT = 17.0
"""i, where they are."""
LIMIT_LOST = 15
COMPOSITE_AT = 17.0
"""i of the composite populations."""
COMPOSITE_DRAWS = 8
"""Times that each is observed."""
COMPOSITE_TIMES = tuple(np.arange(0.25, 12.51, 0.25).tolist())
COMPOSITE_REDSHIFT = {PAPER: 0.00075, OURS: 0.00075, GALAXIES: 0.05}
"""Where each model is asked: within the redshifts of its training."""
COMPOSITE_NAMES = {
    PAPER: NAMES,
    OURS: NAMES,
    GALAXIES: ("log_age_lw", "logzsol_lw", "ebv"),
}
AT_17 = {"log_age": (0.23, 0.17), "logzsol": (0.29, 0.24), "ebv": (0.04, 0.01)}
"""The paper's sigma_NMAD and share of outliers at i = 17 (abstract)."""
OURS_AT_17 = {"log_age": 0.09, "logzsol": 0.16, "ebv": 0.018}
AGAINST_LIMIT = (
    ("i = 16, 16.5", (15.9, 16.6), 1.15),
    ("i = 17, 17.5", (16.9, 17.6), 1.15),
    ("i = 18, 18.5", (17.9, 18.6), 1.15),
    ("i = 19, 19.5", (18.9, 19.6), 1.15),
    ("i = 20 to 22", (19.9, 22.1), 1.03),
)
"""Magnitudes that are judged together against the exact posterior mean, and how near its rms ours is to be."""


def levels_of(sources: Sources) -> np.ndarray:
    """(N,), the nearest of MAGNITUDES to the measured i."""
    assert sources.photometry is not None
    i = abmag_from_njy(sources.photometry.flux[:, sources.photometry.bands.index("i")])
    return np.clip(np.rint(2 * i) / 2, MAGNITUDES[0], MAGNITUDES[-1])


def without(sources: Sources, lost: int) -> Sources:
    """The sources with as many bands unobserved, at random, others in each and the same whenever it is asked."""
    photometry = sources.photometry
    assert photometry is not None
    rng = np.random.default_rng(lost)
    gone = np.argsort(rng.random(photometry.flux.shape), axis=1) < lost
    kept = replace(photometry, flux=np.where(gone, 0, photometry.flux), ivar=np.where(gone, 0, photometry.ivar))
    return replace(sources, photometry=kept)


def metrics_of(off: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """The paper's metrics and the rms, of rows that were answered."""
    return {
        "bias": float(np.median(off)),
        "sigma_nmad": nmad(off),
        "outliers": float(np.mean(np.abs(off) > OUTLIER)),
        "pearson": float(np.corrcoef(predicted, true)[0, 1]),
        "rms": float(np.sqrt(np.mean(off**2))),
    }


def by_parameter(found: Predictions, truth: Truth) -> dict[str, dict[str, float]]:
    """Metrics of each of NAMES, and how often intervals hold the truth where there are any."""
    result = {}
    for name in NAMES:
        predicted, true = found.column(name).astype(float), truth.column(name)
        good = np.isfinite(predicted)
        result[name] = metrics_of((predicted - true)[good], predicted[good], true[good])
        result[name]["answered"] = float(good.mean())
        if found.quantiles is not None:
            for key, low, high in (("covers_68", 0.16, 0.84), ("covers_95", 0.025, 0.975)):
                inside = (found.quantile(name, low) < true) & (true < found.quantile(name, high))
                result[name][key] = float(inside[good].mean())
    return result


def ratios(found: Predictions, limit: Predictions, truth: Truth) -> dict[str, Any]:
    """rms over the limit's where it has an answer that enough draws count for, with errors, of each of NAMES."""
    rows, at = match_ids(limit.id, found.id), match_ids(limit.id, truth.id)
    enough = ~np.isnan(limit.point[:, 0]) & (limit.extra.get("ess", np.full(len(limit), np.inf)) >= LEAST_ESS)
    result: dict[str, Any] = {"n": int(enough.sum())}
    for name in NAMES:
        true = truth.column(name)[at.index]
        mine, best = found.column(name)[rows.index] - true, limit.column(name) - true
        good = enough & np.isfinite(mine)
        ratio, error = rms_ratio(mine[good], best[good])
        result[name] = [ratio, error]
    return result


def by_magnitude(methods: Mapping[str, Predictions], truth: Truth, sources: Sources, limit: str) -> dict[str, Any]:
    """Of each method metrics at each of MAGNITUDES; and of ours the rms over the limit's in each of AGAINST_LIMIT."""
    level = levels_of(sources)
    result: dict[str, Any] = {}
    for name, found in methods.items():
        rows = match_ids(found.id, truth.id).index
        result[name] = []
        for i in MAGNITUDES:
            some = np.flatnonzero(level[rows] == i)
            result[name].append(by_parameter(found.take(some), truth.take(rows[some])) if len(some) > 2 else {})
    best = methods[limit]
    for text, (low, high), _ in AGAINST_LIMIT:
        of = level[match_ids(best.id, truth.id).index]
        result[text] = ratios(methods[OURS], best.take(np.flatnonzero((of > low) & (of < high))), truth)
    return result


def composite(model: bundle.Bundle, name: str) -> dict[str, Any]:
    """What a model says of composite populations, family by family and kind by kind: light-weighted truth beside it."""
    recipe = load(name)
    made = sky(recipe)
    asked = composites(COMPOSITE_TIMES, COMPOSITE_REDSHIFT[name])
    seen = made.model(asked.galaxies)
    i = made.survey.band_names.index("i")
    flux = seen.flux.numpy()
    flux = (flux * (njy_from_abmag(np.array(COMPOSITE_AT)) / flux[:, [i]])).astype(np.float32)
    n = len(flux)
    flux = np.repeat(flux, COMPOSITE_DRAWS, axis=0)
    photometry: Photometry = observe(flux, made.survey, recipe.noise, np.random.default_rng(recipe.seed))
    redshift = np.full(len(flux), COMPOSITE_REDSHIFT[name])
    found = predict(model, Sources(id=np.arange(len(flux)), redshift=redshift, photometry=photometry))
    true = dict(
        zip(
            NAMES,
            (np.log10(seen.age_lw.numpy()) + 9, np.log10(seen.z_lw.numpy() / Z_SUN), np.zeros(n)),
            strict=True,
        )
    )
    result: dict[str, Any] = {}
    for family in FAMILIES:
        result[family] = {}
        for kind in dict.fromkeys(asked.kind[asked.family == family].tolist()):
            rows = np.flatnonzero((asked.family == family) & (asked.kind == kind))
            mean = {
                of: np.nanmean(found.column(own).reshape(n, COMPOSITE_DRAWS)[rows], axis=1).tolist()
                for of, own in zip(NAMES, COMPOSITE_NAMES[name], strict=True)
            }
            result[family][kind] = {
                "time": asked.time[rows].tolist(),
                "true": {of: true[of][rows].tolist() for of in NAMES},
                "found": mean,
            }
    return result


def family_bias(found: Mapping[str, Any], family: str, parameter: str = "log_age") -> float:
    """The mean of predicted minus light-weighted over all kinds and times of a family."""
    off = [np.array(kind["found"][parameter]) - np.array(kind["true"][parameter]) for kind in found[family].values()]
    return float(np.nanmean(np.concatenate(off)))


def bars(
    on_grid: dict[str, Any], off_grid: dict[str, Any], missing: dict[str, Any], mixed: dict[str, Any]
) -> list[Bar]:
    """The table that the reproduction ends in."""
    units = {"log_age": "dex", "logzsol": "dex", "ebv": "mag"}
    found = []
    at_17 = MAGNITUDES.index(17.0)
    for name, (sigma, outliers) in AT_17.items():
        ours = on_grid[PAPER][at_17][name]
        text = f"{PAPER}, on the grid, i = 17, {name}"
        found.append(Bar(f"{text}: sigma_NMAD", sigma, ours["sigma_nmad"], paper=sigma, unit=units[name]))
        found.append(Bar(f"{text}: outliers", outliers, ours["outliers"], paper=outliers))
    for name, bar in OURS_AT_17.items():
        ours = off_grid[OURS][at_17][name]
        text = f"{OURS}, off the grid, i = 17, {name}: sigma_NMAD"
        found.append(Bar(text, bar, ours["sigma_nmad"], paper=AT_17[name][0], unit=units[name]))
    for text, _, bar in AGAINST_LIMIT:
        for name in NAMES:
            ratio, error = off_grid[text][name]
            label = f"{OURS}, {text}, {name}: rms over the exact posterior mean's, {off_grid[text]['n']} populations"
            found.append(Bar(label, bar, ratio, err=error))
    for name in NAMES:
        for key, low, high in (("covers_68", 0.66, 0.70), ("covers_95", 0.94, 0.96)):
            values = [row[name][key] for row in off_grid[OURS]]
            share = key.removeprefix("covers_")
            for word, value in (("least", min(values)), ("most", max(values))):
                text = f"{OURS}, {name}: {share} % hold, {word} of {len(values)} magnitudes"
                found.append(Bar(text, (low, high), value, "in"))
    for name in NAMES:
        ratio, error = missing["limit"][name]
        text = f"{OURS}, {LIMIT_LOST} of 57 bands missing, i = {LOST_AT:g}, {name}: rms over the exact posterior mean's"
        found.append(Bar(text, 1.05, ratio, err=error))
    found.append(beaten(off_grid))
    for family in FAMILIES:
        others = {name: family_bias(mixed[name], family) for name in (PAPER, OURS)}
        note = ", ".join(f"{name} {value:+.2f}" for name, value in others.items())
        ours = abs(family_bias(mixed[GALAXIES], family))
        found.append(Bar(f"{GALAXIES}, {family}: bias of light-weighted log age", 0.05, ours, unit="dex", note=note))
    return found


def beaten(off_grid: Mapping[str, Any]) -> Bar:
    """In how many metrics and magnitudes the grid fit is the better one."""
    better, total = 0, 0
    for ours, grid in zip(off_grid[OURS], off_grid[GRID], strict=True):
        for name in NAMES:
            for key, sign in (("sigma_nmad", 1), ("outliers", 1), ("pearson", -1), ("rms", 1)):
                total += 1
                better += sign * ours[name][key] > sign * grid[name][key]
    return Bar(f"{OURS}, off the grid: of {total} metrics by magnitude the grid fit is better in", 0, float(better))

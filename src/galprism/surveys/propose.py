"""The file of a new survey, proposed from its passbands and a table of it, with what nobody said marked as such."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from galprism import passbands
from galprism.data.tables import open_table
from galprism.errors import RequestError
from galprism.surveys.band import Band
from galprism.surveys.curves import BRIGHTEST, DEPTH, FAINTEST, ZEROPOINT_ERROR, extinction
from galprism.surveys.reading import read, understood
from galprism.surveys.survey import Survey
from galprism.units import abmag_from_njy

RANGE = 4.5
"""mag: a median may lie this much to both sides of the table's."""
FAINT_SHARE = 0.5
"""The depth is taken from the fainter part of the sources, whose errors are the sky's."""


@dataclass(frozen=True)
class Proposal:
    """A survey, and what about it is a guess."""

    survey: Survey
    guesses: tuple[str, ...]
    """One sentence each."""


def propose(name: str, curves: Mapping[str, str], table: str | None = None, **reading: Any) -> Proposal:
    """The survey of that name with bands (band to passband); depths and plausible magnitudes from a table of it.

    reading : the options of `Survey.layout` that the table needs.
    Raises RequestError for an unknown passband, and for a table that cannot be read as having these bands.
    """
    if not curves:
        raise RequestError("a survey needs at least one band")
    ordered = sorted(curves.items(), key=lambda item: passbands.get(item[1]).pivot)
    bands = [Band(b, p, DEPTH, ZEROPOINT_ERROR, extinction(p), BRIGHTEST, FAINTEST) for b, p in ordered]
    survey = Survey(name, tuple(bands))
    guesses = [
        f"zeropoint_error: {ZEROPOINT_ERROR} mag in every band; take the survey's own",
        "extinction: A_band / E(B-V) read off the other surveys' bands at the same wavelength (R_V = 3.1)",
    ]
    if table is None:
        guesses.append(f"depth, mag_bright, mag_faint: {DEPTH:g}, {BRIGHTEST:g} and {FAINTEST:g}; nothing is known")
        return Proposal(survey, tuple(guesses))
    with open_table(table) as opened:
        layout = understood(opened, survey, **reading)
    if layout.preset.startswith("given by hand") or reading.get("columns_map"):
        guesses.append("presets: the columns were given by hand; write a preset to read such tables without")
    photometry = read(table, survey, **reading).photometry
    assert photometry is not None
    if not len(photometry.flux):
        raise RequestError(f"{table}: is empty; depths and plausible magnitudes need a table with sources")
    measured = []
    for j, band in enumerate(survey.bands):
        known = (photometry.ivar[:, j] > 0) & np.isfinite(photometry.flux[:, j])
        if known.sum() < 10:
            guesses.append(
                f"band {band.name}: {known.sum()} measurements with an error; its depth and range are guesses"
            )
            measured.append(band)
            continue
        flux, err = photometry.flux[known, j].astype(float), photometry.ivar[known, j].astype(float) ** -0.5
        sky = np.median(err[flux <= np.quantile(flux, FAINT_SHARE)])
        depth = round(float(abmag_from_njy(5.0 * sky)), 2)
        median = float(abmag_from_njy(np.median(flux))) if np.median(flux) > 0 else depth
        bright, faint = min(median, depth) - RANGE, max(median, depth) + RANGE / 3
        measured.append(replace(band, depth=depth, mag_bright=round(bright, 1), mag_faint=round(faint, 1)))
    guesses.append(f"depth, mag_bright, mag_faint: from the {len(photometry.flux):,} sources of {table}")
    return Proposal(replace(survey, bands=tuple(measured)), tuple(guesses))


def as_toml(proposal: Proposal) -> str:
    """The file that `surveys.get` reads, its guesses in comments at the top."""
    lines = [f"# {guess}" for guess in proposal.guesses]
    lines += [f'name = "{proposal.survey.name}"', 'description = ""']
    for band in proposal.survey.bands:
        lines += ["", "[[bands]]", f'name = "{band.name}"', f'passband = "{band.passband}"']
        keys = ("depth", "zeropoint_error", "extinction", "mag_bright", "mag_faint")
        lines += [f"{key} = {getattr(band, key)!r}" for key in keys]
    return "\n".join(lines) + "\n"

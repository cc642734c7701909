"""Whether a sample can come from a survey: the test for wrong units.

A factor of 1000 is 7.5 mag. A band's vote is that the sample is
- too bright, when its median is brighter than any honest sample's (`mag_bright`), or when sources 5 mag above the depth
  have S/N below 18 and are limited by a constant noise, as faint sources are: then the unit scaled the noise as well;
- too faint, when its median is fainter than any honest sample's (`mag_faint`), or when sources at the noise of the
  survey are claimed to have S/N above 20.
A band whose errors are between a quarter and 30 times those of the survey's sky is neither: its unit cannot be 1000
off. More than half of the bands that have a vote decide. A sample that is honestly bright or faint is not refused:
bright sources have high S/N or an error floor, faint ones low S/N.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from galprism.data import Sources
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.surveys.band import Band
from galprism.surveys.values import Meaning
from galprism.units import AB_ZEROPOINT_NJY, abmag_from_njy

FEW = 5
"""Rows below which the shape of a distribution says nothing."""
ANYTHING = 20.0
"""mag; a band whose plausible range is wider than this says that nothing is known of it: it has no vote."""
BRIGHT_BY, BRIGHT_SN = 5.0, 18.0
FAINT_BY, FAINT_SN = 0.5, 20.0
SAME_NOISE = (0.25, 30.0)
CONSTANT_NOISE = 0.5
"""Spread of S/N over spread of flux, in dex: 1 for a constant noise, 0 for an error floor."""
MAG_RANGE, MAG_SPREAD = (12.0, 32.0), 0.16
"""Numbers in this range that spread less than this (dex, 16th to 84th percentile) in every band are magnitudes."""


def check_range(
    survey: str, bands: Sequence[Band], meanings: Sequence[tuple[Meaning, str] | None], sources: Sources
) -> None:
    """Raises RequestError, with the medians and what would be accepted, when a sample cannot be the survey's."""
    photometry = sources.photometry
    assert photometry is not None
    votes, medians, alike, told = [], [], [], []
    of_fluxes = any(pair is not None and pair[0].kind == "flux" for pair in meanings)
    units = ", ".join(dict.fromkeys(pair[1] for pair in meanings if pair))
    for number, (band, pair) in enumerate(zip(bands, meanings, strict=True)):
        if pair is None:
            continue
        meaning, _ = pair
        seen = photometry.ivar[:, number] != 0
        flux = photometry.flux[seen, number].astype(np.float64)
        if not len(flux) or np.median(flux) <= 0:
            # The median of a faint sample can be negative: no magnitude, no vote.
            continue
        magnitude = float(abmag_from_njy(np.median(flux)))
        if meaning.kind == "flux":
            alike.append(_like_magnitudes(flux / meaning.scale))
        if band.mag_faint - band.mag_bright > ANYTHING:
            continue
        medians.append(f"{band.name} {magnitude:.1f}")
        told.append(f"{band.name} {band.mag_bright:g} to {band.mag_faint:g}")
        votes.append(_vote(band, magnitude, flux, photometry.ivar[seen, number]))
    if alike and sum(alike) > len(alike) / 2:
        raise RequestError(
            f"the fluxes of {survey} look like magnitudes: most bands hold numbers between {MAG_RANGE[0]:g} and "
            f"{MAG_RANGE[1]:g} and little spread, read as {units}; accepted: flux densities, or mag_<band> columns"
        )
    assert sources.flags is not None
    impossible = np.mean((sources.flags & np.uint32(Flag.FLUX_IMPLAUSIBLE)) != 0) if len(sources) else 0.0
    if not votes and impossible <= 0.5:
        return
    count = {word: sum(vote == word for vote in votes) for word in ("bright", "faint")}
    for word, number in count.items():
        if number > len(votes) / 2:
            raise RequestError(
                f"the sources are too {word} for {survey} when read in {units}: median AB magnitudes "
                f"{', '.join(medians)}; plausible: {', '.join(told)}. "
                f"Is the unit right (1000 times is 7.5 mag), and are these {'fluxes' if of_fluxes else 'magnitudes'}?"
            )
    if impossible > 0.5:
        anything = "fluxes, negative ones within their noise" if of_fluxes else "magnitudes between -5 and 40"
        raise RequestError(
            f"{100 * impossible:.0f} % of the rows hold values that {survey} cannot have when read in {units}"
            f"{' (median AB magnitudes ' + ', '.join(medians) + ')' if medians else ''}; "
            f"plausible: {', '.join(told) or anything}. "
            f"Are these {'fluxes in that unit' if of_fluxes else 'AB magnitudes'}, and which value means missing?"
        )


def _vote(band: Band, magnitude: float, flux: np.ndarray, ivar: np.ndarray) -> str:
    known = (ivar > 0) & (flux > 0)
    sn = flux[known] * np.sqrt(ivar[known].astype(np.float64))
    typical = float(np.median(sn)) if len(sn) else np.nan
    errors = ivar[ivar > 0].astype(np.float64) ** -0.5
    sky_err = 10 ** (0.4 * (AB_ZEROPOINT_NJY - band.depth)) / 5.0
    if len(errors) and SAME_NOISE[0] < np.median(errors) / sky_err < SAME_NOISE[1]:
        return "plausible"
    if magnitude < band.mag_bright:
        return "bright"
    if magnitude > band.mag_faint:
        return "faint"
    if len(sn) >= FEW and magnitude < band.depth - BRIGHT_BY and typical < BRIGHT_SN:
        spread = np.log10(np.percentile(flux[known], (16, 84)))
        spread_sn = np.log10(np.percentile(sn, (16, 84)))
        if np.ptp(spread) > 0.1 and np.ptp(spread_sn) > CONSTANT_NOISE * np.ptp(spread):
            return "bright"
    if len(sn) >= FEW and magnitude > band.depth + FAINT_BY and typical > FAINT_SN:
        return "faint"
    return "plausible"


def _like_magnitudes(raw: np.ndarray) -> bool:
    if len(raw) < FEW:
        return False
    low, p16, p84, high = np.percentile(raw, (5, 16, 84, 95))
    return bool(low > MAG_RANGE[0] and high < MAG_RANGE[1] and np.log10(p84 / p16) < MAG_SPREAD)

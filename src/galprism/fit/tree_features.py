"""What trees are given of a source: magnitudes and colours, and size and redshift where they are asked for.

As in Feng et al. (2025): the magnitudes of all bands, and the colours of neighbouring ones. What is not known is NaN,
which trees take as it is: each split says to which side it goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from galprism.data import Photometry, Sources
from galprism.data.blocks import check_shape
from galprism.errors import RequestError
from galprism.units import AB_ZEROPOINT_NJY, FRACTIONAL_ERROR_PER_MAG, abmag_from_njy


@dataclass(frozen=True, eq=False)
class Features:
    """Numbers of N sources by name."""

    names: tuple[str, ...]
    values: np.ndarray
    """(N, F), float32, NaN where not known."""

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows) -> Features:
        """The sources of `rows`."""
        return Features(self.names, self.values[rows])


def tree_features(
    sources: Sources,
    bands: Sequence[str] | None = None,
    *,
    softening: np.ndarray | None = None,
    size: np.ndarray | None = None,
    redshift: bool = False,
) -> Features:
    """Magnitudes (B), colours of neighbouring bands (B - 1), and what else is asked for.

    bands : in order of wavelength; those of the photometry where not given
    softening : (B,), nJy, for magnitudes that are defined at any flux (Lupton, Gunn & Szalay 1999): the noise of the
        sky, as Survey.sky_err gives it; where not given magnitudes are AB, and NaN for fluxes that are not above zero
    size : (N,), half-light radii, say
    redshift : the sources' own as well

    Bands that are not observed, or are upper limits, are NaN. Raises RequestError for sources without photometry, or
    without a band, a size or a redshift that is asked for.
    """
    if sources.photometry is None:
        raise RequestError("the sources have no photometry; trees are given magnitudes")
    photometry = sources.photometry.select(bands or sources.photometry.bands)
    mag = _magnitudes(photometry, softening)
    names = [f"mag_{band}" for band in photometry.bands]
    names += [f"{blue}-{red}" for blue, red in zip(photometry.bands[:-1], photometry.bands[1:], strict=True)]
    columns = [mag, mag[:, :-1] - mag[:, 1:]]
    if size is not None:
        size = np.asarray(size, float)
        check_shape("tree_features", "size", size, (len(sources),))
        names.append("size")
        columns.append(size[:, None])
    if redshift:
        if sources.redshift is None:
            raise RequestError(
                "the sources have no redshift; leave it out of the features, or give a catalogue with one"
            )
        names.append("redshift")
        columns.append(np.asarray(sources.redshift)[:, None])
    values = np.concatenate(columns, axis=1).astype(np.float32)
    return Features(tuple(names), np.where(np.isfinite(values), values, np.float32(np.nan)))


def _magnitudes(photometry: Photometry, softening: np.ndarray | None) -> np.ndarray:
    """(N, B), float64."""
    flux = np.asarray(photometry.flux, np.float64)
    used = photometry.observed if photometry.limit is None else photometry.observed & ~photometry.limit
    if softening is None:
        return np.where(used, abmag_from_njy(flux), np.nan)
    softening = np.asarray(softening, float)
    if softening.shape != (len(photometry.bands),) or not np.all(softening > 0):
        raise RequestError(
            f"softening = {softening.tolist()}; accepted: nJy above zero, one for each of {', '.join(photometry.bands)}"
        )
    # their eq. 3 in nJy: -2.5 log10(flux) + 31.4 where the flux is many times the softening
    soft = AB_ZEROPOINT_NJY - (np.arcsinh(flux / (2.0 * softening)) + np.log(softening)) / FRACTIONAL_ERROR_PER_MAG
    return np.where(used, soft, np.nan)

"""The light of an image in rings about its middle: what a catalogue would say of it, in each band."""

from __future__ import annotations

import numpy as np

from galprism.data import Cutouts, Photometry

LOST = 0.2
"""Part of a ring: with more of it without data it is not observed, with less what is seen stands for the rest."""


def ring_photometry(cutouts: Cutouts, bands: tuple[str, ...], radii: tuple[float, ...]) -> Photometry:
    """Fluxes in nJy, (N, B K), between one radius and the next, of all rings of the first band, then the next one's.

    radii : (K,), arcsec, growing; the first ring is the disc within the first. Pixels at an edge count by how far
    they lie within it; errors are those of the pixels, taken as independent.
    """
    columns = [cutouts.bands.index(band) for band in bands]
    weight = _weights(cutouts.shape, cutouts.pixel_scale, radii)  # (H W, K)
    shape = (len(cutouts) * len(bands), len(weight))
    ivar = np.ascontiguousarray(cutouts.ivar[:, columns], np.float32).reshape(shape)
    flux = np.ascontiguousarray(cutouts.flux[:, columns], np.float32).reshape(shape)
    there = ivar > 0
    seen = there.astype(np.float32) @ weight / weight.sum(axis=0)
    share = np.where(seen > 1 - LOST, seen, np.float32(np.inf))
    variance = np.divide(1, ivar, out=np.zeros_like(ivar), where=there) @ weight**2 / share**2
    total = np.where(there, flux, np.float32(0)) @ weight / share
    known = variance > 0
    names = tuple(f"{band}_{radius:g}" for band in bands for radius in radii)
    rows = (len(cutouts), len(names))
    ivar = np.divide(1, variance, out=np.zeros_like(variance), where=known)
    return Photometry(np.where(known, total, 0).reshape(rows), ivar.reshape(rows), names)


def _weights(shape: tuple[int, int], scale: float, radii: tuple[float, ...]) -> np.ndarray:
    """(H W, K), float32, 0 to 1."""
    y, x = (np.arange(side) - (side - 1) / 2 for side in shape)
    distance = np.hypot(y[:, None], x[None]).ravel() * scale
    discs = np.stack([np.clip((radius - distance) / scale + 0.5, 0, 1) for radius in radii], axis=1)
    return np.diff(discs, axis=1, prepend=0.0).astype(np.float32)

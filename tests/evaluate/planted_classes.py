"""Sources of three Gaussians on a plane, of which the exact probabilities of their classes are known."""

from __future__ import annotations

import numpy as np

from galprism.data import CLASSES, Cutouts, Photometry, Predictions, Sources, Truth
from galprism.units import njy_from_abmag

STAR, QSO, GALAXY = range(3)
BANDS = ("g", "r", "i")


def sure(called, p=0.9):
    """Probabilities of as many sources, p for what each is called."""
    probability = np.full((len(called), 3), (1 - p) / 2)
    probability[np.arange(len(called)), called] = p
    return probability


def drawn(n, seed=0, shares=(0.3, 0.1, 0.6), spread=2.0):
    """Exact probabilities (n, 3), what the sources are (n,), and the probabilities were all classes as many."""
    rng = np.random.default_rng(seed)
    centres = spread * np.array([[0, 1], [1, 0], [-0.7, -0.7]])
    true = rng.choice(3, n, p=shares)
    x = centres[true] + rng.standard_normal((n, 2))
    like = np.exp(-0.5 * ((x[:, None] - centres) ** 2).sum(axis=2))
    weighted = like * shares
    return weighted / weighted.sum(axis=1, keepdims=True), true, like / like.sum(axis=1, keepdims=True)


def predictions(ident, probability, flags=None, **extra):
    """As a classifier leaves them."""
    n = len(ident)
    columns = {f"prob_{name}": probability[:, k] for k, name in enumerate(CLASSES)}
    flags = np.zeros(n, np.uint32) if flags is None else np.asarray(flags, np.uint32)
    return Predictions(ident, (), np.empty((n, 0)), flags, np.full(n, 3, np.int16), extra=columns | extra)


def truth_of(ident, true):
    return Truth(ident, (), np.empty((len(ident), 0)), classes=np.asarray(true, np.int8))


def sources_of(ident, mag, **more):
    """Of r magnitudes (N,), with colours that grow with them."""
    mag = np.asarray(mag, float)
    mags = np.stack([mag + 0.5 + 0.05 * (mag - 20), mag, mag - 0.2 + 0.03 * (mag - 20)], axis=1)
    flux = np.where(np.isfinite(mags), njy_from_abmag(np.where(np.isfinite(mags), mags, 20.0)), -1.0)
    return Sources(ident, photometry=Photometry(flux, np.ones_like(flux), BANDS), **more)


def cutouts_of(level, bands=("r",)):
    """A cutout a source whose middle pixel has a flux of its own, and a corner without data."""
    level = np.asarray(level, np.float32)
    flux = np.zeros((len(level), len(bands), 5, 5), np.float32)
    flux[:, :, 2, 2] = level[:, None]
    ivar = np.ones_like(flux)
    ivar[:, :, 0, 0] = 0
    return Cutouts(flux, ivar, bands, 0.2)

"""Gaussians on pixels: many at once, each added to one of many images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PIXEL_VARIANCE = 1.0 / 12.0
"""px^2, of a square pixel along each axis: a Gaussian integrated over pixels is taken as one that is wider by this."""
VALUES_AT_ONCE = 2**18
"""Values that are held at a time, 1 MiB: what a core's cache holds."""


@dataclass(frozen=True, eq=False)
class Gaussians:
    """G elliptical Gaussians. Positions are in pixels from the middle of an image, x along rows and y along columns."""

    image: np.ndarray
    """(G,), integers: which image each adds to."""
    flux: np.ndarray
    """(G,), of the whole of it."""
    x: np.ndarray
    """(G,), px."""
    y: np.ndarray
    """(G,), px."""
    cov: np.ndarray
    """(G, 3), px^2: xx, xy, yy of the covariance, the pixel's own left out."""

    def take(self, rows) -> Gaussians:
        """The Gaussians of `rows`."""
        return Gaussians(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    @classmethod
    def joined(cls, parts: Sequence[Gaussians]) -> Gaussians:
        """All of them, one after the other."""
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in cls.__dataclass_fields__))

    def brightest(self, height: int, width: int) -> np.ndarray:
        """(G,): what no pixel of an image of `height` by `width` pixels exceeds.

        For a point d away, d^T C^-1 d is at least dx^2 / C_xx and dy^2 / C_yy.
        """
        xx, xy, yy = self.cov.T + PIXEL_VARIANCE * np.array([[1.0], [0.0], [1.0]])
        out_x, out_y = np.maximum(np.abs(self.x) - width / 2, 0), np.maximum(np.abs(self.y) - height / 2, 0)
        distance = np.maximum(out_x**2 / xx, out_y**2 / yy)
        return np.abs(self.flux) / (2 * np.pi * np.sqrt(xx * yy - xy**2)) * np.exp(-0.5 * distance)

    def drawn(self, n: int, height: int, width: int) -> np.ndarray:
        """(n, height, width), float32: the flux in each pixel of n images.

        The exponents of many Gaussians are one matrix product, of their coefficients with 1, x, y, x^2, x y and y^2 of
        the pixels, and their sum over each image is another.
        """
        y, x = np.mgrid[:height, :width].reshape(2, -1) - np.array([[(height - 1) / 2], [(width - 1) / 2]])
        terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y]).astype(np.float32)
        ordered = self.take(np.argsort(self.image, kind="stable"))
        amplitude, coefficients = ordered._exponents()
        images = np.zeros((n, height * width), np.float32)
        at_once = max(1, VALUES_AT_ONCE // (height * width))
        held = np.empty((at_once, height * width), np.float32)
        for start in range(0, len(ordered.image), at_once):
            rows = slice(start, start + at_once)
            numbers, which = np.unique(ordered.image[rows], return_inverse=True)
            values = held[: len(which)]
            np.matmul(coefficients[rows], terms, out=values)
            np.exp(values, out=values)
            weights = np.zeros((len(numbers), len(which)), np.float32)
            weights[which, np.arange(len(which))] = amplitude[rows]
            images[numbers] += weights @ values
        return images.reshape(n, height, width)

    def _exponents(self) -> tuple[np.ndarray, np.ndarray]:
        """(G,) flux per pixel at the centre, and (G, 6) coefficients of the exponent in 1, x, y, x^2, x y, y^2."""
        xx, xy, yy = self.cov.T + PIXEL_VARIANCE * np.array([[1.0], [0.0], [1.0]])
        det = xx * yy - xy**2
        a, b, c = yy / det, -xy / det, xx / det  # of the inverse
        x, y = self.x, self.y
        coefficients = np.stack(
            [-0.5 * (a * x * x + 2 * b * x * y + c * y * y), a * x + b * y, b * x + c * y, -a / 2, -b, -c / 2], axis=1
        )
        return (self.flux / (2 * np.pi * np.sqrt(det))).astype(np.float32), coefficients.astype(np.float32)

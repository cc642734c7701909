"""The light of sources on the pixels of images, before any noise: sums of Gaussians, evaluated many at once.

Against GalSim (benchmarks/images.py) no pixel is off by more than 0.6 % of the image's peak where the PSF's FWHM is 2
pixels or more, and 0.3 % where it is 2.5; narrower ones than 2 are refused, since a Gaussian that is merely wider by a
pixel's variance would no longer stand for one integrated over pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galprism.errors import RequestError
from galprism.mocks.images.gaussians import Gaussians
from galprism.mocks.images.mixtures import Mixture, de_vaucouleurs, exponential, moffats
from galprism.mocks.sky.members import Members

FWHM_PIXELS = 2.0
"""The narrowest PSF that is rendered, in pixels."""
POINT = Mixture(np.ones(1), np.zeros(1))


@dataclass(frozen=True, eq=False)
class PSF:
    """The point-spread functions of N images in B bands: sheared Moffat profiles, before integration over pixels."""

    fwhm: np.ndarray
    """(N, B), arcsec, of the profile before it is sheared; the shear keeps its area."""
    g1: np.ndarray
    """(N, B), reduced shear: positive is elongated along x, negative along y; |g| = (1 - q) / (1 + q)."""
    g2: np.ndarray
    """(N, B), positive is elongated along the diagonal between x and y."""
    beta: np.ndarray | float
    """(N, B) or one for all, of the Moffat profile."""

    def __post_init__(self) -> None:
        if self.fwhm.ndim != 2 or not self.fwhm.shape == self.g1.shape == self.g2.shape:
            raise RequestError(
                f"PSF: fwhm, g1 and g2 have shapes {self.fwhm.shape}, {self.g1.shape}, {self.g2.shape}; expected (N, B)"
            )
        if not (np.all(self.fwhm > 0) and np.all(np.hypot(self.g1, self.g2) < 1)):
            raise RequestError("PSF: a FWHM is not above zero, or a shear |g| not below one")

    def __len__(self) -> int:
        return len(self.fwhm)

    def covariance(self) -> np.ndarray:
        """(N, B, 3), arcsec^2: xx, xy, yy of a Gaussian of variance 1 FWHM^2 after the shear.

        The shear is S = ((1 + g1, g2), (g2, 1 - g1)) / sqrt(1 - g^2) (Bernstein & Jarvis 2002, AJ 123, 583), of which
        this is S S^T.
        """
        g = self.g1**2 + self.g2**2
        shape = np.stack([1 + g + 2 * self.g1, 2 * self.g2, 1 + g - 2 * self.g1], axis=-1)
        return shape * (self.fwhm**2 / (1 - g))[..., None]


def render(
    members: Members,
    psf: PSF,
    x: np.ndarray,
    y: np.ndarray,
    *,
    size: int = 41,
    pixel_scale: float = 0.2,
    image: np.ndarray | None = None,
    faintest: np.ndarray | float = 0.0,
) -> np.ndarray:
    """(N, B, size, size), nJy per pixel, float32: the light of P members in the N images of `psf`.

    x, y : (P,), arcsec from the middle of the image
    pixel_scale : arcsec
    image : (P,), which of the N images each member is seen in; when None, the i-th in the i-th
    faintest : (B,) or a number, nJy per pixel; a Gaussian that no pixel has more of is left out

    Raises RequestError for a PSF narrower than FWHM_PIXELS, or members that are not as many as `x`, `y`, `image` or
    have other bands than the PSF.
    """
    image = check_scene(members, psf, x, y, size, image)
    narrowest = float(psf.fwhm.min(initial=np.inf)) / pixel_scale
    if narrowest < FWHM_PIXELS:
        raise RequestError(
            f"a PSF has a FWHM of {narrowest:.2f} pixels of {pixel_scale:g} arcsec; accepted: {FWHM_PIXELS:g} or more"
        )
    n, n_bands = psf.fwhm.shape
    scene = _gaussians(members, psf, x, y, pixel_scale, image)
    limit = np.broadcast_to(np.asarray(faintest, dtype=float), n_bands)
    scene = scene.take(scene.brightest(size, size) > limit[scene.image % n_bands])
    return scene.drawn(n * n_bands, size, size).reshape(n, n_bands, size, size)


def check_scene(members: Members, psf: PSF, x, y, size: int, image: np.ndarray | None) -> np.ndarray:
    """(P,), which image each member is seen in. Raises RequestError where what is to be rendered does not fit."""
    if size < 1:
        raise RequestError(f"images of {size} pixels; accepted: 1 or more")
    if image is None and len(psf) != len(members):
        raise RequestError(f"{len(members)} members in {len(psf)} images: say which image each is seen in")
    image = np.arange(len(members)) if image is None else np.asarray(image)
    if members.flux.shape[1] != psf.fwhm.shape[1]:
        raise RequestError(f"members have {members.flux.shape[1]} bands and their PSFs {psf.fwhm.shape[1]}")
    if any(np.shape(values) != (len(members),) for values in (x, y, image)):
        raise RequestError(
            f"x, y and image have shapes {np.shape(x)}, {np.shape(y)}, {np.shape(image)}; expected ({len(members)},)"
        )
    if len(image) and not (image.min() >= 0 and image.max() < len(psf)):
        raise RequestError(f"image names {image.min()} to {image.max()}; there are {len(psf)}")
    return image


def _gaussians(members: Members, psf: PSF, x, y, pixel_scale: float, image: np.ndarray) -> Gaussians:
    """Every component of every member, convolved with the PSF of its image, as Gaussians in pixels."""
    n_bands = psf.fwhm.shape[1]
    shapes = members.shapes
    psf_cov = psf.covariance() / pixel_scale**2
    psf_flux, psf_variance = moffats(np.broadcast_to(psf.beta, psf.fwhm.shape))
    components = (
        (members.point, POINT, np.zeros((len(members), 3))),
        (members.bulge, de_vaucouleurs(), _ellipse(shapes.re_bulge, shapes.q_bulge, shapes.angle)),
        (members.disc, exponential(), _ellipse(shapes.re_disc, shapes.q_disc, shapes.angle)),
    )
    parts = []
    for flux, mixture, ellipse in components:
        row, band = np.nonzero(flux)
        where = image[row]
        wide = mixture.variance[:, None, None] * (ellipse[row] / pixel_scale**2)[:, None, None, :]
        smeared = psf_variance[where, band][..., None] * psf_cov[where, band][:, None, :]  # (M, L, 3)
        cov = wide + smeared[:, None]  # (M, K, L, 3)
        share = mixture.flux[:, None] * psf_flux[where, band][:, None, :]  # (M, K, L)
        each = share.shape[1] * share.shape[2]
        parts.append(
            Gaussians(
                image=np.repeat(where * n_bands + band, each),
                flux=(flux[row, band][:, None, None] * share).ravel(),
                x=np.repeat(np.asarray(x)[row] / pixel_scale, each),
                y=np.repeat(np.asarray(y)[row] / pixel_scale, each),
                cov=cov.reshape(-1, 3),
            )
        )
    return Gaussians.joined(parts)


def _ellipse(re: np.ndarray, q: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """(N, 3), arcsec^2: xx, xy, yy of a Gaussian of variance re^2 along the major axis and (q re)^2 across it."""
    cos, sin = np.cos(angle), np.sin(angle)
    major, minor = re**2, (q * re) ** 2
    return np.stack(
        [major * cos**2 + minor * sin**2, (major - minor) * sin * cos, major * sin**2 + minor * cos**2], axis=-1
    )

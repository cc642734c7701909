"""The reference that `galprism.mocks.images.rendering` is held against: the same light drawn by GalSim.

GalSim (Rowe et al. 2015, A&C 10, 121) convolves the true profiles by Fourier transforms and integrates over pixels. It
comes in here alone: `pip install galprism[images]`.
"""

from __future__ import annotations

import numpy as np

from galprism.errors import RequestError
from galprism.mocks.images.rendering import PSF, check_scene
from galprism.mocks.sky.members import Members


def render_galsim(
    members: Members,
    psf: PSF,
    x: np.ndarray,
    y: np.ndarray,
    *,
    size: int = 41,
    pixel_scale: float = 0.2,
    image: np.ndarray | None = None,
) -> np.ndarray:
    """(N, B, size, size), nJy per pixel, float32: what `rendering.render` gives, drawn by GalSim at its own accuracy.

    Raises RequestError as `render` does for what does not fit, and where GalSim is not installed.
    """
    image = check_scene(members, psf, x, y, size, image)
    try:
        import galsim
    except ImportError as error:
        raise RequestError("GalSim is not installed; pip install galprism[images]") from error
    settings = galsim.GSParams(maximum_fft_size=16384)
    images = np.zeros((*psf.fwhm.shape, size, size), np.float32)
    beta = np.broadcast_to(psf.beta, psf.fwhm.shape)
    for row, where in enumerate(image):
        for band in range(psf.fwhm.shape[1]):
            seeing = galsim.Moffat(beta[where, band], fwhm=psf.fwhm[where, band], gsparams=settings)
            seeing = seeing.shear(g1=psf.g1[where, band], g2=psf.g2[where, band])
            light = _components(members, row, band, settings)
            if not light:
                continue
            seen = galsim.Convolve(galsim.Add(light), seeing, gsparams=settings)
            stamp = galsim.Image(images[where, band], scale=pixel_scale)
            offset = (x[row] / pixel_scale, y[row] / pixel_scale)
            seen.drawImage(stamp, offset=offset, add_to_image=True, method="auto")
    return images


def _components(members: Members, row: int, band: int, settings) -> list:
    """The components of one member that have light in a band.

    GalSim's shear keeps the area, so that the half-light radius before it is re sqrt(q).
    """
    import galsim

    shapes = members.shapes
    parts = [(galsim.DeVaucouleurs, members.bulge, shapes.re_bulge, shapes.q_bulge)]
    parts += [(galsim.Exponential, members.disc, shapes.re_disc, shapes.q_disc)]
    light = []
    if members.point[row, band]:
        light.append(galsim.DeltaFunction(flux=members.point[row, band], gsparams=settings))
    for profile, flux, re, q in parts:
        if flux[row, band]:
            radius = re[row] * np.sqrt(q[row])
            part = profile(half_light_radius=radius, flux=flux[row, band], gsparams=settings)
            light.append(part.shear(q=q[row], beta=shapes.angle[row] * galsim.radians))
    return light

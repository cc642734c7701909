"""Images cut out around sources, all of one size and one pixel scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from galprism.data.blocks import check_shape, readonly
from galprism.errors import RequestError

NJY, EIGHT_BIT = "nJy", "8-bit"
UNITS = {NJY: "nJy per pixel", EIGHT_BIT: "grey levels of a picture, 0 to 255, from which no flux can be had back"}


@dataclass(frozen=True, eq=False)
class Cutouts:
    """Images of N sources in B bands, H by W pixels each.

    x runs along the last axis (west on the sky), y along the one before (north). The source is in the middle of the
    image, to within a pixel. As with fluxes, negative pixels are legal, and a pixel without data is told by ivar = 0
    alone, never by a magic number.
    """

    flux: np.ndarray
    """(N, B, H, W), in `unit` a pixel, float32 or float64; finite everywhere, without meaning where ivar = 0."""
    ivar: np.ndarray
    """(N, B, H, W), unit^-2; 0 where a pixel is masked or there are no data, else finite and positive."""
    bands: tuple[str, ...]
    """B band names as the survey spells them."""
    pixel_scale: float
    """arcsec, the side of a pixel."""
    psf_fwhm: np.ndarray | None = None
    """(N, B), arcsec, full width at half maximum of the point-spread function; NaN where it is not known."""
    unit: str = NJY
    """A key of UNITS: nJy, or 8-bit where the pixels are a picture's; `ivar` is then 1 and says nothing of noise."""

    def __post_init__(self) -> None:
        flux, ivar = np.asarray(self.flux), np.asarray(self.ivar)
        if isinstance(self.bands, str):
            raise RequestError(f"Cutouts.bands = {self.bands!r}; expected a tuple of names")
        object.__setattr__(self, "bands", tuple(self.bands))
        if flux.ndim != 4 or flux.shape[1] != len(self.bands):
            raise RequestError(
                f"Cutouts.flux has shape {flux.shape}; expected (N, {len(self.bands)}, H, W) for bands {self.bands}"
            )
        check_shape("Cutouts", "ivar", ivar, flux.shape)
        if flux.dtype.kind != "f" or ivar.dtype.kind != "f":
            raise RequestError(f"Cutouts.flux is {flux.dtype} and ivar {ivar.dtype}; accepted: float32, float64")
        if (wrong := fault(flux, ivar, self.psf_fwhm, self.bands)) is not None:
            raise RequestError(f"Cutouts.{wrong[1]} (row {wrong[0]})")
        if len(set(self.bands)) != len(self.bands):
            raise RequestError(f"Cutouts.bands names a band twice: {self.bands}")
        if not 0 < self.pixel_scale < np.inf:
            raise RequestError(f"Cutouts.pixel_scale = {self.pixel_scale}; accepted: above zero, in arcsec")
        if self.unit not in UNITS:
            raise RequestError(f"Cutouts.unit = {self.unit!r}; accepted: {', '.join(UNITS)}")
        object.__setattr__(self, "flux", readonly(flux))
        object.__setattr__(self, "ivar", readonly(ivar))
        object.__setattr__(self, "pixel_scale", float(self.pixel_scale))
        if self.psf_fwhm is not None:
            fwhm = np.asarray(self.psf_fwhm, dtype=np.float32)
            check_shape("Cutouts", "psf_fwhm", fwhm, flux.shape[:2])
            object.__setattr__(self, "psf_fwhm", readonly(fwhm))

    def __len__(self) -> int:
        return len(self.flux)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W), pixels."""
        return self.flux.shape[2], self.flux.shape[3]

    @property
    def observed(self) -> np.ndarray:
        """(N, B, H, W), bool: the pixel has data."""
        return self.ivar > 0

    def calibrated(self, what: str) -> Cutouts:
        """These cutouts, for `what`, which needs fluxes. Raises RequestError where the pixels are those of pictures."""
        if self.unit != NJY:
            raise RequestError(f"{what} needs cutouts in {NJY}; these are in {self.unit}: {UNITS[self.unit]}")
        return self

    def take(self, index) -> Cutouts:
        """The rows of `index` (a slice, a mask or integers)."""
        return replace(
            self,
            flux=self.flux[index],
            ivar=self.ivar[index],
            psf_fwhm=None if self.psf_fwhm is None else self.psf_fwhm[index],
        )

    @classmethod
    def joined(cls, parts: Sequence[Cutouts]) -> Cutouts:
        """All of them, one after the other; a PSF that some have not is NaN there.

        Raises RequestError where there are none, or bands, sizes, pixel scales or units differ.
        """
        if not parts:
            raise RequestError("no cutouts to join")
        first = parts[0]
        for part in parts:
            if part._kind() != first._kind():
                raise RequestError(f"cutouts of {part.described()} cannot be joined to those of {first.described()}")
        psf_fwhm = None
        if any(part.psf_fwhm is not None for part in parts):
            unknown = [np.full(part.flux.shape[:2], np.nan, np.float32) for part in parts]
            known = [u if part.psf_fwhm is None else part.psf_fwhm for u, part in zip(unknown, parts, strict=True)]
            psf_fwhm = np.concatenate(known)
        return replace(
            first,
            flux=np.concatenate([part.flux for part in parts]),
            ivar=np.concatenate([part.ivar for part in parts]),
            psf_fwhm=psf_fwhm,
        )

    def _kind(self) -> tuple[object, ...]:
        return self.bands, self.shape, self.pixel_scale, self.unit

    def described(self) -> str:
        """Bands, size, pixel scale and unit in words."""
        size = f"{self.shape[0]} x {self.shape[1]} pixels of {self.pixel_scale:g} arcsec"
        return f"{', '.join(self.bands)}, {size}, in {self.unit}"


def fault(
    flux: np.ndarray, ivar: np.ndarray, psf_fwhm: np.ndarray | None, bands: Sequence[str]
) -> tuple[int, str] | None:
    """The first row of arrays that are as those of Cutouts, with a value that cannot be, and where and what it is."""
    psf = np.ones(flux.shape[:2]) if psf_fwhm is None else np.asarray(psf_fwhm)
    if psf.shape != flux.shape[:2]:
        return None  # of another shape, which is another fault
    for name, values, wrong, accepted in (
        ("flux", flux, ~np.isfinite(flux), "finite; a pixel without data has ivar = 0, and flux = 0"),
        ("ivar", ivar, ~(np.isfinite(ivar) & (ivar >= 0)), "0 where there are no data, else positive"),
        ("psf_fwhm", psf, (psf <= 0) | np.isinf(psf), "positive, arcsec; NaN where it is not known"),
    ):
        if wrong.any():
            row, band, *pixel = (int(one) for one in np.argwhere(wrong)[0])
            at = f" at y, x = {pixel[0]}, {pixel[1]}" if pixel else ""
            return row, f"{name} = {values[(row, band, *pixel)]:g} in band {bands[band]}{at}; accepted: {accepted}"
    return None

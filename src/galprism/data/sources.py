"""What a survey has of its sources: one record that walks through the house.

Every type is frozen, checked on entry, and has the sources on its first axis.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from galprism.data.blocks import check_shape, readonly
from galprism.data.cutouts import Cutouts
from galprism.data.spectra import Spectra
from galprism.errors import RequestError
from galprism.flags import Flag

__all__ = ["Photometry", "Sources"]


@dataclass(frozen=True, eq=False)
class Photometry:
    """Flux densities of N sources in B bands.

    The states of a band are kept apart, never as magic numbers:
    measured (ivar > 0, whatever the flux, negative included), measured with an unknown error (ivar = NaN),
    not observed (ivar = 0; its flux is 0), and an upper limit (`limit` true: flux is the limit, ivar its error).
    """

    flux: np.ndarray
    """(N, B), nJy, float32 or float64; finite everywhere, 0 where not observed."""
    ivar: np.ndarray
    """(N, B), nJy^-2; 0 not observed, NaN error unknown, else finite and positive."""
    bands: tuple[str, ...]
    """B band names as the survey spells them."""
    limit: np.ndarray | None = None
    """(N, B), bool: the flux is an upper limit; None when no band is."""

    def __post_init__(self) -> None:
        flux, ivar = np.asarray(self.flux), np.asarray(self.ivar)
        if flux.ndim != 2 or flux.shape[1] != len(self.bands):
            raise RequestError(
                f"Photometry.flux has shape {flux.shape}; expected (N, {len(self.bands)}) for bands {self.bands}"
            )
        check_shape("Photometry", "ivar", ivar, flux.shape)
        if not np.isfinite(flux).all():
            raise RequestError("Photometry.flux is not finite somewhere; a band not observed has ivar = 0 and flux = 0")
        if np.any(ivar < 0) or np.isinf(ivar).any():
            raise RequestError(
                "Photometry.ivar is negative or infinite somewhere; accepted: 0, NaN (unknown), positive"
            )
        if len(set(self.bands)) != len(self.bands):
            raise RequestError(f"Photometry.bands names a band twice: {self.bands}")
        object.__setattr__(self, "bands", tuple(self.bands))
        object.__setattr__(self, "flux", readonly(flux))
        object.__setattr__(self, "ivar", readonly(ivar))
        if self.limit is not None:
            limit = np.asarray(self.limit, dtype=bool)
            check_shape("Photometry", "limit", limit, flux.shape)
            object.__setattr__(self, "limit", readonly(limit))

    def __len__(self) -> int:
        return len(self.flux)

    @property
    def observed(self) -> np.ndarray:
        """(N, B), bool: the band was observed, with a known error or without."""
        return self.ivar != 0

    @property
    def error_known(self) -> np.ndarray:
        """(N, B), bool: the band was observed and its error is known."""
        return self.ivar > 0

    @property
    def flux_err(self) -> np.ndarray:
        """(N, B), nJy; NaN where not observed or unknown."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.error_known, 1.0 / np.sqrt(self.ivar), np.nan).astype(self.ivar.dtype)

    def take(self, index) -> Photometry:
        """The rows of `index` (a slice, a mask or integers)."""
        return replace(
            self,
            flux=self.flux[index],
            ivar=self.ivar[index],
            limit=None if self.limit is None else self.limit[index],
        )

    def select(self, bands) -> Photometry:
        """The columns of `bands`, in that order. Raises RequestError for a band that is not here."""
        missing = [band for band in bands if band not in self.bands]
        if missing:
            raise RequestError(f"photometry has no band {', '.join(missing)}; it has {', '.join(self.bands)}")
        columns = [self.bands.index(band) for band in bands]
        return replace(
            self,
            flux=self.flux[:, columns],
            ivar=self.ivar[:, columns],
            bands=tuple(bands),
            limit=None if self.limit is None else self.limit[:, columns],
        )


@dataclass(frozen=True, eq=False)
class Sources:
    """N sources: who they are, where they are, and blocks of data, each optional."""

    id: np.ndarray
    """(N,), integers or strings, as the catalogue gives them."""
    ra: np.ndarray | None = None
    """(N,), deg ICRS."""
    dec: np.ndarray | None = None
    """(N,), deg ICRS."""
    redshift: np.ndarray | None = None
    """(N,), NaN where a source has none; None when the catalogue has none."""
    photometry: Photometry | None = None
    flags: np.ndarray | None = None
    """(N,), uint32, what was noticed on reading (see galprism.flags); zeros when not given."""
    redshift_err: np.ndarray | None = None
    """(N,), standard deviations; 0 or NaN where a redshift is as good as exact; None when the catalogue has none."""
    cutouts: Cutouts | None = None
    """Put to sources by id (galprism.data.cutout_file.with_cutouts); ivar = 0 throughout where one has no image."""
    spectra: Spectra | None = None
    """On one grid of wavelengths; ivar = 0 throughout where one has no spectrum."""

    def __post_init__(self) -> None:
        ident = np.asarray(self.id)
        if ident.ndim != 1:
            raise RequestError(f"Sources.id has shape {ident.shape}; expected (N,)")
        object.__setattr__(self, "id", readonly(ident))
        for name in ("ra", "dec", "redshift", "redshift_err"):
            value = getattr(self, name)
            if value is not None:
                value = np.asarray(value, dtype=np.float64)
                check_shape("Sources", name, value, ident.shape)
                object.__setattr__(self, name, readonly(value))
        flags = np.zeros(ident.shape, np.uint32) if self.flags is None else np.asarray(self.flags, dtype=np.uint32)
        check_shape("Sources", "flags", flags, ident.shape)
        object.__setattr__(self, "flags", readonly(flags))
        for name in ("photometry", "cutouts", "spectra"):
            block = getattr(self, name)
            if block is not None and len(block) != len(ident):
                raise RequestError(f"Sources has {len(ident)} ids and {len(block)} rows of {name}")

    def __len__(self) -> int:
        return len(self.id)

    def take(self, index) -> Sources:
        """The rows of `index` (a slice, a mask or integers), every block with them."""
        parts: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Photometry | Cutouts | Spectra):
                parts[field.name] = value.take(index)
            elif value is not None:
                parts[field.name] = value[index]
        return replace(self, **parts)

    def flagged(self, flag: Flag, where) -> Sources:
        """The same sources with `flag` set where `where` (N,) is true."""
        assert self.flags is not None
        return replace(self, flags=np.where(where, self.flags | np.uint32(flag), self.flags))

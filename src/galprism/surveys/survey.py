"""A survey: its bands, how deep they go, and the kinds of tables that its catalogues come in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from galprism.data.tables import ColumnInfo
from galprism.errors import RequestError
from galprism.surveys.band import Band
from galprism.surveys.layout import Layout
from galprism.surveys.preset import Preset
from galprism.surveys.recognise import recognise
from galprism.units import AB_ZEROPOINT_NJY, FRACTIONAL_ERROR_PER_MAG


@dataclass(frozen=True)
class Survey:
    """What one file in `surveys/` (or a TOML file of the user's) says."""

    name: str
    bands: tuple[Band, ...]
    presets: tuple[Preset, ...] = ()
    """Of this survey alone; the plain presets (flux, flux-ivar, mag) come with every survey."""
    description: str = ""

    def __post_init__(self) -> None:
        if not self.bands:
            raise RequestError(f"survey {self.name} has no bands")
        for kind, names in (("band", self.band_names), ("preset", tuple(preset.name for preset in self.presets))):
            if len(set(names)) != len(names):
                raise RequestError(f"survey {self.name} names a {kind} twice: {', '.join(names)}")
        if any(name == "*" or name.startswith(("err_", "ivar_")) for name in self.band_names):
            raise RequestError(f"survey {self.name}: a band cannot be called *, err_… or ivar_…")

    @property
    def band_names(self) -> tuple[str, ...]:
        """As the survey spells them, in order."""
        return tuple(band.name for band in self.bands)

    def without(self, bands: Iterable[str]) -> Survey:
        """The survey with these bands left out altogether. Raises RequestError for a band that it does not have."""
        dropped = {bands} if isinstance(bands, str) else set(bands)
        unknown = dropped - set(self.band_names)
        if unknown:
            raise RequestError(
                f"{self.name} has no band {', '.join(sorted(unknown))}; it has {', '.join(self.band_names)}"
            )
        return replace(self, bands=tuple(band for band in self.bands if band.name not in dropped))

    def sky_err(self) -> np.ndarray:
        """(B,), nJy: the noise of the sky, a fifth of the flux at the 5-sigma depth."""
        depth = np.array([band.depth for band in self.bands])
        return 10 ** (0.4 * (AB_ZEROPOINT_NJY - depth)) / 5.0

    def flux_err(self, flux) -> np.ndarray:
        """(N, B), nJy: sky noise and zero-point error in quadrature, for fluxes (N, B) in nJy."""
        flux = np.asarray(flux)
        if flux.ndim == 0 or flux.shape[-1] != len(self.bands):
            raise RequestError(f"flux has shape {flux.shape}; expected (N, {len(self.bands)}) for {self.name}")
        zeropoint = FRACTIONAL_ERROR_PER_MAG * np.array([band.zeropoint_error for band in self.bands])
        return np.hypot(self.sky_err(), zeropoint * flux)

    def layout(
        self,
        columns: Mapping[str, ColumnInfo],
        *,
        preset: str | None = None,
        columns_map: Mapping[str, str] | None = None,
        unit: str | None = None,
        without: Iterable[str] = (),
    ) -> Layout:
        """How a table with these columns is read.

        preset : one of the survey's presets or the plain ones; when None, the one that fits (exactly one must)
        columns_map : target to column, for what the presets do not find. Targets: id, ra, dec, redshift, redshift_err,
            ebv, flux_<band>, flux_err_<band>, flux_ivar_<band>, mag_<band>, mag_err_<band>; NAME[k] is an element of a
            vector column. `flux_err_*=none` (or mag_err_*, or one band) reads without errors; `redshift=none`,
            `ebv=none` leave those out.
        unit : of the fluxes, where the columns have none
        without : bands that the table lacks; they stay as columns that were not observed

        Raises RequestError when no preset fits or several do, a column is missing, is not numeric or is given twice, or
        a flux has no unit.
        """
        return recognise(
            self.name,
            self.bands,
            self.presets,
            columns,
            preset=preset,
            columns_map=columns_map,
            unit=unit,
            without=without,
        )

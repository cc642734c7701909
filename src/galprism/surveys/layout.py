"""A layout: which columns of one table mean what. It turns batches of raw columns into Sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from galprism.data import Photometry, Sources
from galprism.flags import Flag
from galprism.surveys.band import Band
from galprism.surveys.plausible import check_range
from galprism.surveys.values import Meaning, understand

REDSHIFT_SENTINELS = (99.0, 99.9, 999.0, 9999.0)
REDSHIFT_FLOOR = -1.0
"""A redshift at or below this is a sentinel (-1, -9, -99, -9999)."""


@dataclass(frozen=True)
class Cell:
    """A column of a table, or one element of a vector column."""

    column: str
    element: int | None = None

    def __str__(self) -> str:
        return self.column if self.element is None else f"{self.column}[{self.element}]"

    def of(self, batch: Mapping[str, np.ndarray]) -> np.ndarray:
        """(n,), as floats."""
        values = np.asarray(batch[self.column])
        if self.element is not None:
            values = np.ascontiguousarray(values[:, self.element])
        return values if values.dtype.kind == "f" else values.astype(np.float64)


@dataclass(frozen=True)
class BandColumns:
    """Where a band stands in a table, and what its values mean."""

    value: Cell
    error: Cell | None
    """None when the user said that there is none."""
    unit: str
    """For people: mJy, AB mag."""
    meaning: Meaning
    extinction: Cell | None = None
    """A_band in mag."""
    limit: Cell | None = None
    """True, or above 0, where the value is an upper limit."""
    relative: bool = False
    """The error is over the flux."""
    bad: tuple[tuple[Cell, int], ...] = ()
    """Flags, and the bits for which the value is not to be used."""

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All that are read of this band."""
        flags = [cell for cell, _ in self.bad]
        return tuple(cell for cell in (self.value, self.error, self.extinction, self.limit, *flags) if cell)


@dataclass(frozen=True)
class Layout:
    """How one table is read; made by `Survey.layout`."""

    survey: str
    bands: tuple[Band, ...]
    preset: str
    columns: tuple[BandColumns | None, ...]
    """One for each band; None where the table goes without it."""
    id: str | None
    ra: str | None
    dec: str | None
    redshift: str | None
    redshift_err: str | None
    ebv: str | None
    """E(B-V) in mag, when fluxes are to be corrected with it."""
    extinction_note: str
    notes: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    """Columns of the table that are not read."""
    needs: tuple[str, ...] = field(init=False)
    """Names of the columns that `sources` wants."""

    def __post_init__(self) -> None:
        cells = [cell for band in self.columns if band for cell in band.cells]
        names = [
            self.id,
            self.ra,
            self.dec,
            self.redshift,
            self.redshift_err,
            self.ebv,
            *(cell.column for cell in cells),
        ]
        object.__setattr__(self, "needs", tuple(dict.fromkeys(name for name in names if name)))

    @property
    def band_names(self) -> tuple[str, ...]:
        """All bands of the survey, those that the table goes without included."""
        return tuple(band.name for band in self.bands)

    @property
    def without(self) -> tuple[str, ...]:
        """The bands that the table goes without."""
        return tuple(band.name for band, columns in zip(self.bands, self.columns, strict=True) if columns is None)

    def describe(self) -> list[str]:
        """How the table is understood, in lines for people."""
        lines = [f"survey {self.survey}, preset {self.preset}"]
        for band, columns in zip(self.bands, self.columns, strict=True):
            if columns is None:
                lines.append(f"{band.name}: not in this table (asked for); read as not observed")
                continue
            spread = {"err": "+-", "ivar": "inverse variance"}[columns.meaning.error_kind]
            error = f"{spread} {columns.error}" if columns.error else "without errors (asked for)"
            limit = f", upper limits by {columns.limit}" if columns.limit else ""
            over = " of the flux" * columns.relative
            bad = "".join(f", left out where {cell} marks it as bad" for cell, _ in columns.bad)
            lines.append(f"{band.name}: {columns.value} {error}{over} [{columns.unit}]{limit}{bad}")
        lines.append(f"id: {self.id or 'the row number, from 0'}")
        if self.ra and self.dec:
            lines.append(f"position: {self.ra}, {self.dec}")
        error = f" +- {self.redshift_err} (when redshifts are inferred)" if self.redshift and self.redshift_err else ""
        lines.append(f"redshift: {self.redshift or 'none in this table'}{error}")
        lines.append(f"Galactic extinction: {self.extinction_note}")
        lines.extend(self.notes)
        if self.unused:
            more = f" and {len(self.unused) - 12} more" if len(self.unused) > 12 else ""
            lines.append(f"not used: {', '.join(self.unused[:12])}{more}")
        return lines

    def sources(self, batch: Mapping[str, np.ndarray], first_row: int = 0) -> Sources:
        """The sources of one batch of raw columns, row for row; what is wrong with a row is in its flags.

        batch : column name to (n,) or (n, k), every name of `needs`; first_row : number of the batch's first row,
        which is the id where the table has none.
        """
        n = len(next(iter(batch.values()))) if batch else 0
        flags = np.zeros(n, np.uint32)
        flux_ivar = np.empty((2, len(self.bands), n), np.float32)
        limit = None
        for number, columns in enumerate(self.columns):
            out = flux_ivar[:, number]
            if columns is None:
                out[:] = 0.0
                continue
            value, error = columns.value.of(batch), columns.error.of(batch) if columns.error else None
            if columns.relative and error is not None:
                error = error * np.abs(value)
            limited = understand(columns.meaning, value, error, flags, out)
            for cell, bits in columns.bad:
                spoilt = (cell.of(batch).astype(np.int64) & bits) != 0
                out[:, spoilt] = 0.0
                flags[spoilt] |= np.uint32(Flag.BAND_MISSING)
            if columns.limit:
                said = (columns.limit.of(batch) > 0) & (out[1] != 0)
                flags[said] |= np.uint32(Flag.UPPER_LIMIT)
                limited = said if limited is None else limited | said
            if limited is not None:
                limit = np.zeros((len(self.bands), n), bool) if limit is None else limit
                limit[number] = limited
            self._correct(self.bands[number], columns, batch, flags, out)
        # Bands are contiguous here and rows are views of them: a copy would cost as much as the whole reading.
        photometry = Photometry(flux_ivar[0].T, flux_ivar[1].T, self.band_names, None if limit is None else limit.T)
        gaps = np.flatnonzero(flags & np.uint32(Flag.BAND_MISSING))
        nothing = gaps[~(flux_ivar[1][:, gaps] != 0).any(axis=0)]
        flags[nothing] |= np.uint32(Flag.NO_PHOTOMETRY)
        return Sources(
            id=np.asarray(batch[self.id]) if self.id else np.arange(first_row, first_row + n),
            ra=None if self.ra is None else np.asarray(batch[self.ra], np.float64),
            dec=None if self.dec is None else np.asarray(batch[self.dec], np.float64),
            redshift=self._redshift(batch, flags),
            redshift_err=self._redshift_err(batch),
            photometry=photometry,
            flags=flags,
        )

    def check_range(self, sources: Sources) -> None:
        """Compares a sample (the first batch) with what the survey can see.

        Raises RequestError when most bands are too bright or too faint, or the values cannot be what the columns are
        taken for (see `galprism.surveys.plausible`).
        """
        assert sources.photometry is not None
        check_range(
            self.survey,
            self.bands,
            [None if columns is None else (columns.meaning, columns.unit) for columns in self.columns],
            sources,
        )

    def _correct(self, band: Band, columns: BandColumns, batch, flags: np.ndarray, out: np.ndarray) -> None:
        """Takes Galactic extinction off: f 10^(0.4 A). A row whose extinction is unknown loses the band."""
        if columns.extinction is not None:
            magnitudes = columns.extinction.of(batch)
        elif self.ebv is not None:
            magnitudes = Cell(self.ebv).of(batch) * band.extinction
        else:
            return
        unknown = ~((magnitudes >= 0) & (magnitudes < 90)) & (out[1] != 0)
        with np.errstate(invalid="ignore", over="ignore"):
            factor = 10.0 ** (0.4 * np.where(unknown, 0.0, np.nan_to_num(magnitudes, nan=0.0, posinf=0.0, neginf=0.0)))
        out[0] *= factor
        out[1] /= factor**2
        out[:, unknown] = 0.0
        flags[unknown] |= np.uint32(Flag.NONFINITE | Flag.BAND_MISSING)

    def _redshift_err(self, batch) -> np.ndarray | None:
        if self.redshift is None or self.redshift_err is None:
            return None
        error = np.array(batch[self.redshift_err], np.float64)
        return np.where(error > 0, error, 0.0)

    def _redshift(self, batch, flags: np.ndarray) -> np.ndarray | None:
        if self.redshift is None:
            return None
        redshift = np.array(batch[self.redshift], np.float64)
        missing = ~np.isfinite(redshift) | (redshift <= REDSHIFT_FLOOR)
        for sentinel in REDSHIFT_SENTINELS:
            missing |= np.isclose(redshift, sentinel, rtol=1e-6, atol=0.0)
        redshift[missing] = np.nan
        flags[missing] |= np.uint32(Flag.REDSHIFT_MISSING)
        return redshift

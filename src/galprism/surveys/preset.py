"""A preset: the names, the units and the missing values of one kind of table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from galprism.errors import RequestError


@dataclass(frozen=True)
class Preset:
    """How the bands of a survey are written in one kind of table. `{band}` in a pattern stands for the band."""

    name: str
    value: str
    """Pattern of the column of a band's flux or magnitude; `NAME[{band}]` is an element of a vector column."""
    error: str
    """Pattern of the column of its error."""
    kind: Literal["flux", "mag"]
    """Flux densities, or AB magnitudes."""
    description: str = ""
    unit: str | None = None
    """Unit of the fluxes where the format fixes it; None when the columns or the user say it."""
    error_kind: Literal["err", "ivar", "relative"] = "err"
    """Standard deviations, inverse variances (0 = not observed), or standard deviations over the flux."""
    columns: dict[str, str] = field(default_factory=dict)
    """What `{band}` stands for, where it is not the band's name."""
    id: tuple[str, ...] = ()
    """Names of the column of ids, the first that is there is taken; the plain name is always tried after them."""
    ra: tuple[str, ...] = ()
    dec: tuple[str, ...] = ()
    redshift: tuple[str, ...] = ()
    not_observed: tuple[float, ...] = ()
    """Values that mean: this band was not observed. NaN always does."""
    not_detected: tuple[float, ...] = ()
    """Magnitudes that mean: observed, but the flux was not positive. Read as 0 with the survey's sky noise."""
    negative_error: Literal["fault", "limit"] = "fault"
    """Whether a negative error is a fault, or marks the flux as an upper limit."""
    missing_error_below: float | None = None
    """Errors below this mean: not observed."""
    corrected: bool | None = None
    """Whether the values are corrected for Galactic extinction; None when the format does not say."""
    extinction: str | None = None
    """Pattern of the column of a band's Galactic extinction in mag."""
    limit: str | None = None
    """Pattern of a column, which a table may lack, that says where the value is an upper limit (true, or above 0)."""
    bad: dict[str, int] = field(default_factory=dict)
    """Patterns of columns of flags, which a table may lack, and the bits for which the value is not to be used."""
    length: int | None = None
    """Of its vector columns; a table with longer or shorter ones is another."""
    softening: dict[str, float] = field(default_factory=dict)
    """b of asinh magnitudes by band (Lupton, Gunn & Szalay 1999); empty for ordinary ones."""

    def __post_init__(self) -> None:
        for name in ("value", "error", "extinction", "limit"):
            pattern = getattr(self, name)
            if pattern is not None and "{band}" not in pattern:
                raise RequestError(f"preset {self.name}: {name} = {pattern!r} has no {{band}} in it")
        if self.kind == "mag" and (self.error_kind != "err" or self.unit):
            raise RequestError(f"preset {self.name}: magnitudes have neither a flux unit nor errors of another kind")

    def column(self, pattern: str, band: str) -> str:
        """The name of a band's column."""
        return pattern.replace("{band}", self.columns.get(band, band))


PLAIN = (
    Preset(
        "flux",
        "flux_{band}",
        "flux_err_{band}",
        "flux",
        "plain columns, any unit of flux density",
        limit="limit_{band}",
    ),
    Preset(
        "flux-ivar",
        "flux_{band}",
        "flux_ivar_{band}",
        "flux",
        "plain columns with inverse variances",
        error_kind="ivar",
        limit="limit_{band}",
    ),
    Preset("mag", "mag_{band}", "mag_err_{band}", "mag", "plain columns, AB magnitudes"),
)
"""Every survey has these."""

PLAIN_ID = ("id", "ID", "Id", "objid", "objID", "OBJID", "object_id", "source_id", "SOURCE_ID")
PLAIN_RA = ("ra", "RA", "RAJ2000", "raj2000", "ra_deg", "ALPHA_J2000", "alpha")
PLAIN_DEC = ("dec", "DEC", "Dec", "DECJ2000", "DEJ2000", "decj2000", "dec_deg", "DELTA_J2000", "delta")
PLAIN_REDSHIFT = ("redshift", "REDSHIFT", "z_spec", "zspec", "Z_SPEC", "ZSPEC", "specz")
PLAIN_REDSHIFT_ERR = ("redshift_err", "REDSHIFT_ERR")
PLAIN_EBV = ("ebv", "EBV", "E_BV", "E(B-V)", "ebmv")


def cigale(filters: Mapping[str, str]) -> Preset:
    """CIGALE's input table for bands whose filters CIGALE calls by these names (Boquien et al. 2019, Sect. 4.1)."""
    return Preset(
        "cigale",
        "{band}",
        "{band}_err",
        "flux",
        "CIGALE's input table: NaN or an error below -9990 is not observed, another negative error an upper limit",
        unit="mJy",
        columns=dict(filters),
        not_observed=(-9999.0,),
        negative_error="limit",
        missing_error_below=-9990.0,
    )

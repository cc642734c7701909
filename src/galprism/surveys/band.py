"""A band of a survey: its passband, how deep it goes, and which magnitudes are plausible in it."""

from __future__ import annotations

from dataclasses import dataclass

from galprism.errors import RequestError


@dataclass(frozen=True)
class Band:
    """One band as a survey observes it."""

    name: str
    """As the survey spells it: `flux_<name>` is its plain column."""
    passband: str
    """A name (or a file) that `galprism.passbands.get` knows."""
    depth: float
    """AB magnitude of a source at 5 sigma of the sky noise."""
    zeropoint_error: float
    """mag, the calibration's error from place to place."""
    extinction: float
    """A_band / E(B-V), E(B-V) on the scale of Schlegel, Finkbeiner & Davis (1998)."""
    mag_bright: float
    """AB; the median of any honest sample of this survey is fainter …"""
    mag_faint: float
    """… and brighter than this."""

    def __post_init__(self) -> None:
        if not self.mag_bright < self.depth <= self.mag_faint:
            raise RequestError(
                f"band {self.name}: mag_bright {self.mag_bright}, depth {self.depth}, mag_faint {self.mag_faint}; "
                "expected mag_bright < depth <= mag_faint"
            )
        if self.zeropoint_error < 0 or self.extinction < 0:
            raise RequestError(
                f"band {self.name}: zeropoint_error {self.zeropoint_error} and extinction {self.extinction} "
                "must not be negative"
            )

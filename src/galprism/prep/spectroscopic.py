"""What redshifts of spectra are found with: spectra at rest of each class, and what is thought before one is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from galprism.data import CLASSES
from galprism.errors import RequestError
from galprism.prep.redshift_basis import RedshiftBasis


@dataclass(frozen=True, eq=False)
class Spectroscopic:
    """What a model finds redshifts of spectra with."""

    basis: RedshiftBasis
    shares: dict[str, float]
    """Of each class, that are thought of before a spectrum is seen."""
    margin: float
    """nat: redshifts are unsure of which all others together are this little less probable."""

    def __post_init__(self) -> None:
        named = {one.name for one in self.basis.classes}
        if set(self.shares) != named or not named <= set(CLASSES) or not all(v > 0 for v in self.shares.values()):
            raise RequestError(f"shares = {self.shares}; accepted: a number above 0 for each of {', '.join(named)}")

    def to_plain(self) -> dict[str, Any]:
        """Nested dicts and lists that JSON holds, without the basis."""
        return {"shares": self.shares, "margin": self.margin}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], basis: RedshiftBasis) -> Spectroscopic:
        """The inverse of `to_plain`. Raises KeyError, TypeError or ValueError where something is missing or odd."""
        return cls(basis, {name: float(share) for name, share in plain["shares"].items()}, float(plain["margin"]))

"""Sources -> binned spectra in which redshifts are found: the preparation of models of spectroscopic redshifts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from galprism.data import CLASSES, Sources
from galprism.errors import RequestError
from galprism.prep.binned_spectra import Binned, binned
from galprism.prep.redshift_basis import RedshiftBasis


@dataclass(frozen=True, eq=False)
class Spectroscopic:
    """What a model of spectroscopic redshifts looks at, and with what."""

    basis: RedshiftBasis
    shares: dict[str, float]
    """Of each class, that are thought of before a spectrum is seen."""
    margin: float
    """nat: redshifts are unsure of which all others together are this little less probable."""

    of = "spectroscopic redshifts"
    bands: tuple[str, ...] = ()
    any_bands = False
    blocks: tuple[str, ...] = ("spectra",)
    calibration: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        named = {one.name for one in self.basis.classes}
        if set(self.shares) != named or not named <= set(CLASSES) or not all(v > 0 for v in self.shares.values()):
            raise RequestError(f"shares = {self.shares}; accepted: a number above 0 for each of {', '.join(named)}")

    def binned(self, sources: Sources) -> Binned:
        """The spectra of sources. Raises RequestError where they have none at all."""
        if sources.spectra is None:
            raise RequestError("the sources have no spectra, which the model looks at")
        return binned(sources.spectra)

    def to_plain(self) -> dict[str, Any]:
        """Nested dicts and lists that JSON holds, without the basis."""
        return {"of": self.of, "shares": self.shares, "margin": self.margin}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], basis: RedshiftBasis) -> Spectroscopic:
        """The inverse of `to_plain`. Raises KeyError, TypeError or ValueError where something is missing or odd."""
        return cls(basis, {name: float(share) for name, share in plain["shares"].items()}, float(plain["margin"]))

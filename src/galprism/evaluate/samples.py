"""On which rows a parameter is judged: a metric always says on what sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from galprism.errors import RequestError
from galprism.evaluate.calibration import Calibration, calibrate, pit_from_quantiles
from galprism.evaluate.matching import Matched
from galprism.evaluate.metrics import PointMetrics, outlier_threshold, point_metrics
from galprism.flags import Flag, names

DOUBT = (
    Flag.FLUX_IMPLAUSIBLE
    | Flag.REDSHIFT_OUT_OF_RANGE
    | Flag.INPUT_OUT_OF_RANGE
    | Flag.UNLIKE_TRAINING
    | Flag.POOR_FIT
    | Flag.LOW_SAMPLE_SIZE
)
"""Flags that cast doubt on a row's answer; a missing band, say, does not."""


@dataclass(frozen=True)
class Selection:
    """A cut that is the same for every method, with the name that it has in every table."""

    name: str
    """As tables show it, such as `log sSFR > -12`."""
    quantity: str = ""
    """What `Matched.quantity` knows; empty for a cut on flags alone."""
    low: float = -np.inf
    high: float = np.inf
    """Rows with low < quantity < high are kept; those where it is NaN are not."""
    forbidden: int = 0
    """Flag bits; a row is left out when any method (or the reading) set one of them."""
    parameters: tuple[str, ...] = ()
    """The parameters that it applies to; empty for all."""

    def applies_to(self, parameter: str) -> bool:
        return not self.parameters or parameter in self.parameters

    def mask(self, matched: Matched, methods: Sequence[str], reference: str | None = None) -> np.ndarray:
        """(M,) bool, the rows kept. Raises RequestError when no table has the quantity."""
        keep = np.ones(len(matched), bool)
        if self.quantity:
            value = matched.quantity(self.quantity, reference)
            if value is None:
                raise RequestError(f"selection {self.name!r} needs {self.quantity}, which no table here gives")
            keep &= (value > self.low) & (value < self.high)
        if self.forbidden:
            flags = [matched.predictions[method].flags for method in methods]
            if matched.sources is not None and matched.sources.flags is not None:
                flags.append(matched.sources.flags)
            for column in flags:
                keep &= (np.asarray(column).astype(np.uint32) & np.uint32(self.forbidden)) == 0
        return keep

    def describe(self) -> dict[str, object]:
        """For JSON."""
        return {
            "name": self.name,
            "quantity": self.quantity or None,
            "low": self.low,
            "high": self.high,
            "forbidden_flags": list(names(self.forbidden)),
            "parameters": list(self.parameters),
        }


STAR_FORMING = Selection(
    "log sSFR > -12", "logssfr", low=-12.0, parameters=("logsfr", "logsfr_10myr", "logsfr_100myr", "logssfr")
)
"""Below it no photometry tells one rate from another (Katsianis et al. 2021); the MLP-GaP paper's cut on every SFR."""

UNFLAGGED = Selection("unflagged", forbidden=int(DOUBT))
"""No method or reading cast doubt on the row."""


@dataclass(frozen=True, eq=False)
class Sample:
    """The rows on which some methods are judged for one parameter, all on the same ones."""

    matched: Matched
    parameter: str
    methods: tuple[str, ...]
    """Those judged; all have the parameter."""
    reference: str | None = None
    """The method they are held against; None for the truth."""
    selections: tuple[Selection, ...] = ()
    beside: str | None = None
    """The information limit, when only the sources that it covers are taken and others have more."""

    @property
    def label(self) -> str:
        """The cuts in words."""
        cuts = ", ".join(selection.name for selection in self.selections) or "all"
        return f"{cuts}; sources with {self.beside}" if self.beside else cuts

    @cached_property
    def judged(self) -> np.ndarray:
        """(M,) bool: selected, and the reference knows the parameter."""
        rows = np.isfinite(self._reference_column())
        involved = self.methods if self.reference is None else (*self.methods, self.reference)
        for selection in self.selections:
            rows = rows & selection.mask(self.matched, involved, self.reference)
        return rows

    @cached_property
    def common(self) -> np.ndarray:
        """(M,) bool: judged, and inferred by every method; one that inferred nothing at all does not count here."""
        rows = self.judged.copy()
        for method in self.methods:
            inferred = np.isfinite(self._column(method))
            if np.any(inferred & self.judged):
                rows &= inferred
        return rows

    @property
    def n(self) -> int:
        return int(self.common.sum())

    def _reference_column(self) -> np.ndarray:
        if self.reference is not None:
            return self._column(self.reference)
        assert self.matched.truth is not None
        return self.matched.truth.column(self.parameter)

    def _column(self, method: str) -> np.ndarray:
        return self.matched.predictions[method].column(self.parameter).astype(np.float64)

    # Everything below is over the n common rows.

    @property
    def true(self) -> np.ndarray:
        """(n,), what the methods are held against."""
        return self._reference_column()[self.common]

    def predicted(self, method: str) -> np.ndarray:
        """(n,), NaN throughout for a method that inferred nothing."""
        return self._column(method)[self.common]

    def residual(self, method: str) -> np.ndarray:
        """(n,), predicted - true."""
        return self.predicted(method) - self.true

    def quantity(self, name: str) -> np.ndarray | None:
        """(n,), see Matched.quantity."""
        value = self.matched.quantity(name, self.reference)
        return None if value is None else np.asarray(value, np.float64)[self.common]

    def quantiles(self, method: str) -> tuple[np.ndarray | None, tuple[float, ...]]:
        """(n, Q) and its levels, ascending; None and none where the method has only a point."""
        predictions = self.matched.predictions[method]
        if predictions.quantiles is None:
            return None, ()
        index = predictions.names.index(self.parameter)
        order = np.argsort(predictions.levels)
        levels = tuple(predictions.levels[k] for k in order)
        return predictions.quantiles[self.common, index][:, order].astype(np.float64), levels

    def spread(self, method: str) -> np.ndarray | None:
        """(n,), half the 16-84 % interval: the stated standard deviation; None where the method has none."""
        quantiles, levels = self.quantiles(method)
        if quantiles is None:
            return None
        low = min(levels, key=lambda level: abs(level - 0.16))
        high = min(levels, key=lambda level: abs(level - 0.84))
        if abs(low - 0.16) > 0.01 or abs(high - 0.84) > 0.01:
            return None
        return (quantiles[:, levels.index(high)] - quantiles[:, levels.index(low)]) / 2

    def pit(self, method: str) -> np.ndarray | None:
        """(n,), the method's own column `pit_<parameter>`, else from its quantiles; None without either."""
        own = self._own_pit(method)
        if own is not None:
            return own
        quantiles, levels = self.quantiles(method)
        if quantiles is None or len(levels) < 2:
            return None
        return pit_from_quantiles(self.true, quantiles, levels)

    def _own_pit(self, method: str) -> np.ndarray | None:
        own = self.matched.predictions[method].extra.get(f"pit_{self.parameter}")
        return None if own is None or self.reference is not None else np.asarray(own, np.float64)[self.common]

    def metrics(self, method: str) -> PointMetrics:
        """Over the common rows; the fraction not inferred is the method's own, over all judged rows."""
        inferred = np.isfinite(self._column(method))[self.judged]
        found = point_metrics(self.predicted(method), self.true, outlier=outlier_threshold(self.parameter))
        return replace(found, not_inferred=1.0 - float(inferred.mean()) if len(inferred) else None)

    def calibration(self, method: str) -> Calibration | None:
        """None where the method states no uncertainty."""
        quantiles, levels = self.quantiles(method)
        return calibrate(self.true, quantiles, levels, self._own_pit(method))


def default_selections(matched: Matched, reference: str | None = None) -> tuple[Selection, ...]:
    """The cut on log sSFR, where the tables can tell it."""
    return (STAR_FORMING,) if matched.quantity("logssfr", reference) is not None else ()

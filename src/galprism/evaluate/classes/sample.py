"""On which sources classes are judged: every number says on how many of each class, how bright, and what was cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from galprism.data import CLASSES
from galprism.data.classes import classify
from galprism.errors import RequestError
from galprism.evaluate.matching import Matched
from galprism.evaluate.samples import UNFLAGGED, Selection

CLASS_NAMES = {"star": "stars", "qso": "quasars", "galaxy": "galaxies"}
"""As captions say them."""


@dataclass(frozen=True, eq=False)
class ClassSample:
    """The sources on which the classes of several methods are judged, the same for all of them."""

    matched: Matched
    probabilities: Mapping[str, np.ndarray]
    """By method, (M, K) of the matched sources."""
    band: str | None
    """The band whose magnitude is taken."""
    selections: tuple[Selection, ...] = ()

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(self.probabilities)

    @cached_property
    def rows(self) -> np.ndarray:
        """(M,) bool: selected, and where there is a truth, of known class."""
        classes = self._classes
        rows = np.ones(len(self.matched), bool) if classes is None else classes >= 0
        for selection in self.selections:
            rows = rows & selection.mask(self.matched, self.methods)
        return rows

    @property
    def _classes(self) -> np.ndarray | None:
        return None if self.matched.truth is None else self.matched.truth.classes

    @property
    def n(self) -> int:
        return int(self.rows.sum())

    # Everything below is over the n rows.

    @property
    def true(self) -> np.ndarray | None:
        """(n,), index into CLASSES; None without a truth."""
        return None if self._classes is None else self._classes[self.rows].astype(int)

    def probability(self, method: str) -> np.ndarray:
        """(n, K), NaN where not classified."""
        return self.probabilities[method][self.rows]

    def called(self, method: str) -> np.ndarray:
        """(n,), index into CLASSES; -1 where not classified."""
        return classify(self.probability(method))

    @cached_property
    def magnitude(self) -> np.ndarray | None:
        """(n,), AB in `band`, NaN where the flux is not positive; None without photometry."""
        value = None if self.band is None else self.matched.quantity(f"mag_{self.band}")
        return None if value is None else value[self.rows]

    @property
    def label(self) -> str:
        """The cuts in words."""
        return ", ".join(selection.name for selection in self.selections) or "all"

    @property
    def n_by_class(self) -> dict[str, int] | None:
        """Sources of each class; None without a truth."""
        true = self.true
        return None if true is None else {name: int((true == k).sum()) for k, name in enumerate(CLASSES)}

    @property
    def magnitudes(self) -> tuple[float, float] | None:
        """The brightest and the faintest."""
        given = self.magnitude is not None and np.isfinite(self.magnitude).any()
        return (float(np.nanmin(self.magnitude)), float(np.nanmax(self.magnitude))) if given else None  # type: ignore[arg-type]

    def describe(self) -> str:
        """For captions: `all: 120 sources (20 stars, 3 quasars, 97 galaxies), r = 16.1 to 24.0`."""
        text = f"{self.label}: {self.n:,} sources"
        if self.n_by_class is not None:
            text += f" ({numbered(self.n_by_class)})"
        if self.magnitudes is not None:
            low, high = self.magnitudes
            text += f", {self.band} = {low:.1f} to {high:.1f}"
        return text

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "sample": self.label,
            "n": self.n,
            "n_by_class": self.n_by_class,
            "band": self.band,
            "magnitudes": self.magnitudes,
            "without_magnitude": None if self.magnitude is None else int(np.isnan(self.magnitude).sum()),
            "selections": [selection.describe() for selection in self.selections],
        }


def numbered(n_by_class: Mapping[str, int]) -> str:
    """`20 stars, 3 quasars, 97 galaxies`."""
    return ", ".join(f"{n:,} {CLASS_NAMES[name]}" for name, n in n_by_class.items())


def samples(
    matched: Matched,
    probabilities: Mapping[str, np.ndarray],
    band: str | None,
    selections: Sequence[Selection] | None,
) -> list[ClassSample]:
    """All sources, and those that every cut which applies to `class` leaves: the unflagged ones where not given and
    some are flagged.

    Raises RequestError where no source is of known class, or cuts that were asked for leave none.
    """
    whole = ClassSample(matched, probabilities, band)
    if not whole.n:
        raise RequestError(f"the truth has no class for any of the {len(matched):,} sources that all tables have")
    if selections is None:
        unflagged = ClassSample(matched, probabilities, band, (UNFLAGGED,))
        return [whole, unflagged] if 0 < unflagged.n < whole.n else [whole]
    applied = tuple(selection for selection in selections if selection.applies_to("class"))
    if not applied:
        return [whole]
    cut = ClassSample(matched, probabilities, band, applied)
    if not cut.n:
        raise RequestError(f"cuts {cut.label!r} leave none of {whole.describe()}")
    return [whole, cut]

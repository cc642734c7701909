"""Templates of stars, quasars and galaxies: models of light that classes are told by."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from galprism.data import CLASSES
from galprism.errors import RequestError


@dataclass(frozen=True, eq=False)
class ClassTemplates:
    """M models of stars, quasars and galaxies in B bands."""

    bands: tuple[str, ...]
    flux: np.ndarray
    """(M, B), in any unit, each model in its own: brought to a mean of 1 on entry, float64."""
    classes: np.ndarray
    """(M,), int8, index into galprism.data.truth.CLASSES; models of a class stand together, in the order of CLASSES."""
    redshift: np.ndarray
    """(M,), 0 of stars."""
    weight: np.ndarray
    """(M,), what each counts among those of its class; brought to a sum of 1 a class on entry."""
    meta: dict[str, Any] = field(default_factory=dict)
    """What they were made of; anything that JSON holds."""

    def __post_init__(self) -> None:
        flux, classes, weight = np.asarray(self.flux, float), np.asarray(self.classes), np.asarray(self.weight, float)
        m = len(flux)
        if flux.shape != (m, len(self.bands)):
            raise RequestError(f"ClassTemplates.flux has shape {flux.shape}; expected (M, {len(self.bands)})")
        for name in ("classes", "redshift", "weight"):
            if np.shape(getattr(self, name)) != (m,):
                raise RequestError(f"ClassTemplates.{name} has shape {np.shape(getattr(self, name))}; expected ({m},)")
        missing = [name for k, name in enumerate(CLASSES) if not np.any(classes == k)]
        if missing or not np.isin(classes, range(len(CLASSES))).all():
            raise RequestError(
                f"ClassTemplates has no {' and no '.join(missing) or 'class of every model'}; accepted: some of each "
                f"of {', '.join(CLASSES)}"
            )
        if not (np.isfinite(flux).all() and np.all(flux >= 0) and np.all(flux.max(axis=1) > 0)):
            raise RequestError("ClassTemplates.flux: accepted: from zero on, above zero somewhere in every model")
        if not (np.all(weight >= 0) and all(weight[classes == k].sum() > 0 for k in range(len(CLASSES)))):
            raise RequestError("ClassTemplates.weight: accepted: from zero on, above zero somewhere in every class")
        order = np.argsort(classes, kind="stable")
        total = np.array([weight[classes == k].sum() for k in range(len(CLASSES))])
        object.__setattr__(self, "flux", (flux / flux.mean(axis=1, keepdims=True))[order])
        object.__setattr__(self, "classes", classes[order].astype(np.int8))
        object.__setattr__(self, "redshift", np.asarray(self.redshift, float)[order])
        object.__setattr__(self, "weight", (weight / total[classes])[order])

    def __len__(self) -> int:
        return len(self.flux)

    def select(self, bands) -> ClassTemplates:
        """The same models in some of the bands. Raises RequestError for a band that is not here, and where a model has
        no light in any of them."""
        missing = [band for band in bands if band not in self.bands]
        if missing:
            raise RequestError(f"the templates have no band {', '.join(missing)}; they have {', '.join(self.bands)}")
        columns = [self.bands.index(band) for band in bands]
        return replace(self, bands=tuple(bands), flux=self.flux[:, columns])

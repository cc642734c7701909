"""Bundle + Sources -> Predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import galprism
from galprism.bundle import Bundle
from galprism.data import LEVELS, Predictions, Sources, Truth
from galprism.data.tables import match_ids
from galprism.data.tables.predictions import INFO
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.infer.duplicates import repeated
from galprism.infer.session import Answers, Session
from galprism.infer.stored import COLUMN, n_bytes, pack
from galprism.prep import Features

CHUNK_ROWS = 8192
"""Rows that are prepared at a time."""


class Predictor:
    """A bundle that is ready to infer; it may be used from several threads at once."""

    def __init__(self, bundle: Bundle) -> None:
        """Raises RequestError where ONNX Runtime cannot load the bundle's network."""
        self.bundle = bundle
        self._session = Session(bundle)

    def predict(self, sources: Sources, levels: Sequence[float] = LEVELS, *, posterior: bool = False) -> Predictions:
        """Estimates of the bundle's targets, row for row; ids that stand in several rows are not looked for.

        posterior : keep the joint posteriors in a column of bytes, see galprism.infer.stored.
        Raises RequestError where the sources lack photometry, redshifts or a band altogether.
        """
        levels = check_levels(levels) if self.bundle.kind == "mixture" else ()
        n, p = len(sources), len(self.bundle.targets)
        point = np.full((p, n), np.nan, np.float32)
        quantiles = np.full((len(levels), p, n), np.nan, np.float32)
        flags, n_bands = np.zeros(n, np.uint32), np.zeros(n, np.int16)
        anchored = np.array(self.bundle.anchored)[:, None]
        trust: dict[str, np.ndarray] = {}
        layout = self._layout() if posterior else {}
        for start in range(0, n, CHUNK_ROWS) or (0,):
            rows = slice(start, start + CHUNK_ROWS)
            features = self._features(sources.take(rows))
            usable = features.usable
            flags[rows], n_bands[rows] = features.flags, np.where(usable, features.n_bands, 0)
            picked = slice(None) if usable.all() else usable
            answers = self._session.run(features.inputs[picked], levels, spread=bool(self.bundle.prior), raw=posterior)
            anchor = anchored * features.anchor[picked]  # (P, M), float64
            point[:, rows][:, picked] = answers.point + anchor
            if answers.quantiles is not None:
                quantiles[:, :, rows][:, :, picked] = answers.quantiles + anchor
            for name, value in (features.trust | self._gained(sources, rows, picked, answers)).items():
                trust.setdefault(name, np.full(n, np.nan, np.float32))[rows] = value
            if posterior:
                k, d = layout["components"], len(layout["linear"][0])
                stored = trust.setdefault(COLUMN, np.zeros((n, n_bytes(k, d)), np.uint8))
                if answers.raw is not None:
                    stored[rows][picked] = pack(answers.raw, k, d)
        return Predictions(
            id=sources.id,
            names=self.bundle.targets,
            point=point.T,
            flags=flags,
            n_bands=n_bands,
            levels=levels,
            quantiles=quantiles.T if levels else None,
            ra=sources.ra,
            dec=sources.dec,
            extra=trust,
            meta=describe(self.bundle) | ({COLUMN: layout} if posterior else {}),
        )

    def _layout(self) -> dict[str, Any]:
        """What it takes to read the column of posteriors."""
        if self.bundle.kind != "mixture":
            raise RequestError(f"bundle {self.bundle.name} has point estimates only; it has no posterior to keep")
        return {"names": list(self.bundle.targets), "anchored": list(self.bundle.anchored), **self.bundle.coordinates}

    def _gained(self, sources: Sources, rows: slice, picked, answers: Answers) -> dict[str, np.ndarray]:
        """What was learnt of each target of some rows, in nats: ln of the spread in training at that redshift over the
        spread of the answer, each (M,); 0 where the answer is the prior."""
        prior = self.bundle.prior
        if answers.spread is None or not prior:
            return {}
        assert sources.redshift is not None
        redshift = sources.redshift[rows]
        gained = {}
        for name, spread in zip(self.bundle.targets, answers.spread, strict=True):
            before = np.interp(redshift[picked], prior["redshift"], prior[name])
            value = np.full(len(redshift), np.nan, np.float32)
            value[picked] = np.log(before / spread)
            gained[INFO + name] = value
        return gained

    def pit(self, sources: Sources, truth: Truth) -> np.ndarray:
        """(N, P): where the truth falls in the distribution of each source, from 0 to 1; NaN where nothing is known.

        Raises RequestError where the model has only a point, or the truth lacks a source or a target.
        """
        if self.bundle.kind != "mixture":
            raise RequestError(f"bundle {self.bundle.name} has point estimates only; there is no distribution to ask")
        match = match_ids(sources.id, truth.id)
        if not match.found.all():
            missing = np.asarray(sources.id)[~match.found][0]
            raise RequestError(f"the truth has no source {missing}, nor {np.count_nonzero(~match.found) - 1} others")
        true = np.stack([truth.column(name)[match.index] for name in self.bundle.targets], axis=1)
        result = np.full(true.shape, np.nan)
        for start in range(0, len(sources), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            features = self._features(sources.take(rows))
            usable = features.usable
            x = true[rows][usable] - features.anchor[usable, None] * np.array(self.bundle.anchored)
            result[rows][usable] = self._session.cdf(features.inputs[usable], x)
        return np.where(np.isfinite(true), result, np.nan)

    def _features(self, sources: Sources) -> Features:
        return self.bundle.preparation.features(sources)


def predict(
    bundle: Bundle, sources: Sources, levels: Sequence[float] = LEVELS, *, posterior: bool = False
) -> Predictions:
    """What a bundle says of sources: every row kept, nulls and flags where nothing can be inferred.

    levels : of the quantiles, for models that have a distribution; posterior : keep the joint posteriors as well, in a
    column of bytes that galprism.infer.stored reads.
    Raises RequestError where the sources lack photometry, redshifts or a band altogether.
    """
    predictions = Predictor(bundle).predict(sources, levels, posterior=posterior)
    predictions.flags[repeated(sources.id)] |= np.uint32(Flag.DUPLICATE_ID)
    return predictions


def check_levels(levels: Sequence[float]) -> tuple[float, ...]:
    """Quantile levels, ascending and between 0.001 and 0.999: a mixture's tails mean nothing beyond."""
    levels = tuple(float(level) for level in levels)
    if not all(0.001 <= level <= 0.999 for level in levels) or list(levels) != sorted(set(levels)):
        raise RequestError(f"levels = {levels}; accepted: ascending numbers from 0.001 to 0.999")
    return levels


def describe(bundle: Bundle) -> dict[str, object]:
    """What predictions say of the model that made them."""
    return {
        "method": "network",
        "model": bundle.name,
        "model_hash": bundle.hash,
        "recipe": bundle.recipe_name,
        "survey": bundle.survey,
        "bands": list(bundle.bands),
        "seed": bundle.seed,
        "definitions": {name: entry["definition"] for name, entry in bundle.definitions.items()},
        "galprism": galprism.__version__,
    }

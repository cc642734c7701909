"""Bundle + Sources -> Predictions, by the bundle's network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from galprism.bundle import Bundle
from galprism.data import LEVELS, Predictions, Sources, Truth
from galprism.data.tables import match_ids
from galprism.data.tables.predictions import INFO
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.infer.joint import at_known_redshift, layout
from galprism.infer.options import check_levels, check_options
from galprism.infer.own_models import Models
from galprism.infer.posteriors import Posteriors
from galprism.infer.predictive import COLUMN as PREDICTIVE_P
from galprism.infer.predictive import PredictiveCheck
from galprism.infer.redshift import Density, Ranker, gained
from galprism.infer.redshift_file import COLUMN as PDF_COLUMN
from galprism.infer.session import Answers, Session, describe_model
from galprism.infer.stored import COLUMN, Components, n_bytes
from galprism.infer.told_redshift import ToldRedshift
from galprism.prep import Features
from galprism.prep.classes import ClassFeatures
from galprism.prep.frames import Frame

CHUNK_ROWS, CHUNK_INPUTS = 8192, 2**24
"""Rows that are prepared at a time; of models with many inputs, as pixels are, so many numbers."""


@dataclass(frozen=True, eq=False)
class _Found:
    """What is found of n rows."""

    point: np.ndarray
    """(P, n)."""
    quantiles: np.ndarray
    """(Q, P, n)."""
    flags: np.ndarray
    n_bands: np.ndarray
    extra: dict[str, np.ndarray]


class Predictor:
    """A bundle that is ready to infer; it may be used from several threads at once."""

    def __init__(self, bundle: Bundle, models: Models | None = None, cells: np.ndarray | None = None) -> None:
        """models : draws of the bundle's population, to check answers with known redshifts against.
        cells : (Z + 1,), edges in ln(1 + z) of those that posteriors of redshifts, where a network tells them of every
        source, are put into; its own where not given.

        Raises RequestError where ONNX Runtime cannot load the bundle's network, and where the models are not of it.
        """
        self.bundle, self._prepare = bundle, bundle.preparation.features
        self._check = None if models is None else PredictiveCheck(bundle, models)
        self._session = Session(bundle)
        self._ranker = Ranker(bundle) if bundle.ranking else None
        self._told = ToldRedshift(bundle, cells) if bundle.tells_redshift and bundle.kind == "mixture" else None
        self._chunk = max(min(CHUNK_ROWS, CHUNK_INPUTS // max(self._session.n_inputs, 1)), 1)

    def predict(
        self,
        sources: Sources,
        levels: Sequence[float] = LEVELS,
        *,
        posterior: bool = False,
        infer_redshift: bool = False,
        redshift_pdf: bool = False,
    ) -> Predictions:
        """Estimates of the bundle's targets, row for row; ids that stand in several rows are not looked for.

        posterior : keep the joint posteriors in a column of bytes, see galprism.infer.stored.
        infer_redshift : where a source has no redshift, or one whose error says something beside the photometry, infer
        it too; `redshift` is then one of the parameters, also of the joint posteriors.
        redshift_pdf : where redshifts are inferred, so or by a model that infers them of every source, keep how
        probable each redshift is, in a column (N, Z) of that name.
        Raises RequestError where the sources lack photometry, redshifts or a band altogether, and where the bundle has
        no posteriors to keep or cannot infer redshifts.
        """
        check_options(self.bundle, posterior, infer_redshift, redshift_pdf)
        levels = check_levels(levels) if self.bundle.has_quantiles else ()
        names = (*self.bundle.targets, "redshift") if infer_redshift else self.bundle.targets
        if infer_redshift and sources.redshift is None:
            sources = replace(sources, redshift=np.full(len(sources), np.nan))
        n, p = len(sources), len(names)
        point = np.full((p, n), np.nan, np.float32)
        quantiles = np.full((len(levels), p, n), np.nan, np.float32)
        flags, n_bands = np.zeros(n, np.uint32), np.zeros(n, np.int16)
        extra: dict[str, np.ndarray] = {}
        for start in range(0, n, self._chunk) or (0,):
            some = sources.take(slice(start, start + self._chunk))
            for rows, found in self._parts(some, levels, posterior, infer_redshift, redshift_pdf):
                at = slice(start, start + len(some)) if isinstance(rows, slice) else start + rows
                flags[at], n_bands[at], point[:, at] = found.flags, found.n_bands, found.point
                quantiles[:, :, at] = found.quantiles
                for name, value in found.extra.items():
                    blank = np.nan if value.dtype.kind == "f" else 0
                    column = extra.setdefault(name, np.full((n, *value.shape[1:]), blank, value.dtype))
                    column[at] = value
        return Predictions(
            id=sources.id,
            names=names,
            point=point.T,
            flags=flags,
            n_bands=n_bands,
            levels=levels,
            quantiles=quantiles.T if levels else None,
            ra=sources.ra,
            dec=sources.dec,
            extra=extra,
            meta=describe_model(self.bundle)
            | {"definitions": {name: entry["definition"] for name, entry in self.bundle.definitions.items()}}
            | ({COLUMN: self._layout(infer_redshift)} if posterior else {})
            | ({} if self._check is None else {PREDICTIVE_P: self._check.describe()}),
        )

    def _parts(
        self, sources: Sources, levels: tuple[float, ...], posterior: bool, infer_redshift: bool, redshift_pdf: bool
    ) -> Iterator[tuple[slice | np.ndarray, _Found]]:
        """What is found of some rows, and which they are: all at once, or those with a redshift and those without."""
        if not infer_redshift:
            yield slice(None), self._with_redshift(sources, levels, posterior, infer_redshift, redshift_pdf)
            return
        assert sources.redshift is not None
        assert self._ranker is not None
        open_to_doubt = np.isnan(sources.redshift) | self._ranker.vague(sources)
        known, unknown = np.flatnonzero(~open_to_doubt), np.flatnonzero(open_to_doubt)
        found = self._with_redshift(sources.take(known), levels, posterior, infer_redshift)
        given = np.where(found.flags & np.uint32(Flag.NOT_INFERRED), np.nan, sources.redshift[known])
        given = given.astype(np.float32)
        point = np.concatenate([found.point, given[None]])
        quantiles = np.concatenate([found.quantiles, np.broadcast_to(given, (len(levels), 1, len(known)))], axis=1)
        extra = dict(found.extra)
        if redshift_pdf:
            extra[PDF_COLUMN] = self._ranker.at(given).probability
        yield known, replace(found, point=point, quantiles=quantiles, extra=extra)
        if len(unknown):
            yield unknown, self._without_redshift(sources.take(unknown), levels, posterior, redshift_pdf)

    def _with_redshift(
        self,
        sources: Sources,
        levels: tuple[float, ...],
        posterior: bool,
        infer_redshift: bool,
        redshift_pdf: bool = False,
    ) -> _Found:
        n, p = len(sources), len(self.bundle.targets)
        features = self._features(sources)
        usable = features.usable
        picked = slice(None) if usable.all() else usable
        joint = posterior or self._check is not None
        told = self._told if redshift_pdf else None
        answers = self._session.run(
            features.inputs[picked], levels, spread=bool(self.bundle.prior), raw=joint, marginals=told is not None
        )
        frame = self._frame(features, sources, picked)
        point = np.full((p, n), np.nan, np.float32)
        quantiles = np.full((len(levels), p, n), np.nan, np.float32)
        point[:, picked] = frame.low + frame.span * answers.point
        if answers.quantiles is not None:
            quantiles[:, :, picked] = frame.values(answers.quantiles)
        extra = features.trust | self._gained(sources, picked, answers)
        if told is not None:
            extra[PDF_COLUMN] = np.zeros((n, len(told.redshift)), np.float32)
            if answers.marginals is not None:  # of one source or more
                extra[PDF_COLUMN][picked] = told.probability(answers.marginals)
        held = None
        if joint:
            k = self.bundle.coordinates["components"]
            held = None if answers.raw is None else Components.of_network(answers.raw, k, p)
        if posterior:
            extra[COLUMN] = np.zeros((n, n_bytes(k, p + infer_redshift)), np.uint8)
            if held is not None:
                extra[COLUMN][picked] = (at_known_redshift(held) if infer_redshift else held).to_bytes()
        if self._check is not None:
            packed = np.zeros((n, n_bytes(k, p)), np.uint8)
            if held is not None:
                packed[picked] = held.to_bytes()
            posteriors = Posteriors.unpack(packed, point.T.astype(np.float64), layout(self.bundle))
            extra[PREDICTIVE_P] = self._check.p_values(sources, posteriors)
            features.flags[self._check.suspect(extra[PREDICTIVE_P])] |= np.uint32(Flag.POOR_FIT)
        return _Found(point, quantiles, features.flags, np.where(usable, features.n_bands, 0), extra)

    def _without_redshift(
        self, sources: Sources, levels: tuple[float, ...], posterior: bool, redshift_pdf: bool
    ) -> _Found:
        assert self._ranker is not None
        averages = self._ranker.average(self._session, sources, levels, posterior=posterior)
        density, features = averages.density, averages.features
        redshift = [density.quantile(level) for level in levels]
        point = np.concatenate([averages.point, density.mean[None]])
        quantiles = np.concatenate([averages.quantiles, np.reshape(redshift, (len(levels), 1, len(sources)))], axis=1)
        usable = features.usable
        extra = features.trust | {
            INFO + name: np.where(usable, value, np.nan).astype(np.float32)
            for name, value in gained(self.bundle, averages).items()
        }
        if redshift_pdf:
            extra[PDF_COLUMN] = density.probability
        if posterior:
            extra[COLUMN] = np.where(usable[:, None], averages.posterior, 0).astype(np.uint8)
        point, quantiles = (np.where(usable, each, np.nan).astype(np.float32) for each in (point, quantiles))
        return _Found(point, quantiles, features.flags, np.where(usable, features.n_bands, 0), extra)

    def redshifts(self, sources: Sources) -> Density:
        """The posterior of each source's redshift from its photometry; its own redshift is not looked at.

        Raises RequestError where the bundle cannot infer redshifts, and where the sources lack photometry or a band.
        """
        if self._told is None:
            check_options(self.bundle, False, True)
            assert self._ranker is not None
            return self._ranker.density(sources)
        probability = np.zeros((len(sources), len(self._told.redshift)), np.float32)
        for start in range(0, len(sources), self._chunk):
            features = self._features(sources.take(slice(start, start + self._chunk)))
            rows = start + np.flatnonzero(features.usable)
            if len(rows):
                probability[rows] = self._told.probability(self._session.marginals(features.inputs[features.usable]))
        return self._told.of(probability)

    @property
    def redshifts_asked(self) -> Density:
        """The redshifts that are looked at, of no source."""
        if self._told is not None:
            return self._told.of(np.zeros((0, len(self._told.redshift)), np.float32))
        assert self._ranker is not None
        return self._ranker.at(np.zeros(0, np.float32))

    def _layout(self, infer_redshift: bool) -> dict[str, Any]:
        """What it takes to read the column of posteriors."""
        return layout(self.bundle, self._ranker.ends if infer_redshift and self._ranker else None)

    def _gained(self, sources: Sources, picked, answers: Answers) -> dict[str, np.ndarray]:
        """What was learnt of each target in nats, each (N,): ln of the spread in training at that redshift over the
        spread of the answer; 0 where the answer is the prior."""
        prior = self.bundle.prior
        if answers.spread is None or not prior:
            return {}
        assert sources.redshift is not None
        result = {}
        for name, spread in zip(self.bundle.targets, answers.spread, strict=True):
            before = np.interp(sources.redshift[picked], prior["redshift"], prior[name])
            value = np.full(len(sources), np.nan, np.float32)
            value[picked] = np.log(before / spread)
            result[INFO + name] = value
        return result

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
        for start in range(0, len(sources), self._chunk):
            rows = slice(start, start + self._chunk)
            some = sources.take(rows)
            features = self._features(some)
            usable = features.usable
            frame = self._frame(features, some, usable)
            x = frame.coordinates(true[rows][usable].T).T
            result[rows][usable] = self._session.cdf(features.inputs[usable], x)
        return np.where(np.isfinite(true), result, np.nan)

    def _features(self, sources: Sources) -> Features | ClassFeatures:
        return self._prepare(sources)

    def _frame(self, features: Features | ClassFeatures, sources: Sources, rows: slice | np.ndarray) -> Frame:
        redshift = None if sources.redshift is None else sources.redshift[rows]
        return self.bundle.frame(features.anchor[rows], redshift)

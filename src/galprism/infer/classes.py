"""Bundle + Sources -> probabilities of stars, quasars and galaxies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax

from galprism.bundle import Bundle
from galprism.data import CLASSES, Predictions, Sources
from galprism.data.classes import class_columns, with_priors
from galprism.errors import RequestError
from galprism.infer.session import describe_model, open_network
from galprism.prep.classes import ClassFeatures, ClassPreparation

CHUNK_ROWS = 8192
"""Rows that are prepared at a time."""
BATCH_ROWS = 256
"""Rows that go through the network at a time: images of so many stay in the cache of one core."""


class ClassPredictor:
    """A classifier that is ready to infer; it may be used from several threads at once."""

    def __init__(self, bundle: Bundle, priors: Sequence[float] | None = None) -> None:
        """priors : shares of star, qso and galaxy where the sources are, in place of those in training.

        Raises RequestError where ONNX Runtime cannot load the bundle's network, and for priors that are none.
        """
        assert isinstance(bundle.preparation, ClassPreparation)
        self.bundle, self.preparation, self.priors = bundle, bundle.preparation, priors
        self._onnx = open_network(bundle.name, bundle.model)
        self._inputs = {entry.name for entry in self._onnx.get_inputs()}
        self.probability(np.zeros((0, len(CLASSES))), np.zeros(0, "U10"))  # priors that are none are refused here

    def predict(self, sources: Sources) -> Predictions:
        """The class of each source with its probabilities, row for row; ids that stand in several rows are not looked
        for. Raises RequestError where the sources lack all that the classifier sees, or have other cutouts."""
        n = len(sources)
        probability = np.full((n, len(CLASSES)), np.nan)
        flags, n_bands = np.zeros(n, np.uint32), np.zeros(n, np.int16)
        for start in range(0, n, CHUNK_ROWS) or (0,):
            rows = slice(start, start + CHUNK_ROWS)
            features = self.preparation.features(sources.take(rows))
            found = self.probability(self.logits(features), self._mode(features))
            probability[rows] = np.where(features.usable[:, None], found, np.nan)
            flags[rows], n_bands[rows] = features.flags, np.where(features.usable, features.n_bands, 0)
        magnitude = self._magnitude(sources)
        return Predictions(
            id=sources.id,
            names=(),
            point=np.zeros((n, 0), np.float32),
            flags=flags,
            n_bands=n_bands,
            ra=sources.ra,
            dec=sources.dec,
            extra=magnitude | class_columns(probability),
            meta=describe_classes(self.bundle, self.priors),
        )

    def logits(self, features: ClassFeatures) -> np.ndarray:
        """(N, K), float64, as the network has them."""
        found = np.empty((len(features.inputs), len(CLASSES)))
        for start in range(0, len(found), BATCH_ROWS):
            rows = slice(start, start + BATCH_ROWS)
            feed = {"features": features.inputs[rows], "there": features.there[rows, None]}
            if features.image is not None:
                feed["image"] = features.image[rows]
            wanted = {name: feed[name] for name in self._inputs}
            (found[rows],) = self._onnx.run(["logits"], wanted)
        return found

    def probability(self, logits: np.ndarray, mode: np.ndarray) -> np.ndarray:
        """(N, K), tempered, and under the priors; mode : (N,), what is seen of each source."""
        held = self.bundle.coordinates
        tempered = logits.copy()
        for name, (factor, *shift) in held["tempering"].items():
            own = mode == name
            tempered[own] = factor * logits[own] + shift
        found = softmax(tempered, axis=1) if len(tempered) else tempered
        return found if self.priors is None else with_priors(found, held["shares"], self.priors)

    def _mode(self, features: ClassFeatures) -> np.ndarray:
        known = features.n_bands > 0
        return np.where(features.there > 0, np.where(known, "both", "image"), "photometry")

    def _magnitude(self, sources: Sources) -> dict[str, np.ndarray]:
        """`mag_r`, as it was measured, where there is photometry."""
        if sources.photometry is None or not self.preparation.bands:
            return {}
        name = f"mag_{self.preparation.magnitude_band}"
        return {name: self.preparation.magnitude(sources).astype(np.float32)}


def describe_classes(bundle: Bundle, priors: Sequence[float] | None) -> dict[str, object]:
    """What predictions of classes say of the model that made them."""
    shares = bundle.coordinates["shares"] if priors is None else list(np.asarray(priors, float) / np.sum(priors))
    rounded = (round(float(share), 6) for share in shares)
    return describe_model(bundle) | {
        "classes": list(CLASSES),
        "class_shares": dict(zip(CLASSES, rounded, strict=True)),
    }


def check_priors(bundle: Bundle, priors: object) -> None:
    """Raises RequestError where a model that infers parameters is given what is for classifiers."""
    if priors is not None and bundle.kind != "classes":
        raise RequestError(f"priors {priors}: bundle {bundle.name} infers parameters; they are for classifiers")

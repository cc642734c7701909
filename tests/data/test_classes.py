"""Probabilities as columns of predictions."""

import numpy as np
import pytest

from galprism.data import Predictions
from galprism.data.classes import class_columns, class_probabilities
from galprism.errors import RequestError

SAID = np.array([[0.2, 0.5, 0.3], [np.nan] * 3, [0.9, 0.0, 0.1]])


def predictions(extra) -> Predictions:
    return Predictions(np.arange(3), (), np.zeros((3, 0)), np.zeros(3, np.uint32), np.zeros(3, np.int16), extra=extra)


def test_the_class_is_that_of_the_highest():
    columns = class_columns(SAID)
    assert columns["class"].tolist() == ["qso", "", "star"]
    np.testing.assert_allclose(columns["p_max"], [0.5, np.nan, 0.9], rtol=1e-6)


def test_back_from_predictions():
    np.testing.assert_allclose(class_probabilities(predictions(class_columns(SAID))), SAID, rtol=1e-6)


def test_what_are_no_probabilities_of_classes_is_refused():
    with pytest.raises(RequestError, match=r"shape \(3, 2\); expected \(N, 3\)"):
        class_columns(SAID[:, :2])
    with pytest.raises(RequestError, match=r"has no column prob_star, prob_qso, prob_galaxy; .*; it has none"):
        class_probabilities(predictions({}))

"""Coordinates and parameters: a linear map there and back, and less spread on the way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import toy_sky
from galprism.errors import RequestError
from galprism.prep import Preparation, PreparationConfig, Targets, TargetsConfig

NAMES = ("age_mw", "logsfr", "logmstar", "logzsol")


@given(arrays(np.float64, (7, 4), elements=st.floats(-20, 20)), arrays(np.float64, 7, elements=st.floats(-15, 15)))
@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("standardise", [True, False])
def test_there_and_back(relative, standardise, values, anchor):
    targets = Targets.fit(TargetsConfig(NAMES, relative, standardise), values, anchor)
    back = targets.decode(targets.encode(values, anchor).astype(float), anchor)
    np.testing.assert_allclose(back, values, atol=1e-3)


def test_a_spread_of_mere_rounding_is_not_divided_by():
    values, anchor = np.zeros((7, 4)), np.array([1.0, 0, 0, 0, 0, 0, 0])
    values[1, 1] = 1.5e-136
    targets = Targets.fit(TargetsConfig(NAMES), values, anchor)
    np.testing.assert_allclose(targets.decode(targets.encode(values, anchor).astype(float), anchor), values, atol=1e-6)


def test_rates_are_specific_and_masses_over_light():
    values = np.array([[5.0, -1.0, 9.0, 0.0], [6.0, 0.5, 10.0, 0.1]])
    anchor = np.array([8.0, 8.5])
    y = Targets.fit(TargetsConfig(NAMES, standardise=False), values, anchor).encode(values, anchor)
    np.testing.assert_allclose(y, [[5, -10, 1, 0], [6, -9.5, 1.5, 0.1]], atol=1e-6)


def test_a_rate_without_a_mass_is_relative_to_the_anchor():
    y = Targets.fit(TargetsConfig(("logsfr",), standardise=False), np.array([[1.0]]), np.array([8.0]))
    np.testing.assert_allclose(y.encode(np.array([[1.0]]), np.array([8.0])), [[-7.0]])


def test_as_they_are_they_are_untouched():
    values = np.array([[9.0, 1.0], [10.0, 0.0]])
    targets = Targets.fit(TargetsConfig(relative=False, standardise=False), values, np.array([5.0, 6.0]))
    np.testing.assert_array_equal(targets.encode(values, np.array([5.0, 6.0])), values.astype(np.float32))


def test_the_anchor_takes_most_of_the_spread_of_mass_away():
    sources, truth = toy_sky.catalogue(3000)
    anchor = Preparation.fit(PreparationConfig(), sources, typical=False).features(sources).anchor
    targets = Targets.fit(TargetsConfig(), truth.values, anchor)
    y = targets.encode(truth.values, anchor)
    np.testing.assert_allclose(y.std(0), 1, rtol=1e-5)
    assert targets.linear[0, 0] < 0.6 * truth.column("logmstar").std()  # what is left of the mass, in dex
    np.testing.assert_array_equal(targets.anchored, [1, 1])


@pytest.mark.parametrize(
    ("names", "message"),
    [(("logmass",), r"targets.names = \('logmass',\)"), ((), "accepted: some of"), (("av", "av"), "twice")],
)
def test_names(names, message):
    with pytest.raises(RequestError, match=message):
        TargetsConfig(names)


def test_a_value_that_is_not_known_cannot_be_learnt():
    with pytest.raises(RequestError, match="not finite"):
        Targets.fit(TargetsConfig(), np.array([[np.nan, 1.0]]), np.zeros(1))

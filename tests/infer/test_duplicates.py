"""Repeated ids, whatever an id is and however the table is cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galprism.infer.duplicates import keys, repeated, repeated_in_parts


def by_hand(ids):
    seen, again = set(), []
    for ident in ids:
        again.append(ident in seen)
        seen.add(ident)
    return again


@given(st.lists(st.integers(-5, 5) | st.integers(-(2**63), 2**63 - 1)))
def test_integers(ids):
    np.testing.assert_array_equal(repeated(np.array(ids, np.int64)), by_hand(ids))


@given(st.lists(st.text("abé", max_size=3)))
def test_text(ids):
    ids = [text.rstrip("\0") for text in ids]
    np.testing.assert_array_equal(repeated(np.array(ids, str)), by_hand(ids))
    np.testing.assert_array_equal(repeated(np.array(ids, object)), by_hand(ids))


def test_the_width_of_a_text_array_does_not_matter():
    narrow, wide = np.array(["a", "bc"]), np.array(["a", "bc", "a much longer identifier"])
    np.testing.assert_array_equal(keys(narrow), keys(wide)[:2])


def test_floats():
    np.testing.assert_array_equal(repeated(np.array([1.0, 1.5, 1.0])), [False, False, True])


def test_many_names_have_as_many_keys():
    assert len(np.unique(keys(np.char.add("KiDS J", np.arange(200_000).astype(str))))) == 200_000


@pytest.mark.parametrize("bucket_rows", [7, 64, 10**6])
def test_in_parts_and_buckets(tmp_path, bucket_rows):
    ids = np.random.default_rng(0).integers(0, 150, 300)
    parts = np.split(ids, [10, 11, 200])
    again = repeated_in_parts(lambda i: keys(parts[i]), [len(part) for part in parts], tmp_path, bucket_rows)
    np.testing.assert_array_equal(again, by_hand(ids.tolist()))


def test_no_parts(tmp_path):
    assert len(repeated_in_parts(lambda i: np.zeros(0, np.uint64), [], tmp_path)) == 0

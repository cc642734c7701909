"""One table of flags."""

import numpy as np

from galprism.flags import SENTENCE, Flag, counts, names


def test_every_bit_stands_once_and_has_its_sentence():
    assert [int(flag) for flag in Flag] == [1 << i for i in range(len(Flag))]
    assert set(SENTENCE) == set(Flag)
    assert len(set(SENTENCE.values())) == len(Flag)
    assert max(Flag) < 2**32


def test_names_of_a_value():
    value = np.uint32(Flag.BAND_MISSING | Flag.NOT_INFERRED)
    assert names(value) == ("BAND_MISSING", "NOT_INFERRED")
    assert names(0) == ()


def test_counts():
    flags = np.array([0, Flag.BAND_MISSING, Flag.BAND_MISSING | Flag.POOR_FIT, Flag.POOR_FIT], np.uint32)
    assert counts(flags) == {"BAND_MISSING": 2, "POOR_FIT": 2}
    assert counts(np.zeros(3, np.uint32)) == {}

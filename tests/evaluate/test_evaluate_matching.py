"""Tables are joined by id, whatever their order, and every row left out is counted."""

from dataclasses import replace

import numpy as np
import pytest
from planted_sky import shuffled

from galprism.data import Photometry, Predictions, Sources, Truth
from galprism.errors import RequestError
from galprism.evaluate import match


def predictions(ident, point=None) -> Predictions:
    ident = np.asarray(ident)
    n = len(ident)
    point = np.arange(n, dtype=float)[:, None] if point is None else np.asarray(point, float)[:, None]
    return Predictions(ident, ("logmstar",), point, np.zeros(n, np.uint32), np.zeros(n, np.int16))


def truth(ident, values) -> Truth:
    return Truth(np.asarray(ident), ("logmstar",), np.asarray(values, float)[:, None])


def test_rows_meet_by_id_and_not_by_position():
    matched = match(
        {"a": predictions([3, 1, 2, 9], [30, 10, 20, 90]), "b": predictions([2, 3, 5, 1], [2, 3, 5, 1])},
        truth([1, 2, 3, 4], [100, 200, 300, 400]),
        Sources(np.array([8, 3, 2, 1]), redshift=np.array([0.8, 0.3, 0.2, 0.1])),
    )
    assert matched.id.tolist() == [1, 2, 3]
    assert matched.predictions["a"].column("logmstar").tolist() == [10, 20, 30]
    assert matched.predictions["b"].column("logmstar").tolist() == [1, 2, 3]
    assert matched.truth.column("logmstar").tolist() == [100, 200, 300]
    assert matched.sources.redshift.tolist() == [0.1, 0.2, 0.3]
    assert matched.rows == {"a": 4, "b": 4, "truth": 4, "sources": 4}


def test_shuffling_any_table_changes_nothing(small):
    first = match({"n": small.network, "g": small.grid}, small.truth, small.sources)
    again = match(
        {"n": shuffled(small.network, 1), "g": shuffled(small.grid, 2)},
        shuffled(small.truth, 3),
        shuffled(small.sources, 4),
    )
    assert np.array_equal(first.id, again.id)
    assert np.array_equal(first.predictions["g"].point, again.predictions["g"].point)
    assert np.array_equal(first.truth.values, again.truth.values)
    assert np.array_equal(first.sources.photometry.flux, again.sources.photometry.flux)


def test_repeated_ids_cannot_be_joined_and_are_counted():
    matched = match({"a": predictions([1, 2, 2, 3])}, truth([1, 2, 3, 3], [1, 2, 3, 3]), None)
    assert matched.id.tolist() == [1]
    assert matched.not_joined == {"a": 2, "truth": 2}


@pytest.mark.parametrize(
    "ident",
    [
        np.array([1.0, np.nan, 3.0]),
        np.array(["1", "", "3"]),
        np.array(["1 ", " ", "3 "]),
        np.array([b"1", b"", b"3"]),
        np.array(["1", None, "3"], dtype=object),
    ],
    ids=["floats with a null", "text", "padded text", "bytes", "objects"],
)
def test_missing_ids_meet_nothing_and_kinds_of_id_meet_each_other(ident):
    matched = match({"a": predictions(ident, [10, 20, 30])}, truth(ident, [1, 2, 3]), None)
    assert matched.predictions["a"].column("logmstar").tolist() == [10, 30]
    assert matched.not_joined == {"a": 1, "truth": 1}
    across = match({"a": predictions(ident, [10, 20, 30])}, truth([3, 2, 1], [3, 2, 1]), None)
    assert across.predictions["a"].column("logmstar").tolist() == [10, 30]
    assert across.truth.column("logmstar").tolist() == [1, 3]


def test_long_integer_ids_keep_every_digit():
    ident = np.array([2**63 + 1, 2**63 + 2], dtype=np.uint64)
    matched = match({"a": predictions(ident)}, truth(ident[::-1], [2, 1]), None)
    assert matched.truth.column("logmstar").tolist() == [1, 2]


def test_no_common_id_says_what_the_ids_look_like():
    with pytest.raises(RequestError, match=r"no id is common to a, truth.*a: 1, 2.*truth: KiDS-7"):
        match({"a": predictions([1, 2])}, truth(["KiDS-7"], [1]), None)


def test_empty_tables_are_named():
    with pytest.raises(RequestError, match="a has no rows"):
        match({"a": predictions([])}, truth([1], [1]), None)
    with pytest.raises(RequestError, match="truth has no rows"):
        match({"a": predictions([1])}, truth([], []), None)


def test_nothing_to_evaluate():
    with pytest.raises(RequestError, match="no predictions"):
        match({}, truth([1], [1]), None)


@pytest.mark.parametrize("name", ["truth", "sources"])
def test_predictions_may_not_take_the_name_of_another_table(name):
    with pytest.raises(RequestError, match="another table's name"):
        match({name: predictions([1])}, truth([1], [1]), Sources(np.array([1])))


def quantities(**options) -> Sources:
    photometry = Photometry(np.array([[100.0], [-5.0], [0.0]]), np.array([[0.01], [0.01], [0.0]]), ("r",))
    return Sources(np.array([1, 2, 3]), photometry=photometry, **options)


def test_magnitudes_and_signal_to_noise_come_from_the_photometry():
    matched = match({"a": predictions([1, 2, 3])}, None, quantities())
    assert matched.quantity("mag_r") == pytest.approx([31.4 - 5, np.nan, np.nan], nan_ok=True)
    assert matched.quantity("snr_r") == pytest.approx([10, -0.5, np.nan], nan_ok=True)
    assert matched.quantity("mag_u") is None
    assert matched.quantity("redshift") is None


def test_redshift_comes_from_the_sources_else_from_the_truth():
    table = Truth(np.array([1, 2, 3]), ("redshift",), np.array([[0.5], [0.6], [0.7]]))
    a = {"a": predictions([1, 2, 3])}
    assert match(a, table, quantities()).quantity("redshift").tolist() == [0.5, 0.6, 0.7]
    given = quantities(redshift=np.array([0.1, 0.2, 0.3]))
    assert match(a, table, given).quantity("redshift").tolist() == [0.1, 0.2, 0.3]


def test_log_ssfr_is_taken_from_the_truth_else_from_the_reference(small):
    with_truth = match({"n": small.network}, small.truth, None)
    expected = small.truth.take(np.argsort(small.truth.id))
    assert with_truth.quantity("logssfr") == pytest.approx(expected.column("logsfr") - expected.column("logmstar"))
    without = match({"n": small.network, "g": small.grid}, None, None)
    g = small.grid.take(np.argsort(small.grid.id))
    assert without.quantity("logssfr", "g") == pytest.approx(g.column("logsfr") - g.column("logmstar"))
    assert without.quantity("logssfr") is None
    named = replace(small.truth, names=("logmstar", "logssfr"))
    assert np.array_equal(match({"n": small.network}, named, None).quantity("logssfr"), expected.values[:, 1])

"""Labels of SFR distributions: their names are the table's, and rows out of order are told of."""

import numpy as np
import pytest

from galprism.data import Truth
from galprism.data.sfr_labels import RISING, STATISTICS, check_order, out_of_order
from galprism.data.tables import read_truth, write_truth
from galprism.errors import RequestError
from galprism.params import PARAMS

GOOD = np.array([0.1, 2.4, 0.12, 0.15, -0.2, -0.5, 0.4, 0.7])
"""avg, entropy, median, mode, p16, p2p5, p84, p97p5."""


def labels(**changes):
    row = GOOD.copy()
    for name, value in changes.items():
        row[STATISTICS.index(f"sfr_tot_{name}")] = value
    return row


def test_all_are_parameters_and_rates_are_logarithms():
    assert len(STATISTICS) == 8
    for name in STATISTICS:
        assert PARAMS[name].unit == ("" if name == "sfr_tot_entropy" else "dex(Msun / yr)")


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, False),
        ({"p16": 0.12, "median": 0.12}, False),  # of a distribution in one bin
        ({"p16": 0.5, "p84": 0.4}, True),
        ({"p2p5": -0.19}, True),
        ({"p97p5": 0.39}, True),
        ({"median": np.nan}, False),
        ({"median": np.nan, "p16": 0.5}, True),  # p16 > p84, though what is between is not known
        ({"avg": 3.0, "mode": -3.0, "entropy": -1.0}, False),  # tails may have it so
    ],
)
def test_rows_out_of_order_are_found(changes, wrong):
    assert out_of_order(labels(**changes)[None], STATISTICS).tolist() == [wrong]


def test_of_other_parameters_nothing_is_asked():
    assert not out_of_order(np.array([[3.0, 1.0]]), ("logmstar", "logsfr")).any()
    assert not out_of_order(np.array([[3.0, 1.0]]), ("sfr_tot_p16", "logsfr")).any()


def test_the_error_names_rows_columns_and_values(tmp_path):
    values = np.stack([labels(), labels(p16=0.5), labels(p97p5=0.0), labels(p2p5=9.0), labels(p84=-1.0)])
    with pytest.raises(RequestError, match=r"row 1 \(id 11\): .*sfr_tot_p16 = 0\.5.*sfr_tot_p84 = 0\.4") as told:
        check_order(np.arange(10, 15), values, STATISTICS, "labels")
    assert "and 1 more" in str(told.value)
    assert " <= ".join(RISING) in str(told.value)
    write_truth(tmp_path / "bad.fits", Truth(np.arange(10, 15), STATISTICS, values))
    with pytest.raises(RequestError, match=r"bad\.fits: row 1 \(id 11\)"):
        read_truth(tmp_path / "bad.fits")
    write_truth(tmp_path / "good.fits", Truth(np.arange(1), STATISTICS, values[:1]))
    np.testing.assert_array_equal(read_truth(tmp_path / "good.fits").values, values[:1])

"""The table of parameters, and the fold of log sSFR."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io.votable.ucd import check_ucd
from matplotlib.mathtext import MathTextParser

from galprism.params import PARAMS, compress_logssfr


@pytest.mark.parametrize("param", PARAMS.values(), ids=PARAMS)
def test_every_parameter_is_one_that_others_can_read(param):
    assert PARAMS[param.name] is param
    u.Unit(param.unit)  # raises where astropy does not know it
    assert check_ucd(param.ucd, check_controlled_vocabulary=True)
    MathTextParser("path").parse(param.label)
    assert param.low < param.high
    assert param.name.isidentifier()
    assert param.definition


def test_logarithms_say_so_in_their_unit():
    for param in PARAMS.values():
        if param.definition.startswith("log10") and param.name != "logu":
            assert isinstance(u.Unit(param.unit), u.DexUnit) or u.Unit(param.unit) == u.dex
    assert u.Unit(PARAMS["logmstar"].unit).physical_unit == u.Msun


class TestCompress:
    def test_rates_above_the_limit_are_left_alone(self):
        x = np.linspace(-12, -6, 50)
        np.testing.assert_array_equal(compress_logssfr(x), x)

    def test_value_and_slope_are_continuous_at_the_limit(self):
        eps = 1e-6
        below, at, above = compress_logssfr(np.array([-12 - eps, -12, -12 + eps]))
        assert at == -12
        assert (at - below) / eps == pytest.approx(1, abs=1e-5)
        assert (above - at) / eps == pytest.approx(1, abs=1e-5)

    def test_known_answer(self):
        assert compress_logssfr(-13.0) == pytest.approx(-13 + np.exp(-1))

    def test_order_is_kept_and_the_floor_never_crossed(self):
        x = np.linspace(-40, -6, 2000)
        y = compress_logssfr(x)
        assert np.all(np.diff(y) > 0)
        assert np.all(y > -13)
        assert compress_logssfr(-np.inf) == -13

    def test_what_is_not_known_stays_so(self):
        assert np.isnan(compress_logssfr(np.nan))

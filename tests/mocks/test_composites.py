"""The composite populations of the J-PAS paper: what is known of them by hand."""

import numpy as np
import pytest

from galprism import passbands
from galprism.mocks.composites import BEGIN, METALS, composites
from galprism.sps import ForwardModel, load_library

TIMES = (0.5, 1.0, 2.0, 5.0, 9.0, 12.0)


@pytest.fixture(scope="module")
def seen():
    asked = composites(TIMES, 0.01)
    model = ForwardModel(
        load_library("bc03-miles"), [passbands.get("SLOAN/SDSS.r")], metallicity="interpolate", z_max=0.02
    )
    return asked, model.derive(asked.galaxies)


def test_every_kind_at_every_time(seen):
    asked, _ = seen
    count = {family: (asked.family == family).sum() for family in np.unique(asked.family)}
    two = sum(time > begin for time in TIMES for begin in BEGIN)
    assert count == {"burst": len(METALS) * len(TIMES), "constant": len(TIMES), "two bursts": two}


def test_masses_weighted_ages_by_hand(seen):
    """A burst that began t ago and lasts a Gyr has the mean age t - 1/2, or t/2 where it still lasts; a constant rate
    t/2; two bursts of one rate the mean of both by their masses."""
    asked, derived = seen
    for family, kind, t, age in zip(asked.family, asked.kind, asked.time, derived.age_mw.numpy(), strict=True):
        single = t - 0.5 * min(t, 1.0)
        if family == "burst":
            expected = single
        elif family == "constant":
            expected = 0.5 * t
        else:
            since = t - float(kind.split()[2])
            width = min(since, 1.0)
            expected = (single * min(t, 1.0) + (since - 0.5 * width) * width) / (min(t, 1.0) + width)
        assert age == pytest.approx(expected, rel=0.02), (family, kind, t)


def test_metallicities_by_hand(seen):
    asked, derived = seen
    for family, kind, z_mw in zip(asked.family, asked.kind, derived.z_mw.numpy(), strict=True):
        if family == "burst":
            assert z_mw == pytest.approx(float(kind.split()[-1]))
        elif family == "constant":
            assert z_mw == pytest.approx(0.017)
        else:
            assert 0.008 < z_mw < 0.017


def test_stars_form_as_long_as_the_last_burst_lasts(seen):
    asked, derived = seen
    sfr = derived.sfr.numpy()
    assert (sfr[asked.family == "constant"] > 0).all()
    burst = asked.family == "burst"
    np.testing.assert_array_equal(sfr[burst] > 0, asked.time[burst] <= 1.0)

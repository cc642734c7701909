"""A curve on entry: converted, checked, cut to its band, closed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galprism.errors import RequestError
from galprism.passbands import Passband, air_from_vacuum, vacuum_from_air

WAVE = np.arange(5000.0, 6001.0, 10.0)
TOP = np.clip(np.minimum(WAVE - 5000, 6000 - WAVE) / 100, 0, 1)  # a trapezium


def make(wave=WAVE, value=TOP, **options):
    return Passband.from_arrays("test", wave, value, **options)


def test_a_trapezium_has_the_wavelengths_and_width_that_geometry_gives():
    band = make(value=0.5 * TOP)
    assert band.width == pytest.approx(900.0)
    # int T dlnl with T linear in pieces, by a sum a hundred times finer
    fine = np.linspace(5000, 6000, 1_000_001)
    response = band(fine)
    norm = np.trapezoid(response / fine, fine)
    assert band.norm == pytest.approx(norm, rel=1e-9)
    assert band.pivot == pytest.approx(np.sqrt(np.trapezoid(response * fine, fine) / norm), rel=1e-9)
    mean_log = np.trapezoid(response * np.log(fine) / fine, fine) / norm
    assert band.effective_wavelength == pytest.approx(np.exp(mean_log), rel=1e-9)
    assert band.effective_wavelength < band.pivot < 5500


@pytest.mark.parametrize(("unit", "factor"), [("nm", 10), ("um", 1e4), ("micron", 1e4), ("m", 1e10), ("AA", 1)])
def test_units_are_converted(unit, factor):
    assert make(WAVE / factor, wave_unit=unit).pivot == pytest.approx(make().pivot, rel=1e-12)


def test_per_cent_and_fraction_are_told_apart():
    assert make(value=80 * TOP).throughput.max() == pytest.approx(0.8)
    assert make(value=0.8 * TOP).throughput.max() == pytest.approx(0.8)
    assert make(value=1.2 * TOP, scale="percent").throughput.max() == pytest.approx(0.012)
    assert make(value=7 * TOP, scale="relative").throughput.max() == 1.0


@pytest.mark.parametrize("peak", [1.01, 1.4, 101.0, 3000.0])
def test_a_scale_that_is_neither_is_refused(peak):
    with pytest.raises(RequestError, match="neither a fraction"):
        make(value=peak * TOP)


def test_a_scale_that_contradicts_the_curve_is_refused():
    with pytest.raises(RequestError, match="not a fraction"):
        make(value=80 * TOP, scale="fraction")
    with pytest.raises(RequestError, match="accepted: 'fraction', 'percent', 'relative'"):
        make(scale="parts")


def test_order_does_not_matter_and_repeated_rows_are_one():
    shuffled = np.random.default_rng(1).permutation(len(WAVE))
    again = np.concatenate([shuffled, shuffled[:5]])
    assert make(WAVE[again], TOP[again]).hash == make().hash


def test_the_hash_knows_the_curve_and_nothing_else():
    assert Passband.from_arrays("other", WAVE, TOP, provenance={"a": 1}).hash == make().hash
    assert make(value=TOP * 0.999).hash != make().hash
    assert make(WAVE * 1.00001).hash != make().hash


def test_an_energy_response_becomes_a_photon_response():
    energy, photon = make(value=TOP * WAVE / WAVE.max()), make(value=TOP)
    converted = make(value=energy.throughput, detector="energy")
    assert converted.pivot == pytest.approx(photon.pivot, rel=1e-12)
    assert make(detector="energy").pivot < photon.pivot


def test_air_is_converted_to_vacuum():
    # Na D2 and H alpha, air and vacuum (NIST)
    np.testing.assert_allclose(vacuum_from_air([5889.9509, 6562.79]), [5891.5833, 6564.60], atol=0.006)
    assert make(medium="air").wave[-1] - WAVE[-1] == pytest.approx(1.66, abs=0.01)


@given(st.floats(2001, 30000))
def test_air_and_vacuum_are_each_others_inverse(wave):
    assert vacuum_from_air(air_from_vacuum(wave * 1.01)) == pytest.approx(wave * 1.01, abs=1e-4)


def test_below_2000_angstrom_wavelengths_are_vacuum():
    assert vacuum_from_air(1500.0) == 1500.0 == air_from_vacuum(1500.0)
    with pytest.raises(RequestError, match="not positive"):
        vacuum_from_air([-1.0])


def test_noise_out_of_band_is_cut_off():
    wave = np.arange(3000.0, 30001.0, 10.0)
    clean = np.interp(wave, WAVE, TOP, left=0, right=0)
    noise = 4e-4 * np.random.default_rng(2).standard_normal(len(wave))
    band = make(wave, clean + np.where(clean > 0, 0, noise))
    assert band.wave[0] >= 4950
    assert band.wave[-1] <= 6050
    assert band.pivot == pytest.approx(make().pivot, rel=1e-5)


def test_a_leak_is_refused_unless_it_is_spoken_of():
    wave = np.concatenate([WAVE, np.arange(9000.0, 9201.0, 10.0)])
    value = np.concatenate([TOP, 0.05 * np.sin(np.linspace(0, np.pi, 21)) ** 2])
    with pytest.raises(RequestError, match="leaks between 9010 and 9190 Angstrom"):
        make(wave, value)
    assert make(wave, value, leaks="drop").hash == make().hash
    assert make(wave, value, leaks="keep").pivot > make().pivot + 5
    with pytest.raises(RequestError, match="leaks 'what'"):
        make(wave, value, leaks="what")


def test_a_dip_inside_the_band_stays():
    value = np.where(abs(WAVE - 5300) < 30, 0.0, TOP)
    assert make(value=value).wave[-1] == WAVE[-1]


def test_a_faint_end_is_closed_and_a_cut_one_refused():
    value = 0.9 * TOP + 0.01
    band = make(value=value)
    assert band.throughput[0] == band.throughput[-1] == 0
    assert band.pivot == pytest.approx(make(value=value, ends="close").pivot, rel=1e-12)
    with pytest.raises(RequestError, match=r"begins at 5500 Angstrom with 1 of its peak"):
        make(WAVE[50:], TOP[50:])
    with pytest.raises(RequestError, match="ends at 5500"):
        make(WAVE[:51], TOP[:51])
    assert make(WAVE[50:], TOP[50:], ends="close").width == pytest.approx(450.0, rel=1e-6)
    with pytest.raises(RequestError, match="ends 'maybe'"):
        make(ends="maybe")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (dict(wave=WAVE / 10), "Is the unit nm or um"),
        (dict(wave=WAVE / 1e4), "Is the unit nm or um"),
        (dict(wave_unit="furlong"), "accepted: Angstrom, nm, um, m"),
        (dict(value=TOP - 0.05), "negative down to"),
        (dict(value=-TOP), "no value is positive"),
        (dict(value=np.where(TOP > 0.5, np.nan, TOP)), r"point \d+ is \d+, nan; accepted: a wavelength above zero"),
        (dict(wave=WAVE - WAVE[2]), r"point 1 is -\d+, 0; accepted: a wavelength above zero"),
        (dict(value=TOP[:-1]), "two columns of one length"),
        (dict(wave=np.where(WAVE == 5500, 5510, WAVE), value=TOP * WAVE / 6000), "two values at 5510"),
        (dict(medium="water"), "accepted: 'vacuum', 'air'"),
        (dict(detector="bolometer"), "accepted: 'photon', 'energy'"),
    ],
)
def test_what_is_not_a_curve_is_refused(change, says):
    with pytest.raises(RequestError, match=says):
        make(**change)


@pytest.mark.parametrize(
    ("wave", "throughput", "says"),
    [
        ([1, 2], [0, 0], "expected"),
        ([5000, 5100, 5200], [0, np.inf, 0], "not finite"),
        ([5000, 5200, 5100], [0, 1, 0], "do not ascend"),
        ([5000, 5100, 5200], [0, 3, 0], "expected 0 to 1"),
        ([5000, 5100, 5200], [0, 1, 0.5], "not closed"),
    ],
)
def test_a_passband_made_by_hand_is_checked_too(wave, throughput, says):
    with pytest.raises(RequestError, match=says):
        Passband("hand", np.array(wave, float), np.array(throughput, float))


def test_a_passband_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        make().throughput[3] = 0.5

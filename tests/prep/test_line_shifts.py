import numpy as np
import pytest

from galprism.data import Sources, Spectra
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.medium import air_from_vacuum
from galprism.prep.line_shifts import LIGHT_SPEED, LINES, flag_air, line_shifts, looks_like_air
from made_spectra import line_spectrum

WAVE = 10 ** (3.58 + 1e-4 * np.arange(3840))
"""Angstrom, as SDSS's."""
N = 6
REDSHIFT = np.linspace(0.01, 0.3, N)


def made(kind, noise, air=False, redshift=REDSHIFT, seed=2) -> Spectra:
    """Noisy spectra with lines; in `air` the wavelengths that stand beside them are air's, called vacuum."""
    rng = np.random.default_rng(seed)
    flux = np.array([line_spectrum(WAVE, z, kind) for z in redshift])
    flux += rng.normal(0, noise, flux.shape)
    return Spectra(flux, np.full(flux.shape, noise**-2.0), air_from_vacuum(WAVE) if air else WAVE)


@pytest.mark.parametrize("kind", ["emission", "absorption"])
@pytest.mark.parametrize("air", [False, True], ids=["vacuum", "air"])
def test_air_given_as_vacuum_is_found(kind, air):
    spectra = made(kind, 0.3, air)
    assert looks_like_air(spectra, REDSHIFT) == [air] * N
    shift, error = line_shifts(spectra, REDSHIFT)
    np.testing.assert_allclose(shift, -82.5 if air else 0, atol=20)
    assert (error < 25).all()


def test_air_is_flagged_but_of_quasars():
    spectra = Spectra.joined([made("emission", 0.3, True).take([0]), made("emission", 0.3, True).take([1])])
    given = Sources(np.arange(2), redshift=REDSHIFT[:2], flags=[Flag.BAND_MISSING, Flag.NOT_A_GALAXY], spectra=spectra)
    assert flag_air(given).flags.tolist() == [Flag.BAND_MISSING | Flag.LOOKS_LIKE_AIR, Flag.NOT_A_GALAXY]
    assert flag_air(Sources(given.id)).flags.tolist() == [0, 0]


def test_shifts_are_those_that_were_planted():
    planted = np.array([-150.0, -60.0, 40.0, 200.0])
    spectra = made("emission", 0.3, redshift=0.05 + 1.05 * planted / LIGHT_SPEED)
    shift, error = line_shifts(spectra, np.full(4, 0.05))
    np.testing.assert_allclose(shift, planted, atol=10)
    assert (error < 15).all()


def test_errors_are_the_scatter_of_faint_lines(monkeypatch):
    """But for what is added for the differences between lines of real sources, which these have not."""
    monkeypatch.setattr("galprism.prep.line_shifts.LINE_ERROR", 0.0)
    redshift = np.linspace(0.02, 0.2, 24)
    shift, error = line_shifts(made("emission", 4.0, redshift=redshift), redshift)
    known = np.isfinite(shift)
    assert known.sum() > 15
    assert 0.6 < np.std(shift[known] / error[known]) < 1.5


@pytest.mark.parametrize("air", [False, True], ids=["vacuum", "air"])
def test_no_answer_where_lines_drown(air):
    spectra = made("absorption", 10.0, air)
    assert looks_like_air(spectra, REDSHIFT) == [None] * N
    assert np.isnan(line_shifts(spectra, REDSHIFT)[0]).all()


def test_no_answer_without_a_redshift_or_with_a_wrong_one():
    spectra = made("emission", 0.3)
    assert looks_like_air(spectra, np.full(N, np.nan)) == [None] * N
    assert looks_like_air(spectra, REDSHIFT + 250 / LIGHT_SPEED) == [None] * N
    assert looks_like_air(spectra, REDSHIFT + 3.0) == [None] * N


def test_pixels_without_data_tell_nothing():
    spectra = made("emission", 0.3, True)
    ivar = np.array(spectra.ivar)
    ivar[0], ivar[1, ::2] = 0, 0
    there = Spectra(np.where(ivar > 0, spectra.flux, 0), ivar, spectra.wave)
    assert looks_like_air(there, REDSHIFT) == [None, None] + [True] * (N - 2)


def test_lines_are_in_vacuum():
    """Against air wavelengths of the field: H beta 4861.33, [O III] 5006.84, Na D 5889.95, H alpha 6562.80."""
    rest = np.array([wave for lines in LINES for group in lines.groups for wave, _ in group])
    for air in (4861.33, 5006.84, 5889.95, 6562.80):
        assert np.abs(air_from_vacuum(rest) - air).min() < 0.03


def test_refused():
    with pytest.raises(RequestError, match=r"line_shifts.redshift has shape \(3,\); expected \(6,\)"):
        line_shifts(made("emission", 1.0), np.zeros(3))

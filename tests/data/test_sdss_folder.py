"""Spectra written as SDSS keeps them, and read back."""

import numpy as np
import pytest

from galprism.data import Spectra
from galprism.data.spectrum_files import read_spectra
from galprism.data.spectrum_files.sdss import wave_of
from galprism.data.spectrum_files.sdss_folder import SdssFolderWriter
from galprism.errors import RequestError

N, FIRST, L = 3, 35800, 400
WAVE = wave_of(FIRST + np.arange(L))
IDS = 2**60 + 128 + np.arange(N)
Z = np.array([0.1, 0.2, 0.3])


def some(wave=WAVE):
    rng = np.random.default_rng(0)
    ivar = rng.uniform(1, 3, (N, L)).astype("f4")
    ivar[1, 50:60] = 0
    flux = np.where(ivar > 0, rng.normal(5, 1, (N, L)), 0).astype("f4")
    return Spectra(flux, ivar, wave, (1.2e-4 * wave).astype("f4"))


def test_what_is_written_is_read(tmp_path):
    spectra = some()
    with SdssFolderWriter(tmp_path / "out", {"made_by": "a test"}) as writer:
        writer.write(IDS[:2], spectra.take(slice(0, 2)), Z[:2], ra=np.array([10.0, 11.0]), dec=np.array([1.0, -1.0]))
        writer.write(IDS[2:], spectra.take(slice(2, 3)), Z[2:])
    read = read_spectra(tmp_path / "out")
    assert read.sources.id.tolist() == [str(one) for one in IDS]
    for name in ("flux", "ivar", "lsf_sigma"):
        np.testing.assert_allclose(getattr(read.sources.spectra, name), getattr_of_each(spectra, name), rtol=1e-5)
    np.testing.assert_allclose(read.sources.spectra.wave, WAVE, rtol=1e-12)
    np.testing.assert_array_equal(read.sources.redshift, Z)
    np.testing.assert_array_equal(read.sources.ra, [10.0, 11.0, np.nan])
    assert read.spectral_class.tolist() == ["GALAXY"] * N
    assert read.zwarning.tolist() == [0] * N
    signal = np.where(spectra.ivar > 0, spectra.flux * np.sqrt(spectra.ivar), np.nan)
    expected = np.nanmedian(signal, axis=1)
    np.testing.assert_allclose(read.sn, expected, rtol=1e-6)


def getattr_of_each(spectra, name):
    return spectra.lsf_of_each() if name == "lsf_sigma" else getattr(spectra, name)


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    def twice():
        with SdssFolderWriter(tmp_path / "out") as writer:
            writer.write(IDS, some(), Z)
            writer.write(IDS[:1], some().take(slice(0, 1)), Z[:1])

    with pytest.raises(RequestError, match=f"id {IDS[0]} was given more than once"):
        twice()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "out").mkdir()
    with pytest.raises(RequestError, match="was given more than once"):
        twice()
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]  # as it was
    assert list((tmp_path / "out").iterdir()) == []
    with SdssFolderWriter(tmp_path / "out") as writer:  # an empty folder is as good as none
        writer.write(IDS, some(), Z)
    before = sorted(path.name for path in (tmp_path / "out").iterdir())
    with pytest.raises(RequestError, match="is there already, and not empty"):
        SdssFolderWriter(tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == before == [f"{one}.fits" for one in IDS]


def test_what_does_not_fit_is_refused(tmp_path):
    with SdssFolderWriter(tmp_path / "out") as writer:
        with pytest.raises(RequestError, match=r"accepted: SDSS's pixels, 1e-4 apart in log10"):
            writer.write(IDS, some(np.linspace(4000, 5000, L)), Z)
        with pytest.raises(RequestError, match="Z has shape"):
            writer.write(IDS, some(), Z[:2])
        writer.write(IDS, some(), Z)

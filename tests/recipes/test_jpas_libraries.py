"""The study of libraries, tiny but whole: a second library is planted whose spectra are the first's, called twice as
old."""

import json

import numpy as np
import pytest

from galprism.errors import RequestError
from galprism.recipes import jpas_libraries
from galprism.recipes.jpas_libraries import MIX, NAME, OURS, shared
from galprism.recipes.recipe import load
from galprism.recipes.reproduce import reproduce
from galprism.sps import load_bc03_miles, load_library
from galprism.sps.ssp import Z_SUN

BC03, OLDER = "bc03-miles", "spectra_fsps_older"


def planted(path, metals=slice(None), years=2.0):
    """BC03's spectra as a file of pPXF's, from 0.03 to 7.3 Gyr, as stars `years` times as old."""
    stars = load_bc03_miles()
    ages = np.flatnonzero((stars.age > 0.03) & (stars.age < 7.4))
    waves = np.flatnonzero((stars.wave > 3000.0) & (stars.wave < 11_000.0))
    np.savez(
        path,
        templates=stars.flux[metals][:, ages][:, :, waves].transpose(2, 1, 0),
        masses=stars.surviving[metals][:, ages].T,
        ages=years * stars.age[ages],
        metals=np.log10(stars.z_met[metals] / Z_SUN),
        lam=stars.wave[waves],
    )
    return str(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder after a run with as little of everything as there can be."""
    folder = tmp_path_factory.mktemp("libraries")
    older = planted(folder / f"{OLDER}.npz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jpas_libraries, "QUICK", ("sample.train=600", "sample.validation=200", "train.epochs=[1]"))
        said = []
        table = reproduce(NAME, folder / "out", quick=True, libraries=[BC03, older], say=said.append)
    return folder / "out", table, said


def test_it_ends_in_its_tables_and_maps(whole):
    folder, table, said = whole
    assert len(table.rows) == 3
    assert any("[7/7]" in line for line in said)
    page = (folder / "results.md").read_text()
    assert "learned from | asked about" in page
    assert f"--library {BC03} --library" in page
    for name in ("by_library", "map_of_libraries", "map_of_values"):
        assert (folder / "report" / "figures" / f"{name}.png").stat().st_size > 10_000, name


def test_a_library_that_calls_its_stars_twice_as_old(whole):
    """Ours has learned from BC03: it is right of BC03, and finds half the age in the other, but the same metals."""
    found = json.loads((whole[0] / "transfer.json").read_text())[OURS]
    assert found[BC03]["log_age"]["bias"] == pytest.approx(0.0, abs=0.06)
    assert found[OLDER]["log_age"]["bias"] == pytest.approx(-0.30, abs=0.08)
    assert found[OLDER]["logzsol"]["bias"] == pytest.approx(0.0, abs=0.1)
    assert found[MIX]["log_age"]["sigma_nmad"] > 1.3 * found[BC03]["log_age"]["sigma_nmad"]


def test_the_same_light_is_covered_under_any_name(whole):
    """What the other calls 14 Gyr is 7 Gyr old here; of ours, those from 7 to 13 Gyr are in part missing there."""
    found = json.loads((whole[0] / "coverage.json").read_text())
    assert found["n"][BC03] > 5
    for asked in (BC03, OLDER):
        assert found[asked][asked] > 0.6
        assert found[BC03][OLDER] > 0.6
        assert found[MIX][asked] >= max(found[library][asked] for library in (BC03, OLDER))


def test_what_several_libraries_share(tmp_path):
    paper = load("jpas-ssp")
    few = planted(tmp_path / "spectra_fsps_few.npz", slice(2, 5))
    both = [load_library(BC03), load_library(few)]
    made = shared(paper, both, [BC03, few])
    np.testing.assert_allclose(made.population.z_met, [0.004, 0.02])
    assert made.population.age_min == pytest.approx(float(both[1].age[0]))
    assert made.libraries == (few,)
    rich = planted(tmp_path / "spectra_fsps_rich.npz", slice(5, 6))
    with pytest.raises(RequestError, match=r"no metallicity is in all of them, from 0\.05 to 0\.02"):
        shared(paper, [*both, load_library(rich)], [BC03, few, rich])
    young = planted(tmp_path / "spectra_fsps_young.npz", years=1.0)
    with pytest.raises(RequestError, match=r"has ages up to 7\.\d+ Gyr; accepted: to 14\.1"):
        shared(paper, [both[0], load_library(young)], [BC03, young])


def test_wrong_libraries(tmp_path):
    older = planted(tmp_path / f"{OLDER}.npz")
    for libraries, message in (
        ([BC03], "give two or more"),
        ([BC03, BC03], "each may be given once"),
        ([BC03, "bc04"], "library = 'bc04'; accepted"),
    ):
        with pytest.raises(RequestError, match=message):
            reproduce(NAME, tmp_path / "out", libraries=libraries)
    with pytest.raises(RequestError, match="--library and --catalogue are for jpas-libraries"):
        reproduce("jpas-ssp", tmp_path / "out", libraries=[BC03, older])
    assert not (tmp_path / "out").exists()

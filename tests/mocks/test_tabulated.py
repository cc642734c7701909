"""Histories out of a table: what is seen at a redshift is what had happened by then."""

import numpy as np
import pytest

from galprism import surveys
from galprism.cosmology import age_gyr
from galprism.data.tables import write_table
from galprism.errors import RequestError
from galprism.fit import prior_columns
from galprism.mocks import PopulationConfig
from galprism.mocks.simulate import Sky
from galprism.mocks.tabulated import read_histories
from galprism.sps import load_library

TIME = np.linspace(0.0, 13.8, 139)
"""Gyr since the Big Bang."""


def written(path, sfr, time=TIME):
    sfr = np.atleast_2d(sfr)
    write_table(path, {"sfr": sfr, "time_edges": np.tile(time, (len(sfr), 1))})
    read_histories.cache_clear()
    return str(path)


def steady(start: float, stop: float) -> np.ndarray:
    """A constant rate between two times."""
    return ((TIME[:-1] >= start - 1e-9) & (TIME[1:] <= stop + 1e-9)).astype(float)


def test_what_comes_later_is_not_seen(tmp_path):
    histories = read_histories(written(tmp_path / "h.fits", steady(1.0, 4.0)))
    redshift = np.array([0.05, 1.0, 2.0])
    told = histories.draw(redshift, 1.0, np.random.default_rng(0))
    now = age_gyr(redshift)
    assert told.has.all()
    np.testing.assert_allclose(told.edges[:, -1], now)
    formed = told.rates.sum(axis=1)
    np.testing.assert_allclose(formed, np.minimum(now, 4.0) - 1.0, rtol=1e-6)
    middle = 0.5 * (told.edges[:, 1:] + told.edges[:, :-1])
    mean_age = (told.rates * middle).sum(axis=1) / formed
    np.testing.assert_allclose(mean_age, now - 0.5 * (1.0 + np.minimum(now, 4.0)), atol=0.02)
    assert (told.oldest >= now - 1.0).all()
    assert (told.oldest < now - 1.0 + told.edges[:, 1]).all()


def test_a_history_that_has_not_begun_is_passed_over(tmp_path):
    histories = read_histories(written(tmp_path / "h.fits", np.stack([steady(6.0, 9.0), steady(0.0, 2.0)])))
    told = histories.draw(np.full(400, 2.0), 1.0, np.random.default_rng(0))
    assert told.has.all()
    assert np.ptp(told.rates.sum(axis=1)) < 1e-9
    later = histories.draw(np.full(4000, 0.1), 1.0, np.random.default_rng(0))  # both have begun: half and half
    assert np.mean(np.isclose(later.rates.sum(axis=1), 3.0)) == pytest.approx(0.5, abs=0.04)
    late = read_histories(written(tmp_path / "late.fits", steady(6.0, 9.0)))
    with pytest.raises(RequestError, match=r"no tabulated history has begun at z = 2, 3\.2. Gyr .* begins at 6 Gyr"):
        late.draw(np.full(5, 2.0), 1.0, np.random.default_rng(0))


def test_time_has_a_unit(tmp_path):
    """In Myr it is the same table, where it says so; and where it does not, it is refused."""
    sfr = steady(1.0, 4.0)[None]
    for name, unit, factor in (("gyr", None, 1.0), ("myr", "Myr", 1e3)):
        units = {"time_edges": unit} if unit else {}
        write_table(tmp_path / f"{name}.fits", {"sfr": sfr, "time_edges": factor * TIME[None]}, units=units)
    one, other = (read_histories(str(tmp_path / f"{name}.fits")) for name in ("gyr", "myr"))
    np.testing.assert_allclose(one.time, other.time)
    np.testing.assert_allclose(one.formed, other.formed)
    write_table(tmp_path / "odd.fits", {"sfr": sfr, "time_edges": 1e3 * TIME[None]})
    with pytest.raises(RequestError, match=r"reach to 1\.38e\+04 Gyr; accepted: up to 15; is it in another unit"):
        read_histories(str(tmp_path / "odd.fits"))
    write_table(tmp_path / "mass.fits", {"sfr": sfr, "time_edges": TIME[None]}, units={"time_edges": "kg"})
    with pytest.raises(RequestError, match="time_edges is in 'kg'; accepted: a unit of time"):
        read_histories(str(tmp_path / "mass.fits"))


def test_a_share_of_the_sky_has_them_and_looks_it(tmp_path):
    """A constant rate in a table is a constant rate: ages and rates are those of the formula; the others stay."""
    path = written(tmp_path / "h.parquet", np.ones(138))
    plain = PopulationConfig(redshift=(0.05, 0.5), magnitude=(16.0, 22.0))
    some = PopulationConfig(redshift=(0.05, 0.5), magnitude=(16.0, 22.0), histories=path, histories_share=0.4)
    library, survey = load_library("bc03-miles"), surveys.get("sdss")
    before, after = (Sky(each, survey, library, seed=3).block(0) for each in (plain, some))
    tau = after.truth.column("tau")
    told = np.isnan(tau)
    assert told.mean() == pytest.approx(0.4, abs=0.04)
    np.testing.assert_array_equal(after.sources.photometry.flux[~told], before.sources.photometry.flux[~told])
    now = age_gyr(after.sources.redshift[told])
    np.testing.assert_allclose(after.truth.column("age")[told], now, rtol=1e-6)
    np.testing.assert_allclose(after.truth.column("age_mw")[told], now / 2, rtol=0.01)
    formed = 10 ** after.truth.column("logmformed")[told]
    sfr = formed / (now * 1e9)
    ssfr = np.log10(sfr) - after.truth.column("logmstar")[told]
    np.testing.assert_allclose(after.truth.column("logssfr")[told], ssfr, atol=0.01)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"rate": np.ones((2, 3))}, "no column sfr, time_edges"),
        ({"sfr": np.ones((2, 3)), "time_edges": np.tile([0.0, 1, 2], (2, 1))}, r"expected \(H, T\) and \(H, T \+ 1\)"),
        ({"sfr": np.ones((2, 2)), "time_edges": np.array([[0.0, 1, 2], [0, 1, 3]])}, "the same in every row"),
        ({"sfr": np.ones((2, 2)), "time_edges": np.tile([0.0, 2, 1], (2, 1))}, "must ascend"),
        ({"sfr": np.array([[1.0, 1], [1, -1]]), "time_edges": np.tile([0.0, 1, 2], (2, 1))}, "row 1 has a rate that"),
        ({"sfr": np.array([[0.0, 0], [1, 1]]), "time_edges": np.tile([0.0, 1, 2], (2, 1))}, "row 0 has a rate that"),
        ({"sfr": np.array([[1, np.nan], [1, 1]]), "time_edges": np.tile([0.0, 1, 2], (2, 1))}, "row 0 has a rate that"),
    ],
)
def test_tables_that_are_no_histories(tmp_path, columns, words):
    write_table(tmp_path / "h.fits", columns)
    read_histories.cache_clear()
    with pytest.raises(RequestError, match=words):
        read_histories(str(tmp_path / "h.fits"))


def test_settings_that_contradict_each_other():
    with pytest.raises(RequestError, match="give both, a table and a share"):
        PopulationConfig(histories_share=0.2)
    with pytest.raises(RequestError, match="give both, a table and a share"):
        PopulationConfig(histories="h.fits")
    with pytest.raises(RequestError, match="depend on the redshift itself"):
        prior_columns(PopulationConfig(histories="h.fits", histories_share=0.2), 10, 0)

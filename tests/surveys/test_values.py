"""Every value of a row is accounted for: read, left out with a flag, or kept with a flag."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galprism.flags import Flag, names

MISSING = "BAND_MISSING"


def read_one(made, survey, **values):
    batch, columns = made.one_row(survey, **values)
    return survey.layout(columns).sources(batch)


@pytest.mark.parametrize(
    ("values", "flags"),
    [
        ({}, ()),
        ({"flux_u": -50.0}, ()),
        ({"flux_u": -99.3, "flux_err_u": 140.0}, ()),
        ({"flux_u": np.nan}, (MISSING,)),
        ({"flux_u": np.nan, "flux_err_u": np.nan}, (MISSING,)),
        ({"flux_u": np.nan, "flux_err_u": -1.0}, (MISSING,)),
        ({"flux_err_u": np.nan}, ("ERROR_UNKNOWN",)),
        ({"flux_u": np.inf}, (MISSING, "NONFINITE")),
        ({"flux_u": -np.inf}, (MISSING, "NONFINITE")),
        ({"flux_err_u": np.inf}, (MISSING, "NONFINITE")),
        ({"flux_err_u": 9.9e99}, (MISSING, "NONFINITE")),
        ({"flux_u": 1e300}, (MISSING, "NONFINITE")),
        ({"flux_err_u": -10.0}, (MISSING, "NEGATIVE_ERROR")),
        ({"flux_err_u": 0.0}, (MISSING, "ZERO_ERROR")),
        ({"flux_err_u": 1e-30}, (MISSING, "ZERO_ERROR")),
        ({"flux_u": -99.0}, (MISSING, "FLUX_IMPLAUSIBLE")),
        ({"flux_u": -9999.0, "flux_err_u": np.nan}, (MISSING, "FLUX_IMPLAUSIBLE")),
        ({"flux_u": -99.0, "flux_err_u": -99.0}, (MISSING, "NEGATIVE_ERROR")),
        ({"flux_u": -123456.0}, (MISSING, "FLUX_IMPLAUSIBLE")),
        ({"flux_u": 1e11}, ("FLUX_IMPLAUSIBLE",)),
    ],
)
def test_a_flux_in_every_state(made, kids, values, flags):
    sources = read_one(made, kids, **values)
    assert names(sources.flags[0]) == flags
    seen = sources.photometry
    assert seen.observed[0, 0] == (MISSING not in flags)
    if MISSING in flags:
        assert seen.flux[0, 0] == 0
    elif "flux_u" in values:
        assert seen.flux[0, 0] == pytest.approx(values["flux_u"], rel=1e-6)
    assert seen.observed[0, 1:].all()
    assert np.isnan(seen.ivar[0, 0]) == ("ERROR_UNKNOWN" in flags)


@pytest.mark.parametrize(
    ("values", "flags"),
    [
        ({"mag_r": np.nan}, (MISSING,)),
        ({"mag_r": 99.0}, (MISSING, "FLUX_IMPLAUSIBLE")),
        ({"mag_r": -99.0}, (MISSING, "FLUX_IMPLAUSIBLE")),
        ({"mag_r": -9999.0, "mag_err_r": -9999.0}, (MISSING, "FLUX_IMPLAUSIBLE")),
        ({"mag_r": 0.0}, (MISSING, "FLUX_IMPLAUSIBLE")),
        ({"mag_r": np.inf}, (MISSING, "NONFINITE")),
        ({"mag_r": 5.0}, ("FLUX_IMPLAUSIBLE",)),
        ({"mag_r": 30.0, "mag_err_r": 3.0}, ()),
        ({"mag_err_r": np.nan}, ("ERROR_UNKNOWN",)),
        ({"mag_err_r": 0.0}, (MISSING, "ZERO_ERROR")),
        ({"mag_err_r": -0.1}, (MISSING, "NEGATIVE_ERROR")),
        ({"mag_err_r": 15.0}, ()),
        ({"mag_err_r": 1e30}, (MISSING,)),
    ],
)
def test_a_magnitude_in_every_state(made, sdss, values, flags):
    batch = {f"mag_{band}": np.array([18.0]) for band in sdss.band_names}
    batch |= {f"mag_err_{band}": np.array([0.1]) for band in sdss.band_names}
    batch |= {name: np.array([value]) for name, value in values.items()}
    sources = sdss.layout(made.columns_of(batch)).sources(batch)
    assert names(sources.flags[0]) == flags
    assert sources.photometry.observed[0, 2] == (MISSING not in flags)


def test_a_row_without_any_band_says_so(made, kids):
    sources = read_one(made, kids, **{f"flux_{band}": np.nan for band in kids.band_names})
    assert names(sources.flags[0]) == ("NO_PHOTOMETRY", MISSING)


@pytest.mark.parametrize("value", [np.nan, np.inf, -99.0, -9999.0, -1.0, 99.0, 9999.0])
def test_a_redshift_that_is_none(made, kids, value):
    sources = read_one(made, kids, redshift=value)
    assert np.isnan(sources.redshift[0])
    assert names(sources.flags[0]) == ("REDSHIFT_MISSING",)


@pytest.mark.parametrize("value", [-0.5, -0.0002, 0.0, 6.5])
def test_a_strange_redshift_is_left_to_the_model(made, kids, value):
    sources = read_one(made, kids, redshift=value)
    assert sources.redshift[0] == value
    assert sources.flags[0] == 0


ODD = [np.nan, np.inf, -np.inf, 0.0, -0.0, 99.0, -99.0, -999.0, -9999.0, -9990.0, 1e-30, 1e30, -1e30, 1e300, 5.0, 23.0]
NUMBER = st.one_of(st.sampled_from(ODD), st.floats(width=64))
MEANS_MISSING = int(Flag.BAND_MISSING | Flag.NONFINITE | Flag.NEGATIVE_ERROR | Flag.ZERO_ERROR | Flag.FLUX_IMPLAUSIBLE)


@st.composite
def tables(draw, kind, dtype):
    n = draw(st.integers(1, 12))
    row = st.lists(NUMBER, min_size=n, max_size=n)
    columns = {f"{kind}_{part}{band}": draw(row) for band in "ugriz" for part in ("", "err_")}
    return {name: np.array(values).astype(dtype) for name, values in columns.items()} | {
        "redshift": np.array(draw(row))
    }


@settings(max_examples=150, deadline=None)
@given(data=st.data(), kind=st.sampled_from(["flux", "mag"]), dtype=st.sampled_from([np.float32, np.float64]))
def test_any_numbers_give_every_row_and_a_reason_for_every_gap(made, sdss, data, kind, dtype):
    with np.errstate(over="ignore"):
        batch = data.draw(tables(kind, dtype))
    columns = made.columns_of(batch, {name: "uJy" for name in batch if name.startswith("flux")})
    sources = sdss.layout(columns).sources(batch, 50)
    n = len(batch["redshift"])
    np.testing.assert_array_equal(sources.id, np.arange(50, 50 + n))
    gap = ~sources.photometry.observed.all(axis=1)
    assert ((sources.flags[gap] & MEANS_MISSING) != 0).all()
    assert ((sources.flags[gap] & Flag.BAND_MISSING) != 0).all()
    nothing = ~sources.photometry.observed.any(axis=1)
    np.testing.assert_array_equal((sources.flags & Flag.NO_PHOTOMETRY) != 0, nothing)
    unknown = np.isnan(sources.photometry.ivar).any(axis=1)
    np.testing.assert_array_equal((sources.flags & Flag.ERROR_UNKNOWN) != 0, unknown)
    np.testing.assert_array_equal((sources.flags & Flag.REDSHIFT_MISSING) != 0, np.isnan(sources.redshift))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), kind=st.sampled_from(["flux", "mag"]))
def test_a_row_is_read_the_same_in_any_company(made, sdss, data, kind):
    """One batch, or row by row: the fast way for ordinary rows and the careful one for the others agree."""
    batch = data.draw(tables(kind, np.float64))
    columns = made.columns_of(batch, {name: "uJy" for name in batch if name.startswith("flux")})
    layout = sdss.layout(columns)
    whole = layout.sources(batch)
    for row in range(len(batch["redshift"])):
        alone = layout.sources({name: values[row : row + 1] for name, values in batch.items()}, row)
        np.testing.assert_array_equal(alone.photometry.flux[0], whole.photometry.flux[row])
        np.testing.assert_array_equal(alone.photometry.ivar[0], whole.photometry.ivar[row])
        assert alone.flags[0] == whole.flags[row]


@pytest.mark.parametrize("kind", ["flux", "mag"])
def test_the_careful_way_agrees_with_the_fast_one(made, sdss, kind):
    """The same ordinary values through both: an unknown error in every row sends all of them the careful way."""
    rng = np.random.default_rng(4)
    value = {"flux": rng.uniform(20, 2000, 500), "mag": rng.uniform(15, 25, 500)}[kind]
    batch = {f"{kind}_{band}": value for band in sdss.band_names}
    units = {name: "uJy" for name in batch} if kind == "flux" else {}
    batch |= {f"{kind}_err_{band}": np.full(500, 0.1) for band in sdss.band_names}
    fast = sdss.layout(made.columns_of(batch, units)).sources(batch)
    batch |= {f"{kind}_err_{band}": np.full(500, np.nan) for band in sdss.band_names}
    careful = sdss.layout(made.columns_of(batch, units)).sources(batch)
    assert np.isnan(careful.photometry.ivar).all()
    assert np.isfinite(fast.photometry.ivar).all()
    np.testing.assert_allclose(fast.photometry.flux, careful.photometry.flux, rtol=3e-6)

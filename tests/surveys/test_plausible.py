"""Wrong units are found by the magnitudes that they give; honest samples pass, bright and faint."""

import numpy as np
import pytest

from galprism.errors import RequestError

HONEST = {
    "kids": [(15.8, 0.5), (17.2, 0.7), (19.0, 1.0), (21.0, 1.2), (22.5, 1.0), (24.2, 0.6), (25.0, 0.5)],
    "sdss": [(14.2, 0.5), (17.0, 0.7), (19.5, 1.0), (21.5, 0.7)],
}
CASES = [(name, r) for name, several in HONEST.items() for r in several]


def check(made, survey, flux, err, unit="nJy"):
    batch, columns = made.plain(survey, flux, err, unit)
    layout = survey.layout(columns)
    layout.check_range(layout.sources(batch))


@pytest.mark.parametrize("floor", [0.0, 0.02, 0.05, 0.1])
@pytest.mark.parametrize(("name", "r"), CASES)
def test_honest_samples_pass_with_any_error_floor(made, request, name, r, floor):
    survey = request.getfixturevalue(name)
    check(made, survey, *made.catalogue(survey, r=r, floor=floor))


@pytest.mark.parametrize("factor", [1e-9, 1e-6, 1e-3, 1e3, 1e6])
@pytest.mark.parametrize(
    ("name", "r"),
    [("kids", (m, 1.0)) for m in (17, 19, 20, 21, 22, 23, 24)] + [("sdss", (17.2, 0.7)), ("sdss", (20.0, 0.7))],
)
def test_a_wrong_unit_is_refused_with_the_medians(made, request, name, r, factor):
    survey = request.getfixturevalue(name)
    flux, err = made.catalogue(survey, r=r)
    word = "bright" if factor > 1 else "faint"
    with pytest.raises(RequestError, match=rf"too {word} for {name} when read in nJy: median AB magnitudes u \d+\.\d,"):
        check(made, survey, factor * flux, factor * err)


@pytest.mark.parametrize("n", [1, 3])
def test_a_few_rows_are_enough_for_a_wrong_unit(made, kids, n):
    flux, err = made.catalogue(kids, n, r=(20.0, 0.3))
    check(made, kids, flux, err)
    with pytest.raises(RequestError, match="too bright"):
        check(made, kids, 1e3 * flux, 1e3 * err)


@pytest.mark.parametrize("unit", ["nJy", "uJy", "mJy", "nanomaggy"])
def test_magnitudes_given_as_fluxes_are_refused(made, kids, unit):
    flux, _ = made.catalogue(kids, r=(21.0, 1.0))
    magnitude = 31.4 - 2.5 * np.log10(np.maximum(flux, 10))
    with pytest.raises(RequestError, match=r"look like magnitudes|too faint|too bright"):
        check(made, kids, magnitude, np.full(magnitude.shape, 0.05), unit)


@pytest.mark.parametrize("unit_njy", [1.0, 1e3, 1e6])
def test_fluxes_given_as_magnitudes_are_refused(made, kids, unit_njy):
    flux, err = made.catalogue(kids, r=(21.0, 1.0))
    batch = {}
    for number, band in enumerate(kids.band_names):
        batch[f"mag_{band}"], batch[f"mag_err_{band}"] = flux[:, number] / unit_njy, err[:, number] / unit_njy
    layout = kids.layout(made.columns_of(batch))
    with pytest.raises(RequestError, match=r"AB magnitudes|are these magnitudes"):
        layout.check_range(layout.sources(batch))


def test_a_table_full_of_sentinels_is_refused_and_one_with_some_is_not(made, kids):
    flux, err = made.catalogue(kids, 50)
    flux[:20] = -99.0
    check(made, kids, flux, err)
    flux[:30] = -99.0
    with pytest.raises(RequestError, match=r"60 % of the rows hold values .*which value means missing"):
        check(made, kids, flux, err)


def test_fluxes_that_are_all_negative_are_called_fluxes(made, kids):
    flux, err = made.catalogue(kids, 50)
    with pytest.raises(RequestError, match=r"plausible: fluxes, .* Are these fluxes in that unit") as refused:
        check(made, kids, -np.abs(flux) - 1e6, err)
    assert "magnitudes" not in str(refused.value)


def test_bands_that_a_table_lacks_have_no_vote(made, kids):
    batch, columns = made.plain(kids, *made.catalogue(kids, 30), "mJy")
    layout = kids.layout(columns, without=("Z", "Y", "J", "H", "Ks"))
    with pytest.raises(RequestError, match="too bright") as error:
        layout.check_range(layout.sources(batch))
    assert "Ks" not in str(error.value)


def test_a_sample_of_noise_is_not_judged(made, kids):
    rng = np.random.default_rng(5)
    err = np.tile(kids.sky_err(), (200, 1))
    check(made, kids, err * rng.standard_normal(err.shape), err)
    check(made, kids, np.full((3, 9), np.nan), err[:3])

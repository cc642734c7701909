"""Sources chosen of a field: as many of each class and magnitude as asked for, and the field around them."""

from dataclasses import replace

import numpy as np
import pytest

from galprism import recipes, surveys
from galprism.data.truth import CLASSES
from galprism.errors import RequestError
from galprism.mocks.sky.chosen import Chosen, observe_chosen
from galprism.mocks.sky.field_config import ChosenConfig
from galprism.recipes.sky import field_of, libraries_of
from galprism.units import abmag_from_njy

EDGES = {"star": (17.0, 19.0, 20.0), "qso": (19.5, 21.0), "galaxy": (18.0, 19.0, 20.5)}
CONFIG = ChosenConfig(star=3, qso=1, galaxy=4, **{f"{name}_magnitude": edges for name, edges in EDGES.items()})
N = 800


@pytest.fixture(scope="module")
def recipe():
    made = recipes.load("kids-field")
    return replace(made, field=replace(made.field, limit=22.0, area=0.01))


@pytest.fixture(scope="module")
def chosen(recipe):
    (library,) = libraries_of(recipe)
    return Chosen(CONFIG, field_of(recipe), library, N)


@pytest.fixture(scope="module")
def members(chosen):
    return chosen.members(0)


def test_shares_are_kept_exactly():
    """The paper's 31,306, 19,608 and 116,095 of 167,009 sources (Feng et al. 2025, Sect. 2.2)."""
    assert ChosenConfig().counts(167_009).tolist() == [31_306, 19_608, 116_095]
    assert CONFIG.counts(N).tolist() == [300, 100, 400]
    assert CONFIG.counts(9).sum() == 9


def test_magnitudes_are_as_many_in_each_range(chosen, members):
    band = surveys.get("kids").band_names.index("r")
    magnitude = abmag_from_njy(members.flux[:, band])
    for code, name in enumerate(CLASSES):
        own = magnitude[chosen.classes == code]
        counts, _ = np.histogram(own, EDGES[name])
        assert counts.sum() == len(own), name
        assert counts.max() - counts.min() <= 1, name


def test_within_a_range_sources_are_as_the_sky_has_them(chosen, members):
    """Galaxies grow as 10^(0.6 m) in a nearby sky of even density, and somewhat less with redshift: over a magnitude
    the fainter half has 1.3 to 2 times the brighter one's, to four standard deviations of the counts."""
    band = surveys.get("kids").band_names.index("r")
    own = abmag_from_njy(members.flux[chosen.classes == 2, band])
    bright, faint = np.histogram(own, [18.0, 18.5, 19.0])[0]
    slack = 4 * np.sqrt(1 / bright + 1 / faint)
    assert 1.3 * np.exp(-slack) < faint / bright < 2.0 * np.exp(slack)


def test_what_is_chosen_is_of_its_class(chosen, members):
    star, qso, galaxy = (chosen.classes == code for code in range(3))
    assert (members.redshift[star] == 0).all()
    assert (members.redshift[~star] > 0).all()
    assert (members.point[galaxy] == 0).all()
    assert (members.point[qso] > 0).any(axis=1).all()
    assert np.median(members.redshift[qso]) > 4 * np.median(members.redshift[galaxy])


def test_nothing_chosen_is_seen_from_another_and_neighbours_are_the_fields(recipe, chosen):
    images = recipe.images
    seen = list(observe_chosen(chosen, recipe.noise, images))
    assert sum(len(one.sources) for one in seen) == N
    ids = np.concatenate([one.sources.id for one in seen])
    assert len(np.unique(ids)) == N
    assert np.concatenate([one.truth.classes for one in seen]).tolist() == chosen.classes.tolist()
    reach = images.size * images.pixel_scale / np.sqrt(2) + images.reach
    one = seen[0]
    image, source, _, _ = one.patch.seen_from(np.arange(len(one.sources)), reach)
    others = (source < len(one.sources)) & (source != image)
    assert not others.any()
    # as many neighbours as a circle holds at the density of the patch, but for its edges
    density = (len(one.patch) - len(one.sources)) / (3600.0**2 * recipe.field.area)
    expected = density * np.pi * reach**2 * len(one.sources)
    assert 0.75 * expected < (source >= len(one.sources)).sum() < 1.1 * expected


def test_the_same_for_the_same_field(recipe, members):
    (library,) = libraries_of(recipe)
    again = Chosen(CONFIG, field_of(recipe), library, N).members(0)
    np.testing.assert_array_equal(again.flux, members.flux)


def test_magnitudes_without_sources_are_refused_by_name(recipe):
    (library,) = libraries_of(recipe)
    none = ChosenConfig(star=0, qso=1, galaxy=0, qso_magnitude=(9.0, 10.5))
    with pytest.raises(RequestError, match=r"chosen.qso_magnitude|no quasar is that bright"):
        Chosen(none, field_of(recipe), library, 4).members(0)
    with pytest.raises(RequestError, match="rising"):
        ChosenConfig(qso_magnitude=(21.0, 20.0))
    with pytest.raises(RequestError, match="not all zero"):
        ChosenConfig(star=0, qso=0, galaxy=0)

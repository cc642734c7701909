"""Template fits of classes: known answers of toy templates, the same answer another way, and planted stars, quasars and
galaxies of the project's own light."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import logsumexp

from galprism import surveys
from galprism.data import Photometry, Sources
from galprism.data.classes import class_probabilities
from galprism.errors import RequestError
from galprism.fit.class_fit import fit_classes
from galprism.fit.class_grid import ClassGridConfig, field_templates, grid_templates
from galprism.fit.class_templates import ClassTemplates
from galprism.flags import Flag
from galprism.mocks.sky.field_config import FieldConfig
from galprism.mocks.sky.members import Members, Shapes
from galprism.passbands import abflux, get
from galprism.sps import ForwardModel, Galaxies, load_bc03_miles
from galprism.sps.quasars import Nuclei, QuasarModel
from galprism.units import njy_from_abmag

KIDS = surveys.get("kids")
CURVES = [get(band.passband) for band in KIDS.bands]
BANDS = ("u", "g", "r", "i")
GRID = ClassGridConfig(
    g_i_step=0.1,
    feh=(-1.0, 0.0),
    teff=(6000.0, 60000.0, 10),
    redshift_step=0.02,
    qso_redshift=(0.05, 4.0),
    qso_slope=(-0.3, 0.0, 0.3),
    qso_lines=(0.5,),
    qso_ebv=(0.0, 0.1),
    qso_host=(0.0, 0.4),
    host_redshift=1.0,
    galaxy_redshift=(0.01, 1.5),
    tau=(0.3, 3.0),
    age=(1.0, 5.0, 9.0, 12.5),
    z_met=(0.02,),
    ebv=(0.0, 0.2),
)


@pytest.fixture(scope="module")
def library():
    return load_bc03_miles()


@pytest.fixture(scope="module")
def grid(library):
    return grid_templates(KIDS, library, GRID)


def toy(seed=0, m=300) -> ClassTemplates:
    """Three crowds of random colours that overlap."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, m)
    log_flux = 0.5 * rng.standard_normal((m, 4)) + np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1]])[classes]
    redshift = np.where(classes == 0, 0.0, rng.uniform(0.1, 2.0, m))
    return ClassTemplates(BANDS, np.exp(log_flux), classes, redshift, rng.uniform(0.5, 2.0, m))


def sources_of(flux, error, bands=BANDS, limit=None, redshift=None) -> Sources:
    flux, error = np.broadcast_arrays(np.atleast_2d(flux), error)
    ivar = np.where(np.isfinite(error), np.asarray(error, float) ** -2.0, 0.0)
    photometry = Photometry(np.where(ivar > 0, flux, 0.0), ivar, bands, limit)
    return Sources(id=np.arange(len(flux)), photometry=photometry, redshift=redshift)


class TestToy:
    """Against the definition, written out model by model."""

    @pytest.mark.parametrize("error", [0.3, 1e-3])
    def test_probabilities_are_those_of_the_definition(self, error):
        """At S/N of 3 and of 1000, where sums in single precision would cancel."""
        templates, prior = toy(), np.array([0.2, 0.1, 0.7])
        rng = np.random.default_rng(1)
        flux = templates.flux[::10] + error * rng.standard_normal((30, 4))
        found = fit_classes(sources_of(flux, error), templates, prior=prior, model_error=0.0)
        for row in range(30):
            m = templates.flux
            scale = np.maximum((m @ flux[row]) / (m * m).sum(axis=1), 0.0)
            chi2 = ((flux[row] - scale[:, None] * m) ** 2).sum(axis=1) / error**2
            log_p = np.array([logsumexp(-0.5 * chi2[own], b=templates.weight[own]) for own in of_class(templates)])
            log_p += np.log(prior)
            expected = np.exp(log_p - logsumexp(log_p))
            np.testing.assert_allclose(class_probabilities(found)[row], expected, atol=2e-3)
            k = int(np.argmax(expected))
            own = np.flatnonzero(templates.classes == k)
            assert found.extra["chi2"][row] == pytest.approx(chi2[own].min(), abs=0.02)
            assert found.point[row, 0] == templates.redshift[own[np.argmin(chi2[own])]]

    def test_templates_without_noise_are_their_own_class_and_redshift(self):
        templates = toy()
        error = 1e-4 * templates.flux.max(axis=1, keepdims=True)
        found = fit_classes(sources_of(37.0 * templates.flux, 37.0 * error), templates, model_error=0.0)
        np.testing.assert_array_equal(np.argmax(class_probabilities(found), axis=1), templates.classes)
        np.testing.assert_allclose(found.column("redshift"), templates.redshift)
        assert found.extra["chi2"].max() < 1e-3

    def test_a_missing_band_changes_nothing(self):
        templates = toy()
        rng = np.random.default_rng(2)
        flux = templates.flux[:40] + 0.2 * rng.standard_normal((40, 4))
        three = fit_classes(sources_of(flux[:, :3], 0.2, BANDS[:3]), templates)
        four = fit_classes(sources_of(flux, np.where(np.arange(4) < 3, 0.2, np.inf)), templates)
        np.testing.assert_allclose(class_probabilities(three), class_probabilities(four), atol=1e-5)
        np.testing.assert_array_equal(three.point, four.point)
        assert (four.flags & np.uint32(Flag.BAND_MISSING) > 0).all()
        assert not three.flags.any()

    def test_the_prior_is_that_of_each_source(self):
        """Where the data say nothing the prior is what is left."""
        shares = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
        flux = np.ones((2, 4))
        nothing = class_probabilities(fit_classes(sources_of(flux, 1e4), toy(), prior=shares))
        np.testing.assert_allclose(nothing, shares, atol=1e-3)
        never = fit_classes(sources_of(flux, 0.3), toy(), prior=np.array([1.0, 0.0, 1.0]))
        assert (class_probabilities(never)[:, 1] == 0).all()

    def test_limits_count_as_limits(self):
        """A limit far above the model changes nothing; one far below rules it out."""
        templates = ClassTemplates(
            BANDS, np.array([[1, 1, 1, 1], [1, 1, 1, 9], [1, 1, 1, 9.0]]), np.arange(3), np.zeros(3), np.ones(3)
        )
        limit = np.array([[False] * 3 + [True]])
        flux = np.array([[1.0, 1.0, 1.0, 1e3]])
        loose = fit_classes(sources_of(flux, 0.1, limit=limit), templates, model_error=0.0)
        np.testing.assert_allclose(class_probabilities(loose), 1 / 3, rtol=1e-6)
        flux[0, 3] = 2.0
        tight = fit_classes(sources_of(flux, 0.1, limit=limit), templates, model_error=0.0)
        assert class_probabilities(tight)[0, 0] > 0.999
        assert tight.flags[0] & np.uint32(Flag.UPPER_LIMIT)

    def test_a_known_redshift_leaves_models_near_it(self):
        templates = toy()
        qso = int(np.flatnonzero(templates.classes == 1)[3])
        z = templates.redshift[qso]
        given = sources_of(np.tile(templates.flux[qso], (3, 1)), 0.05, redshift=np.array([z, 0.0, 7.0]))
        found = fit_classes(given, templates, known_redshift=True, redshift_window=0.005)
        probability = class_probabilities(found)
        assert probability[0, 0] == 0.0
        assert np.abs(np.log1p(found.point[0, 0]) - np.log1p(z)) < 0.007
        assert probability[1].tolist() == [1.0, 0.0, 0.0]
        assert np.isnan(probability[2]).all()
        assert found.flags[2] & np.uint32(Flag.REDSHIFT_OUT_OF_RANGE)
        free = fit_classes(given, templates)
        np.testing.assert_array_equal(class_probabilities(free)[0], class_probabilities(free)[2])

    def test_rows_that_cannot_be_told_stay(self):
        flux = np.array([[1.0, 1, 1, 1], [1.0, 0, 0, 0], [0.0, 0, 0, 0], [-5.0, -5, -5, -5]])
        error = np.array([[0.1] * 4, [0.1, *[np.inf] * 3], [np.inf] * 4, [0.1] * 4])
        found = fit_classes(sources_of(flux, error), toy())
        assert np.isfinite(class_probabilities(found)).all(axis=1).tolist() == [True, False, False, False]
        lost = np.uint32(Flag.NOT_INFERRED)
        assert (found.flags & lost > 0).tolist() == [False, True, True, True]
        assert found.flags[2] & np.uint32(Flag.NO_PHOTOMETRY)
        assert found.n_bands.tolist() == [4, 0, 0, 0]
        assert found.extra["class"].tolist()[1:] == ["", "", ""]

    def test_nothing_depends_on_the_company(self):
        templates = toy()
        rng = np.random.default_rng(3)
        flux = templates.flux[:70] + 0.1 * rng.standard_normal((70, 4))
        whole = class_probabilities(fit_classes(sources_of(flux, 0.1), templates))
        parts = [class_probabilities(fit_classes(sources_of(flux[k : k + 9], 0.1), templates)) for k in range(0, 70, 9)]
        np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)

    def test_requests_that_cannot_be_met(self):
        templates = toy()
        one = sources_of(np.ones((1, 4)), 0.1)
        with pytest.raises(RequestError, match="no band K; they have u, g, r, i"):
            fit_classes(sources_of(np.ones((1, 4)), 0.1, ("u", "g", "r", "K")), templates)
        with pytest.raises(RequestError, match=r"prior = \[1.0, 2.0\]; accepted: \(3,\) or \(1, 3\)"):
            fit_classes(one, templates, prior=np.array([1.0, 2.0]))
        with pytest.raises(RequestError, match="redshift_window = 0"):
            fit_classes(one, templates, redshift_window=0.0)
        with pytest.raises(RequestError, match="no photometry"):
            fit_classes(Sources(id=np.arange(2)), templates)
        with pytest.raises(RequestError, match="has no qso; accepted"):
            ClassTemplates(BANDS, np.ones((2, 4)), np.array([0, 2]), np.zeros(2), np.ones(2))
        with pytest.raises(RequestError, match="flux: accepted: from zero on"):
            ClassTemplates(BANDS, -np.ones((3, 4)), np.arange(3), np.zeros(3), np.ones(3))


def of_class(templates):
    return [templates.classes == k for k in range(3)]


class Few:
    """So many sources a square degree, with any light."""

    def __init__(self, density):
        self.density, self.areas = density, []

    def patch(self, area, rng):
        self.areas.append(area)
        n = int(area * self.density)
        light = rng.random((n, len(KIDS.bands)))
        return Members(np.zeros(n), light, 0 * light, 0 * light, Shapes.of_points(n))


class TestLight:
    """Sources made beside the grid: a black body, a spectrum between the grid's points, another history."""

    def planted(self, library):
        wave = np.geomspace(2500.0, 3e4, 4000)
        black_body = 1.0 / (wave**5 * np.expm1(1.43877735e8 / (9500.0 * wave)))
        star = np.array([abflux(curve, wave, black_body) for curve in CURVES])
        quasar = QuasarModel(CURVES, z_max=4.0)(Nuclei(*(np.array([value]) for value in (2.0, -26.0, 0.1, 0.2, 0.02))))[
            0
        ]
        model = ForwardModel(library, CURVES, metallicity="interpolate", z_max=1.0)
        old = Galaxies.from_numpy(redshift=[0.3], age=[8.0], tau=[0.5], z_met=[0.02], ebv=[0.02], logu=-3.0)
        flux = np.stack([star, quasar, model(old).flux.numpy()[0]])
        return flux / flux[:, 2:3] * njy_from_abmag(19.0)

    def test_a_hot_star_a_quasar_and_an_elliptical(self, grid, library):
        flux = self.planted(library)
        found = fit_classes(sources_of(flux, 0.01 * flux, KIDS.band_names), grid)
        assert found.extra["class"].tolist() == ["star", "qso", "galaxy"]
        assert found.extra["p_max"].min() > 0.95
        assert found.point[:, 0] == pytest.approx([0.0, 2.0, 0.3], abs=0.06)
        assert not (found.flags & np.uint32(Flag.POOR_FIT)).any()

    def test_the_grids_own_spectra_are_told_by_nine_bands(self, grid):
        """Without noise, and with errors of 1 %: all but a few of the stars, quasars and galaxies, and redshifts."""
        rows = np.random.default_rng(0).permutation(len(grid))[:400]
        flux = grid.flux[rows] * 1e4
        found = fit_classes(sources_of(flux, 0.01 * flux + 1.0, KIDS.band_names), grid, model_error=0.0)
        right = np.argmax(class_probabilities(found), axis=1) == grid.classes[rows]
        assert right.mean() > 0.99
        assert np.abs(found.point[right, 0] - grid.redshift[rows][right]).max() < 1e-6

    def test_redshifts_count_as_they_are_said_to(self, grid):
        """Quasars alike at every node of ln(1 + z), hosts or none; half of the galaxies are nearer than the median."""
        qso, galaxy = (grid.classes == k for k in (1, 2))
        _, place, count = np.unique(grid.redshift[qso], return_inverse=True, return_counts=True)
        assert len(set(count)) == 2
        each = np.bincount(place, grid.weight[qso])
        np.testing.assert_allclose(each, each[0])
        assert grid.weight[galaxy][grid.redshift[galaxy] < 0.4].sum() == pytest.approx(0.5, abs=0.02)

    def test_sources_of_a_field_are_as_many_as_asked_for(self):
        """Of rare ones a larger area is looked at; what the field itself has is left alone."""
        field = SimpleNamespace(
            config=FieldConfig(area=0.5),
            survey=KIDS,
            seed=1,
            kinds={"star": Few(500), "qso": Few(3), "galaxy": Few(90)},
        )
        templates = field_templates(field, 60)
        assert np.bincount(templates.classes).tolist() == [60, 60, 60]
        np.testing.assert_allclose(templates.weight, 1 / 60)
        assert field.kinds["star"].areas == [0.5]
        assert field.kinds["qso"].areas == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]
        with pytest.raises(
            RequestError, match=r"sources of class qso on .* square degrees; accepted: fewer than 60000"
        ):
            field_templates(field, 60_000)

    def test_settings_that_make_no_sense(self):
        with pytest.raises(RequestError, match="redshift_step = 0"):
            ClassGridConfig(redshift_step=0.0)
        with pytest.raises(RequestError, match="qso_host"):
            ClassGridConfig(qso_host=(1.0,))
        with pytest.raises(RequestError, match="galaxy_redshift"):
            ClassGridConfig(galaxy_redshift=(1.0, 0.5))
        with pytest.raises(RequestError, match="tau is empty"):
            ClassGridConfig(tau=())

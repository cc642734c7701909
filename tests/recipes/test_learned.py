"""Redshifts learned from a catalogue: a posterior known in closed form is found again, and what cannot be learned from
is said."""

import json

import numpy as np
import pytest

import toy_redshifts
from galprism import bundle as bundles
from galprism import recipes
from galprism.data import LEVELS, Truth
from galprism.data.tables import open_table, write_table
from galprism.errors import RequestError
from galprism.evaluate.calibration import ks_uniform
from galprism.flags import Flag
from galprism.infer import Predictor, predict_file, read_posteriors
from galprism.recipes.catalogue import known_parameters
from galprism.recipes.training import train_bundle
from galprism.surveys import get

N, N_TEST = 4000, 1500
MASS = {"targets.names": '["logmstar"]', "targets.bounded": "[]"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Two networks that learned from 4,000 sources."""
    folder = tmp_path_factory.mktemp("learned")
    path = toy_redshifts.written(folder, N)
    return bundles.load(train_bundle(toy_redshifts.recipe(path), folder / "made"))


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Others: their columns, and the file."""
    path = toy_redshifts.written(tmp_path_factory.mktemp("others"), N_TEST, seed=1)
    return toy_redshifts.catalogue(N_TEST, seed=1), path


class TestPosterior:
    def test_is_the_one_in_closed_form(self, model, others):
        """At each level to a fifth of a sigma, rms: 4,000 sources tell no more."""
        columns, path = others
        found = Predictor(model).predict(toy_redshifts.read(path))
        assert found.names == ("redshift",)
        for k, level in enumerate(LEVELS):
            off = (found.quantiles[:, 0, k] - toy_redshifts.exact(columns, level)) / toy_redshifts.SIGMA
            assert np.sqrt(np.mean(off**2)) < 0.25, level
            assert abs(off.mean()) < 0.1, level

    def test_is_calibrated(self, model, others):
        columns, path = others
        sources = toy_redshifts.read(path)
        pit = Predictor(model).pit(sources, Truth(sources.id, ("redshift",), columns["zspec"][:, None]))[:, 0]
        distance, _ = ks_uniform(pit)
        assert distance < 0.05  # 0.035 for one in twenty of exact ones
        assert abs(np.mean(np.abs(pit - 0.5) < 0.34) - 0.68) < 0.04

    def test_without_the_band_that_knows_it_is_the_prior(self, model, others, tmp_path):
        """Nothing but g tells redshifts: without it they are even over the range, and the row is flagged."""
        columns, _ = others
        path = tmp_path / "blind.csv"
        write_table(path, columns | {"g": np.full(N_TEST, np.nan)})
        found = Predictor(model).predict(toy_redshifts.read(path), (0.16, 0.5, 0.84))
        expected = toy_redshifts.LOW + np.array([0.16, 0.5, 0.84]) * (toy_redshifts.HIGH - toy_redshifts.LOW)
        np.testing.assert_allclose(np.median(found.quantiles[:, 0], axis=0), expected, atol=0.06)
        assert (found.flags & np.uint32(Flag.BAND_MISSING)).all()

    def test_never_leaves_the_range_of_the_catalogue(self, model, others):
        _, path = others
        found = Predictor(model).predict(toy_redshifts.read(path), (0.001, 0.999))
        assert found.quantiles.min() > toy_redshifts.LOW - 0.01
        assert found.quantiles.max() < toy_redshifts.HIGH + 0.01

    def test_is_not_moved_by_a_redshift_of_the_table(self, model, others):
        _, path = others
        other = toy_redshifts.read(path)
        given = Predictor(model).predict(other).quantiles
        assert other.redshift is not None
        blank = type(other)(other.id, photometry=other.photometry)
        np.testing.assert_array_equal(Predictor(model).predict(blank).quantiles, given)

    def test_density_has_the_same_quantiles(self, model, others):
        _, path = others
        sources = toy_redshifts.read(path).take(slice(0, 200))
        predictor = Predictor(model)
        density, found = predictor.redshifts(sources), predictor.predict(sources)
        np.testing.assert_allclose(density.probability.sum(axis=1), 1.0, rtol=1e-5)
        for k, level in enumerate(LEVELS):
            np.testing.assert_allclose(density.quantile(level), found.quantiles[:, 0, k], atol=1e-3)

    @pytest.mark.filterwarnings("ignore")  # those of qp's own
    def test_file_to_file_is_the_same_and_qp_reads_it(self, model, others, tmp_path):
        import qp

        _, path = others
        out, kept = tmp_path / "found.parquet", tmp_path / "pz.hdf5"
        predict_file(
            model, get("sdss"), path, out, redshift_path=kept, posterior=True, columns_map=toy_redshifts.columns()
        )
        expected = Predictor(model).predict(toy_redshifts.read(path))
        with open_table(out) as table:
            written = table.read(["redshift_p50", "id"])
            assert "redshift_pdf" not in table.columns
        np.testing.assert_allclose(written["redshift_p50"], expected.quantile("redshift", 0.5), rtol=1e-6)
        by_qp = qp.read(str(kept)).ppf(np.array([0.5]))[:, 0]
        np.testing.assert_allclose(by_qp, written["redshift_p50"], atol=2e-3)
        joint = read_posteriors(out).quantile("redshift", 0.84)
        np.testing.assert_allclose(joint, expected.quantile("redshift", 0.84), atol=0.1 * toy_redshifts.SIGMA)


class TestBundle:
    def test_names_its_catalogue_and_not_where_it_was(self, model):
        assert model.recipe["labels"]["catalogue"] == "spectra-0.csv"
        assert "tmp" not in json.dumps(model.recipe)
        for text in ("redshift", "spectra-0.csv", "inferred, from 0.049", "EXTRAPOLATED", "2"):
            assert text in model.card
        assert model.metrics["training_sources"] == N - 100

    def test_has_no_simulated_sky(self, model):
        with pytest.raises(RequestError, match="learned from a catalogue"):
            _ = model.of_parameters
        with pytest.raises(RequestError, match="infers the redshift of every source; leave it out"):
            Predictor(model).predict(None, infer_redshift=True)


class TestCatalogue:
    def test_rows_that_cannot_be_learned_from_are_counted(self, tmp_path):
        z = toy_redshifts.catalogue(50)["zspec"]
        z[:3], z[3:5], z[5] = np.nan, -9999.0, 12.0
        path = toy_redshifts.written(tmp_path, 50, zspec=z)
        known = known_parameters(toy_redshifts.recipe(path))
        assert len(known) == 44
        assert known.n_rows == 50
        assert sum(known.left_out.values()) == 6
        said = "learns from 44 of 50 rows; left out: 5 without redshift, 1 with redshift outside -0.01 to 10"
        assert known.said() == said
        np.testing.assert_array_equal(known.values[:, 0], z[6:])

    def test_any_parameter_of_the_table_can_be_learned(self, tmp_path):
        """Mass from brightness and redshift, both told: log M = -0.4 r + 10 z."""
        columns = toy_redshifts.catalogue(1500)
        mass = 17.0 - 0.4 * columns["r"] + 4.0 * columns["zspec"]
        path = toy_redshifts.written(tmp_path, 1500, lgm=mass)
        settings = {
            "labels.columns.logmstar": '"lgm"',
            "labels.inputs.redshift": "true",
            "labels.networks": 1,
            "net.components": 2,
            "train.epochs": "[15]",
        }
        model = bundles.load(train_bundle(toy_redshifts.recipe(path, **settings | MASS), tmp_path / "made"))
        sources = toy_redshifts.read(path)
        found = Predictor(model).predict(sources).column("logmstar")
        assert np.std(found - mass) < 0.1 * np.std(mass)
        blind = Predictor(model).predict(type(sources)(sources.id, photometry=sources.photometry))
        assert np.isfinite(blind.column("logmstar")).all()

    def test_statistics_out_of_order_are_refused_with_row_columns_and_values(self, tmp_path):
        """Sentinels are no rates: their rows are left out as before."""
        rates = {"p16": np.full(50, -0.5), "p50": np.full(50, 0.1), "p84": np.full(50, 0.6)}
        rates["p84"][4] = -9999.0
        names = {"p16": "sfr_tot_p16", "p50": "sfr_tot_median", "p84": "sfr_tot_p84"}
        settings = {f"labels.columns.{name}": f'"{column}"' for column, name in names.items()}
        settings |= {"targets.names": json.dumps(list(names.values())), "targets.bounded": "[]"}
        settings |= {"labels.inputs.redshift": "true"}
        good = toy_redshifts.written(tmp_path, 50, **rates)
        assert len(known_parameters(toy_redshifts.recipe(good, **settings))) == 49
        rates["p16"][7] = 0.9
        bad = toy_redshifts.written(tmp_path, 50, **rates)
        said = r"row 7 \(id .*\): sfr_tot_p16 = 0\.9, sfr_tot_median = 0\.1, sfr_tot_p84 = 0\.6; accepted: sfr_"
        with pytest.raises(RequestError, match=said) as refused:
            known_parameters(toy_redshifts.recipe(bad, **settings))
        assert bad.name in str(refused.value)

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"zspec": np.full(50, np.nan)}, ("no row of 50 can be learned from", "50 without redshift")),
            ({"zspec": np.full(50, 40.0)}, ("no row of 50 can be learned from", "outside -0.01 to 10")),
        ],
    )
    def test_nothing_to_learn_from(self, tmp_path, changes, words):
        path = toy_redshifts.written(tmp_path, 50, **changes)
        with pytest.raises(RequestError) as refused:
            known_parameters(toy_redshifts.recipe(path))
        assert all(word in str(refused.value) for word in (path.name, *words))

    def test_too_few(self, tmp_path):
        path = toy_redshifts.written(tmp_path, 90)
        with pytest.raises(RequestError, match=r"has 90 sources to learn from, and sample\.validation = 100"):
            train_bundle(toy_redshifts.recipe(path), tmp_path / "made")

    def test_a_column_that_is_not_there(self, tmp_path):
        path = toy_redshifts.written(tmp_path, 50)
        with pytest.raises(RequestError, match=r"no column 'lgm' of logmstar.*labels\.columns\.logmstar: name, zspec"):
            known_parameters(
                toy_redshifts.recipe(
                    path,
                    **{"targets.names": '["logmstar"]', "targets.bounded": "[]", "labels.columns.logmstar": '"lgm"'},
                )
            )
        with pytest.raises(RequestError, match=r"no column of redshifts.*labels\.columns\.redshift=NAME"):
            known_parameters(toy_redshifts.recipe(path, **{"labels.columns.redshift": '"none"'}))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["labels.inputs.redshift=true"], "either asked for or told"),
        (["targets.bounded=[]"], "lacks redshift"),
        (["net.components=0", "targets.bounded=[]", 'targets.names=["logmstar"]'], "with points for answers"),
        (["labels.networks=0"], "labels.networks = 0; accepted: 1 to 10"),
        (["survey=any"], r"\[labels\] with any bands"),
        (["labels.catalog=x"], "labels.catalog"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(settings, words):
    with pytest.raises(RequestError, match=words):
        recipes.load("sdss-redshift", settings)

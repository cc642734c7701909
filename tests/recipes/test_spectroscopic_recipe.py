"""What finds redshifts of spectra, by a recipe: one seed, one basis; beside a network in a bundle; refusals."""

from dataclasses import replace

import numpy as np
import pytest

from galprism import bundle, recipes
from galprism.config import plain
from galprism.errors import RequestError
from galprism.infer import RedshiftPredictor
from galprism.recipes.estimators import BESIDE_TRAINING
from galprism.recipes.spectroscopic import components, grid_for, make_spectroscopic
from galprism.sps.rest_templates import LINES, gaussian_lines, pixels, quasar_spectra

SMALL = ("spectroscopic.spectra=60", "spectroscopic.galaxy_redshift=[0.0,0.1]", "spectroscopic.qso_redshift=[0.1,0.4]")


def test_one_seed_makes_one_basis():
    recipe = recipes.load("galaxy-redshift", SMALL)
    made, again = make_spectroscopic(recipe), make_spectroscopic(recipe)
    assert made.basis.to_bytes() == again.basis.to_bytes()
    assert made.basis.of("galaxy").redshift == (0.0, 0.1)
    other = make_spectroscopic(replace(recipe, seed=recipe.seed + 1))
    assert made.basis.to_bytes() != other.basis.to_bytes()


def test_a_bundle_has_it_in_a_file_of_its_own_beside_the_network(tmp_path):
    model = bundle.load("galaxy-redshift")
    small = make_spectroscopic(recipes.load("galaxy-redshift", SMALL))
    folder = bundle.save(replace(model, spectroscopic=small), tmp_path / "made")
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "bundle.json", "model.onnx", "redshifts.npz"]
    kept = bundle.load(folder)
    assert kept.spectroscopic.basis.to_bytes() == small.basis.to_bytes()
    assert (kept.spectroscopic.shares, kept.spectroscopic.margin) == (small.shares, small.margin)
    assert kept.blocks == ("photometry", "cutouts", "spectra")
    assert "galaxy | 0 to 0.1 | 12" in kept.card
    assert "an image in u, g, r, i, z" in kept.card
    nodes = RedshiftPredictor(kept).redshifts_asked.redshift
    assert nodes[0] < -0.004
    assert 0.4 < nodes[-1] < 0.41
    (folder / "redshifts.npz").write_bytes(b"no")
    with pytest.raises(RequestError, match=r"redshifts\.npz is not what the bundle was made with"):
        bundle.load(folder)
    alone = bundle.load(bundle.save(replace(model, spectroscopic=None), tmp_path / "alone"))
    assert alone.spectroscopic is None
    assert alone.blocks == ("photometry", "cutouts")


def test_the_shipped_one_is_small_and_names_no_place():
    model = bundle.load("galaxy-redshift")
    assert len(model.model) + len(model.spectroscopic.basis.to_bytes()) < 5e6
    assert "/" not in model.recipe["spectroscopic"]["atlas"]


def test_a_finished_training_is_taken_up_whatever_finds_redshifts_of_spectra():
    assert "spectroscopic" in BESIDE_TRAINING
    recipe = recipes.load("galaxy-redshift")
    assert recipe.spectroscopic is not None
    network = {name: value for name, value in plain(recipe).items() if name not in BESIDE_TRAINING}
    trained = {name: bundle.load("galaxy-redshift").recipe[name] for name in network}
    assert network == trained


@pytest.mark.parametrize(
    "settings",
    [
        ["modalities.basis_size=12", "modalities.redshift=true"],
        ['targets.names=["logmstar"]', "targets.bounded=[]"],
        ["targets.bounded=[]"],
    ],
)
def test_it_goes_beside_a_network_that_tells_redshifts_and_sees_no_spectra(settings):
    with pytest.raises(RequestError, match=r"\[spectroscopic\] goes beside a network"):
        recipes.load("galaxy-redshift", settings)


@pytest.mark.parametrize(
    "setting",
    ["spectra=10", "qso_redshift=[2.0,1.0]", "qso_redshift=[0.0,9.0]", "shares=[1,0,1]", "galaxy_components=0"],
)
def test_settings_that_make_no_sense_are_refused(setting):
    with pytest.raises(RequestError, match=r"spectroscopic\."):
        recipes.load("galaxy-redshift", [f"spectroscopic.{setting}"])


def test_components_give_back_what_varies():
    rng = np.random.default_rng(0)
    shapes = np.stack([np.sin(np.arange(300) / k) for k in (7.0, 11.0, 23.0)])
    spectra = (5.0 + rng.standard_normal((80, 3)) @ shapes).astype(np.float32)
    found = components(spectra, 3, relative=False)
    off = spectra - found[0]
    coefficients, *_ = np.linalg.lstsq(found[1:].T, off.T, rcond=None)
    np.testing.assert_allclose(found[1:].T @ coefficients, off.T, atol=1e-3)
    np.testing.assert_allclose(coefficients.std(axis=1), 1.0, rtol=0.05)


def test_lines_have_the_light_that_they_are_given():
    grid = pixels(3600.0, 7000.0)
    width = np.diff(grid.edges)
    for group in LINES.values():
        inside = [(wave, light) for wave, light in group if 3650 < wave < 6950]
        got = (gaussian_lines(grid, tuple(inside), 2.0) * width).sum()
        assert got == pytest.approx(sum(light for _, light in inside), rel=0.01)


def test_quasars_are_dark_beyond_the_lyman_limit_and_brightest_at_lyman_alpha():
    grid = grid_for((0.1, 4.0))
    mean = quasar_spectra(grid, 60, np.random.default_rng(2)).mean(axis=0)
    assert np.all(mean[grid.wave < 911] == 0)
    assert 1205 < grid.wave[mean.argmax()] < 1230

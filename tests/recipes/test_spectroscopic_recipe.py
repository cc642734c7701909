"""The recipe of spectroscopic redshifts: one seed, one bundle; plain arrays; refusals."""

import json

import numpy as np
import pytest

from galprism import bundle, recipes
from galprism.cli.main import main
from galprism.errors import RequestError
from galprism.infer import SpectroscopicPredictor
from galprism.recipes.spectroscopic import components, grid_for, make_spectroscopic
from galprism.sps.rest_templates import LINES, gaussian_lines, pixels, quasar_spectra

SMALL = ("spectroscopic.spectra=60", "spectroscopic.galaxy_redshift=[0.0,0.1]", "spectroscopic.qso_redshift=[0.1,0.4]")


def test_trained_by_name_it_is_the_same_again_and_finds_its_own(tmp_path):
    assert main(["train", "galaxy-redshift", *SMALL, "-o", str(tmp_path / "made")]) == 0
    model = bundle.load(tmp_path / "made")
    again = make_spectroscopic(recipes.load("galaxy-redshift", SMALL))
    assert model.preparation.basis.to_bytes() == again.preparation.basis.to_bytes()
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["README.md", "basis.npz", "bundle.json"]
    assert "galaxy | 0 to 0.1 | 12" in (tmp_path / "made" / "README.md").read_text()
    nodes = SpectroscopicPredictor(model).redshifts_asked.redshift
    assert nodes[0] < -0.004
    assert 0.4 < nodes[-1] < 0.41
    plain = json.loads((tmp_path / "made" / "bundle.json").read_text())
    (tmp_path / "made" / "basis.npz").write_bytes(b"no")
    assert plain["kind"] == "spectroscopic"
    with pytest.raises(RequestError, match=r"basis\.npz"):
        bundle.load(tmp_path / "made")


def test_the_shipped_one_is_small_and_names_no_place():
    model = bundle.load("galaxy-redshift")
    assert len(model.preparation.basis.to_bytes()) < 5e6
    assert "/" not in model.recipe["spectroscopic"]["atlas"]


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

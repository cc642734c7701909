"""What the models of the bench see, and the loop that judges them."""

import numpy as np
import pytest

from galprism.errors import RequestError
from galprism.recipes.fusion.bench import judged, record
from galprism.recipes.fusion.sample import TARGETS
from galprism.recipes.fusion.seen import BLOCKS, seen_of
from toy_fusion import COUNTS, made


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seen")
    return seen_of(made(folder / "sample"), folder)


def test_numbers_are_scaled_by_the_galaxies_of_training(seen):
    learned = seen.rows("train")
    for block in ("photometry", "components"):
        np.testing.assert_allclose(seen.block(block)[learned].mean(axis=0), 0, atol=1e-4)
        np.testing.assert_allclose(seen.block(block)[learned].std(axis=0), 1, rtol=1e-3)
    assert seen.spectrum[learned].std() == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(seen.in_units(seen.standard()), seen.targets, rtol=1e-4, atol=1e-4)
    assert [len(seen.rows(part)) for part in ("train", "validation", "test")] == list(COUNTS)


def test_components_are_those_of_a_singular_value_decomposition(seen):
    learned = seen.rows("train")
    _, size, axes = np.linalg.svd(seen.spectrum[learned].astype(float), full_matrices=False)
    scores = seen.spectrum.astype(float) @ axes[: seen.components.shape[1]].T
    scores = (scores - scores[learned].mean(axis=0)) / scores[learned].std(axis=0)
    assert (np.diff(size) < 0).all()
    for j in range(seen.components.shape[1] - 1):  # the last is no direction but what the mean has left
        assert abs(np.corrcoef(scores[:, j], seen.components[:, j])[0, 1]) == pytest.approx(1.0, abs=1e-4)


def test_what_is_not_there_is_as_the_mean(seen):
    assert not seen.spectrum[3, 10:20].any()
    assert np.abs(seen.spectrum[3, :10]).min() > 0


def test_brightness_can_be_read_in_every_block(seen):
    """What all the blocks are made of is the leading direction of each."""
    hidden = seen.targets[:, 0]
    assert abs(np.corrcoef(seen.components[:, 0], hidden)[0, 1]) > 0.99
    assert abs(np.corrcoef(seen.photometry[:, 2], hidden)[0, 1]) > 0.99
    assert np.corrcoef(np.asarray(seen.image[:, :, 5:7, 5:7], float).mean(axis=(1, 2, 3)), hidden)[0, 1] > 0.97


def test_images_are_made_once(seen, tmp_path):
    sample = made(tmp_path / "sample")
    first = np.asarray(seen_of(sample, tmp_path).image)
    (kept,) = tmp_path.glob("images-*.npy")
    stamp = kept.stat().st_mtime_ns
    np.testing.assert_array_equal(np.asarray(seen_of(sample, tmp_path).image), first)
    assert kept.stat().st_mtime_ns == stamp


def test_columns_have_names(seen):
    found = seen.features(("photometry", "components"), seen.rows("test"))
    assert found.names[:2] == ("mag_u", "mag_g")
    assert found.names[14] == "components_0"
    assert found.values.shape == (12, 14 + 39)
    with pytest.raises(RequestError, match="'image' is no columns"):
        seen.features(("image",), seen.rows("test"))
    with pytest.raises(RequestError, match=f"accepted: {', '.join(BLOCKS)}"):
        seen.block("radio")


class Line:
    """A target by the first component, and how often that was learned."""

    name, sees, key, weights = "line: components", ("components",), 1, 18
    learned = 0

    def fit(self, seen, work):
        Line.learned += 1
        rows = seen.rows("train")
        x = np.stack([np.ones(len(rows)), seen.components[rows, 0]], axis=1)
        self.slope = np.linalg.lstsq(x, seen.targets[rows], rcond=None)[0]
        return self

    def answers(self, seen, rows):
        return np.stack([np.ones(len(rows)), seen.components[rows, 0]], axis=1) @ self.slope


def test_a_model_is_judged_on_the_test_and_learned_once(seen, tmp_path):
    first, again = judged(Line(), seen, "sample", tmp_path), judged(Line(), seen, "sample", tmp_path)
    assert Line.learned == 1
    assert record(first) == record(again)
    rows = seen.rows("test")
    off = first.answers["test"] - seen.targets[rows]
    for j, name in enumerate(TARGETS):
        score = first.scores[name]
        assert score.rmse == pytest.approx(np.sqrt(np.mean(off[:, j] ** 2)))
        assert score.mae == pytest.approx(np.abs(off[:, j]).mean())
        assert score.r2 == pytest.approx(1 - np.mean(off[:, j] ** 2) / seen.targets[rows, j].var())
        assert score.r2 > 0.98
    judged(Line(), seen, "another sample", tmp_path)
    assert Line.learned == 2

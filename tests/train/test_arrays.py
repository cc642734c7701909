"""Arrays as training data: every row once a pass, and the loop on them with the networks of pictures and spectra."""

import numpy as np
import pytest
import torch

from galprism.nets import Regressor
from galprism.nets.mmlforgalam import AttentionConfig, AttentionNetwork, PictureConfig, PictureNetwork
from galprism.train import LoopConfig, train
from galprism.train.arrays import ArrayData, answers_of, features_of
from galprism.train.loop import MOST_NAMED, new_optimizer, validate

RNG = np.random.default_rng(3)
PICTURES = RNG.integers(256, size=(50, 3, 8, 8)).astype(np.uint8)
SPECTRA = RNG.random((50, 30)).astype(np.float16)
TARGETS = np.stack([np.arange(50), np.arange(50) ** 2], 1)


def data(**changes):
    return ArrayData(**{"inputs": (PICTURES, SPECTRA), "targets": TARGETS, "batch_size": 16, "seed": 7, **changes})


class TestBatches:
    def test_every_row_comes_once_a_pass_with_what_belongs_to_it(self):
        batches = list(data().batches(4))
        assert [len(y) for _, y in batches] == [16, 16, 16, 2]
        assert len(batches) == data().n_batches
        rows = torch.cat([y[:, 0] for _, y in batches]).long().numpy()
        assert sorted(rows) == list(range(50))
        seen = [torch.cat(parts).numpy() for parts in zip(*(seen for seen, _ in batches), strict=True)]
        np.testing.assert_allclose(seen[0] * 255, PICTURES[rows], atol=1e-4)
        np.testing.assert_array_equal(seen[1], SPECTRA[rows].astype(np.float32))
        assert {part.dtype for part in seen} == {np.dtype(np.float32)}

    def test_a_pass_is_the_same_again_and_another_one_is_not(self):
        one, same, other = ([y[:, 0].tolist() for _, y in data().batches(epoch)] for epoch in (1, 1, 2))
        assert one == same != other
        images = [torch.cat([seen[0] for seen, _ in data().batches(1)]) for _ in range(2)]
        assert torch.equal(*images)

    def test_of_another_seed_it_is_another(self):
        first, second = (next(iter(data(seed=seed).batches(0)))[1].tolist() for seed in (1, 2))
        assert first != second

    def test_rows_and_channels_of_it(self):
        part = data(rows=np.array([40, 3, 11]), channels=(2, 0))
        (seen, y), *rest = part.pieces()
        assert not rest
        assert y[:, 0].tolist() == [40, 3, 11]
        np.testing.assert_allclose(seen[0] * 255, PICTURES[[40, 3, 11]][:, [2, 0]], atol=1e-4)

    def test_files_are_read_as_arrays_are(self, tmp_path):
        np.save(tmp_path / "pictures.npy", PICTURES)
        mapped = np.load(tmp_path / "pictures.npy", mmap_mode="r")
        for (one, _), (other, _) in zip(data().batches(0), data(inputs=(mapped, SPECTRA)).batches(0), strict=True):
            assert torch.equal(one[0], other[0])

    @pytest.mark.parametrize(
        "changes", [{"targets": TARGETS[:9]}, {"rows": np.array([], int)}, {"batch_size": 0}], ids=str
    )
    def test_what_does_not_fit_is_refused(self, changes):
        with pytest.raises(ValueError, match="accepted"):
            data(**changes)


def pictures_that_tell(n, seed):
    """Pictures whose channels' levels are the targets."""
    rng = np.random.default_rng(seed)
    level = rng.random((n, 2))
    noise = rng.random((n, 3, 8, 8))
    pictures = 0.2 * noise
    pictures[:, :2] += 0.8 * level[:, :, None, None]
    return np.round(255 * pictures).astype(np.uint8), level


def picture_network():
    return Regressor(lambda n: PictureNetwork(3, 8, n, PictureConfig((4, 8), dense=(16, 12))), 2, seed=1)


class TestLoop:
    def test_a_network_of_pictures_learns_and_its_features_feed_another(self, tmp_path):
        """M3, then M4 of its features and of what M1 would give, by the same loop."""
        pictures, level = pictures_that_tell(600, 0)
        rows, held = np.arange(500), np.arange(500, 600)
        config = LoopConfig((8,), (5e-3,), "constant", batch_size=25, optimizer="adam", l2=1e-6, clip=0.0, loss="mse")
        first = picture_network()
        sets = [ArrayData((pictures,), level, 25, 0, which) for which in (rows, held)]
        history = train(first, *sets, config, tmp_path / "m3")
        assert history[-1].valid_rms[0] < 0.1 > history[-1].valid_rms[1]
        answers = answers_of(first, sets[1])
        rms = np.sqrt(np.mean((answers - level[held]) ** 2))
        assert rms == pytest.approx(min(epoch.valid_loss for epoch in history) ** 0.5, rel=1e-3)

        everyone = ArrayData((pictures,), level, 25, 0)
        features = features_of(first, everyone)
        assert features.shape == (600, 12)
        spectral = np.concatenate([level, level, level, level, level, level], 1)
        second = Regressor(lambda n: AttentionNetwork(n, AttentionConfig(12, 2, 4, 0.0, (16,), (0.0,))), 2)
        both = [ArrayData((spectral, features), level, 25, 0, which) for which in (rows, held)]
        assert train(second, *both, config, tmp_path / "m4")[-1].valid_loss < 0.02

    def test_taken_up_it_ends_as_if_never_stopped(self, tmp_path):
        pictures, level = pictures_that_tell(60, 0)
        sets = [ArrayData((pictures,), level, 16, 0, np.arange(*ends)) for ends in ((0, 50), (50, 60))]
        config = LoopConfig((3,), (1e-3,), "constant", batch_size=16, optimizer="adam", loss="mse", keep="last")
        whole, again = picture_network(), picture_network()
        train(whole, *sets, config, tmp_path / "whole")

        def stop(line, _):
            if line.epoch == 0:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(again, *sets, config, tmp_path / "again", report=stop)
        train(again, *sets, config, tmp_path / "again")
        for one, other in zip(whole.parameters(), again.parameters(), strict=True):
            assert torch.equal(one, other)

    def test_validation_in_pieces_is_that_in_one(self, monkeypatch):
        monkeypatch.setattr("galprism.train.arrays.PIECE_ROWS", 7)
        pictures, level = pictures_that_tell(40, 2)
        sets = ArrayData((pictures,), level, 16, 0)
        seen, y = zip(*sets.pieces(), strict=True)
        assert len(y) == 6
        whole = tuple(torch.cat(parts) for parts in zip(*seen, strict=True)), torch.cat(y)
        config = LoopConfig(loss="mse")
        network = picture_network()
        (one, rms), (other, again) = (validate(network, of, config, 0, "cpu") for of in (sets, whole))
        assert one == pytest.approx(other, rel=1e-6)
        assert rms == pytest.approx(again, rel=1e-6)

    def test_of_many_coordinates_one_error_is_told(self):
        target = RNG.random((20, MOST_NAMED + 1))
        sets = ArrayData((RNG.random((20, 4)),), target, 5, 0)
        network = Regressor(lambda n: torch.nn.Linear(4, n), MOST_NAMED + 1)
        loss, rms = validate(network, sets, LoopConfig(loss="mse"), 0, "cpu")
        assert rms == (pytest.approx(loss**0.5),)


def test_l2_of_convolutions_leaves_linear_layers():
    network = picture_network()
    optimizer = new_optimizer(network, LoopConfig(optimizer="adam", l2=0.1, l2_of="convolutions"), "cpu")
    pulled, left = optimizer.param_groups
    assert pulled["weight_decay"] == 0.2
    assert left["weight_decay"] == 0
    assert {weight.ndim for weight in pulled["params"]} == {4}
    assert {weight.ndim for weight in left["params"]} == {1, 2}

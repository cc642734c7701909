"""The loop against a posterior that is known exactly, and what it promises of stopping and going on.

Linear-Gaussian toy: theta ~ N(0, 1) in two dimensions, x = A theta + noise; the posterior is Gaussian with covariance
(1 + A^T A / s^2)^-1 and mean cov A^T x / s^2.
"""

import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.stats import norm

from galprism.errors import GalprismError, RequestError
from galprism.nets import Estimator, MixtureConfig, MLPConfig, ResidualConfig
from galprism.train import LoopConfig, train

A = np.array([[1.0, 0.5], [0.0, 1.0], [1.0, -1.0]])
NOISE = 0.7
COV = np.linalg.inv(np.eye(2) + A.T @ A / NOISE**2)


def linear_gaussian(n, seed):
    rng = np.random.default_rng(seed)
    theta = rng.standard_normal((n, 2))
    x = theta @ A.T + NOISE * rng.standard_normal((n, 3))
    return torch.from_numpy(x.astype(np.float32)), torch.from_numpy(theta.astype(np.float32))


@dataclass
class Linear:
    """Fresh draws every epoch."""

    n_batches: int = 40
    batch_size: int = 500

    def batches(self, epoch):
        for step in range(self.n_batches):
            yield linear_gaussian(self.batch_size, (epoch, step))


def small(mixture=True, seed=0):
    return Estimator(
        "residual", ResidualConfig(width=32, blocks=1), 3, 2, MixtureConfig(3) if mixture else None, seed=seed
    )


CONFIG = LoopConfig(epochs=(4,), lr=(1e-2,))
VALID = linear_gaussian(4000, 99)


def weights(estimator):
    return torch.cat([value.flatten() for value in estimator.state_dict().values()])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("linear")
    estimator = small()
    config = LoopConfig(epochs=(12,), lr=(1e-2,))
    history = train(estimator, Linear(60), VALID, config, folder)
    return estimator, history, folder


class TestPlantedPosterior:
    def test_the_mean_is_the_posteriors(self, trained):
        estimator, _, _ = trained
        x, _ = linear_gaussian(5000, 123)
        with torch.no_grad():
            mean = estimator.mean(estimator(x)).numpy()
        exact = x.numpy() @ A @ COV / NOISE**2
        rms = np.sqrt(np.mean((mean - exact) ** 2, axis=0))
        assert np.all(rms < 0.1 * np.sqrt(np.diag(COV)))  # measured 0.03; it adds 0.05 % to the error

    def test_the_interval_is_the_posteriors(self, trained):
        """68 % intervals: their width is exact to 3 %, and they hold 68 % of the truths."""
        estimator, _, _ = trained
        x, theta = linear_gaussian(10_000, 124)
        with torch.no_grad():
            draws = estimator.head.sample(estimator(x), 300, torch.Generator().manual_seed(0)).numpy()
        low, high = np.quantile(draws, [0.16, 0.84], axis=0)
        width = (norm.ppf(0.84) - norm.ppf(0.16)) * np.sqrt(np.diag(COV))
        np.testing.assert_allclose((high - low).mean(0), width, rtol=0.03)
        inside = ((theta.numpy() > low) & (theta.numpy() < high)).mean(0)
        np.testing.assert_allclose(inside, 0.68, atol=0.02)
        residual = draws - draws.mean(0)
        correlation = np.mean(residual[..., 0] * residual[..., 1]) / np.sqrt(np.prod(np.mean(residual**2, axis=(0, 1))))
        assert correlation == pytest.approx(COV[0, 1] / np.sqrt(COV[0, 0] * COV[1, 1]), abs=0.05)

    def test_the_likelihood_reaches_its_bound(self, trained):
        """The expected NLL cannot be below the posterior's entropy, and comes within 0.02 nat of it."""
        _, history, _ = trained
        entropy = 0.5 * np.log(np.linalg.det(2 * np.pi * np.e * COV))
        assert entropy - 0.05 < history[-1].valid_loss < entropy + 0.02 + 0.05  # +- noise of 4,000 objects

    @pytest.mark.parametrize("precision", ["float32", "bfloat16"])
    def test_a_point_estimator_finds_the_mean(self, tmp_path, precision):
        estimator = Estimator("mlp", MLPConfig(layers=(32, 32)), 3, 2)
        train(estimator, Linear(), VALID, LoopConfig(epochs=(5,), lr=(5e-3,), precision=precision), tmp_path)
        assert weights(estimator).dtype == torch.float32
        x, _ = linear_gaussian(5000, 5)
        with torch.no_grad():
            error = estimator(x).numpy() - x.numpy() @ A @ COV / NOISE**2
        assert np.all(np.sqrt(np.mean(error**2, axis=0)) < 0.15 * np.sqrt(np.diag(COV)))


class TestResume:
    def interrupted(self, folder, config, after, estimator=None):
        """Stop with the signal of the keyboard after so many epochs."""

        def stop(line, _):
            if line.epoch + 1 == after:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(estimator or small(seed=1), Linear(12), VALID, config, folder, report=stop)

    @pytest.mark.parametrize(
        "config",
        [
            CONFIG,
            LoopConfig(epochs=(2, 2), lr=(1e-2, 1e-3), schedule="constant", optimizer="adam", keep="last"),
            LoopConfig(epochs=(4,), lr=(1e-2,), precision="bfloat16"),
        ],
        ids=["one-cycle", "segments", "bfloat16"],
    )
    def test_taken_up_it_ends_as_if_never_stopped(self, tmp_path, config):
        whole = small(seed=1)
        history = train(whole, Linear(12), VALID, config, tmp_path / "whole")
        for after in (1, 2, 3):
            folder = tmp_path / f"stopped-{after}"
            self.interrupted(folder, config, after)
            resumed, seen = small(seed=7), []  # what it starts from does not matter
            again = train(
                resumed, Linear(12), VALID, config, folder, report=lambda line, n, seen=seen: seen.append(line.epoch)
            )
            assert seen == list(range(after, 4))
            assert torch.equal(weights(resumed), weights(whole))
            assert [(e.train_loss, e.valid_loss, e.lr) for e in again] == [
                (e.train_loss, e.valid_loss, e.lr) for e in history
            ]

    def test_dropout_leaves_out_the_same_again(self, tmp_path):
        """Whatever else drew random numbers before; and its own are not those of another seed."""

        def ended(name, config=CONFIG, after=None):
            one = Estimator("residual", ResidualConfig(width=32, blocks=1, dropout=0.3), 3, 2, None, seed=1)
            if after is not None:
                self.interrupted(tmp_path / name, config, after, one)
            torch.rand(5)
            train(one, Linear(12), VALID, config, tmp_path / name)
            return weights(one)

        assert torch.equal(ended("one"), ended("two"))
        assert torch.equal(ended("one"), ended("stopped", after=2))
        assert not torch.equal(ended("one"), ended("other", LoopConfig(epochs=(4,), lr=(1e-2,), seed=3)))

    def test_a_finished_training_is_not_done_again(self, tmp_path):
        one = small(seed=1)
        train(one, Linear(12), VALID, CONFIG, tmp_path)
        two, seen = small(seed=2), []
        train(two, Linear(12), VALID, CONFIG, tmp_path, report=lambda *args: seen.append(args))
        assert not seen
        assert torch.equal(weights(one), weights(two))

    def test_a_checkpoint_of_another_training_is_refused(self, tmp_path):
        train(small(), Linear(4), VALID, LoopConfig(epochs=(1,)), tmp_path, identity={"recipe": "a"})
        with pytest.raises(RequestError, match="other settings"):
            train(small(), Linear(4), VALID, LoopConfig(epochs=(1,)), tmp_path, identity={"recipe": "b"})
        with pytest.raises(RequestError, match="other settings"):
            train(small(), Linear(4), VALID, LoopConfig(epochs=(2,)), tmp_path, identity={"recipe": "a"})

    def test_a_damaged_checkpoint_is_refused(self, tmp_path):
        (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
        with pytest.raises(RequestError, match=r"checkpoint\.pt is not a checkpoint"):
            train(small(), Linear(4), VALID, LoopConfig(epochs=(1,)), tmp_path)


class TestWatching:
    def test_the_log_and_the_curves(self, trained):
        _, history, folder = trained
        lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        assert [line["epoch"] for line in lines] == list(range(12))
        assert [line["valid_loss"] for line in lines] == [line.valid_loss for line in history]
        assert lines[-1]["lr"] < lines[4]["lr"]
        assert len(lines[0]["valid_rms"]) == 2
        assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")

    def test_the_best_weights_are_kept_unless_the_last_are_asked_for(self, tmp_path):
        """A learning rate that ruins the second segment: the best are those of before."""
        settings = {"epochs": (2, 1), "lr": (1e-2, 0.3), "schedule": "constant"}
        ends = {}
        for keep in ("best", "last"):
            estimator = small(seed=3)
            history = train(estimator, Linear(), VALID, LoopConfig(keep=keep, **settings), tmp_path / keep)
            with torch.no_grad():
                ends[keep] = estimator.head.nll(estimator(VALID[0]), VALID[1]).mean().item()
        assert ends["best"] == pytest.approx(min(line.valid_loss for line in history), abs=1e-5)
        assert ends["last"] == pytest.approx(history[-1].valid_loss, abs=1e-3)
        assert ends["last"] > ends["best"] + 0.1


class Poisoned(Linear):
    """Good but for one batch."""

    def __init__(self, spoil):
        super().__init__(6)
        self.spoil = spoil

    def batches(self, epoch):
        for step, (x, y) in enumerate(super().batches(epoch)):
            if (epoch, step) == (1, 3):
                self.spoil(x, y)
            yield x, y


class TestStops:
    @pytest.mark.parametrize(
        ("spoil", "cause"),
        [
            (lambda x, y: x[5].fill_(float("nan")), r"features are not finite \(columns \[0, 1, 2\]\)"),
            (lambda x, y: y[:, 1].fill_(float("inf")), r"true values are not finite \(coordinates \[1\]\)"),
            (lambda x, y: y[0].fill_(1e25), "standard deviations from the mean"),
        ],
    )
    def test_nan_stops_it_and_says_where_and_why(self, tmp_path, spoil, cause):
        with pytest.raises(GalprismError, match=rf"epoch 1, step 3: .*{cause}"):
            train(small(), Poisoned(spoil), VALID, LoopConfig(epochs=(3,)), tmp_path)
        assert (tmp_path / "checkpoint.pt").exists()  # the good epoch before it

    def test_divergence_is_told_as_such(self, tmp_path):
        config = LoopConfig(epochs=(3,), lr=(1e30,), schedule="constant", clip=0.0)
        with pytest.raises(GalprismError, match=r"lower train\.lr"):
            train(small(), Linear(4), VALID, config, tmp_path)

    def test_no_data(self, tmp_path):
        with pytest.raises(GalprismError, match="no batch"):
            train(small(), Linear(0), VALID, CONFIG, tmp_path)
        with pytest.raises(GalprismError, match="validation set is empty"):
            train(small(), Linear(1), (VALID[0][:0], VALID[1][:0]), CONFIG, tmp_path)

"""What a classifier learns from: parts are lost as often as said, images are turned, and passes are the same again."""

import numpy as np
import torch

import toy_classes
from galprism import surveys
from galprism.nets import Classifier, FusionConfig
from galprism.prep import DropConfig, LoseConfig
from galprism.prep.classes import ClassPreparation
from galprism.train import LoopConfig
from galprism.train.classes import DrawnClasses
from galprism.train.loop import new_optimizer

SOURCES, CLASSES = toy_classes.sources(2000, seed=3)
KIDS = surveys.get("kids")
USUAL = dict(zip(KIDS.band_names, KIDS.sky_err().tolist(), strict=True))
PREPARATION = ClassPreparation.fit(toy_classes.recipe().classes.inputs, SOURCES, "r", USUAL)


def drawn(lose=LoseConfig(), *, fixed=True, drop=DropConfig()):  # noqa: B008
    return DrawnClasses(lambda rows, rng: SOURCES.take(rows), CLASSES, PREPARATION, 256, 5, drop, lose, fixed)


def test_parts_are_lost_as_often_as_said():
    (features, image, there), classes = drawn(LoseConfig(photometry=0.2, image=0.3)).everything()
    n = len(classes)
    slack = 4 * np.sqrt(0.25 / n)
    assert n == len(SOURCES)
    assert abs(float((there == 0).float().mean()) - 0.3) < slack
    missing = [PREPARATION.input_names.index(f"missing_{band}") for band in KIDS.band_names]
    without = features[:, missing].min(dim=1).values > 0
    assert abs(float(without.float().mean()) - 0.2) < slack
    assert not (without & (there[:, 0] == 0)).any()
    assert float(image[there[:, 0] == 0].abs().max()) == 0.0


def test_turned_images_have_the_same_pixels_elsewhere():
    (_, plain, _), _ = drawn().everything()
    (_, turned, _), _ = drawn(LoseConfig(turn=True)).everything()
    before, after = (part.flatten(1).sort(dim=1).values for part in (plain, turned))
    assert torch.equal(before, after)
    moved = (plain != turned).flatten(1).any(dim=1).float().mean()
    assert abs(float(moved) - 7 / 8) < 4 * np.sqrt(7 / 64 / len(plain))


def test_a_pass_is_the_same_again_and_another_one_is_not():
    data = drawn(LoseConfig(image=0.2, turn=True), fixed=False)
    one, same, other = (next(iter(data.batches(epoch))) for epoch in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(one[0], same[0], strict=True))
    assert not torch.equal(one[1], other[1])


def test_every_source_comes_once_a_pass_but_for_what_is_left_over():
    sizes = [len(classes) for _, classes in drawn(fixed=False).batches(0)]
    assert sizes == [256] * (len(SOURCES) // 256)


def test_l2_pulls_weights_by_twice_its_size_and_leaves_biases():
    """Adam's first step goes with the gradient's sign: without a loss it is that of the penalty alone."""
    network = Classifier("fusion", FusionConfig((4,), 6, 16, 1), 5, 0, 1)
    before = {name: value.clone() for name, value in network.named_parameters()}
    optimizer = new_optimizer(network, LoopConfig(optimizer="adam", l2=0.1), "cpu")
    for group in optimizer.param_groups:
        group["lr"] = 1e-3
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert optimizer.param_groups[0]["weight_decay"] == 0.2
    for name, value in network.named_parameters():
        moved = value - before[name]
        if value.ndim > 1:
            assert torch.all(moved * before[name] <= 0), name
            assert moved[before[name].abs() > 1e-3].abs().min() > 5e-4 if (before[name].abs() > 1e-3).any() else True
        else:
            assert torch.equal(moved, torch.zeros_like(moved)), name

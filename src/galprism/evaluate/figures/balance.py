"""How much a network of images and spectra learns from either, while it is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from galprism.evaluate.figures.style import CYCLE, INK, Drawing, new_figure, png, styled

COLOURS = {"image": CYCLE[1], "spectrum": CYCLE[0]}


@styled
def balance(trainings: Mapping[str, Sequence[Mapping[str, Any]]]) -> Drawing:
    """Loss of both branches together and of each by itself, the gradients of either, and how much use is made of it.

    trainings : by name, a line a pass: `loss`, and of the image and the spectrum `alone`, `gradient`, `use` and
    `held`, as galprism.train.balance has them.
    """
    figure, axes = new_figure(3, len(trainings), row_height=1.8, sharex="col", sharey="row")
    for j, (name, lines) in enumerate(trainings.items()):
        passes = [line["epoch"] + 1 for line in lines]
        loss, gradient, use = axes[:, j]
        loss.plot(passes, [line["loss"] for line in lines], color=INK, label="both")
        for i, (modality, colour) in enumerate(COLOURS.items()):
            loss.plot(passes, [line["alone"][i] for line in lines], color=colour, label=f"{modality} alone")
            gradient.plot(passes, [line["gradient"][i] for line in lines], color=colour, label=modality)
            held = [line["epoch"] + 1 for line in lines if line["held"][i]]
            use.plot(passes, [line["use"][i] for line in lines], color=colour, label=modality)
            use.plot(held, [-0.05 - 0.05 * i] * len(held), "|", color=colour, markersize=4)
        use.axhline(0, color=INK, linewidth=0.6, linestyle=":")
        loss.set(title=name, yscale="log")
        gradient.set(yscale="log")
        use.set_xlabel("pass")
    axes[0, 0].set_ylabel("validation loss")
    axes[1, 0].set_ylabel("gradient's norm")
    axes[2, 0].set_ylabel("utilisation rate")
    for row in axes:
        row[-1].legend(fontsize=6.5)
    caption = (
        "Above: the loss on the validation set, and the same where one modality is all that there is. Middle: the mean "
        "norm of the gradient of each branch. Below: conditional utilisation rates, by the root of the losses; ticks "
        "are passes with steps in which one was held at its mean."
    )
    return Drawing("balance", "What is learned from images and from spectra", caption, png(figure))

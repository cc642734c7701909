"""What networks of images and spectra learn from either, as a study of the bench: with and without a treatment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from galprism.evaluate import Bar
from galprism.evaluate.figures import Drawing
from galprism.evaluate.tables import Table, number
from galprism.recipes.fusion.networks import BALANCE, BOTH, balance_study, networks
from galprism.recipes.fusion.tables import short
from galprism.recipes.stages import Stage

if TYPE_CHECKING:
    from galprism.recipes.fusion.reproduction import Bench

LOST = "modalities taken away"
"""What the intermediate fusion of the table is trained with."""


class BalanceStudy:
    """Of networks that are rows of the bench: they have no stage of their own here."""

    def __init__(self, bench: Bench):
        self.bench = bench
        (plain,) = (model for model in networks(bench.networks) if model.config.balance is not None)
        self.models = {model.variant: model for model in balance_study(bench.networks)} | {LOST: plain}
        """By what is said of them."""

    def stages(self) -> list[Stage]:
        """None."""
        return []

    def bars(self) -> list[Bar]:
        """None: the paper has no numbers."""
        return []

    def _told(self) -> dict[str, Any]:
        """By variant, what was measured."""
        rows = {variant: self.bench.judged(model) for variant, model in self.models.items()}
        return {variant: json.loads((row.place / BALANCE).read_text()) for variant, row in rows.items()}

    def tables(self) -> list[str]:
        """Utilisation rates by target."""
        names = self.bench.seen.names
        rows = [
            (variant, modality, *(number(value, 2) for value in told["utilisation"][modality]))
            for variant, told in self._told().items()
            for modality in BOTH
        ]
        text = (
            "Conditional utilisation rates of the intermediate fusion on the galaxies of validation (Wu et al. 2022): "
            "by what part the RMSE that the other modality alone leaves is lowered when this one is there as well."
        )
        table = Table(("training", "modality", *map(short, names)), tuple(rows), "", 2)
        return [f"### What use is made of images and spectra\n\n{text}\n\n{table.markdown()}"]

    def drawings(self) -> list[Drawing]:
        """Losses, gradients and rates through the training."""
        from galprism.evaluate.figures.balance import balance

        return [balance({variant: told["branches"] for variant, told in self._told().items()})]

"""What the bench sdss-fusion has measured: the best of each kind of data, what joining them gains, and its bars.

The paper states no numbers: bars are that the table is whole, and that what sees both kinds of data is better than what
sees either. Which model is called best is told by the galaxies of validation, and how good it is by those of the test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from galprism.evaluate import Bar, rms_ratio
from galprism.recipes.fusion.bench import Row
from galprism.recipes.fusion.seen import Seen

LIGHT, SPECTRUM, BOTH = "photometry or image", "spectrum", "both"
GROUPS = (LIGHT, SPECTRUM, BOTH)
"""What models see."""
OURS = "ours"
"""The family that is ours."""


def group_of(sees: Sequence[str]) -> str:
    """One of GROUPS, of blocks of galprism.recipes.fusion.seen."""
    light = bool({"photometry", "image"} & set(sees))
    spectrum = bool({"components", "spectrum"} & set(sees))
    assert light or spectrum, sees
    return BOTH if light and spectrum else LIGHT if light else SPECTRUM


def family_of(name: str) -> str:
    """What a model is called before what it sees."""
    return name.split(":")[0]


def standing(rows: Sequence[Row], seen: Seen) -> dict[str, Any]:
    """By target: the best model of each group, and the error of the best fused one over that of the better of the
    others; the same within each family that has all three groups, and of every fused model. Anything that JSON
    holds."""

    def gains(own: Sequence[Row]) -> dict[str, Any]:
        return {name: _gain(own, seen, j) for j, name in enumerate(seen.names)}

    families: dict[str, list[Row]] = {}
    for row in rows:
        families.setdefault(family_of(row.name), []).append(row)
    return {
        "best": {name: _best(rows, seen, j) for j, name in enumerate(seen.names)},
        "gain": gains(rows),
        "families": {
            family: gains(own) for family, own in families.items() if {group_of(row.sees) for row in own} == set(GROUPS)
        },
        "fused": {
            row.name: gains([*(one for one in rows if group_of(one.sees) != BOTH), row])
            for row in rows
            if group_of(row.sees) == BOTH
        },
    }


def _off(row: Row, seen: Seen, part: str, j: int) -> np.ndarray:
    return row.answers[part][:, j] - seen.targets[seen.rows(part), j]


def _best(rows: Sequence[Row], seen: Seen, j: int) -> dict[str, str]:
    """By group, of those that there are, the name of the model that is least off on the galaxies of validation."""

    def error(row: Row) -> float:
        return float(np.mean(_off(row, seen, "validation", j) ** 2))

    found = {}
    for group in GROUPS:
        own = [row for row in rows if group_of(row.sees) == group]
        if own:
            found[group] = min(own, key=error).name
    return found


def _gain(rows: Sequence[Row], seen: Seen, j: int) -> dict[str, Any] | None:
    """None where a group has no model. The better of the two alone is told by the test: below one, both are beaten."""
    by, best = {row.name: row for row in rows}, _best(rows, seen, j)
    if set(best) != set(GROUPS):
        return None
    alone = min((best[LIGHT], best[SPECTRUM]), key=lambda name: by[name].scores[seen.names[j]].rmse)
    ratio, err = rms_ratio(_off(by[best[BOTH]], seen, "test", j), _off(by[alone], seen, "test", j))
    return {"fused": best[BOTH], "alone": alone, "ratio": ratio, "err": err}


def bars(measured: Mapping[str, Any]) -> list[Bar]:
    """What was to be reached, and what is."""
    rows, targets = measured["rows"], measured["targets"]
    whole = [row for row in rows if set(row["scores"]) == set(targets) and row["weights"] > 0]
    note = f"{len(targets)} targets; with training and inference time and weights"
    found = [Bar("models with RMSE, R² and MAE of every target", len(rows), len(whole), ">=", note=note)]
    own = next((gains for name, gains in measured["fused"].items() if family_of(name) == OURS), None)
    if own is not None and all(own.values()):
        better = sum(gain["ratio"] < 1 for gain in own.values())
        worst, gain = max(own.items(), key=lambda item: item[1]["ratio"])
        note = f"its RMSE over that of the better alone at most {gain['ratio']:.3f} ± {gain['err']:.3f}, of {worst}"
        found.append(Bar("targets in which ours is better than either alone", len(own), better, ">=", note=note))
    for name, gain in measured["gain"].items():
        if gain is not None:
            note = f"{gain['fused']} over {gain['alone']}"
            text = f"{name}: RMSE, best fused over better alone"
            found.append(Bar(text, 1.0, gain["ratio"], err=gain["err"], note=note))
    return found

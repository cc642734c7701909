"""The tables of the bench sdss-fusion, in Markdown: models by targets, what they cost, and what joining gains."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from galprism.data.sfr_labels import PREFIX
from galprism.evaluate.tables import MISSING, Table, number, with_error
from galprism.recipes.fusion.bars import group_of

Record = Mapping[str, Any]


def tables_of(measured: Record) -> list[str]:
    """All of them."""
    return [
        *(_scores(measured, *of) for of in (("rmse", "RMSE"), ("r2", "R²"), ("mae", "MAE"))),
        _founded(measured),
        _costs(measured["rows"]),
        _gains(measured),
        _settings(measured["rows"]),
    ]


def short(name: str) -> str:
    """A target for a heading: z, AVG, …"""
    return "z" if name == "redshift" else name.removeprefix(PREFIX).upper()


def _by_target(
    title: str, told: str, measured: Record, cell: Callable[[Record, str], str], last: Sequence[tuple[str, ...]] = ()
) -> str:
    targets = measured["targets"]
    rows = [(row["name"], group_of(row["sees"]), *(cell(row, name) for name in targets)) for row in measured["rows"]]
    header = ("model", "sees", *map(short, targets))
    return f"### {title}\n\n{told}\n\n" + Table(header, (*rows, *last), "", 2).markdown()


def _scores(measured: Record, key: str, title: str) -> str:
    n, targets = measured["n_test"], measured["targets"]
    last: list[tuple[str, ...]] = []
    told = f"Of {n:,} test galaxies, all of them"
    if key == "rmse":
        spread = [number(value, 3) for value in measured["spread"]]
        noise = measured["label_noise"]["all"]
        own = [MISSING if name not in noise else number(noise[name], 3) for name in targets]
        last = [("the mean of training", MISSING, *spread), ("labels from other draws", MISSING, *own)]
        told += (
            "; z, dex, and nats of ENTROPY. Labels from other draws: the scatter of the labels themselves, which no "
            "model can be below (z has none: it is the true one)"
        )
    digits = {"rmse": 4, "mae": 4, "r2": 3}[key]
    return _by_target(title, told + ".", measured, lambda row, name: number(row["scores"][name][key], digits), last)


def _founded(measured: Record) -> str:
    """Errors where labels rest on enough draws."""
    noise = measured["label_noise"]["founded"]
    own = [MISSING if name not in noise else number(noise[name], 3) for name in measured["targets"]]
    told = (
        f"RMSE of the {measured['n_founded']:,} test galaxies whose labels are not flagged LOW_SAMPLE_SIZE: those left "
        "out are of few effective draws, so that their labels are coarse."
    )
    title = "RMSE where labels are founded"
    last = [("labels from other draws", MISSING, *own)]
    return _by_target(title, told, measured, lambda row, name: number(row["founded"][name], 4), last)


def _costs(rows: Sequence[Record]) -> str:
    header = ("model", "weights", "training [s]", "of which search [s]", "a galaxy [µs]")
    told = []
    for row in rows:
        search = row["search"]["seconds"] if row["search"] else None
        cells = (number(row["seconds"], 1), number(search, 1), number(row["microseconds"], 1))
        told.append((row["name"], f"{row['weights']:,}", *cells))
    text = (
        "Wall time on the machine that this was made on, the search of settings within that of training; a galaxy of "
        "the test asked about with all others. Principal components of spectra, made once for all, are in neither. "
        "Late fusions have the weights of their members too, and the time of the joining alone."
    )
    return f"### Costs\n\n{text}\n\n" + Table(header, tuple(told), "").markdown()


def _gains(measured: Record) -> str:
    """Ratios of RMSE, by family and by fused model."""
    targets, rows = measured["targets"], []
    families = {f"{family}, all three": gains for family, gains in measured["families"].items()}
    for name, gains in {"best of all": measured["gain"], **measured["fused"], **families}.items():
        cells = (with_error(gain["ratio"], gain["err"], 3) if gain else MISSING for gain in map(gains.get, targets))
        rows.append((name, *cells))
    told = (
        "RMSE of the fused model over that of the better of what sees photometry or images alone and what sees spectra "
        "alone, on the same galaxies; where there are several of a group, the one that does best on the galaxies of "
        "validation. Below 1, joining is better than either. Of all fused models, and last within families."
    )
    return f"### What joining gains\n\n{told}\n\n" + Table(("models", *map(short, targets)), tuple(rows), "").markdown()


def _settings(rows: Sequence[Record]) -> str:
    header = ("model", "trials", "loss", "first trial's", "settings")
    told = []
    for row in rows:
        found = row["search"]
        if found:
            best = ", ".join(f"{key} {_plain(value)}" for key, value in found["best"].items())
            told.append((row["name"], str(found["trials"]), number(found["loss"], 4), number(found["first"], 4), best))
    text = (
        "By cross-validation among the galaxies of training; the loss is the mean over targets of squared errors in "
        "variances of the targets. Forests have 200 trees afterwards. All trials are in each model's `search.json`."
    )
    return f"### Settings that were searched\n\n{text}\n\n" + Table(header, tuple(told), "").markdown()


def _plain(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def search_told(path: Path) -> dict[str, Any] | None:
    """What is told of a search that is kept in a file; None where there is none."""
    if not path.exists():
        return None
    found = json.loads(path.read_text())
    return {
        "best": found["best"],
        "loss": found["loss"],
        "first": found["trials"][0]["loss"],
        "trials": len(found["trials"]),
        "seconds": sum(trial["seconds"] for trial in found["trials"]),
    }

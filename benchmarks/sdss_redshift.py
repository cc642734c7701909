"""Photometric redshifts of BOSS galaxies from SDSS's ugriz, with posteriors, learned from redshifts of spectra.

    GALPRISM_DATA=DIR OMP_NUM_THREADS=1 python benchmarks/sdss_redshift.py --docs docs/results --work FOLDER

The recipe sdss-redshift in five folds of the 18,000 galaxies of `tables/boss_dr10_photoz_{0,1,3}.csv` of
GALPRISM_DATA, and on the same folds a random forest, and XGBoost as it comes and with settings searched by Optuna.
Whatever is learned, stopped or searched is so on the training folds.

Writes sdss-redshift.md and figures/sdss-redshift*.png. `--work` keeps what took long; with `--only network` or `--only
trees` no more than that part is made there, so that two cores can share the work. Exit status 0 when every bar is met,
1 when one is not, 2 without the data. Needs the extra trees.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from galprism import recipes
from galprism.config import plain
from galprism.data.tables import open_table, write_table
from galprism.data.truth import Truth
from galprism.fit.tree_features import tree_features
from galprism.fit.tree_values import grow_boosted_values, grow_forest_values, tune_boosted_values
from galprism.fit.trees import BoostConfig
from galprism.infer import Predictor
from galprism.recipes import Recipe
from galprism.recipes.catalogue import Known, known_parameters
from galprism.recipes.learned import learn_parameters, learned_bundle
from galprism.recipes.stages import digest
from sdss_redshift_page import BOOSTED, FOREST, LEVELS, NETWORK, TUNED, Folds, write_page

FOLDS = 5
TABLES = tuple(f"boss_dr10_photoz_{k}.csv" for k in (0, 1, 3))
BANDS = "ugriz"

GUESS = BoostConfig(500, 0.03, 8, min_child_weight=10.0, subsample=0.7, colsample_bytree=0.8)
"""Settings that did well on a part of the first training fold; the search tries them second, behind the defaults."""

Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Work:
    """What is done with how much patience, and where it is kept."""

    folder: Path
    trials: int

    def kept(self, name: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """What `make` gives, from a file where that was made before."""
        path = self.folder / f"{name}.npz"
        if not path.exists():
            found = make()
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, **found)
            print(f"{name} done", flush=True)
        with np.load(path) as stored:
            return dict(stored)


def joined(folder: Path, out: Path) -> Path:
    """The tables of the sample as one."""
    if not out.exists():
        parts = [open_table(folder / name) for name in TABLES]
        read = [part.read(list(part.columns)) for part in parts]
        out.parent.mkdir(parents=True, exist_ok=True)
        write_table(out, {name: np.concatenate([part[name] for part in read]) for name in read[0]})
    return out


def columns() -> list[str]:
    """The settings that name the sample's columns."""
    named = {"id": "none", "redshift": "D:Z"}
    for band in BANDS:
        named |= {f"mag_{band}": f"F:MAG_{band.upper()}", f"mag_err_{band}": f"F:MAGERR_{band.upper()}"}
    return [f'labels.columns.{name}="{column}"' for name, column in named.items()]


def folds(n: int) -> list[Split]:
    """Rows to learn from and to test on, at random."""
    parts = np.array_split(np.random.default_rng(0).permutation(n), FOLDS)
    return [(np.sort(np.concatenate(parts[:k] + parts[k + 1 :])), np.sort(parts[k])) for k in range(FOLDS)]


def by_network(recipe: Recipe, known: Known, split: Split, number: int, work: Path) -> dict[str, np.ndarray]:
    """What networks say that learned from the training fold, of which a part is kept apart as the recipe has it."""
    learn, test = split
    order = np.random.default_rng(number).permutation(learn)
    rows = np.sort(order[recipe.sample.validation :]), np.sort(order[: recipe.sample.validation])
    learned = learn_parameters(recipe, known, work / f"fold-{number}", rows=rows)
    predictor = Predictor(learned_bundle(recipe, learned, known))
    sources = known.sources.take(test)
    found = predictor.predict(sources, LEVELS)
    assert found.quantiles is not None
    return {
        "quantiles": found.quantiles[:, 0].astype(np.float64),
        "pit": predictor.pit(sources, Truth(sources.id, ("redshift",), known.values[test]))[:, 0],
        "mode": mode(predictor, sources),
        "flags": np.asarray(found.flags),
    }


def mode(predictor: Predictor, sources) -> np.ndarray:
    """(N,): where the posterior's density is highest."""
    density = predictor.redshifts(sources)
    return density.redshift[density.pdf.argmax(axis=1)]


def by_trees(known: Known, split: Split, number: int, trials: int) -> dict[str, np.ndarray]:
    """The same by trees, given the same magnitudes; settings are searched on two halves of the training fold."""
    learn, test = split
    features, z = tree_features(known.sources), known.values[:, 0]
    own, values, asked = features.take(learn), z[learn], features.take(test)
    weight = 1.0 / (1.0 + values)
    tuned = tune_boosted_values(own, values, weight=weight, trials=trials, folds=2, seed=number, start=[GUESS])
    best = grow_boosted_values(own, values, tuned.config, weight=weight, loss="absolute")
    return {
        TUNED: best.values(asked),
        BOOSTED: grow_boosted_values(own, values).values(asked),
        FOREST: grow_forest_values(own, values, trees=200, min_leaf=3).values(asked),
    }


def gathered(parts: list[dict[str, np.ndarray]], splits: list[Split], n: int) -> dict[str, np.ndarray]:
    """What was said of each test fold, source by source."""
    found = {}
    for name, value in parts[0].items():
        found[name] = np.full((n, *value.shape[1:]), np.nan)
        for part, (_, test) in zip(parts, splits, strict=True):
            found[name][test] = part[name]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--docs", type=Path, required=True, metavar="FOLDER", help="where the page goes")
    parser.add_argument("--work", type=Path, required=True, metavar="FOLDER", help="keeps what takes long")
    parser.add_argument("--trials", type=int, default=30, help="settings of XGBoost that are tried on each fold")
    parser.add_argument("--only", choices=("network", "trees"), help="make this part alone, and no page")
    options = parser.parse_args()
    data = os.environ.get("GALPRISM_DATA")
    if not data:
        print("GALPRISM_DATA is not set: it is the folder that holds tables/", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    table = joined(Path(data) / "tables", options.work / "boss-dr10.parquet")
    recipe = recipes.load("sdss-redshift", [f"labels.catalogue={table}", *columns()])
    known = known_parameters(recipe)
    print(known.said(), flush=True)
    splits, work = folds(len(known)), Work(options.work, options.trials)
    here = f"network-{digest(plain(recipe))}"
    said = []
    if options.only != "trees":
        said = [
            work.kept(f"{here}/fold-{k}", lambda k=k: by_network(recipe, known, splits[k], k, work.folder / here))
            for k in range(FOLDS)
        ]
    trees = []
    if options.only != "network":
        trees = [
            work.kept(f"trees-{options.trials}/fold-{k}", lambda k=k: by_trees(known, splits[k], k, options.trials))
            for k in range(FOLDS)
        ]
    if options.only:
        return 0
    network, others = gathered(said, splits, len(known)), gathered(trees, splits, len(known))
    points = {NETWORK: network["quantiles"][:, LEVELS.index(0.5)], **others}
    photometry = known.sources.photometry
    assert photometry is not None
    magnitude = 31.4 - 2.5 * np.log10(np.maximum(photometry.flux[:, BANDS.index("i")].astype(float), 1.0))
    result = Folds(known.values[:, 0], magnitude, points, network, known.said(), options.trials)
    return 0 if write_page(options.docs, result) else 1


if __name__ == "__main__":
    sys.exit(main())

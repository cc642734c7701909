"""The main job on a small catalogue that ships with the package: predict, template-fit, judge, report."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from galprism import bundle, surveys
from galprism.data.tables import open_table, read_predictions, read_truth, write_predictions
from galprism.evaluate import Report, evaluate
from galprism.infer import Predictor
from galprism.recipes import references
from galprism.recipes.recipe import load

MODEL = "kids-mass-sfr"
FOLDER = resources.files("galprism.recipes") / "shipped"
CATALOGUE = "kids-mock.parquet"
LIMIT = "kids-mock-posterior.parquet"
"""The exact posterior of the same galaxies, made with `galprism fit mlp-gap … --method posterior`: it needs PyTorch."""
LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)


def demo(out: Path, say: Callable[[str], None] = print) -> Report:
    """Run the main job; tables and the report go to the folder `out`."""
    started = time.perf_counter()
    path, model = Path(str(FOLDER / CATALOGUE)), bundle.load(MODEL)
    with open_table(path) as table:
        made = table.meta
    survey = surveys.get(model.survey)
    sources, truth = surveys.read(path, survey), read_truth(path)
    say(f"catalogue   {len(sources):,} galaxies in {' '.join(survey.band_names)} ({made['made_by']})")

    seconds = {}
    predictor = Predictor(model)
    clock = time.perf_counter()
    network = predictor.predict(sources, LEVELS)
    seconds["network"] = time.perf_counter() - clock
    say(f"network     {model.name}: {len(sources) / seconds['network']:,.0f} galaxies/s, with joint uncertainties")

    recipe = load("mlp-gap", ["noise.perturb=true"])
    cache = references.reference_cache(recipe, "grid")
    clock = time.perf_counter()
    grid = references.fit(recipe, sources, "grid", cache, levels=LEVELS)
    seconds["grid fit"] = time.perf_counter() - clock
    say(f"grid fit    {len(cache):,} models: {len(sources) / seconds['grid fit']:,.0f} galaxies/s")

    methods = {"network": network, "grid fit": grid, "exact posterior": read_predictions(str(FOLDER / LIMIT))}
    report = evaluate(
        methods,
        truth,
        sources,
        out / "report",
        limit="exact posterior",
        meta={
            "title": "galprism demo: stellar masses and star-formation rates of simulated KiDS+VIKING galaxies",
            "sample": f"{len(sources):,} simulated galaxies, true r < 24; no cut but those named in the tables",
            "noise": "KiDS + VIKING depths; magnitudes perturbed",
            "recipe": str(made.get("recipe", "")),
            "seed": made.get("seed"),
            "command": "galprism demo",
            "timings": {f"{name} [s]": round(value, 2) for name, value in seconds.items()},
        },
    )
    write_predictions(out / "network.parquet", network)
    write_predictions(out / "grid.parquet", grid)
    say("")
    say(report.text())
    say("")
    say(f"in {time.perf_counter() - started:.0f} s; the exact posterior was computed beforehand and is the limit that")
    say("no estimator can pass. Predictions and the report with its figures:")
    say(f"  {(out / 'report' / 'index.html').resolve()}")
    return report

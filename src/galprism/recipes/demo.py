"""The main job on a small catalogue that ships with the package: predict, template-fit, judge, report."""

from __future__ import annotations

import json
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

MODEL, SURVEY = "galaxy-photometry", "kids"
FOLDER = resources.files("galprism.recipes") / "shipped"
CATALOGUE = "kids-mock.parquet"
"""Made with `galprism mock galaxy-photometry --survey kids -n 2000` and the settings below."""
LIMIT = "kids-mock-posterior.parquet"
"""The exact posterior of the same galaxies, made with `galprism fit galaxy-photometry … --survey kids --method
posterior fit.n_draws=800000` and the settings below: it needs PyTorch."""
SETTINGS = ("population.magnitude=[16.0,24.0]", "population.counts_slope=0.33", "seed=2026")
"""A magnitude-limited sample, with the number counts of the sky."""
PARAMETERS = ("logmstar", "logsfr", "age_mw", "av")
LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)


def demo(out: Path, say: Callable[[str], None] = print) -> Report:
    """Run the main job; tables and the report go to the folder `out`."""
    started = time.perf_counter()
    path, survey = Path(str(FOLDER / CATALOGUE)), surveys.get(SURVEY)
    model = bundle.load(MODEL).bind(survey)
    with open_table(path) as table:
        made = table.meta
    sources, truth = surveys.read(path, survey), read_truth(path)
    say(f"catalogue   {len(sources):,} galaxies in {' '.join(survey.band_names)} ({made['made_by']})")

    seconds = {}
    predictor = Predictor(model)
    clock = time.perf_counter()
    network = predictor.predict(sources, LEVELS)
    seconds["network"] = time.perf_counter() - clock
    say(f"network     {model.name}: {len(sources) / seconds['network']:,.0f} galaxies/s, with joint uncertainties")

    recipe = load("mlp-gap", ["noise.perturb=true", f"targets.names={json.dumps(PARAMETERS)}"])
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
        parameters=PARAMETERS,
        meta={
            "title": "galprism demo: what simulated KiDS+VIKING galaxies are made of",
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

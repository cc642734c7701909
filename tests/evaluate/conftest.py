import numpy as np
import pytest
from planted_sky import Sky, planted

from galprism.evaluate import Bar, Report, evaluate, value
from galprism.evaluate.figures import style

META = {
    "title": "Planted <sky> & noise",
    "sample": "6,000 planted sources",
    "noise": "Gaussian",
    "recipe": 'name = "kids-mass-sfr"\n[train]\nlr = 2e-3\n',
    "command": "galprism evaluate …",
    "seed": 0,
    "versions": {"torch": "2.13"},
    "timings": {"mock": "12 s", "train": 107.25},
    "definitions": {"IMF": "Kroupa (2001)"},
    "note": {"a": [1, 2]},
}


def bars(numbers):
    sigma = value(numbers, "sigma", parameter="logmstar", method="network")
    return [Bar("σ of log M*", 0.2, sigma, paper=0.06), Bar("impossible", 0.0, sigma)]


@pytest.fixture(scope="session")
def sky() -> Sky:
    return planted(6000)


@pytest.fixture
def small() -> Sky:
    return planted(120, seed=3)


@pytest.fixture(scope="session")
def report(sky, tmp_path_factory) -> Report:
    """A network, a fit, and the limit on fewer sources, with everything that a report may say; in coarse pictures."""
    everyone = {"network": sky.network, "grid <fit>": sky.grid, "exact": sky.posterior.take(np.arange(900))}
    out = tmp_path_factory.mktemp("reports") / "deep" / "report"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "DPI", 40)
        return evaluate(everyone, sky.truth, sky.sources, out, limit="exact", meta=META, bars=bars)

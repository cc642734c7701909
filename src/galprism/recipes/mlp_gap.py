"""The MLP-GaP paper from start to finish: Guo et al. (2024), Sects. 2 to 4, and ours on the same galaxies.

Two samples of the same 20,000 simulated galaxies: `exact`, whose magnitudes are unperturbed as the paper's appear to
be, and `noisy`, with the noise of KiDS. Two networks on each, the paper's and ours; a grid fit and the exact posterior.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from galprism.recipes.stages import Stage

LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)
EXACT_ERROR = 0.02
"""Fraction of the flux that stands in for an error where the fluxes are exact: a likelihood needs a width."""

PAPER = {
    "logmstar": {"r2": 0.994, "mae": 0.041, "mse": 0.0036, "sigma": 0.060},
    "logsfr": {"r2": 0.984, "mae": 0.065, "mse": 0.0134, "sigma": 0.116},
}
"""Guo et al. (2024), Sect. 4.2; log SFR where log sSFR > -12."""
PAPER_GRID_SFR_SIGMA = 0.320
"""Sect. 4.3, CIGALE against the reference values."""

QUICK = {
    "mlp-gap": ["sample.train=20000", "sample.validation=2000", "train.epochs=[4, 4, 4]"],
    "kids-mass-sfr": ["sample.train=60000", "sample.validation=5000", "train.epochs=4"],
    "fit": ["fit.n_draws=40000", "fit.n_limit=200", "fit.redshift_step=0.02"],
}


@dataclass(frozen=True)
class Sample:
    """One way to observe the test galaxies."""

    name: str
    text: str
    perturb: bool
    settings: tuple[str, ...]
    """What our recipe changes to learn from it."""


SAMPLES = (
    Sample(
        "exact",
        "unperturbed magnitudes, as in the paper",
        False,
        ("noise.perturb=false", "prep.softening=0.01", "prep.reference='r'", "net.width=256"),
    ),
    Sample("noisy", "KiDS noise, true r < 24", True, ()),
)


def stages(folder: Path, *, quick: bool = False, say: Callable[[str], None] = print) -> list[Stage]:
    """The work of the whole reproduction, in order, every output below `folder`."""
    return _Plan(folder, quick, say).stages()

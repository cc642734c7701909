"""The tables and the page of `sdss_redshift.py`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from galprism.evaluate import Bar, Table, bars_table
from galprism.evaluate.calibration import TOLERANCE, Calibration, calibrate
from galprism.evaluate.redshifts import bootstrapped, errors, redshift_metrics
from galprism.evaluate.tables import number, percent
from galprism.flags import counts
from sdss_redshift_figures import by_redshift_and_magnitude, pit_bins, planes_and_pit

NETWORK, TUNED, BOOSTED, FOREST = "network", "XGBoost, tuned", "XGBoost", "random forest"
LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)
FLAT = 0.02
"""The largest distance of the PIT from flat (Kolmogorov-Smirnov) that is called so."""


@dataclass(frozen=True, eq=False)
class Folds:
    """What was said of N galaxies, each by what learned from other folds."""

    true: np.ndarray
    """(N,), redshifts of the spectra."""
    magnitude: np.ndarray
    """(N,), i, AB."""
    points: dict[str, np.ndarray]
    """By method, (N,)."""
    network: dict[str, np.ndarray]
    """Of the network: quantiles (N, Q) at LEVELS, pit, mode and flags (N,)."""
    sample: str
    """What was learned from, in words."""
    trials: int
    """Settings of XGBoost that were tried on each fold."""

    @property
    def errors(self) -> dict[str, np.ndarray]:
        """By method, (N,): (z_phot - z_spec) / (1 + z_spec)."""
        return {name: errors(point, self.true) for name, point in self.points.items()}

    @property
    def calibration(self) -> Calibration:
        """Of the network's posteriors."""
        found = calibrate(self.true, self.network["quantiles"], LEVELS, self.network["pit"])
        assert found is not None
        return found


def methods_table(ds: dict[str, np.ndarray], drawn: dict[str, np.ndarray]) -> Table:
    """Each method with the errors of its numbers."""
    rows = []
    for name, d in ds.items():
        found, err = redshift_metrics(d), drawn[name].std(axis=0)
        rows.append(
            (
                name,
                f"{number(found.sigma_nmad, 5)} ± {number(err[0], 5)}",
                f"{percent(found.outliers, 2)} ± {percent(err[1], 2)}",
                number(found.bias, 5, sign=True),
                number(found.mae, 5),
                number(found.rms, 4),
            )
        )
    return Table(("method", "σ_NMAD", "outliers", "median", "mean |Δz|", "rms"), tuple(rows))


def pairs_table(ds: dict[str, np.ndarray], drawn: dict[str, np.ndarray]) -> Table:
    """The network less each other method, of the same galaxies."""
    own, rows = redshift_metrics(ds[NETWORK]), []
    for name, d in ds.items():
        if name == NETWORK:
            continue
        other, err = redshift_metrics(d), (drawn[NETWORK] - drawn[name]).std(axis=0)
        better = 100 * np.mean((drawn[NETWORK] <= drawn[name]), axis=0)
        rows.append(
            (
                f"network less {name}",
                f"{number(own.sigma_nmad - other.sigma_nmad, 5, sign=True)} ± {number(err[0], 5)}",
                f"{better[0]:.0f}%",
                f"{100 * (own.outliers - other.outliers):+.2f} ± {100 * err[1]:.2f}",
                f"{better[1]:.0f}%",
            )
        )
    header = ("difference", "σ_NMAD", "below or equal in", "outliers [points]", "below or equal in")
    return Table(header, tuple(rows))


def posterior_table(result: Folds) -> Table:
    """Whether the network's posteriors are what they say, of all galaxies and of those without a flag of doubt."""
    rows = []
    unflagged = result.network["flags"].astype(np.uint32) == 0
    for name, where in (("all", np.ones(len(unflagged), bool)), ("unflagged", unflagged)):
        if not where.any():
            continue
        part = calibrate(result.true[where], result.network["quantiles"][where], LEVELS, result.network["pit"][where])
        assert part is not None
        covers = [part.at(nominal) for nominal in TOLERANCE]
        widths = [cover.mean_width for cover in covers if cover is not None]
        rows.append(
            (
                name,
                f"{part.n:,}",
                number(part.ks, 4),
                *(f"{percent(c.observed)} ± {percent(c.err)}" for c in covers if c is not None),
                number(0.5 * (widths[0] or 0.0), 4),
                number(part.pinball, 5),
            )
        )
    header = (
        "galaxies",
        "n",
        "KS of the PIT",
        "68 % holds",
        "95 % holds",
        "mean half width, 68 %",
        "CRPS, five levels",
    )
    return Table(header, tuple(rows))


def beyond(pit: np.ndarray) -> str:
    """Which bins of the PIT's histogram are not as flat as chance has them."""
    share, half = pit_bins(pit)
    odd = np.abs(share - 1) > half
    ends = f"{share.min():.2f} to {share.max():.2f}"
    return f"Beyond it are {odd.sum()} of {len(odd)} bins; all lie from {ends} of their mean."


def points_table(result: Folds) -> Table:
    """Which point of a posterior to take."""
    rows = []
    median = result.points[NETWORK]
    for name, point in (("median", median), ("mode", result.network["mode"])):
        found = redshift_metrics(errors(point, result.true))
        rows.append((name, number(found.sigma_nmad, 5), percent(found.outliers, 2), number(found.mae, 5)))
    return Table(("point", "σ_NMAD", "outliers", "mean |Δz|"), tuple(rows))


def sure_table(result: Folds) -> Table:
    """Outliers are where the posterior is wide: by the half width of its 68 % over 1 + z, in fifths."""
    quantiles, d = result.network["quantiles"], result.errors[NETWORK]
    low, middle, high = (quantiles[:, LEVELS.index(level)] for level in (0.16, 0.5, 0.84))
    width = 0.5 * (high - low) / (1.0 + middle)
    rows = []
    for part in np.array_split(np.argsort(width), 5):
        found = redshift_metrics(d[part])
        rows.append(
            (
                f"{width[part].min():.4f} to {width[part].max():.4f}",
                f"{len(part):,}",
                number(found.sigma_nmad, 5),
                percent(found.outliers, 2),
            )
        )
    return Table(("half width of 68 % over 1 + z", "n", "σ_NMAD", "outliers"), tuple(rows))


def bars(result: Folds, drawn: dict[str, np.ndarray]) -> list[Bar]:
    """What is to be reached."""
    own, found = redshift_metrics(result.errors[NETWORK]), []
    for name in (TUNED, FOREST):
        other, err = redshift_metrics(result.errors[name]), (drawn[NETWORK] - drawn[name]).std(axis=0)
        found.append(Bar(f"σ_NMAD less that of {name}", 0.0, own.sigma_nmad - other.sigma_nmad, err=float(err[0])))
        points = 100 * (own.outliers - other.outliers)
        found.append(Bar(f"outliers less those of {name}", 0.0, points, err=float(100 * err[1]), unit="points"))
    calibration = result.calibration
    found.append(Bar("PIT: Kolmogorov-Smirnov distance from flat", FLAT, calibration.ks))
    for nominal, tolerance in TOLERANCE.items():
        cover = calibration.at(nominal)
        assert cover is not None
        limits = (round(100 * (nominal - tolerance), 1), round(100 * (nominal + tolerance), 1))
        name = f"{100 * nominal:.0f} % intervals hold the truth"
        found.append(Bar(name, limits, 100 * cover.observed, "in", err=100 * cover.err, unit="%"))
    return found


def write_page(docs: Path, result: Folds) -> bool:
    """Fill sdss_redshift_page.md and draw its figures; whether every bar is met."""
    ds = result.errors
    drawn = bootstrapped(ds)
    reached = bars(result, drawn)
    flagged = counts(result.network["flags"].astype(np.uint32))
    parts = {
        "bars": bars_table(reached).markdown(),
        "methods": methods_table(ds, drawn).markdown(),
        "pairs": pairs_table(ds, drawn).markdown(),
        "posterior": posterior_table(result).markdown(),
        "points": points_table(result).markdown(),
        "beyond": beyond(result.network["pit"]),
        "sure": sure_table(result).markdown(),
        "trials": str(result.trials),
        "sample": result.sample,
        "n": f"{len(result.true):,}",
        "flagged": ", ".join(f"{name} {n:,}" for name, n in flagged.items()) or "none",
    }
    text = Path(__file__).with_name("sdss_redshift_page.md").read_text(encoding="utf-8")
    for name, said in parts.items():
        text = text.replace(f"{{{name}}}", said)
    figures = docs / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    first = planes_and_pit(result.true, {name: result.points[name] for name in (NETWORK, TUNED)}, result.network["pit"])
    (figures / "sdss-redshift.png").write_bytes(first)
    by = {"redshift": result.true, "magnitude": result.magnitude}
    second = by_redshift_and_magnitude({name: ds[name] for name in (NETWORK, TUNED, FOREST)}, by)
    (figures / "sdss-redshift-errors.png").write_bytes(second)
    path = docs / "sdss-redshift.md"
    path.write_text(text, encoding="utf-8")
    print(bars_table(reached).text(), methods_table(ds, drawn).text(), posterior_table(result).text(), path, sep="\n\n")
    return all(bar.met for bar in reached)

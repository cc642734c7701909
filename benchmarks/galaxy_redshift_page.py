"""The tables and the page of `galaxy_redshift.py`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import kstest

from galaxy_redshift_figures import MEDIAN, of_real, pits, planes
from galaxy_redshift_samples import MAIN, Mocks, Real, Said, founded
from galprism.bundle import Bundle
from galprism.evaluate import Bar, Table, bars_table
from galprism.evaluate.redshifts import errors, redshift_metrics
from galprism.evaluate.tables import number, percent

BAR = 60_000
"""Photometric redshifts with posteriors a second."""
CHANCE = 1.358
"""Over the root of n: the distance from flat (Kolmogorov-Smirnov) within which are 95 % of exact posteriors' PITs."""
NEAR = 0.05
"""|dz| / (1 + z) beyond which a redshift is not near."""
HEAD = ("galaxies", "seen", "n", "σ_NMAD", "median", "> 0.15", "> 0.05", "KS of the PIT", "68 % holds", "95 % holds")
FAINTEST = 21.5


@dataclass(frozen=True)
class Speed:
    """Of one core."""

    rate: dict[str, tuple[float, float, float]]
    """By what is seen: galaxies a second of processor time, all; preparation alone; network and quantiles alone."""
    peak: float
    """GFLOP/s of its float32 matrix products."""


def row(name: str, what: str, said: Said, true: np.ndarray) -> tuple[str, ...]:
    """Of the median, and of the PIT."""
    d = errors(said.quantiles[:, MEDIAN], true)
    found = redshift_metrics(d)
    return (
        name,
        what,
        f"{len(d):,}",
        number(found.sigma_nmad, 4),
        number(found.bias, 4, sign=True),
        percent(found.outliers),
        percent(float(np.mean(np.abs(d) > NEAR))),
        *posterior_cells(said.pit),
    )


def posterior_cells(pit: np.ndarray) -> tuple[str, str, str]:
    """KS distance and what central intervals hold."""
    inside = [float(np.mean(np.abs(pit - 0.5) < 0.5 * part)) for part in (0.68, 0.95)]
    return (number(kstest(pit, "uniform").statistic, 3), *(percent(share) for share in inside))


def ranges_of(result: Mocks) -> list[tuple[str, np.ndarray]]:
    """Names of the ranges of magnitude, and their galaxies (N,); all of them last."""
    pairs = zip(result.edges[:-1], result.edges[1:], strict=True)
    found = [(f"{low:g} < r < {high:g}", (result.magnitude > low) & (result.magnitude < high)) for low, high in pairs]
    return [*found, ("all", np.ones(len(result.true), bool))]


def network_table(result: Mocks) -> Table:
    """All test galaxies, by range and by what is seen."""
    rows = []
    for name, own in ranges_of(result):
        for what, said in result.network.items():
            some = said.take(own)
            scores = number(float(some.crps.mean()), 4), number(float(some.ln_density.mean()), 3, sign=True)
            rows.append((*row(name, what, some, result.true[own]), *scores))
    return Table((*HEAD, "CRPS", "mean ln p(z)"), tuple(rows))


def limit_table(result: Mocks) -> Table:
    """The network beside the exact posterior, on the same galaxies."""
    n = len(result.exact.mean)
    good = np.flatnonzero(founded(result.exact))
    rows = []
    for name, of_all in ranges_of(result):
        own = good[of_all[:n][good]]
        true = result.true[own]
        exact = result.exact.take(own)
        said = {"exact posterior, photometry": exact}
        said |= {f"network, {what}": one.take(own) for what, one in result.network.items() if what != "image"}
        least = _rms(exact, true), float(exact.crps.mean())
        for what, one in said.items():
            rms, crps = _rms(one, true), float(one.crps.mean())
            d = errors(one.mean, true)
            over = "" if one is exact else number(rms / least[0], 2)
            more = "" if one is exact else number(crps / least[1], 3)
            outside = percent(float(np.mean(np.abs(d) > 0.15)))
            cells = posterior_cells(one.pit)
            sigma = number(redshift_metrics(d).sigma_nmad, 4)
            rows.append(
                (name, what, str(len(own)), sigma, number(rms, 4), over, outside, number(crps, 4), more, *cells)
            )
    head = ("galaxies", "what", "n", "σ_NMAD", "rms", "over exact", "> 0.15", "CRPS", "over exact")
    return Table((*head, "KS of the PIT", "68 % holds", "95 % holds"), tuple(rows))


def _rms(said: Said, true: np.ndarray) -> float:
    return float(np.sqrt(np.mean(errors(said.mean, true) ** 2)))


def exact_said(result: Mocks) -> str:
    """How far the exact posteriors can be trusted."""
    n, again = len(result.exact.ess), result.again
    both = result.exact.take(slice(0, len(again.mean)))
    good = founded(both) & founded(again)
    apart = np.std((both.mean - again.mean)[good] / (1 + both.mean[good])) / np.sqrt(2)
    width = 0.5 * (both.quantiles[:, 3] - both.quantiles[:, 1])[good]
    relative = np.std((both.mean - again.mean)[good] / width) / np.sqrt(2)
    few = n - int(founded(result.exact).sum())
    return (
        f"{few} of {n} rest on fewer than 50 effective draws and are left out (half of all on more than "
        f"{np.median(result.exact.ess):,.0f}). From other draws, {good.sum()} have means that differ by "
        f"{apart:.4f} (1 + z) (standard deviation over root two), {relative:.2f} of the half width of their 68 %."
    )


def real_table(result: Real, main: Real) -> Table:
    """The main sample's galaxies, and BOSS's."""
    parts = {
        "BOSS": np.ones(len(result.true), bool),
        f"BOSS, r < {FAINTEST}": result.magnitude < FAINTEST,
        f"BOSS, r < {FAINTEST}, undoubted": (result.magnitude < FAINTEST) & ~result.doubted,
    }
    said = np.isfinite(main.network.mean)
    rows = [row(f"main sample, r < {MAIN}", "galaxy-redshift", main.network.take(said), main.true[said])]
    for name, own in parts.items():
        there = own & np.isfinite(result.network.mean)
        rows.append(row(name, "galaxy-redshift", result.network.take(there), result.true[there]))
        if result.learned is not None:
            learned = _learned(result, there)
            rows.append(row(name, "sdss-redshift, folds", learned, result.true[there]))
    return Table(("galaxies", "by", *HEAD[2:]), tuple(rows))


def _learned(result: Real, own: np.ndarray) -> Said:
    assert result.learned is not None
    quantiles, pit = result.learned["quantiles"][own], result.learned["pit"][own]
    nothing = np.full(len(pit), np.nan)
    return Said(quantiles[:, MEDIAN], quantiles, pit, nothing, nothing, nothing, nothing)


def speed_table(speed: Speed) -> Table:
    rows = [(what, *(f"{rate:,.0f}" for rate in rates)) for what, rates in speed.rate.items()]
    return Table(("seen", "all", "preparation alone", "network and quantiles alone"), tuple(rows))


def write_page(docs: Path, model: Bundle, result: Mocks, seen: Real | None, main: Real | None, speed: Speed) -> None:
    """Fill galaxy_redshift_page.md and draw its figures."""
    figures = docs / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    (figures / "galaxy-redshift.png").write_bytes(planes(result))
    (figures / "galaxy-redshift-pit.png").write_bytes(pits(result))
    real = "GALPRISM_DATA was not set: no real galaxies were looked at."
    if seen is not None and main is not None:
        (figures / "galaxy-redshift-real.png").write_bytes(of_real(seen))
        image = "![What is said of real galaxies, and the PIT](figures/galaxy-redshift-real.png)"
        doubt, boss = percent(main.doubted.mean()), percent(seen.doubted.mean())
        told = f"Flags of doubt stand at {doubt} of the main sample's galaxies and at {boss} of BOSS's."
        real = f"{real_table(seen, main).markdown()}\n\n{told}\n\n{image}"
    whole = result.network["photometry and image"]
    bars = [
        Bar("photometric redshifts with posterior a second, one core", float(BAR), speed.rate["photometry"][0], ">="),
        *(
            Bar(
                f"KS of the PIT, {what}",
                round(CHANCE / np.sqrt(len(said.pit)), 4),
                float(kstest(said.pit, "uniform").statistic),
            )
            for what, said in result.network.items()
        ),
        Bar(
            "σ_NMAD with images less that without",
            0.0,
            redshift_metrics(errors(whole.quantiles[:, MEDIAN], result.true)).sigma_nmad
            - redshift_metrics(errors(result.network["photometry"].quantiles[:, MEDIAN], result.true)).sigma_nmad,
        ),
    ]
    parts = {
        "bars": bars_table(bars).markdown(),
        "n": f"{len(result.true):,}",
        "epochs": str(model.metrics.get("epochs", "?")),
        "network": network_table(result).markdown(),
        "limit": limit_table(result).markdown(),
        "exact": exact_said(result),
        "real": real,
        "speed": speed_table(speed).markdown(),
        "peak": f"{speed.peak:.0f}",
    }
    text = Path(__file__).with_name("galaxy_redshift_page.md").read_text(encoding="utf-8")
    for name, said in parts.items():
        text = text.replace(f"{{{name}}}", said)
    path = docs / "galaxy-redshift.md"
    path.write_text(text, encoding="utf-8")
    print(network_table(result).text(), limit_table(result).text(), exact_said(result), sep="\n\n")
    if seen is not None and main is not None:
        print(real_table(seen, main).text())
    print(speed_table(speed).text(), path, sep="\n\n")

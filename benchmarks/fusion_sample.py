"""The sample of sdss-fusion, checked and timed: where true rates lie in the distributions that the labels are of, how
far labels of other draws are from them, and what it costs.

    nice python benchmarks/fusion_sample.py -o FOLDER [--again] [--figure FILE.png] [sample.train=400 …]

Settings are those of the recipe, so that a part of the sample can be looked at: field.galaxies.redshift=[0.08, 0.083].
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import kstest, norm

from galprism.data.sfr_labels import PREFIX, STATISTICS
from galprism.evaluate.figures.style import INK, new_figure, note, png, styled
from galprism.fit.field_draws import FOUNDED
from galprism.fit.sfr_statistics import BIN, EDGES, sfr_statistics
from galprism.recipes.fusion.sample import FusionSample, fusion_sample, model_error, rate_posterior
from galprism.recipes.recipe import load

SHOWN = ("p2p5", "p16", "median", "p84", "p97p5", "avg", "mode")


def places(sample: FusionSample) -> np.ndarray:
    """(N,): the part of each distribution that is below the true rate."""
    below = np.cumsum(sample.share, axis=1, dtype=float)
    return np.array([np.interp(t, EDGES[1:], b) for t, b in zip(sample.column("logsfr"), below, strict=True)])


def statistic(sample: FusionSample, name: str) -> np.ndarray:
    """(N,), by its name without prefix."""
    return sample.targets[:, 1 + STATISTICS.index(PREFIX + name)]


def pulls(sample: FusionSample) -> np.ndarray:
    """(N,): true rate less AVG, over half of P84 - P16."""
    width = 0.5 * (statistic(sample, "p84") - statistic(sample, "p16"))
    return (sample.column("logsfr") - statistic(sample, "avg")) / width


@styled
def figure(sample: FusionSample) -> bytes:
    """One galaxy's distribution with its statistics, and the pulls of all."""
    drawn, ((left, right),) = new_figure(1, 2, row_height=2.9)
    width = statistic(sample, "p84") - statistic(sample, "p16")
    skew = np.abs(statistic(sample, "mode") - statistic(sample, "avg")) / width
    row = int(np.argmax(np.where(sample.ess > np.median(sample.ess), skew, -1.0)))  # the most skewed of good ones
    own = {name: statistic(sample, name)[row] for name in (*SHOWN, "entropy")}
    density = np.asarray(sample.share[row]) / BIN
    left.stairs(density, EDGES, color=INK, fill=True, alpha=0.25)
    top = density.max()
    for k, name in enumerate(sorted(SHOWN, key=own.__getitem__)):
        height = top * (1.05 + 0.09 * (k % 3))
        left.plot([own[name]] * 2, [0, height], color=INK, linewidth=0.8, linestyle=":" if name[0] == "p" else "-")
        left.text(own[name], height, name.upper(), fontsize=6.5, ha="center", va="bottom")
    left.plot(sample.column("logsfr")[row], 0.02 * top, "^", color="crimson", label="true")
    span = own["p97p5"] - own["p2p5"]
    left.set(xlim=(own["p2p5"] - 0.3 * span, own["p97p5"] + 0.3 * span), ylim=(0, 1.6 * top))
    left.set(xlabel=r"$\log\,{\rm SFR}\ [M_\odot\,{\rm yr}^{-1}]$", ylabel="density [dex$^{-1}$]")
    left.legend(loc="upper right")
    note(left, [f"z = {sample.targets[row, 0]:.3f}", f"ENTROPY = {own['entropy']:.2f}"])
    founded = sample.ess >= FOUNDED
    edges = np.linspace(-4, 4, 33)
    right.hist(pulls(sample)[founded], edges, density=True, color=INK, alpha=0.25)
    right.plot(edges, norm.pdf(edges), color=INK, linewidth=1)
    right.set(xlabel="(true $-$ AVG) / half of P84 $-$ P16", ylabel="density")
    inside = np.mean(np.abs(places(sample)[founded] - 0.5) < 0.34)
    note(right, [f"{founded.sum()} galaxies", f"{100 * inside:.0f} % in P16 to P84"])
    return png(drawn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("settings", nargs="*", help="of the recipe")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the sample")
    parser.add_argument("--again", action="store_true", help="distributions from other draws as well")
    parser.add_argument("--figure", type=Path, help="a PNG")
    asked = parser.parse_args()
    recipe, begun = load("sdss-fusion", asked.settings), time.process_time()
    sample = fusion_sample(recipe, asked.out)
    n = len(sample)
    print(f"{n} galaxies: {time.process_time() - begun:.0f} s of processor time for what was not there yet", flush=True)
    print("effective draws, 1, 10, 50, 90 %:", np.percentile(sample.ess, [1, 10, 50, 90]).round().astype(int))
    founded = sample.ess >= FOUNDED
    print(f"{founded.mean():.1%} have {FOUNDED:g} or more; of these:")
    place, pull, true = places(sample)[founded], pulls(sample)[founded], sample.column("logsfr")[founded]
    for part in (0.68, 0.95):
        share = np.mean(np.abs(place - 0.5) < 0.5 * part)
        print(f"  true rates in the middle {part:.0%}: {share:.1%} +- {np.sqrt(part * (1 - part) / len(place)):.1%}")
    print(f"  places even: p = {kstest(place, 'uniform').pvalue:.2f} (Kolmogorov-Smirnov)")
    off = true - statistic(sample, "avg")[founded]
    print(f"  true - AVG: {off.mean():+.3f} +- {off.std():.3f} dex; true rates spread by {true.std():.2f} dex")
    print(f"  over half of P84 - P16: {pull.mean():+.2f} +- {pull.std():.2f}")
    if asked.again:
        posterior = rate_posterior(replace(recipe, seed=recipe.seed + 1000))
        photometry, error = sample.sources(slice(None)).photometry, model_error(recipe)
        found = posterior(photometry, sample.column("redshift"), error)
        apart = (sfr_statistics(found.share) - sample.targets[:, 1:])[founded] / np.sqrt(2.0)
        print("  from other draws, over root two:", end=" ")
        print(", ".join(f"{name} {np.std(each):.3f}" for name, each in zip(STATISTICS, apart.T, strict=True)))
    if asked.figure:
        asked.figure.write_bytes(figure(sample))


if __name__ == "__main__":
    main()

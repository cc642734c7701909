"""The numbers of MMLforGalAM (2025), and the tables that set ours beside them."""

from __future__ import annotations

from typing import Any

import numpy as np

from galprism.evaluate import Bar
from galprism.evaluate.tables import Table, number

PAPER = {
    "M1: spectra": (0.1355, 0.1269),
    "M3: image": (0.2057, 0.1644),
    "MMLforGalAM: image": (0.1506, 0.1402),
    "MMLforGalAM: spectra + image": (0.1293, 0.1266),
}
"""SD of age and [M/H] (Table 1)."""
SIZES = {64: (0.1968, 0.1697), 128: (0.1483, 0.1290)}
"""By the side of pictures (Table A.1)."""
TABLE_A2 = {
    "g": (0.2125, 0.2039),
    "r": (0.2254, 0.2266),
    "i": (0.1922, 0.1692),
    "gr": (0.2048, 0.1945),
    "gi": (0.1929, 0.1681),
    "ri": (0.1913, 0.1624),
    "gri": (0.1506, 0.1402),
}
"""By the colours of pictures (Table A.2)."""
R2 = 0.9767
"""Of simulated features (Sect. 4.2.2)."""
GAIN = (0.27, 0.15)
"""By which MMLforGalAM's SD is below that of images alone (abstract)."""
SN_EDGES = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0)
"""Of its bins of S/N, the last of which is open (Sect. 4.3)."""
WHAT = ("age", "[M/H]")
IMAGE, FUSED, SPECTRA, BOTH = ("M3: image", "MMLforGalAM: image", "M1: spectra", "MMLforGalAM: spectra + image")
ORDER = ((BOTH, SPECTRA), (SPECTRA, FUSED), (FUSED, IMAGE))
"""The paper's: the first has the smaller SD."""
OURS_OVER = (("ours: image", FUSED), ("ours: spectra", SPECTRA), ("ours: spectra + image", BOTH))
MORE_OVER_LESS = (
    ("ours: photometry + image", "ours: image"),
    ("ours: photometry + image", "ours: photometry"),
    ("ours: spectra + image", "ours: image"),
    ("ours: spectra + image", "ours: spectra"),
    ("ours: all", "ours: spectra + image"),
    ("ours: all", "ours: photometry + image"),
)
"""What sees more, and what sees less."""


def bars(measured: dict[str, Any]) -> list[Bar]:
    """The paper's figures, what was to be reached, and ours."""
    errors, ratios = measured["errors"], measured["ratios"]
    found = []

    def sd(name: str, j: int) -> float:
        return errors[name]["sd"][j]

    for name, paper in PAPER.items():
        found += [Bar(f"{name}: SD of {WHAT[j]}", paper[j], sd(name, j), paper=paper[j], unit="dex") for j in (0, 1)]

    def over(first: str, second: str, of: str, paper: tuple[float, float] | None = None) -> None:
        told = ratios[f"{first} over {second}"][of]
        for j in (0, 1):
            name, published = f"{first} over {second}: {of} of {WHAT[j]}", None if paper is None else paper[j]
            found.append(Bar(name, 1.0, told["ratio"][j], paper=published, err=told["err"][j]))

    for better, worse in ORDER:
        over(better, worse, "SD", (PAPER[better][0] / PAPER[worse][0], PAPER[better][1] / PAPER[worse][1]))
    for j in (0, 1):
        gain = 1.0 - sd(FUSED, j) / sd(IMAGE, j)
        found.append(Bar(f"MMLforGalAM's gain over image alone: {WHAT[j]}", GAIN[j], gain, ">=", paper=GAIN[j]))
        note = "all that ours can see, over its image alone"
        ours = 1.0 - sd("ours: all", j) / sd("ours: image", j)
        found.append(Bar(f"ours: gain over image alone: {WHAT[j]}", gain, ours, ">=", note=note))
    features = measured["features"]
    note = f"over the galaxies, feature by feature: {features['of_features']:.3f}"
    found.append(
        Bar(
            "R2 of simulated features, over those of a galaxy", 0.97, features["of_galaxies"], ">=", paper=R2, note=note
        )
    )
    for mine, theirs in OURS_OVER:
        over(mine, theirs, "SD")
    for more, less in MORE_OVER_LESS:
        over(more, less, "rms")
    varied = measured["varied"]
    if {"64px", "128px"} <= set(varied):
        for j in (0, 1):
            ratio = varied["128px"]["sd"][j] / varied["64px"]["sd"][j]
            found.append(
                Bar(f"pictures of 128 over 64 px: SD of {WHAT[j]}", 1.0, ratio, paper=SIZES[128][j] / SIZES[64][j])
            )
    return found


def tables_of(measured: dict[str, Any]) -> list[str]:
    """Tables 1, A.1 and A.2 with the paper's numbers beside, in Markdown."""
    found = []
    rows: list[tuple[str, ...]] = []
    for name, errors in measured["errors"].items():
        paper = PAPER.get(name)
        for j, parameter in enumerate(measured["parameters"]):
            values = [number(errors[key][j], 4) for key in ("mse", "mae", "bias", "sd")]
            missing = str(errors["missing"][0])
            rows.append((name, parameter, *values, missing, "–" if paper is None else number(paper[j], 4)))
    head: tuple[str, ...] = ("method", "parameter", "MSE", "MAE", "bias", "SD", "not inferred", "SD in the paper")
    found.append("### Errors (Table 1)\n\n" + Table(head, tuple(rows), "").markdown())
    for title, names, papers in (
        ("Sides of pictures (Table A.1)", [f"{side}px" for side in SIZES], {f"{k}px": v for k, v in SIZES.items()}),
        ("Colours of pictures (Table A.2)", list(TABLE_A2), TABLE_A2),
    ):
        rows = []
        for name in names:
            errors = measured["varied"].get(name)
            if errors is not None:
                values = [number(errors["sd"][j], 4) for j in (0, 1)]
                rows.append((name, str(errors["n_train"]), *values, *(number(value, 4) for value in papers[name])))
        head = ("pictures", "learned from", "SD of age", "SD of [M/H]", "paper: age", "paper: [M/H]")
        found.append(f"### {title}\n\n" + Table(head, tuple(rows), "").markdown())
    found.append(_beside_exact(measured["exact"], measured["parameters"]))
    fit = measured["labels"]
    told = ", ".join(f"{p} {number(s, 3)}" for p, s in zip(measured["parameters"], fit["errors"]["sd"], strict=True))
    dropped = ", ".join(f"{name}: {n}" for name, n in measured["prepared"]["dropped"].items())
    found.append(f"Full-spectrum fits of {fit['n']} of the test spectra have an SD against the truth of {told}.")
    found.append(f"Of {measured['prepared']['pairs']:,} pairs the preparation left out: {dropped}.")
    return found


def _beside_exact(exact: dict[str, Any], parameters: list[str]) -> str:
    """Methods that see a spectrum, and the exact posterior of it, on the same galaxies."""
    least = np.sqrt(exact["exact"]["mse"])
    rows = [("exact posterior of the spectrum", *(text for value in least for text in (number(value, 4), "1")))]
    for name, errors in exact["errors"].items():
        rms = np.sqrt(errors["mse"])
        rows.append((name, *(text for pair in zip(rms, rms / least, strict=True) for text in _both(*pair))))
    head = ("method", *(text for name in parameters for text in (f"rms of {name}", "over the exact")))
    inside = " and ".join(f"{100 * share:.0f}" for share in exact["inside"])
    told = (
        f"On {exact['n']:,} of the test galaxies, of whose posteriors {exact['converged']:,} have converged (two runs "
        f"of each agree, R-hat < 1.05); {inside} % of the true {' and '.join(parameters)} lie within their central "
        "68 %. A method that sees an image or photometry as well knows more than the spectrum."
    )
    return f"### Beside the exact posterior of the spectrum\n\n{told}\n\n" + Table(head, tuple(rows), "").markdown()


def _both(rms: float, ratio: float) -> tuple[str, str]:
    return number(rms, 4), number(ratio, 3)

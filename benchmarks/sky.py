"""Is the simulated sky real enough? Counts, colours and the stellar locus, against what was published and measured.

    GALPRISM_DATA=DIR OMP_NUM_THREADS=1 python benchmarks/sky.py --docs docs/results

1. Counts of galaxies, quasars and stars by magnitude against published ones.
2. Colours of each class against SDSS DR17 sources with spectra (`tables/sdss_dr17_classes.csv` of GALPRISM_DATA), where
   they are as many at each magnitude and redshift; and how well a gradient-boosted tree tells them apart.
3. The stellar locus against the spectra of Pickles (1998) in `templates/stars_pickles`.

Writes sky.md and figures/sky-*.png. Exit status 0 when every bar is met, 1 when one is not, 2 without the data.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from pathlib import Path

import numpy as np

from galprism import passbands, surveys
from galprism.data.truth import CLASSES
from galprism.evaluate import Bar, Table, bars_table
from galprism.mocks import NoiseConfig, observe
from galprism.mocks.sky.field_config import FieldConfig, GalaxyConfig, QuasarConfig, StarConfig
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.mocks.sky.quasars import Quasars
from galprism.mocks.sky.stars import Stars
from galprism.sps import load_bc03_miles
from galprism.sps.star_spectra import load_star_spectra
from galprism.sps.stars import StarModel
from galprism.units import abmag_from_njy
from sky_figures import colour_tracks, counts_figure, locus_figure

COSMOS = {
    **{19.25: 3.01, 19.75: 3.23, 20.25: 3.44, 20.75: 3.64, 21.25: 3.85, 21.75: 4.03, 22.25: 4.21, 22.75: 4.38},
    **{23.25: 4.54, 23.75: 4.71},
}
"""log10 of galaxies a square degree and magnitude, by i (COSMOS2020, Weaver et al. 2022, Table 2)."""
NORTH_POLE = {16.0: 188.0, 18.0: 588.0, 20.0: 1440.0, 21.0: 2062.0, 22.0: 2812.0}
"""Stars a square degree brighter than V at the galactic pole (Bahcall & Soneira 1980; good to 15 %)."""
QUASARS = {"1 < z < 2.15": ((1.0, 2.15), 99.0), "2.15 < z < 4": ((2.15, 4.0), 47.0)}
"""A square degree, g < 22.5 (Palanque-Delabrouille et al. 2013, A&A 551, A29)."""
EBV = 0.035
"""mag: SDSS's magnitudes are not corrected for the Milky Way's dust; the mock's are behind this much of it."""
FROM_AB = np.array([0.04, 0.0, 0.0, 0.0, -0.02])
"""mag: SDSS's ugriz less AB (the survey's own word on its photometric system)."""
COLOURS = ("u-g", "g-r", "r-i", "i-z")
GALAXY_BINS = ((15.0, 16.5), (16.5, 17.2), (17.2, 17.8), (17.8, 19.0), (19.0, 20.0), (20.0, 21.0))
STAR_BINS = ((14.0, 16.0), (16.0, 18.0), (18.0, 19.0), (19.0, 20.0))
QUASAR_BINS = (
    *((0.3, 0.5), (0.5, 0.8), (0.8, 1.1), (1.1, 1.4), (1.4, 1.7), (1.7, 2.0), (2.0, 2.3), (2.3, 2.6), (2.6, 3.0)),
    (3.0, 3.5),
)
LEAST = 15


def real_sources(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Of each class magnitudes (N, 5) and redshifts (N,), where all five bands are measured."""
    table = np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf-8")
    mag = np.stack([table[band] for band in "ugriz"], axis=1)
    good = ((mag > 0) & (mag < 26)).all(axis=1)
    named = {"star": "STAR", "qso": "QSO", "galaxy": "GALAXY"}
    rows = {kind: good & (table["class"] == named[kind]) for kind in CLASSES}
    rows["galaxy"] &= table["redshift"] > 0.01
    return {kind: {"mag": mag[some], "z": table["redshift"][some]} for kind, some in rows.items()}


def simulated() -> dict[str, dict[str, np.ndarray]]:
    """The same of the simulated sky, as SDSS would measure it: bright galaxies of a large area, faint ones of a small
    one."""
    survey, rng = surveys.get("sdss"), np.random.default_rng(1)
    library = load_bc03_miles()
    parts = {
        "star": [Stars(StarConfig(latitude=60.0), survey, "r", 21.0).patch(8.0, rng)],
        "qso": [Quasars(QuasarConfig(), survey, "i", 21.5).patch(150.0, rng)],
        "galaxy": [
            FieldGalaxies(GalaxyConfig(), survey, "r", limit, library).patch(area, rng)
            for limit, area in ((17.8, 40.0), (21.0, 2.0))
        ],
    }
    dust = 10 ** (-0.4 * EBV * np.array([band.extinction for band in survey.bands]))
    found = {}
    for kind, members in parts.items():
        flux = np.concatenate([part.flux for part in members]) * dust
        seen = observe(flux.astype(np.float32), survey, NoiseConfig(), rng).flux
        good = (seen > 0).all(axis=1)
        mag = abmag_from_njy(seen[good].astype(float)) + FROM_AB
        found[kind] = {"mag": mag, "z": np.concatenate([part.redshift for part in members])[good]}
    return found


def alike(real: np.ndarray, mock: np.ndarray, pieces: int = 8) -> np.ndarray:
    """(M,), weights of mocks with which they are as many at each value as the real ones."""
    edges = np.quantile(real, np.linspace(0, 1, pieces + 1))
    edges[-1] += 1e-9
    place = np.digitize(mock, edges) - 1
    weight = np.zeros(len(mock))
    for k in range(pieces):
        some = place == k
        if some.any():
            weight[some] = 1.0 / some.sum()
    return weight


def median(values: np.ndarray, weight: np.ndarray) -> float:
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(total, 0.5 * total[-1])])


def offsets(real, mock, weight) -> list[float]:
    """Mock less real, of the median of each colour."""
    theirs, ours = (mag[:, :-1] - mag[:, 1:] for mag in (real, mock))
    return [median(ours[:, j], weight) - float(np.median(theirs[:, j])) for j in range(len(COLOURS))]


def compared(real, mock) -> dict[str, list[tuple[str, int, int, list[float]]]]:
    """By class: the bin, how many real and simulated, offsets of each colour."""
    found: dict[str, list[tuple[str, int, int, list[float]]]] = {kind: [] for kind in CLASSES}

    def add(kind: str, text: str, a: np.ndarray, b: np.ndarray, on: np.ndarray, of: np.ndarray) -> None:
        if min(a.sum(), b.sum()) >= LEAST:
            weight = alike(on[a], of[b])
            found[kind].append(
                (text, int(a.sum()), int(b.sum()), offsets(real[kind]["mag"][a], mock[kind]["mag"][b], weight))
            )

    for low, high in GALAXY_BINS:
        a, b = ((s["galaxy"]["mag"][:, 2] >= low) & (s["galaxy"]["mag"][:, 2] < high) for s in (real, mock))
        add("galaxy", f"r = {low:g} to {high:g}", a, b, real["galaxy"]["z"], mock["galaxy"]["z"])
    for low, high in QUASAR_BINS:
        a, b = ((s["qso"]["z"] >= low) & (s["qso"]["z"] < high) & (s["qso"]["mag"][:, 3] < 21.4) for s in (real, mock))
        add("qso", f"z = {low:g} to {high:g}", a, b, real["qso"]["mag"][:, 3], mock["qso"]["mag"][:, 3])
    for low, high in STAR_BINS:
        a, b = ((s["star"]["mag"][:, 2] >= low) & (s["star"]["mag"][:, 2] < high) for s in (real, mock))
        g_i = [s["star"]["mag"][:, 1] - s["star"]["mag"][:, 3] for s in (real, mock)]
        add("star", f"r = {low:g} to {high:g}", a, b, *g_i)
    return found


def told_apart(real: dict[str, np.ndarray], mock: dict[str, np.ndarray], kind: str) -> tuple[float, int]:
    """Area under the curve of a gradient-boosted tree that is to tell mocks from real sources by colours and r, five
    folds, where both are as many at each r (and redshift); and how many of each there are."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import cross_val_predict

    rng = np.random.default_rng(0)
    on = np.column_stack([real["mag"][:, 2], real["z"] if kind != "star" else np.zeros(len(real["z"]))])
    of = np.column_stack([mock["mag"][:, 2], mock["z"] if kind != "star" else np.zeros(len(mock["z"]))])
    scale = on.std(axis=0) + 1e-9
    free, pairs = np.ones(len(of), bool), []
    for row in rng.permutation(len(on)):  # each real source takes the nearest mock that nobody has, if it is near
        distance = np.where(free, (((of - on[row]) / scale) ** 2).sum(axis=1), np.inf)
        best = int(np.argmin(distance))
        if distance[best] < 0.1**2:
            free[best] = False
            pairs.append((row, best))
    rows, others = np.array(pairs).T
    both = np.concatenate([real["mag"][rows], mock["mag"][others]])
    x = np.column_stack([both[:, :-1] - both[:, 1:], both[:, 2]])
    y = np.repeat([0, 1], len(rows))
    chance = cross_val_predict(HistGradientBoostingClassifier(random_state=0), x, y, cv=5, method="predict_proba")[:, 1]
    order = np.argsort(np.argsort(chance)) + 1
    n = len(rows)
    return float((order[y == 1].sum() - n * (n + 1) / 2) / n**2), n


def counted() -> tuple[dict, Table]:
    """Counts by class, for the figure; and those that were published beside ours."""
    kids, sdss, rng = surveys.get("kids"), surveys.get("sdss"), np.random.default_rng(2)
    galaxies = FieldGalaxies(GalaxyConfig(), kids, "i", 24.0, load_bc03_miles()).patch(0.25, rng)
    quasars = Quasars(QuasarConfig(faintest=-22.0), sdss, "g", 22.5)
    some = quasars.patch(20.0, rng)
    stars = Stars(StarConfig(), sdss, "r", 24.0).patch(4.0, rng)
    g, r = (abmag_from_njy(stars.flux[:, k]) for k in (1, 2))
    visual = g - 0.59 * (g - r) - 0.01  # Jester et al. (2005, AJ 130, 873, Table 1)
    i = abmag_from_njy(galaxies.flux[:, 3])
    rows = []
    for middle, known in COSMOS.items():
        ours = np.log10((np.abs(i - middle) <= 0.25).sum() / 0.25 / 0.5)
        rows.append((f"galaxies, i = {middle:g}, log10 per deg2 and mag", f"{known:.2f}", f"{ours:.2f}", ours - known))
    for limit, known in NORTH_POLE.items():
        ours = (visual < limit).sum() / 4.0
        rows.append(
            (f"stars, V < {limit:g}, per deg2 at the pole", f"{known:.0f}", f"{ours:.0f}", np.log10(ours / known))
        )
    for text, ((low, high), known) in QUASARS.items():
        ours = ((some.redshift >= low) & (some.redshift < high)).sum() / 20.0
        rows.append((f"quasars, g < 22.5, {text}, per deg2", f"{known:.0f}", f"{ours:.0f}", np.log10(ours / known)))
    table = Table(
        ("counts", "published", "ours", "dex"),
        tuple((text, known, ours, f"{off:+.2f}") for text, known, ours, off in rows),
    )
    limit = FieldConfig().limit
    kinds = {
        "star": Stars(StarConfig(longitude=270.0, latitude=60.0), kids, "r", limit).patch(2.0, rng),
        "qso": Quasars(QuasarConfig(), kids, "r", limit).patch(10.0, rng),
        "galaxy": FieldGalaxies(GalaxyConfig(), kids, "r", limit, load_bc03_miles()).patch(0.25, rng),
    }
    areas = {"star": 2.0, "qso": 10.0, "galaxy": 0.25}
    drawn = {kind: (abmag_from_njy(part.flux[:, 2]), areas[kind]) for kind, part in kinds.items()}
    return {"by class": drawn, "i": (i, 0.25), "worst": max(abs(off) for *_, off in rows)}, table


def locus(folder: Path) -> tuple[dict, Table]:
    """Colours of Pickles's dwarfs of solar metallicity less those of the locus at their g-i."""
    spectra = load_star_spectra(folder)
    rows = [k for k, name in enumerate(spectra.names) if name.endswith("v") and not name.startswith(("r", "w"))]
    found, lines = {}, []
    for survey in ("sdss", "kids"):
        bands = surveys.get(survey).bands
        curves = [passbands.get(band.passband) for band in bands]
        through = np.stack([spectra.through(curve)[rows] for curve in curves], axis=1)
        own = abmag_from_njy(through)
        g, r, i = (abmag_from_njy(spectra.through(passbands.get(f"SLOAN/SDSS.{band}"))[rows]) for band in "gri")
        inside = (g - i > 0.3) & (g - i < 3.2)
        model = StarModel(curves)
        ours = abmag_from_njy(model.dwarfs(r[inside], (g - i)[inside], np.zeros(inside.sum())))
        names = [f"{a.name}-{b.name}" for a, b in itertools.pairwise(bands)]
        off = (own[inside, :-1] - own[inside, 1:]) - (ours[:, :-1] - ours[:, 1:])
        lines += [
            (survey, name, f"{np.median(off[:, j]):+.3f}", f"{off[:, j].std():.3f}") for j, name in enumerate(names)
        ]
        found[survey] = {"g_i": (g - i)[inside], "names": names, "real": own[inside], "ours": ours}
    header = ("survey", "colour", "median of Pickles less ours", "scatter")
    return found, Table(header, tuple(lines), text_columns=2)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--docs", type=Path, required=True, metavar="FOLDER", help="where the page goes")
    options = parser.parse_args()
    data = os.environ.get("GALPRISM_DATA")
    if not data:
        print("GALPRISM_DATA is not set: it is the folder that holds tables/ and templates/", file=sys.stderr)
        return 2
    figures = options.docs / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    real, mock = real_sources(Path(data) / "tables" / "sdss_dr17_classes.csv"), simulated()
    counts, counts_table = counted()
    stars, locus_table = locus(Path(data) / "templates" / "stars_pickles")
    found = compared(real, mock)
    (figures / "sky-counts.png").write_bytes(counts_figure(counts, COSMOS))
    (figures / "sky-locus.png").write_bytes(locus_figure(stars))
    (figures / "sky-colours.png").write_bytes(colour_tracks(real, mock))
    bars, tables = [], []
    for kind in reversed(CLASSES):
        rows = [(text, f"{n:,}", f"{m:,}", *(f"{value:+.2f}" for value in off)) for text, n, m, off in found[kind]]
        tables.append((kind, Table(("bin", "real", "simulated", *COLOURS), tuple(rows))))
        values = np.abs([off for *_, off in found[kind]])
        text = f"{kind}: of {values.size} medians of a colour in a bin, within 0.1 mag of SDSS"
        bars.append(Bar(text, float(values.size), float((values <= 0.1).sum()), ">="))
    bars.append(Bar("counts: the furthest from a published one [dex]", 0.1, counts["worst"]))
    auc = Table(
        ("class", "pairs", "area under the curve"),
        tuple(
            (kind, f"{n:,}", f"{value:.3f}")
            for kind in CLASSES
            for value, n in [told_apart(real[kind], mock[kind], kind)]
        ),
    )
    (options.docs / "sky.md").write_text(page(bars, counts_table, tables, locus_table, auc), encoding="utf-8")
    print(bars_table(bars).text(), f"\n\n{options.docs / 'sky.md'}")
    return 0 if all(bar.met for bar in bars) else 1


def page(bars, counts_table, tables, locus_table, auc) -> str:
    """The page in Markdown."""
    text = Path(__file__).with_name("sky_page.md").read_text(encoding="utf-8")
    parts = {"bars": bars_table(bars), "counts": counts_table, "locus": locus_table, "auc": auc, **dict(tables)}
    for name, table in parts.items():
        text = text.replace(f"{{{name}}}", table.markdown())
    return text


if __name__ == "__main__":
    sys.exit(main())

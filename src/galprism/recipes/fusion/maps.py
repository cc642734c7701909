"""Maps of what a network makes of galaxies that it has not learned from, as figures and as one page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from galprism.data.three_colour import pictures_of
from galprism.evaluate.embedding import METHODS, embedding
from galprism.recipes.fusion.bayesian import FittedBayesian
from galprism.recipes.fusion.sample import FusionSample
from galprism.recipes.fusion.seen import Seen

STAR_FORMING = -11.0
"""log10 of the true specific star-formation rate [1/yr] from which on a galaxy is called star-forming: the sample has
no stars or quasars, so that its kinds are these."""
NAMES = {"umap": "UMAP", "tsne": "t-SNE"}
LABELS = {
    "redshift": "redshift",
    "rate": "log SFR [Msun/yr]",
    "class": "class",
    "uncertainty": "uncertainty of log SFR",
    "redshift_uncertainty": "uncertainty of redshift",
}
FIGURE, PAGE = "embeddings.png", "embeddings.html"
PICTURE = 40
"""Pixels of an image's middle that the page shows."""
CAPTION = (
    "What a Bayesian network makes of galaxies that it has not learned from, laid out so that neighbours stay "
    "together; axes and distances mean little. Coloured by true redshift, AVG of the rate, class (star-forming: true "
    f"log sSFR > {STAR_FORMING:g}) and the uncertainty that the network states of the rate."
)


@dataclass(frozen=True, eq=False)
class Maps:
    """N galaxies, their places on each map and what they are coloured by."""

    rows: np.ndarray
    """(N,), of the sample."""
    places: Mapping[str, np.ndarray]
    """(N, 2), by method."""
    values: Mapping[str, np.ndarray]
    """(N,), by a key of LABELS or a name of the caller's."""


def maps_of(
    fitted: FittedBayesian,
    seen: Seen,
    sample: FusionSample,
    *,
    labels: Mapping[str, np.ndarray] | None = None,
    methods: tuple[str, ...] = METHODS,
    seed: int = 0,
) -> Maps:
    """Of the galaxies of validation and test.

    labels : what else to colour by, (N,) of the sample, numbers or words, by name; without any, the kinds of galaxies.
    """
    rows = np.concatenate([seen.rows("validation"), seen.rows("test")])
    draws = fitted.draws(seen, rows)
    spread = np.sqrt(draws.variance)
    rate = seen.names.index("sfr_tot_avg")
    values = {
        "redshift": seen.targets[rows, seen.names.index("redshift")],
        "rate": seen.targets[rows, rate],
        "class": kinds_of(sample)[rows],
        "uncertainty": spread[:, rate],
        "redshift_uncertainty": spread[:, seen.names.index("redshift")],
    }
    if labels is not None:
        del values["class"]
        values |= {name: np.asarray(value)[rows] for name, value in labels.items()}
    network = fitted.embedding(seen, rows)
    return Maps(rows, {method: embedding(network, method, seed) for method in methods}, values)


def kinds_of(sample: FusionSample) -> np.ndarray:
    """(N,), `star-forming` or `quiescent`."""
    return np.where(sample.column("logssfr") > STAR_FORMING, "star-forming", "quiescent")


def write_maps(maps: Maps, sample: FusionSample, folder: Path, title: str) -> list[Path]:
    """FIGURE and PAGE of a folder."""
    from galprism.evaluate.figures.maps import embedding_maps
    from galprism.evaluate.map_page import map_page

    folder.mkdir(parents=True, exist_ok=True)
    places = {NAMES.get(name, name): points for name, points in maps.places.items()}
    values = {LABELS.get(name, name): value for name, value in maps.values.items()}
    drawn = dict(list(values.items())[:4])
    figure, page = folder / FIGURE, folder / PAGE
    figure.write_bytes(embedding_maps("embeddings", title, places, drawn, CAPTION).png)
    cutouts = sample.sources(maps.rows).cutouts
    assert cutouts is not None
    pictures = pictures_of(cutouts)
    edge = max((pictures.shape[1] - PICTURE) // 2, 0)
    pictures = pictures[:, edge : edge + PICTURE, edge : edge + PICTURE]
    page.write_text(
        map_page(title, CAPTION, np.asarray(sample.ident[maps.rows]), places, values, pictures, "galprism, sdss-fusion")
    )
    return [figure, page]

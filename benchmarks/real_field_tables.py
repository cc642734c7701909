"""The tables of `real_field.py`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from galprism import flags, surveys
from galprism.bundle import Bundle
from galprism.data import CLASSES, Sources
from galprism.evaluate import Bar, Table
from galprism.evaluate.tables import MISSING, number, percent
from galprism.flags import Flag
from galprism.units import AB_ZEROPOINT_NJY, abmag_from_njy
from real_field_classes import GALAXY, QSO, SEEN, STAR, UNTOLD, Calls, Sizes, points_by_image
from real_field_mocks import PATCHES, SEEN_AS, MockField
from real_field_samples import BANDS, STARS, R, RealField

MAGNITUDES = (13.0, 17.0, 18.0, 19.0, 20.0, 21.0, 22.0, 22.5)
LARGE = 1.5
"""Half-light radii over that of stars, above which nobody would take a source for a point …"""
BRIGHT = 21.5
"""… of sources as bright as this."""
SURE = 0.9
COLOURS = (("u", "g"), ("g", "r"), ("g", "i"), ("J", "Ks"))
PLURAL = ("stars", "quasars", "galaxies")
BY_EYE = {
    (386, 744): "faint, nothing in H and Ks: not to be told",
    (380, 2192): "a point in g and J, blue, red in J-Ks: most likely a quasar",
    (1003, 340): "faint and irregular: a galaxy",
    (466, 2114): "in the light of the saturated star beside it, nothing in u: a star",
    (452, 1449): "hardly anything in H and Ks: a star",
    (1176, 1366): "in J 0.93 arcsec wide, stars 0.71: a galaxy",
    (871, 83): "a trail through it in r",
    (1254, 467): "an arm of the large spiral",
    (316, 1759): "in the light of the galaxy beside it",
}
"""What a person says of candidates, by pixel."""
LEAST_SIZES = 8
"""Galaxies, below which nothing is said of their sizes."""
NEAR = 3.0
"""px, within which a candidate is the one that was looked at."""


@dataclass(frozen=True, eq=False)
class Found:
    """All that the page tells of."""

    real: RealField
    sizes: Sizes
    mock_sizes: Sizes
    """Of the simulated fields that were seen as the real one was."""
    calls: dict[str, Calls]
    """By what is seen, under the shares of the simulated field."""
    as_trained: dict[str, Calls]
    """The same under the shares of training."""
    variants: dict[str, Calls]
    mocks: dict[str, tuple[MockField, dict[str, Calls]]]
    offset: np.ndarray
    """(B,), mag, of the stellar locus."""
    offset_err: np.ndarray
    locus: np.ndarray
    """(M, B), magnitudes of simulated stars."""
    priors: np.ndarray
    commands: tuple[str, str]
    network: Bundle

    @property
    def home(self) -> tuple[MockField, dict[str, Calls]]:
        """Simulated fields seen as in training."""
        return next(iter(self.mocks.values()))

    @property
    def candidates(self) -> np.ndarray:
        """Rows that are called quasars by photometry with or without the image, under either shares; likely ones
        first."""
        asked = [who[seen] for who in (self.calls, self.as_trained) for seen in ("both", "photometry")]
        rows = np.flatnonzero(np.any([one.classes == QSO for one in asked], axis=0))
        return rows[np.argsort(-self.as_trained["both"].probability[rows, QSO])]


def points_and_large(found: Found) -> tuple[np.ndarray, np.ndarray]:
    """(N,), bool each: point sources by themselves, and what nobody would take for a point, by size alone."""
    real = found.real
    return real.stars, (found.sizes.scaled > LARGE) & (real.found.mag < BRIGHT) & ~real.blended


def bars_of(found: Found) -> list[Bar]:
    """What any classifier of stars and galaxies should reach here."""
    both, sizes = found.calls["both"], found.sizes
    points, large = points_and_large(found)
    known = np.isfinite(sizes.scaled)
    low, high = STARS
    return [
        Bar(
            f"points by themselves, r = {low:g} to {high:g}: called star or quasar", 0.95,
            float(np.mean(both.classes[points] != GALAXY)), ">=", note=f"{points.sum()} sources",
        ),
        Bar(
            f"larger than {LARGE:g} times points, r < {BRIGHT:g}: called galaxy", 0.95,
            float(np.mean(both.classes[large] == GALAXY)), ">=", note=f"{large.sum()} sources",
        ),
        Bar(
            "size and network say the same", 0.95, float(np.mean(~sizes.against(both)[known])), ">=",
            note=f"{known.sum()} sources",
        ),
    ]  # fmt: skip


def bands_table(found: Found) -> Table:
    real, kids = found.real, surveys.get("kids")
    depth = AB_ZEROPOINT_NJY - 2.5 * np.log10(5.0 * real.empty.scatter)
    rows = []
    for k, band in enumerate(kids.bands):
        low, high = real.fwhm_range[k]
        fwhm, beta = real.psf[k]
        ratio = real.empty.scatter[k] / real.empty.stated[k]
        shift = MISSING if k == R else f"{found.offset[k]:+.3f} ± {found.offset_err[k]:.3f}"
        width = f"{fwhm:.2f} ({low:.2f} to {high:.2f})"
        rows.append((band.name, width, f"{beta:.1f}", f"{depth[k]:.2f}", f"{band.depth:.2f}", f"{ratio:.2f}", shift))
    header = (
        *("band", "FWHM [arcsec]", "β", "5σ depth here", "in training", "error, true / stated"),
        "offset of the locus [mag]",
    )
    return Table(header, tuple(rows))


def counts_table(found: Found) -> Table:
    """Sources by magnitude, beside the mean of simulated fields."""
    mock, mag, classes = found.home[0], found.real.found.mag, found.calls["both"].classes
    rows = []
    for low, high in [*pairwise(MAGNITUDES), (MAGNITUDES[0], MAGNITUDES[-1])]:
        here, there = ((m >= low) & (m < high) for m in (mag, mock.mag))
        cells = [
            cell
            for code in range(len(CLASSES))
            for cell in (
                str((here & (classes == code)).sum()),
                f"{(there & (mock.classes == code)).sum() / PATCHES:.1f}",
            )
        ]
        rows.append((f"r = {low:g} to {high:g}", *cells))
    header = ("", *(text for name in PLURAL for text in (name, "simulated")))
    return Table(header, tuple(rows))


def agreement_table(found: Found) -> Table:
    """How far photometry and image agree, beside fields where the truth is known."""
    own = found.real.sources.take(found.real.stars)
    rows = [_agreement("the real field", found, None, found.calls, own)]
    for name, (mock, calls) in found.mocks.items():
        bright = (mock.classes == STAR) & (mock.mag > STARS[0]) & (mock.mag < STARS[1])
        rows.append(_agreement(f"simulated, {name}", found, mock, calls, mock.sources.take(bright)))
    header = (
        *("", "photometry = image", "both = photometry", "both = image", "right by both", "by photometry", "by image"),
        "bright points by image, shares of training: star",
    )
    return Table(header, tuple(rows))


def _agreement(name: str, found: Found, mock: MockField | None, calls: dict[str, Calls], points: Sources) -> tuple:
    pairs = (("photometry", "image"), ("both", "photometry"), ("both", "image"))
    same = [percent(float(np.mean(calls[a].classes == calls[b].classes))) for a, b in pairs]
    right = [MISSING] * 3
    if mock is not None:
        right = [percent(float(np.mean(calls[seen].classes == mock.classes))) for seen in SEEN]
    return (name, *same, *right, percent(points_by_image(found.network, points)))


def classes_table(found: Found) -> Table:
    """What is called what by which, and how that goes with sizes."""
    points, large = points_and_large(found)
    rows = []
    for text, who in (("as simulated", found.calls), ("as in training", found.as_trained)):
        for seen, words in SEEN.items():
            called = who[seen].classes
            counted = [str(who[seen].count(code)) for code in range(len(CLASSES))]
            right = (percent(float(np.mean(called[points] == STAR))), percent(float(np.mean(called[large] == GALAXY))))
            rows.append((words, text, *counted, str((who[seen].sure < SURE).sum()), *right))
    header = (
        *("classes by", "shares", *PLURAL, f"p_max < {SURE:g}"),
        f"the {points.sum()} points: star",
        f"the {large.sum()} large: galaxy",
    )
    return Table(header, tuple(rows), text_columns=2)


def variants_table(found: Found) -> Table:
    base, rows = found.calls["both"], []
    for name, calls in {"as above": base, **found.variants}.items():
        changed = calls.classes != base.classes
        to = ", ".join(
            f"{(changed & (base.classes == a) & (calls.classes == b)).sum()} {CLASSES[a]} → {CLASSES[b]}"
            for a in range(len(CLASSES))
            for b in range(len(CLASSES))
            if (changed & (base.classes == a) & (calls.classes == b)).any()
        )
        unlike = int(((calls.flags & np.uint32(Flag.UNLIKE_TRAINING)) > 0).sum())
        counted = (str(calls.count(code)) for code in range(len(CLASSES)))
        rows.append((name, *counted, str(changed.sum()), str(unlike), to or MISSING))
    return Table(("", *PLURAL, "changed", "UNLIKE_TRAINING", "how"), tuple(rows))


def flags_table(found: Found) -> Table:
    """The flags, and what else is to be doubted, by class."""
    both, real = found.calls["both"], found.real
    named = [(flag.name or "", flags.SENTENCE[flag], (both.flags & np.uint32(flag)) > 0) for flag in Flag]
    ours = [
        ("at an edge", "the cutout reaches beyond the image", real.edge),
        (
            "blended",
            "in one isophote with a source 3 mag brighter: a piece of it, or measured in its light",
            real.blended,
        ),
        ("doubtful class", f"p_max < {SURE:g}", both.sure < SURE),
    ]
    rows = [
        (name, text, str(some.sum()), *(str((some & (both.classes == code)).sum()) for code in range(len(CLASSES))))
        for name, text, some in named + ours
        if some.any()
    ]
    return Table(("", "meaning", "sources", *PLURAL), tuple(rows), text_columns=2)


def size_table(found: Found) -> Table:
    classes, mag, sizes, rows = found.calls["both"].classes, found.real.found.mag, found.sizes, []
    known = np.isfinite(sizes.scaled)
    for low, high in [*pairwise(MAGNITUDES), (MAGNITUDES[0], MAGNITUDES[-1])]:
        here = known & (mag >= low) & (mag < high)
        cells = (
            str((here & side & (classes == code)).sum())
            for side in (sizes.point, ~sizes.point)
            for code in range(len(CLASSES))
        )
        rows.append((f"r = {low:g} to {high:g}", *cells))
    header = ("", *(f"{side}, {name}" for side in ("point", "extended") for name in CLASSES))
    return Table(header, tuple(rows))


def galaxy_sizes(found: Found) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """r and half-light radii over that of points, of the field's galaxies and of simulated ones seen as they were."""
    real, (mock, _) = found.real, found.mocks[SEEN_AS]
    ours = (found.calls["both"].classes == GALAXY) & ~real.blended & np.isfinite(found.sizes.scaled)
    theirs = (mock.classes == GALAXY) & np.isfinite(found.mock_sizes.scaled)
    return {
        "real": (real.found.mag[ours], found.sizes.scaled[ours]),
        "simulated": (mock.mag[theirs], found.mock_sizes.scaled[theirs]),
    }


def galaxy_sizes_table(found: Found) -> Table:
    """Medians of galaxies' sizes by magnitude, and where 68 % of them are."""
    rows = []
    for low, high in pairwise(MAGNITUDES[2:]):
        cells: list[str] = []
        for mag, size in galaxy_sizes(found).values():
            own = size[(mag >= low) & (mag < high)]
            cells.append(str(len(own)))
            some = len(own) >= LEAST_SIZES
            lower, middle, upper = np.percentile(own, (16, 50, 84)) if some else np.full(3, np.nan)
            cells += [f"{middle:.2f} ({lower:.2f} to {upper:.2f})" if some else MISSING]
        rows.append((f"r = {low:g} to {high:g}", *cells))
    return Table(("", "real", "median (68 %)", "simulated", "median (68 %)"), tuple(rows))


def told_of(found: Found) -> list[str]:
    """A few words on each candidate, for the figure."""
    real = found.real
    return [
        f"{real.found.x[k]:.0f}, {real.found.y[k]:.0f}\nr = {real.found.mag[k]:.2f}\nsize {found.sizes.scaled[k]:.2f}\n"
        f"p = {found.as_trained['both'].probability[k, QSO]:.2f}"
        for k in found.candidates
    ]


def quasars_table(found: Found) -> Table:
    real, rows = found.real, []
    mag = well_seen(real)
    asked = [who[seen] for who in (found.calls, found.as_trained) for seen in ("both", "photometry")]
    asked.append(found.variants[UNTOLD])
    for k in found.candidates:
        chances = (number(float(one.probability[k, QSO]), 2) for one in asked)
        colours = (mag[k, BANDS.index(a)] - mag[k, BANDS.index(b)] for a, b in COLOURS)
        told = (f"{value:.2f}" if np.isfinite(value) else MISSING for value in colours)
        size = f"{found.sizes.scaled[k]:.2f}"
        x, y = real.found.x[k], real.found.y[k]
        eye = next((said for (a, b), said in BY_EYE.items() if np.hypot(a - x, b - y) < NEAR), MISSING)
        rows.append((f"{x:.0f}, {y:.0f}", eye, f"{real.found.mag[k]:.2f}", size, *chances, *told))
    header = (
        *(
            "x, y",
            "by eye",
            "r",
            "size",
            "both",
            "photometry",
            "both, as trained",
            "photometry, as trained",
            "PSF not told",
        ),
        *(f"{a}-{b}" for a, b in COLOURS),
    )
    return Table(header, tuple(rows), text_columns=2)


def well_seen(real: RealField) -> np.ndarray:
    """(N, B), AB magnitudes; NaN below 3 sigma."""
    held = real.sources.photometry
    assert held is not None
    good = held.flux * np.sqrt(held.ivar) > 3.0
    return abmag_from_njy(np.where(good, held.flux, np.nan).astype(float))


def red_dwarfs(found: Found, locus: np.ndarray) -> tuple[int, float]:
    """How many stars with r-i > 1 there are, and the median of their g-r less that of simulated ones of their r-i."""
    mag = well_seen(found.real)[(found.calls["both"].classes == STAR) & ~found.real.blended]
    g_r, r_i = (mag[:, k] - mag[:, k + 1] for k in (1, 2))
    red = (r_i > 1.0) & np.isfinite(g_r)
    order = np.argsort(locus[:, 2] - locus[:, 3])
    at, expected = (locus[order, 2] - locus[order, 3]), (locus[order, 1] - locus[order, 2])
    return int(red.sum()), float(np.median(g_r[red] - np.interp(r_i[red], at, expected)))

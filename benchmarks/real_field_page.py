"""The page of `real_field.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from galprism.data import CLASSES
from galprism.evaluate import bars_table
from galprism.evaluate.tables import percent
from galprism.mocks.images.cutouts import WITHIN
from real_field_classes import EXTENDED, GALAXY, QSO, STAR, UNTOLD
from real_field_mocks import NOISY, PATCHES
from real_field_samples import BANDS, SHARP, R
from real_field_tables import (
    SURE,
    Found,
    agreement_table,
    bands_table,
    bars_of,
    classes_table,
    counts_table,
    flags_table,
    galaxy_sizes_table,
    quasars_table,
    red_dwarfs,
    size_table,
    variants_table,
)


def page(found: Found) -> str:
    """The page in Markdown."""
    text = Path(__file__).with_name("real_field_page.md").read_text(encoding="utf-8")
    for name, value in {**_tables(found), **_values(found)}.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _tables(found: Found) -> dict[str, str]:
    tables = {
        "bars": bars_table(bars_of(found)), "bands": bands_table(found), "counts": counts_table(found),
        "agreement": agreement_table(found), "classes": classes_table(found), "variants": variants_table(found),
        "flags": flags_table(found), "size": size_table(found), "quasars": quasars_table(found),
        "galaxy_sizes": galaxy_sizes_table(found),
    }  # fmt: skip
    return {name: table.markdown() for name, table in tables.items()}


def _values(found: Found) -> dict[str, str]:
    real, both, sizes, mock = found.real, found.calls["both"], found.sizes, found.home[0]
    known, trained = np.isfinite(sizes.scaled), found.network.recipe["images"]
    expected = [float((mock.classes == code).sum()) / PATCHES for code in range(len(CLASSES))]
    low, high = (trained["fwhm"][0] * np.exp(sign * WITHIN * trained["fwhm_scatter"]) for sign in (-1, 1))
    trained_beta = [trained["beta"] * np.exp(sign * WITHIN * trained["beta_scatter"]) for sign in (-1, 1)]
    n_red, redder = red_dwarfs(found, found.locus)
    j_ks = found.offset[BANDS.index("Ks")] - found.offset[BANDS.index("J")]
    clean = (sizes.scaled > EXTENDED) & ~real.blended & ~real.edge
    noisy, noisy_calls = found.mocks[NOISY]
    by_colour = noisy_calls["photometry"]
    untold = found.variants[UNTOLD].classes != both.classes
    return {
        "n": str(len(real.found)),
        "area": f"{real.area:.4f}",
        "unreal": str(real.unreal),
        "sharp": f"{SHARP:g}",
        "priors": ", ".join(f"{name} {percent(share)}" for name, share in zip(CLASSES, found.priors, strict=True)),
        "stars": str(real.stars.sum()),
        "fwhm": f"{real.psf[R, 0]:.2f}",
        "fwhm_range": f"{real.fwhm.min():.2f} to {real.fwhm.max():.2f}",
        "beta": f"{real.psf[R, 1]:.1f}",
        "trained_fwhm": f"{low:.2f} to {high:.2f}",
        "trained_beta": f"{trained_beta[0]:.1f} to {trained_beta[1]:.1f}",
        "trained_shallower": f"{found.network.recipe['noise']['shallower'][1]:g}",
        "cutouts": found.commands[0].replace(" --image", " \\\n    --image"),
        "predict": found.commands[1],
        "model": f"{found.network.name} ({found.network.hash[:12]})",
        "same": f"{int((~sizes.against(both) & known).sum())} of {int(known.sum())}",
        "against": str(int(sizes.against(both).sum())),
        "extended": f"{EXTENDED:g}",
        "expected": f"{expected[QSO]:.1f}",
        "none": percent(float(np.exp(-expected[QSO])), 0),
        "called": str(both.count(QSO)),
        "n_candidates": str(len(found.candidates)),
        "excess": f"{both.count(GALAXY) / expected[GALAXY]:.1f}",
        "star_ratio": f"{both.count(STAR) / expected[STAR]:.1f}",
        "patches": str(PATCHES),
        "colour_stars": str(int((clean & (found.calls["photometry"].classes == STAR)).sum())),
        "extended_clean": str(int(clean.sum())),
        "mock_stars": percent(float(np.mean(by_colour.classes[noisy.classes == GALAXY] == STAR))),
        "doubtful": str(int((both.sure < SURE).sum())),
        "n_red": str(n_red),
        "redder": f"{redder:+.2f}",
        "j_ks": f"{j_ks:+.2f}",
        "untold": str(int(untold.sum())),
    }

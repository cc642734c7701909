"""A real field from its pixels to classes: KiDS + VIKING images in, stars, quasars and galaxies out, with no truth.

    GALPRISM_DATA=DIR OMP_NUM_THREADS=1 python benchmarks/real_field.py --docs docs/results

Sources to r = 22.5 of `images/kids_viking_field` in GALPRISM_DATA are found, cut out and measured (`galprism cutouts`)
and classified (`galprism predict`); the same is done to simulated fields. Needs the extras mock and images.

Writes real-field.md and figures/real-field-*.png. Exit status 0 when every bar is met, 1 when one is not, 2 without the
data.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import numpy as np

from field_locus import locus_offsets, resampled
from galprism import bundle
from galprism.cli.main import main as galprism
from galprism.data import CLASSES
from galprism.data.tables import read_predictions, write_catalogue
from galprism.evaluate import bars_table
from real_field_classes import Calls, calls_of, classify_all, sizes_of, variants
from real_field_figures import write_figures
from real_field_mocks import SEEN_AS, conditions, simulated_stars, work_mock
from real_field_page import page
from real_field_samples import R, RealField, star_magnitudes, work_real
from real_field_tables import Found, bars_of


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    out = parser.add_mutually_exclusive_group(required=True)
    out.add_argument("--docs", type=Path, metavar="FOLDER", help="where the page goes, figures in its folder `figures`")
    out.add_argument("-o", "--out", type=Path, metavar="FOLDER", help="the same")
    parser.add_argument("--bundle", default="star-qso-galaxy", help="a classifier by name or path")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "galprism-real-field")
    options = parser.parse_args()
    data = os.environ.get("GALPRISM_DATA")
    if not data:
        print("GALPRISM_DATA is not set: it is the folder that holds images/ with the real field", file=sys.stderr)
        return 2
    target = options.docs or options.out
    (target / "figures").mkdir(parents=True, exist_ok=True)
    network = bundle.load(options.bundle)
    work = options.work.resolve()
    real = work_real(Path(data).resolve() / "images" / "kids_viking_field", work)
    mocks = work_mock(real.area, conditions(real))
    home = next(iter(mocks.values()))
    priors = np.round(np.bincount(home.classes, minlength=len(CLASSES)) / len(home.mag), 3)
    locus = simulated_stars()
    mag, error = star_magnitudes(real)
    offset, offset_err = locus_offsets(mag, error, locus, R), resampled(mag, error, locus, R)
    named = Path(options.bundle).resolve() if Path(options.bundle).exists() else options.bundle
    command, calls = by_command(str(named), real, priors, work)
    in_memory = classify_all(network, real.sources, priors)
    if not np.allclose(in_memory["both"].probability, calls.probability, atol=1e-5):
        raise AssertionError("the command and the library say other things of the same sources")
    found = Found(
        real=real,
        sizes=sizes_of(real.sources, real.found.mag, real.fwhm),
        mock_sizes=sizes_of(mocks[SEEN_AS].sources, mocks[SEEN_AS].mag),
        calls=in_memory | {"both": calls},
        as_trained=classify_all(network, real.sources, None),
        variants=variants(network, real, priors, offset),
        mocks={name: (mock, classify_all(network, mock.sources, priors)) for name, mock in mocks.items()},
        offset=offset,
        offset_err=offset_err,
        locus=locus,
        priors=priors,
        commands=(real.command, command),
        network=network,
    )
    write_figures(target / "figures", found)
    (target / "real-field.md").write_text(page(found), encoding="utf-8")
    print(bars_table(bars_of(found)).text(), f"\n\n{target / 'real-field.md'}")
    return 0 if all(bar.met for bar in bars_of(found)) else 1


def by_command(network: str, real: RealField, priors: np.ndarray, work: Path) -> tuple[str, Calls]:
    """What `galprism predict` says of the sources, and how it is called."""
    shares = ",".join(f"{name}={share:g}" for name, share in zip(CLASSES, priors, strict=True))
    words = ["field.parquet", "--cutouts", "cutouts.h5", "--priors", shares, "--threads", "1", "-o", "classes.parquet"]
    with chdir(work):
        write_catalogue("field.parquet", replace(real.sources, cutouts=None, flags=None))
        if galprism(["predict", network, *words]):
            raise RuntimeError("galprism predict failed")
        return f"galprism predict star-qso-galaxy {' '.join(words)}", calls_of(read_predictions("classes.parquet"))


if __name__ == "__main__":
    sys.exit(main())

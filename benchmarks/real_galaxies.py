"""Real galaxies: the shipped networks on KiDS+VIKING and SDSS photometry, checked against what else knows the answer.

    GALPRISM_DATA=DIR OMP_NUM_THREADS=1 python benchmarks/real_galaxies.py --docs docs/results

1. KiDS+VIKING galaxies with nine bands and a spectroscopic redshift (`tables/kids_viking_galex_cigale.fits` of
   GALPRISM_DATA): `kids-mass-sfr` against the exact posterior under the same prior, and the grid fit beside it.
2. SDSS galaxies with published stellar masses (`tables/sdss_galaxyzoo_mass.csv`): `sdss-mass-sfr` against those.

Writes real-galaxies.md and figures/real-*.png. The draws of the posteriors are made once and kept in --cache; that
needs PyTorch. Exit status 0 when every bar is met, 1 when one is not, 2 when the data are not there.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from galprism.evaluate import bars_table
from real_figures import kids_agreement, kids_fit, kids_redshift, sdss_mass
from real_page import kids_bars, page, sdss_bars
from real_samples import work_kids, work_sdss


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    out = parser.add_mutually_exclusive_group(required=True)
    out.add_argument("--docs", type=Path, metavar="FOLDER", help="where the page goes, figures in its folder `figures`")
    out.add_argument("-o", "--out", type=Path, metavar="FOLDER", help="the same")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "galprism-real-galaxies")
    parser.add_argument("--draws", type=int, default=1_600_000, help="prior draws of the KiDS posterior")
    parser.add_argument("--kids-model", default="kids-mass-sfr", help="a bundle by name or path")
    parser.add_argument("--sdss-model", default="sdss-mass-sfr", help="a bundle by name or path")
    options = parser.parse_args()
    data = os.environ.get("GALPRISM_DATA")
    if not data:
        print("GALPRISM_DATA is not set: it is the folder that holds tables/ with the real catalogues", file=sys.stderr)
        return 2
    folder = Path(data) / "tables"
    target = options.docs or options.out
    (target / "figures").mkdir(parents=True, exist_ok=True)
    kids = work_kids(folder, options.cache, options.kids_model, options.draws)
    sdss = work_sdss(folder, options.cache, options.sdss_model)
    for name, drawing in (
        ("kids-agreement", kids_agreement(kids)),
        ("kids-redshift", kids_redshift(kids)),
        ("kids-fit", kids_fit(kids)),
        ("sdss-mass", sdss_mass(sdss)),
    ):
        (target / "figures" / f"real-{name}.png").write_bytes(drawing)
    bars = [*kids_bars(kids), *sdss_bars(sdss)]
    (target / "real-galaxies.md").write_text(page(kids, sdss, bars), encoding="utf-8")
    print(bars_table(bars).text())
    print(f"\n{target / 'real-galaxies.md'}")
    return 0 if all(bar.met for bar in bars) else 1


if __name__ == "__main__":
    raise SystemExit(main())

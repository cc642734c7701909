"""Real spectra of galaxies, of the folder GALPRISM_DATA."""

from __future__ import annotations

import csv
from pathlib import Path

from galprism.data import Sources
from galprism.data.spectrum_files import read_spectra

LEAST_SNR = 5.0
"""A pixel, over the whole spectrum, as the survey has it."""
NEAREST = 0.002


def real_galaxies(data: Path, farthest: float) -> Sources:
    """Galaxies of `spectra/` with sure redshifts below `farthest`, and all of `pairs/`."""
    with open(data / "spectra" / "index.csv") as file:
        chosen = [
            data / "spectra" / row["file"]
            for row in csv.DictReader(file)
            if row["class"] == "GALAXY"
            and float(row["zwarning"]) == 0
            and float(row["sn_median"]) >= LEAST_SNR
            and NEAREST < float(row["z"]) < farthest
        ]
    return read_spectra([*chosen, *sorted((data / "pairs").glob("spec-*.fits"))]).sources

"""SSPs as pPXF 9 keeps them: one .npz file a library (Cappellari 2023)."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from galprism.errors import RequestError
from galprism.sps.ssp import Z_SUN, SSPLibrary

KEYS = ("templates", "masses", "ages", "metals", "lam")
MEDIA = {"fsps": "vacuum", "emiles": "air", "xsl": "air", "galaxev": "air"}
"""Wavelengths of the files that pPXF offers, spectra_<name>_9.0.npz."""


def load_ppxf(path: str | Path, *, medium: str | None = None, imf: str | None = None) -> SSPLibrary:
    """SSPs of a pPXF 9 template file: templates (W, T, M) in Lsun/A per Msun formed, masses (T, M), ages in Gyr.

    `medium` ("vacuum" or "air") is known for pPXF's own files and must be given for others. `imf` is recorded as
    given, since the file does not say. Its masses are living stars and remnants; living stars alone are not in it.
    Raises RequestError where the file is not such a file.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [key for key in KEYS if key not in file]
            if missing:
                raise RequestError(f"{path}: no {', '.join(missing)}; expected {', '.join(KEYS)} as pPXF 9 writes")
            templates, masses, age, metals, wave = (np.asarray(file[key]) for key in KEYS)
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(f"{path}: cannot be read as .npz ({error})") from error
    if medium is None:
        known = [value for name, value in MEDIA.items() if path.name.startswith(f"spectra_{name}")]
        if not known:
            raise RequestError(f"{path}: in air or in vacuum? give medium='air' or medium='vacuum'")
        medium = known[0]
    if templates.shape != (len(wave), len(age), len(metals)) or masses.shape != (len(age), len(metals)):
        raise RequestError(
            f"{path}: templates {templates.shape} and masses {masses.shape}; expected "
            f"{(len(wave), len(age), len(metals))} and {(len(age), len(metals))}"
        )
    return SSPLibrary(
        name=path.stem,
        wave=wave.astype(float),
        medium=medium,
        age=age.astype(float),
        z_met=Z_SUN * 10.0 ** metals.astype(float),
        flux=np.ascontiguousarray(templates.transpose(2, 1, 0), dtype=np.float32),
        living=np.full(masses.T.shape, np.nan),
        surviving=masses.T.astype(float),
        imf=imf or "not stated in the file",
        isochrones="not stated in the file",
        provenance={
            "stars": f"pPXF template file {path.name} (Cappellari 2023, and the library's own papers)",
            "flux": "Lsun/A per Msun formed",
            "z_met": f"{Z_SUN} x 10^[M/H]",
            "surviving": "masses of the file: living stars and remnants",
        },
    )

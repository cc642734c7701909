"""EAZY on a catalogue that benchmarks/redshift.py left in a folder; run by a Python that has EAZY (pip install eazy).

    python benchmarks/eazy_peer.py FOLDER

Reads FOLDER/eazy-in.npz, works in FOLDER/eazy, writes FOLDER/eazy-out.npz: how probable each redshift of its grid is.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np


def write_inputs(work: Path, given) -> dict:
    """The files that EAZY reads; returns its parameters."""
    bands = given["bands"]
    with open(work / "filters.res", "w") as file:
        for band in bands:
            wave, through = given[f"wave_{band}"], given[f"through_{band}"]
            file.write(f"{len(wave)} {band} lambda_c= {np.average(wave, weights=through):.1f}\n")
            file.writelines(f"{i + 1} {w:.3f} {t:.6e}\n" for i, (w, t) in enumerate(zip(wave, through, strict=True)))
    (work / "translate").write_text("".join(f"f_{b} F{i + 1}\ne_{b} E{i + 1}\n" for i, b in enumerate(bands)))
    with open(work / "catalogue.cat", "w") as file:
        file.write("# id z_spec " + " ".join(f"f_{b} e_{b}" for b in bands) + "\n")
        for row, (flux, error) in enumerate(zip(given["flux"], given["error"], strict=True)):
            cells = " ".join(f"{f:.6e} {e:.6e}" for f, e in zip(flux, error, strict=True))
            file.write(f"{row} -1 {cells}\n")
    lines = []
    for number, template in enumerate(given["templates"]):
        np.savetxt(work / f"template{number}.dat", np.stack([given["template_wave"], template], axis=1), fmt="%.6e")
        lines.append(f"{number + 1} {work}/template{number}.dat 1.0 0 1.0\n")
    (work / "templates.param").write_text("".join(lines))
    np.savetxt(work / "no_error.def", [[100.0, 1.0], [1e6, 1.0]])  # times TEMP_ERR_A2, which is 0
    header = "# z " + " ".join(f"{m:.2f}" for m in given["prior_mag"])
    np.savetxt(work / "prior.dat", np.column_stack([given["prior_z"], given["prior"]]), header=header[2:])
    return {
        "CATALOG_FILE": str(work / "catalogue.cat"),
        "FILTERS_RES": str(work / "filters.res"),
        "TEMPLATES_FILE": str(work / "templates.param"),
        "TEMP_ERR_FILE": str(work / "no_error.def"),
        "TEMP_ERR_A2": 0.0,
        "SYS_ERR": float(given["sys_err"]),
        "PRIOR_FILE": str(work / "prior.dat"),
        "PRIOR_FILTER": int(np.flatnonzero(bands == given["prior_band"])[0]) + 1,
        "PRIOR_ABZP": 31.4,  # nJy
        "PRIOR_FLOOR": 1e-4,
        "APPLY_PRIOR": "y",
        "ADD_CGM": "n",
        "CAT_HAS_EXTCORR": "y",
        "N_MIN_COLORS": 2,
        "Z_MIN": float(given["z_min"]),
        "Z_MAX": float(given["z_max"]),
        "Z_STEP": 0.005,
        "MAIN_OUTPUT_FILE": str(work / "photz"),
        "OUTPUT_DIRECTORY": str(work),
    }


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    work = folder / "eazy"
    work.mkdir(exist_ok=True)
    given = np.load(folder / "eazy-in.npz")
    params = write_inputs(work, given)
    import eazy.photoz

    os.chdir(work)
    start = time.perf_counter()
    made = eazy.photoz.PhotoZ(
        param_file=None, translate_file=str(work / "translate"), params=params, n_proc=1, load_prior=True
    )
    ready = time.perf_counter()
    made.fit_catalog(n_proc=1, prior=True, beta_prior=False, get_best_fit=False)
    made.compute_lnp(prior=True, beta_prior=False)
    done = time.perf_counter()
    p = np.exp(made.lnp - made.lnp.max(axis=1, keepdims=True)) * np.gradient(made.zgrid)
    p /= p.sum(axis=1, keepdims=True)
    np.savez(folder / "eazy-out.npz", z=made.zgrid, p=p, seconds=done - ready, setup=ready - start)


if __name__ == "__main__":
    main()

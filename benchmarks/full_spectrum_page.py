"""The page of benchmarks/full_spectrum.py: tables as Markdown, and one figure of the fits to real galaxies."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from galprism.flags import names

LABELS = {
    "mean_log_age_lw": "log age [dex]",
    "mean_logzsol_lw": "[M/H] [dex]",
    "velocity": "velocity [km/s]",
    "dispersion": "dispersion [km/s]",
}
COLUMNS = 2
TRIAL_HEAD = "| | S/N | ours, bias | scatter | within | pPXF, bias | scatter | ours - pPXF, scatter |"


PAGE = Path(__file__).with_suffix(".md")


def write_page(docs: Path, trials, sources, snr, real) -> None:
    """Write full-spectrum.md and figures/full-spectrum.png under `docs`."""
    sheet(docs / "figures" / "full-spectrum.png", sources, snr, real["MILES"].fits)
    first = trials[0][3]
    speed = [
        "| of | S/N | ours [spectra/s] | ours [realisations/s] | pPXF [spectra/s] |",
        "| --- " + "| ---: " * 4 + "|",
        *(
            f"| {label} | {level} | {a.rates[0]:.0f} | {a.rates[1]:.0f} | {a.rates[2]:.1f} |"
            for label, level, _, a in trials
        ),
    ]
    page = PAGE.read_text().format(
        machine=platform.machine(),
        cores=os.cpu_count(),
        peer=f"pPXF {version('ppxf')}" if first.peer else "pPXF (not installed in this run)",
        n=len(first.ours["velocity"]),
        realisations=first.fits.predictions.meta["n_realisations"],
        simulated="\n".join(simulated_tables(trials)).rstrip(),
        speed="\n".join(speed),
        real="\n".join(real_table(sources, snr, real)),
        agreement="\n".join(agreement(real)),
    )
    (docs / "full-spectrum.md").write_text(page.rstrip() + "\n")


def simulated_tables(trials) -> list[str]:
    lines = []
    for label in dict.fromkeys(trial[0] for trial in trials):
        lines += [
            f"Of {label}:",
            "",
            TRIAL_HEAD,
        ]
        lines.append("| --- " + "| ---: " * 7 + "|")
        for name, said in LABELS.items():
            for which, level, truth, told in trials:
                if which != label:
                    continue
                off = told.ours[name] - truth[name]
                within = np.mean(np.abs(off) <= told.errors[name])
                cells = [said, str(level), number(off.mean(), name), number(off.std(), name), f"{within:.0%}"]
                if told.peer is None:
                    cells += ["–"] * 3
                else:
                    theirs = told.peer[name] - truth[name]
                    cells += [number(v, name) for v in (theirs.mean(), theirs.std(), (off - theirs).std())]
                lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    return lines


def number(value: float, name: str) -> str:
    return f"{value:.3f}" if "mean" in name else f"{value:.1f}"


def real_table(sources, snr, real) -> list[str]:
    columns = ("id", "z", "S/N", "log age, MILES", "[M/H], MILES", "σ [km/s], MILES", "χ²/dof")
    lines = ["| " + " | ".join([*columns, "log age, E-MILES", "[M/H], E-MILES", "flags"]) + " |"]
    lines.append("| --- " + "| ---: " * 8 + "| --- |")
    for i in range(len(sources)):
        cells = [str(sources.id[i]), f"{sources.redshift[i]:.4f}", f"{snr[i]:.0f}"]
        for library, told in real.items():
            shown = ("mean_log_age_lw", "mean_logzsol_lw", *(("dispersion",) if library == "MILES" else ()))
            for name in shown:
                digits = 0 if name == "dispersion" else 2
                cell = f"{told.ours[name][i]:.{digits}f} ± {told.errors[name][i]:.{digits}f}"
                if told.peer is not None:
                    cell += f" ({told.peer[name][i]:.{digits}f})"
                cells.append(cell)
            if library == "MILES":
                cells.append(f"{told.fits.predictions.extra['reduced_chi2'][i]:.2f}")
        flags = names(real["MILES"].fits.predictions.flags[i])
        lines.append("| " + " | ".join([*cells, ", ".join(flags) or "–"]) + " |")
    return lines


def agreement(real) -> list[str]:
    if real["MILES"].peer is None:
        return []
    lines = ["Ours less pPXF's on these galaxies:", "", "| | MILES, mean | scatter | E-MILES, mean | scatter |"]
    lines.append("| --- " + "| ---: " * 4 + "|")
    for name, said in LABELS.items():
        off = [told.ours[name] - told.peer[name] for told in real.values()]
        lines.append(f"| {said} | " + " | ".join(number(v, name) for o in off for v in (np.mean(o), np.std(o))) + " |")
    return lines


def sheet(path: Path, sources, snr, fits) -> None:
    """Every spectrum with its fit and residuals."""
    n = len(sources)
    figure, axes = plt.subplots(-(-n // COLUMNS), COLUMNS, figsize=(13, 1.75 * -(-n // COLUMNS)), layout="constrained")
    for axis in axes.flat[n:]:
        axis.set_visible(False)
    extra = fits.predictions.extra
    for i, axis in enumerate(axes.flat[:n]):
        rest = fits.wave / (1 + sources.redshift[i])
        there, used = np.isfinite(fits.model[i]), fits.used[i]
        flux = np.where(sources.spectra.observed[i], sources.spectra.flux[i], np.nan)
        unit = np.nanmedian(fits.model[i])
        axis.plot(rest[there], flux[there] / unit, color="0.6", lw=0.5)
        axis.plot(rest[there], fits.model[i][there] / unit, color="tab:red", lw=0.7)
        residual = np.where(used, (flux - fits.model[i]) / unit, np.nan)
        axis.plot(rest[there], residual[there], color="tab:blue", lw=0.4)
        top = np.nanpercentile(flux[there] / unit, 99.7)
        axis.set_ylim(-0.35, 1.25 * max(top, 1.2))
        axis.fill_between(
            rest[there], *axis.get_ylim(), where=~used[there], color="tab:orange", alpha=0.15, lw=0, step="mid"
        )
        axis.set_xlim(3500, 7450)
        axis.set_title(
            f"{sources.id[i]}   z {sources.redshift[i]:.3f}   S/N {snr[i]:.0f}   "
            f"log age {extra['mean_log_age_lw'][i]:.2f}   [M/H] {extra['mean_logzsol_lw'][i]:.2f}   "
            f"σ {extra['dispersion'][i]:.0f}   χ²/dof {extra['reduced_chi2'][i]:.2f}",
            fontsize=7.5,
            pad=2,
        )
        axis.tick_params(labelsize=7)
    figure.supxlabel("wavelength at rest [Å, vacuum]", fontsize=9)
    figure.supylabel("flux over its median in the fit", fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)

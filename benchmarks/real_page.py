"""The tables and the page of `real_galaxies.py`."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from galprism import __version__, flags
from galprism.data import Predictions
from galprism.evaluate import Bar, Table, bars_table, point_metrics
from galprism.evaluate.tables import number, percent
from galprism.flags import Flag
from galprism.units import abmag_from_njy
from real_figures import PARAMETERS
from real_samples import EVERY, RESIDUAL_DRAWS, Kids, Sdss, doubtful

COMMAND = "GALPRISM_DATA=DIR OMP_NUM_THREADS=1 python benchmarks/real_galaxies.py --docs docs/results"
NAMES = {"logmstar": "log M*", "logsfr": "log SFR"}
KIDS_BARS = {"logmstar": 0.10, "logsfr": 0.25}
SDSS_BAR = 0.12
FAR = 0.3
"""dex from the median; beyond it an estimate is called far off."""
SCATTER = ("sample", "n", "median", "mean", "std", "σ_NMAD", "3σ-clipped std", "clipped", f"beyond {FAR}")
PERCENTILES = (5, 16, 50, 84, 95)


def scatter(label: str, d: np.ndarray) -> tuple[str, ...]:
    """A row of differences in dex, under SCATTER; clipping is repeated until nothing more goes."""
    if len(d) < 2:
        return (label, str(len(d)), *("–" for _ in SCATTER[2:]))
    m = point_metrics(d, np.zeros_like(d))
    kept = d
    while not np.array_equal(kept, again := kept[np.abs(kept - kept.mean()) <= 3 * kept.std()]):
        kept = again
    return (
        label,
        f"{len(d):,}",
        number(float(np.median(d)), 3, sign=True),
        number(m.bias, 3, sign=True),
        number(m.sigma, 3),
        number(m.sigma_nmad, 3),
        number(float(kept.std()), 3),
        percent(1 - len(kept) / len(d)),
        percent(float(np.mean(np.abs(d - np.median(d)) > FAR))),
    )


def flag_table(who: dict[str, Predictions]) -> Table:
    """Which flags there are, how many rows carry them in each table, and what they mean."""
    found = {name: flags.counts(p.flags) for name, p in who.items()}
    names = [flag.name or "" for flag in Flag if any(flag.name in counts for counts in found.values())]
    rows = ((name, flags.SENTENCE[Flag[name]], *(str(found[m].get(name, 0)) for m in who)) for name in names)
    return Table(("flag", "meaning", *who), tuple(rows), text_columns=2)


def between(values: np.ndarray, borders: tuple[float, ...], what: str) -> list[tuple[str, np.ndarray]]:
    """Names and masks of the bins of `values` between borders."""
    return [
        (
            f"{low:g} ≤ {what} < {high:g}" if np.isfinite(high) else f"{what} ≥ {low:g}",
            (values >= low) & (values < high),
        )
        for low, high in pairwise(borders)
    ]


def kids_bars(kids: Kids) -> list[Bar]:
    bars = []
    for parameter in PARAMETERS:
        d = kids.difference(parameter)[kids.clean]
        m = point_metrics(d, np.zeros_like(d))
        what = f"KiDS+VIKING: network − exact posterior, {NAMES[parameter]}"
        note = f"{len(d)} unflagged of {len(kids.sources)}"
        bars.append(Bar(f"{what}, std", KIDS_BARS[parameter], m.sigma, err=m.sigma_err, unit="dex", note=note))
        bars.append(Bar(f"{what}, σ_NMAD", KIDS_BARS[parameter], m.sigma_nmad, unit="dex", note=note))
    return bars


def sdss_bars(sdss: Sdss) -> list[Bar]:
    d = sdss.difference[sdss.clean]
    m = point_metrics(d, np.zeros_like(d))
    what = "SDSS: network − published log M*, after one offset"
    note = f"{len(d):,} unflagged of {len(sdss.sources):,}; offset {np.median(d):+.3f} dex"
    return [
        Bar(f"{what}, std", SDSS_BAR, m.sigma, err=m.sigma_err, unit="dex", note=note),
        Bar(f"{what}, σ_NMAD", SDSS_BAR, m.sigma_nmad, unit="dex", note=note),
    ]


def kids_scatter(kids: Kids, parameter: str) -> Table:
    d, clean = kids.difference(parameter), kids.clean
    grid = kids.grid.column(parameter)
    grid_too = clean & ~doubtful(kids.grid)
    chi2, z = kids.posterior.extra["reduced_chi2"], kids.sources.redshift
    rows = [
        scatter("network − posterior, unflagged", d[clean]),
        scatter("… and those with few draws", d[clean | kids.coarse]),
        scatter("… only those with few draws", d[kids.coarse]),
        *(scatter(f"unflagged, {name}", d[clean & rows]) for name, rows in between(z, (0, 0.3, 0.5, 0.8, np.inf), "z")),
        *(scatter(f"unflagged, {name}", d[clean & rows]) for name, rows in between(chi2, (0, 1, 2, 4, 10), "χ²/8")),
        scatter("grid fit − posterior, unflagged", (grid - kids.posterior.column(parameter))[grid_too]),
        scatter("network − grid fit, unflagged", (kids.network.column(parameter) - grid)[grid_too]),
    ]
    return Table(SCATTER, tuple(rows))


def kids_widths(kids: Kids) -> Table:
    rows = []
    for parameter in PARAMETERS:
        ours, exact = (kids.width(p, parameter)[kids.clean] for p in (kids.network, kids.posterior))
        pull = kids.difference(parameter)[kids.clean] / exact
        rows.append(
            (
                NAMES[parameter],
                number(float(np.median(exact)), 3),
                number(float(np.median(ours)), 3),
                number(float(np.median(ours / exact)), 2),
                number(float(np.sqrt(np.mean(pull**2))), 2),
                percent(float(np.mean(np.abs(pull) > 1))),
            )
        )
    header = ("parameter", "posterior's half-width", "network's", "median ratio", "rms pull", "pulls beyond 1")
    return Table(header, tuple(rows))


def kids_chi2(kids: Kids) -> Table:
    rows = []
    for name, found in (("best prior draw", kids.posterior), ("best grid model", kids.grid)):
        chi2 = found.extra["reduced_chi2"]
        chi2 = chi2[np.isfinite(chi2)]
        cells = [number(float(v), 2) for v in np.percentile(chi2, PERCENTILES)]
        rows.append((name, str(len(chi2)), *cells, percent(float(np.mean(chi2 > 2))), str(int(np.sum(chi2 > 10)))))
    header = ("χ² / 8", "n", *(f"{level}%" for level in PERCENTILES), "above 2", "above 10 (POOR_FIT)")
    return Table(header, tuple(rows))


def kids_residuals(kids: Kids) -> Table:
    fitted = kids.clean | kids.coarse
    rows = []
    for j, band in enumerate(kids.sources.photometry.bands):
        r, pull = kids.residual[fitted, j], (kids.residual / kids.residual_err)[fitted, j]
        r, pull = r[np.isfinite(r)], pull[np.isfinite(pull)]
        low, median, high = np.percentile(r, [16, 50, 84])
        rows.append(
            (
                band,
                number(median, 3, sign=True),
                number(1.2533 * (high - low) / 2 / np.sqrt(len(r)), 3),
                number((high - low) / 2, 3),
                number(float(np.median(kids.residual_err[fitted, j])), 3),
                number(float(np.diff(np.percentile(pull, [16, 84]))[0]) / 2, 2),
            )
        )
    header = ("band", "median [mag]", "± [mag]", "half of 16–84% [mag]", "median error [mag]", "in errors")
    return Table(header, tuple(rows))


def kids_farthest(kids: Kids) -> Table:
    """The unflagged galaxies that differ most in each parameter."""
    chosen: list[int] = []
    for parameter in PARAMETERS:
        d = np.where(kids.clean, np.abs(kids.difference(parameter)), -1.0)
        chosen += [int(i) for i in np.argsort(-d)[:4] if int(i) not in chosen]
    r = abmag_from_njy(kids.sources.photometry.flux[:, kids.sources.photometry.bands.index("r")])

    def cell(found: Predictions, i: int, parameter: str) -> str:
        return f"{found.column(parameter)[i]:.2f} ± {kids.width(found, parameter)[i]:.2f}"

    rows = [
        (
            str(kids.sources.id[i]),
            number(kids.sources.redshift[i], 3),
            number(float(r[i]), 2),
            number(kids.posterior.extra["reduced_chi2"][i], 2),
            *(cell(found, i, p) for p in PARAMETERS for found in (kids.network, kids.posterior)),
        )
        for i in chosen
    ]
    columns = [f"{NAMES[p]}, {who}" for p in PARAMETERS for who in ("network", "posterior")]
    return Table(("id", "z", "r [mag]", "χ²/8", *columns), tuple(rows))


def sdss_scatter(sdss: Sdss) -> Table:
    d, clean = sdss.difference, sdss.clean
    both = np.isfinite(d)
    z, published = sdss.sources.redshift, sdss.published
    rows = [
        scatter("unflagged", d[clean]),
        scatter("all with both masses", d[both]),
        *(scatter(name, d[clean & m]) for name, m in between(z, (0, 0.05, 0.1, 0.15, 0.2, np.inf), "z")),
        *(scatter(name, d[clean & m]) for name, m in between(sdss.colour, (-1, 0.5, 0.7, 0.9, 1.1, np.inf), "g−r")),
        *(scatter(name, d[clean & m]) for name, m in between(published, (0, 9.5, 10, 10.5, 11, np.inf), "log M*")),
    ]
    return Table(SCATTER, tuple(rows))


def sdss_errors(sdss: Sdss) -> Table:
    d = sdss.published
    rows = [scatter("network, errors unknown (used above)", sdss.difference[sdss.clean])]
    for name, found in sdss.assumed.items():
        rows.append(
            scatter(f"network, errors from {name}", (found.column("logmstar") - d)[sdss.clean & ~doubtful(found)])
        )
    return Table(SCATTER, tuple(rows))


def sdss_definitions(sdss: Sdss) -> Table:
    """The same rows as the exact posterior was computed for, in every line."""
    rows = sdss.rows[sdss.clean[sdss.rows]]
    place = np.searchsorted(sdss.rows, rows)
    published, network = sdss.published[rows], sdss.network.column("logmstar")[rows]
    living, fit = sdss.living[place], sdss.posterior.column("logmstar")[place]
    good = np.isfinite(fit)
    fitted_well = good & ~doubtful(sdss.posterior.take(place))
    lines = [
        scatter("network, living stars and remnants (galprism's log M*)", (network - published)[good]),
        scatter("network, living stars alone", (network + living - published)[good]),
        scatter("exact posterior, living stars and remnants", (fit - published)[good]),
        scatter("… unflagged", (fit - published)[fitted_well]),
        scatter("network − exact posterior, unflagged", (network - fit)[fitted_well]),
    ]
    return Table(SCATTER, tuple(lines))


def sdss_magnitudes(sdss: Sdss) -> Table:
    rows = []
    for name, difference in sdss.matched.items():
        low, median, high = np.nanpercentile(difference, [16, 50, 84], axis=0)
        cells = (f"{m:+.3f} ± {(b - a) / 2:.3f}" for a, m, b in zip(low, median, high, strict=True))
        rows.append((f"{len(difference)} galaxies, {name}", *cells))
    return Table(("this table − the other", *sdss.sources.photometry.bands), tuple(rows))


def page(kids: Kids, sdss: Sdss, bars: list[Bar]) -> str:
    """The page. Its words were written to the numbers of the models that ship; read them again with other models."""
    flux = np.asarray(kids.sources.photometry.flux)
    twins = len(flux) - len(np.unique(flux, axis=0))
    few = int(kids.coarse.sum())
    far = point_metrics(sdss.difference[sdss.clean], np.zeros(int(sdss.clean.sum())))
    living = sdss.living[sdss.clean[sdss.rows] & np.isfinite(sdss.living)]
    share = np.percentile(living, [16, 50, 84])
    rows = sdss.clean[sdss.rows] & np.isfinite(sdss.posterior.column("logmstar"))
    bare = float(np.median((sdss.difference[sdss.rows] + sdss.living)[rows]))
    n_missing = int(np.sum(~np.isfinite(sdss.published)))
    return f"""# Real galaxies

Made by galprism {__version__} with

    {COMMAND}

where `DIR` holds `tables/` with the two catalogues named below; they are public survey data and are not part of this
repository. Every number on this page is written by that command. Differences of masses and rates are in dex; σ_NMAD is
1.4826 times the median absolute deviation from the median. A galaxy is *unflagged* when none of FLUX_IMPLAUSIBLE,
REDSHIFT_OUT_OF_RANGE, INPUT_OUT_OF_RANGE, UNLIKE_TRAINING, POOR_FIT and LOW_SAMPLE_SIZE is set; no other cut is made.

{bars_table(bars).markdown()}

## KiDS + VIKING: the network against the exact posterior

The table holds {kids.n_rows} sources with spectroscopic redshifts in CIGALE's columns and mJy; it is read without any
option. {len(kids.sources)} of them have all nine bands and are used; {twins} of these have the very
fluxes of another row. The network is `{kids.network.meta["model"]}` ({kids.network.meta["model_hash"][:12]}). The exact
posterior weighs {kids.n_draws:,} draws from the prior that the network was trained under by their likelihood, with the
errors of the table and the survey's zero-point errors (0.02 mag; 0.04 in u) in quadrature; the grid fit uses the
shipped grid and the same errors. All three see the same photometry, so its noise cancels in the differences: what is
left is the network's approximation, and the finite number of draws.

{flag_table({"network": kids.network, "posterior": kids.posterior, "grid": kids.grid}).markdown()}

REDSHIFT_OUT_OF_RANGE is a star, at z = 0. POOR_FIT means χ²/8 > 10 of the best model: a network has no χ² and does not
see it. LOW_SAMPLE_SIZE is a flag of the reference and not of the network: at a signal-to-noise of 50 and more in
several bands fewer than 50 effective draws of {kids.n_draws:,} resemble the source, so that the "exact" mean is itself
uncertain by more than a seventh of its width. The {few} galaxies with this flag and no other doubt are in the second
row of each table below, and drawn in grey.

![network against posterior](figures/real-kids-agreement.png)

*Network against exact posterior, bars from the 16th to the 84th percentile of each. The dashed line is 1:1.*

### log M*

{kids_scatter(kids, "logmstar").markdown()}

### log SFR

{kids_scatter(kids, "logsfr").markdown()}

![difference against redshift](figures/real-kids-redshift.png)

*Network minus posterior mean against redshift; the bars are the posterior's own 68 %. No trend in the median.*

### Widths

Half-widths of the central 68 % of unflagged galaxies, and the pull: the network's mean minus the posterior's, over the
posterior's half-width. Both look at the same data, so a perfect network has pulls of zero, not of one.

{kids_widths(kids).markdown()}

The galaxies that differ most. Where χ²/8 is several no model of the prior fits, and network and posterior disagree on
how to be wrong: the posterior hangs on the few draws that miss least, the network on what is like it in training, with
a wider error. At low specific rates the two differ within widths of half a dex and more.


{kids_farthest(kids).markdown()}

### Do the models fit real galaxies?

{kids_chi2(kids).markdown()}

χ² is divided by the bands less one, as CIGALE does. Five parameters are free, so 4 to 8 degrees of freedom are left
and the distribution would lie between the two curves of the figure if the errors were right and the models complete;
real galaxies have a longer tail. Band by band, against the best of {RESIDUAL_DRAWS:,} prior draws:

{kids_residuals(kids).markdown()}

The median offsets are within 0.03 mag in every band, as large as the zero-point errors that the fits allow for. The
largest in units of its error is Z, in the sense that galaxies are brighter in Z and fainter in i than the models.
They are reported, not corrected: no zero points were tuned.

![fit](figures/real-kids-fit.png)

*Left: χ² of the best prior draw. Middle: pulls of the unflagged. Right: residuals by band; in u the errors are large.*

## SDSS: the network against published masses

{len(sdss.sources):,} galaxies of the SDSS main sample with Galaxy Zoo votes, ugriz, spectroscopic redshifts and a
published log M* ({n_missing} without). The model is `{sdss.network.meta["model"]}`
({sdss.network.meta["model_hash"][:12]}). The table gives no errors, so the network is told that they are unknown, a
state that it was trained with; no error is made up. Rows are joined by their number, since the table's ids are rounded
and repeat.

{flag_table({"network": sdss.network}).markdown()}

{percent(1 - sdss.clean.mean(), 2)} of the rows are flagged in a way that casts doubt on them, or have no mass on
either side; all others count.

![network against published](figures/real-sdss-mass.png)

*Left: network against published, with the 1:1 line (dashed) and the offset (orange). Middle and right: the difference
against redshift and observed colour, median and 16–84 % in bins.*

{sdss_scatter(sdss).markdown()}

### The errors that are not there

{sdss_errors(sdss).markdown()}

Assumed errors do not help: the survey's depths leave the photons of so bright a source out and promise too much, and
with the zero-point errors added the rest of the galaxies is flagged UNLIKE_TRAINING, since the stated errors of the
training set hold no calibration error (its fluxes do).

### Which magnitudes

The same galaxies in a table that names its columns, SDSS model fluxes with their Galactic extinction:

{sdss_magnitudes(sdss).markdown()}

The difference as observed follows the extinction law, from u to z, and is gone but for 0.01–0.03 mag when the other
table is corrected: these are model magnitudes with Galactic extinction taken out already, from another processing of
the images. They are taken as they are.

### The offset

Ours are heavier by {np.median(sdss.difference[sdss.clean]):+.3f} dex in the median ({far.bias:+.3f} in the mean). What
it is made of, on the one row in {EVERY} for which the exact posterior was computed:

{sdss_definitions(sdss).markdown()}

- **The network is not the cause**: the exact posterior under the same prior has the same offset.
- **Remnants**: galprism's log M* counts living stars and remnants (white dwarfs, neutron stars, black holes). Leaving
  the remnants out lowers it by {-share[1]:.3f} dex in the median ({-share[2]:.3f} to {-share[0]:.3f} for 16–84 %, most
  in old galaxies). Bruzual & Charlot's models tabulate the living mass, and if that is what was published, an offset
  of {number(bare, 3, sign=True)} dex is left: the second line. The size fits; the scatter, unchanged, tells nothing.
- **IMF**: our stars are Kroupa's (2001). Masses with Chabrier's (2003) would be 0.025 to 0.03 dex lower, with
  Salpeter's (1955) about 0.2 dex higher; the sign of the offset excludes Salpeter's.
- **Cosmology**: H₀ = 70, Ωₘ = 0.3 here; masses go with d_L², so H₀ = 73 would lower them by 0.036 dex.
- **Light**: the magnitudes are brighter than the other processing's by 0.01–0.03 mag (table above): 0.01 dex.
- **Priors**: age, τ, metallicity and dust are drawn evenly here, without bursts. A change of these moves masses from
  the same photometry by about 0.1 dex, and by colour: this is what the scatter of the table by colour shows.

The table does not say whose masses it holds. Its missing value, −9999, and its other columns are those of the SDSS
database, whose MPA–JHU masses (Kauffmann et al. 2003; Salim et al. 2007) take Kroupa's IMF; this is an inference.
"""

"""The model card: what a person should know before using a model, in Markdown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from galprism.params import PARAMS
from galprism.prep.classes import ClassPreparation
from galprism.prep.modalities import Modalities
from galprism.prep.pictures_and_spectra import PicturesAndSpectra
from galprism.prep.spectroscopic import Spectroscopic

if TYPE_CHECKING:
    from galprism.bundle import Bundle

CERTIFICATE = "certificate"
"""Its place among a bundle's metrics, see galprism.recipes.certificate."""


def define(targets: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Unit and definition of parameters, as the table of parameters has them now."""
    return {name: {"unit": PARAMS[name].unit, "definition": PARAMS[name].definition} for name in targets}


def certificate(bundle: Bundle) -> list[str]:
    """The lines of a model's calibration certificate, in Markdown; none where it has none."""
    held = bundle.metrics.get(CERTIFICATE)
    if not held:
        return []
    names = [*bundle.targets, *(["redshift"] if any("redshift" in row for row in held["rows"]) else [])]
    lines = [
        "Simulated galaxies that it never saw, drawn and measured as in its training; those of a survey by name have",
        "an S/N of 5 in r. Of each target: rms error; the share of true values inside the 68 % and 95 % intervals.",
        "",
        "| by | | galaxies | " + " | ".join(names) + " |",
        "|---|---|---:|" + "---:|" * len(names),
    ]
    for row in held["rows"]:
        said = [(row[name]["rms"], *row[name]["covers"]) if name in row else None for name in names]
        cells = ["{:.3f}; {:.1%}, {:.1%}".format(*cell) if cell else "" for cell in said]
        lines.append(f"| {row['by']} | {row['what']} | {row['n']:,} | {' | '.join(cells)} |")
    return lines


def model_card(bundle: Bundle) -> str:
    """What a person should know before using the model."""
    preparation = bundle.preparation
    if isinstance(preparation, ClassPreparation):
        return _class_card(bundle, preparation) if bundle.kind == "classes" else _learned_card(bundle, preparation)
    if isinstance(preparation, Modalities):
        card = _seen_card(bundle, *_of_modalities(bundle, preparation))
        return card if bundle.spectroscopic is None else card + _of_spectra(bundle.spectroscopic)
    if isinstance(preparation, PicturesAndSpectra):
        return _seen_card(bundle, *_of_pictures_and_spectra(preparation))
    low, high = preparation.redshift_range
    lines = [
        f"# {bundle.name}",
        "",
        bundle.title,
        "",
        f"- Survey: {bundle.survey}; bands {', '.join(bundle.bands) or 'any'}; redshift {low:.4g} to {high:.4g}",
        f"- Answers: {'joint posterior (mixture of Gaussians)' if bundle.kind == 'mixture' else 'point estimates'}",
        f"- Trained by recipe `{bundle.recipe_name}`, seed {bundle.seed}, galprism {bundle.version}",
        f"- Network: {', '.join(f'{key} {value}' for key, value in bundle.network.items()) or 'not said'}",
        f"- Weights: {(len(bundle.model) + len(bundle.ranking)) / 1e6:.2f} MB, float32, ONNX",
        f"- Redshifts: {'known, or inferred where they are not' if bundle.ranking else 'must be known'}",
        "",
        "## What it predicts",
        "",
        *[f"- `{name}` [{d['unit']}]: {d['definition']}" for name, d in define(bundle.targets).items()],
        "",
        "## What it was trained on",
        "",
        "| input | from | to |",
        "|---|---|---|",
    ]
    scaling = preparation.scaling
    for name, least, most in zip(preparation.input_names, scaling.low, scaling.high, strict=True):
        if not name.startswith(("corr_", "ln_err_u", "mean_u")):  # hundreds, and nothing to a reader
            lines.append(f"| {name} | {least:.4g} | {most:.4g} |")
    lines += [
        "",
        "Sources outside one of these ranges are flagged INPUT_OUT_OF_RANGE; sources whose inputs together are rarer",
        "than one in a thousand of the training set are flagged UNLIKE_TRAINING; outside the range of redshifts",
        "nothing is inferred. The answers hold under the priors of the recipe (in bundle.json), and for no others.",
    ]
    if preparation.limits:
        limits = ", ".join(f"{name} {value:.3g}" for name, value in preparation.limits.items())
        lines += ["", f"Sources beyond one of these are flagged POOR_FIT: {limits}."]
    metrics = {name: value for name, value in bundle.metrics.items() if name != CERTIFICATE}
    if metrics:
        lines += ["", "## How its training ended", "", "```json", json.dumps(metrics, indent=1), "```"]
    if CERTIFICATE in bundle.metrics:
        lines += ["", "## Calibration certificate", "", *certificate(bundle)]
    return "\n".join(lines) + "\n"


UNDER_PRIORS = "The answers hold under the priors of the recipe (in bundle.json), and for no others."


def _seen_card(bundle: Bundle, sees: list[str], redshift: str, holds: str = UNDER_PRIORS) -> str:
    """What a person should know before using a model of images and spectra, or one that learned from a catalogue.

    sees : a line each of what it looks at; holds : of which sources its answers are true.
    """
    answers = "joint posterior (mixture of Gaussians)" if bundle.kind == "mixture" else "point estimates"
    lines = [
        f"# {bundle.name}",
        "",
        bundle.title,
        "",
        "- Sees:",
        *[f"  - {line}" for line in sees],
        f"- Redshift: {redshift}",
        f"- Answers: {answers}",
        f"- Trained by recipe `{bundle.recipe_name}`, seed {bundle.seed}, galprism {bundle.version}",
        f"- Network: {', '.join(f'{key} {value}' for key, value in bundle.network.items()) or 'not said'}",
        f"- Weights: {len(bundle.model) / 1e6:.2f} MB, ONNX",
        "",
        "## What it predicts",
        "",
        *[f"- `{name}` [{d['unit']}]: {d['definition']}" for name, d in define(bundle.targets).items()],
        "",
        holds,
    ]
    if bundle.metrics:
        lines += ["", "## How its training ended", "", "```json", json.dumps(bundle.metrics, indent=1), "```"]
    return "\n".join(lines) + "\n"


def _of_modalities(bundle: Bundle, preparation: Modalities) -> tuple[list[str], str]:
    image, (low, high) = preparation.config.image, preparation.redshift_range
    pixels = f"{image.size} x {image.size} pixels of {image.pixel_scale:g} arcsec"
    sees = [
        f"photometry of {bundle.survey} in {', '.join(bundle.bands)}, where there is some",
        f"an image in {', '.join(image.bands)} of {pixels}, where there is one",
    ]
    if preparation.spectra is None:
        return sees, f"inferred, from {low:.4g} to {high:.4g}; none is looked at" if bundle.tells_redshift else "unseen"
    first, last = preparation.spectra.wave[[0, -1]]
    sees.append(
        f"a spectrum with its redshift, where there is one; {first:.0f} to {last:.0f} Angstrom at rest play a part, as "
        f"{preparation.spectra.size} coefficients of a basis"
    )
    return sees, f"{low:.4g} to {high:.4g}; may be missing where there is no spectrum"


def _of_pictures_and_spectra(preparation: PicturesAndSpectra) -> tuple[list[str], str]:
    config, (low, high) = preparation.config, preparation.redshift_range
    sees = []
    if "cutouts" in preparation.blocks:
        sees.append(
            f"a picture of SDSS's colours ({', '.join(config.bands)} of i, r, g), prepared to {config.size} x "
            f"{config.size} pixels"
        )
    if "spectra" not in preparation.blocks:
        return sees, "not looked at"
    return [*sees, "a spectrum from 3830 to 8000 Angstrom as observed"], f"{low:.4g} to {high:.4g}"


def _of_spectra(by: Spectroscopic) -> str:
    """What a person should know of redshifts that a model finds of spectra."""
    lines = [
        "",
        "## By spectra",
        "",
        "Where there is a spectrum, on any wavelengths, in vacuum and as observed (3548 to 10,411 Angstrom play a",
        "part), its redshift, quantiles and density are of the posterior over redshifts and classes, by principal",
        "components of simulated spectra at rest and evidences in closed form. Then there are probabilities of star,",
        "qso and galaxy too.",
        "",
        "| class | redshift | components | share before a spectrum is seen |",
        "|---|---|---:|---:|",
    ]
    total = sum(by.shares.values())
    for one in by.basis.classes:
        low, high = one.redshift
        lines.append(
            f"| {one.name} | {low:g} to {high:g} | {len(one.spectra) - 1} | {by.shares[one.name] / total:.1%} |"
        )
    lines += [
        "",
        "Before a spectrum is seen redshifts are even in ln(1 + z), stars' normal about 0 (240 km/s); a galaxy's are",
        "what the network says of its photometry and image, where there are any. Flagged REDSHIFT_UNSURE: all others",
        f"together are less than e^{by.margin:g} times less probable, or the spectrum is unlike all (POOR_FIT).",
    ]
    return "\n".join(lines) + "\n"


def _learned_card(bundle: Bundle, preparation: ClassPreparation) -> str:
    """What a person should know before using a model that learned parameters from a catalogue."""
    low, high = preparation.magnitude_range
    band, told = preparation.magnitude_band, preparation.config.redshift
    needs = "all of it" if preparation.config.needs_all else "any band may be missing"
    sees = [
        f"photometry of {bundle.survey} in {', '.join(bundle.bands)} ({needs}); learned from {low:.2f} < {band} < "
        f"{high:.2f}, sources beyond are flagged EXTRAPOLATED",
    ]
    redshift = "an input, where there is one" if told else "not looked at"
    if bundle.tells_redshift:
        least, most = bundle.ranges[bundle.targets.index("redshift")] or (float("nan"),) * 2
        redshift = f"inferred, from {least:.4g} to {most:.4g}; none is looked at"
    catalogue = bundle.recipe["labels"]["catalogue"]
    holds = (
        f"It learned from sources of {catalogue}. The answers hold for sources that were chosen, and measured, as "
        "those were, and for no others: what is rare there is thought rare everywhere. Sources unlike them are "
        "flagged UNLIKE_TRAINING or INPUT_OUT_OF_RANGE."
    )
    return _seen_card(bundle, sees, redshift, holds)


def _class_card(bundle: Bundle, preparation: ClassPreparation) -> str:
    """What a person should know before using a classifier."""
    image, low_high = preparation.config.image, preparation.magnitude_range
    shares = ", ".join(
        f"{name} {share:.1%}"
        for name, share in zip(bundle.coordinates["classes"], bundle.coordinates["shares"], strict=True)
    )
    seen = [f"photometry in {', '.join(bundle.bands)}"] if bundle.bands else []
    if image.bands:
        pixels = f"{image.size} x {image.size} pixels of {image.pixel_scale:g} arcsec"
        seen.append(f"an image in {', '.join(image.bands)} of {pixels}")
    needs = "all of it" if preparation.config.needs_all else "any of it may be missing"
    given = "; a redshift where there is one" if preparation.config.redshift else ""
    lines = [
        f"# {bundle.name}",
        "",
        bundle.title,
        "",
        f"- Sees: {'; '.join(seen)} ({needs}){given}",
        "- Answers: probabilities of star, qso and galaxy, and the class of the highest",
        f"- Shares of classes in training, which the probabilities hold under: {shares}",
        f"- Trained by recipe `{bundle.recipe_name}`, seed {bundle.seed}, galprism {bundle.version}",
        f"- Network: {', '.join(f'{key} {value}' for key, value in bundle.network.items())}",
        f"- Weights: {len(bundle.model) / 1e6:.2f} MB, float32, ONNX",
    ]
    if bundle.bands:
        low, high = low_high
        lines.append(
            f"- Learned from {low:.2f} < {preparation.magnitude_band} < {high:.2f}; sources beyond are flagged "
            "EXTRAPOLATED"
        )
    lines += ["", "## How its training ended", "", "```json", json.dumps(bundle.metrics, indent=1), "```"]
    return "\n".join(lines) + "\n"

"""Every figure of a judgement of classes, and in a sentence each what could not be drawn."""

from __future__ import annotations

from galprism.evaluate.classes.judge import ClassJudgement
from galprism.evaluate.classes.shown import Shown, colour_bands
from galprism.evaluate.figures.class_diagrams import colour_colour, size_magnitude, surface_density
from galprism.evaluate.figures.class_mistakes import mistakes
from galprism.evaluate.figures.class_performance import by_magnitude, confusion, thresholds
from galprism.evaluate.figures.class_probability import distributions, reliability
from galprism.evaluate.figures.style import Drawing, Look


def draw_classes(judgement: ClassJudgement, shown: Shown | None = None) -> tuple[list[Drawing], list[str]]:
    """The figures that a judgement has the numbers for, in the order of a report, and what is not drawn and why."""
    shown = shown or Shown()
    look, whole = Look(judgement.methods, judgement.limit), judgement.whole
    entries = judgement.of(whole)
    found: list[Drawing | None] = []
    missing: list[str] = []
    if entries:
        found.append(confusion("classes_confusion", "What sources are and what they are called", entries))
        found.append(by_magnitude("classes_by_magnitude", "Classes by magnitude", entries, look))
        found.append(thresholds("classes_thresholds", "Purity and completeness above a threshold", entries, look))
        found.append(reliability("classes_reliability", "Probabilities and what held", entries, look))
    found.append(distributions("classes_distributions", "How bright and how sure", whole))
    photometry = None if judgement.matched.sources is None else judgement.matched.sources.photometry
    if photometry is None:
        missing.append(
            "By magnitude, colour against colour, size against magnitude and quasars on the sky are not drawn: they "
            "need the photometry (sources in Python, --catalogue on the command line)."
        )
    else:
        pairs = colour_bands(photometry, shown.colours)
        if pairs is None:
            missing.append(f"Colour against colour is not drawn: it needs three bands; there are {photometry.bands}.")
        else:
            found.append(colour_colour("classes_colours", "Colours by class", whole, pairs))
        if shown.size is None:
            missing.append("Size against magnitude is not drawn: it needs a column of sizes (Shown.size, --size).")
        else:
            found.append(size_magnitude("classes_sizes", "Size and magnitude by class", whole, shown.size))
        if shown.area is None:
            missing.append("Quasars on the sky are not drawn: that needs an area (Shown.area, --area).")
        elif judgement.densities:
            found.append(surface_density("classes_quasars", "Quasars on the sky", judgement.densities, whole, look))
        else:
            missing.append("Quasars on the sky are not drawn: no source is or was called one.")
    if entries:
        _draw_mistakes(judgement, shown, found, missing)
    return [drawing for drawing in found if drawing is not None], missing


def _draw_mistakes(judgement: ClassJudgement, shown: Shown, found: list[Drawing | None], missing: list[str]) -> None:
    from galprism.evaluate.figures import slug

    sources = judgement.matched.sources
    cutouts = shown.cutouts or (None if sources is None else sources.cutouts)
    if cutouts is None:
        missing.append("Mistakes are not shown: that needs cutouts (Shown.cutouts, --cutouts).")
        return
    for method in judgement.methods:
        name, title = f"classes_mistakes_{slug(method)}", f"Mistakes of {method}"
        drawing = mistakes(name, title, judgement.whole, method, cutouts)
        if drawing is None:
            missing.append(f"{title} are not shown: it made none, or none of them has a cutout under its id.")
        found.append(drawing)

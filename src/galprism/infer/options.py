"""What may be asked of a bundle."""

from __future__ import annotations

from collections.abc import Sequence

from galprism.bundle import Bundle
from galprism.errors import RequestError


def check_options(bundle: Bundle, posterior: bool, infer_redshift: bool, redshift_pdf: bool = False) -> None:
    """Raises RequestError for what the bundle cannot do."""
    if bundle.kind == "classes" and (posterior or infer_redshift):
        asked = "posterior" if posterior else "infer_redshift"
        raise RequestError(f"{asked}: bundle {bundle.name} tells classes and infers no parameters")
    if posterior and bundle.spectroscopic is not None:
        raise RequestError(f"bundle {bundle.name} tells redshifts alone; their density is kept with redshift_pdf")
    if posterior and bundle.kind != "mixture":
        raise RequestError(f"bundle {bundle.name} has point estimates only; it has no posterior to keep")
    if infer_redshift and bundle.tells_redshift:
        raise RequestError(f"infer_redshift: bundle {bundle.name} infers the redshift of every source; leave it out")
    if redshift_pdf and bundle.tells_redshift and not bundle.has_quantiles:
        raise RequestError(f"bundle {bundle.name} has point estimates only; its redshifts have no density")
    if infer_redshift and not bundle.ranking:
        raise RequestError(f"bundle {bundle.name} needs redshifts: it has no network that could infer them")


def check_levels(levels: Sequence[float]) -> tuple[float, ...]:
    """Quantile levels, ascending and between 0.001 and 0.999: a mixture's tails mean nothing beyond."""
    levels = tuple(float(level) for level in levels)
    if not all(0.001 <= level <= 0.999 for level in levels) or list(levels) != sorted(set(levels)):
        raise RequestError(f"levels = {levels}; accepted: ascending numbers from 0.001 to 0.999")
    return levels

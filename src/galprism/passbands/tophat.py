"""Passbands by their width alone: for filters whose curve is not at hand yet, and to learn from many of any width."""

from __future__ import annotations

import re

import numpy as np

from galprism.errors import RequestError
from galprism.passbands.passband import Passband

PREFIX = "tophat/"
EDGE = 0.1
"""Each side rises over this fraction of the full width at half maximum."""


def is_name(name: str) -> bool:
    """Whether the name is meant to be one of these."""
    return name.startswith(PREFIX)


def tophat(name: str) -> Passband:
    """The passband `tophat/<centre>x<width>`, in vacuum Angstrom, the width being the full one at half maximum.

    Raises RequestError for a name of another form, or a width that is not below the centre.
    """
    numbers = re.fullmatch(r"tophat/(\d+(?:\.\d+)?)x(\d+(?:\.\d+)?)", name)
    centre, width = (float(number) for number in numbers.groups()) if numbers else (0.0, 0.0)
    if not 0 < width < centre:
        raise RequestError(f"passband {name!r}; expected tophat/CENTRExWIDTH in Angstrom, such as tophat/5150x145")
    return flat_top(
        name, centre, width, {"description": f"a top-hat of {width:g} A around {centre:g} A; no filter that exists"}
    )


def flat_top(name: str, centre: float, width: float, provenance: dict[str, str]) -> Passband:
    """A flat top with steep edges, vacuum Angstrom, the width being the full one at half maximum."""
    reach = width * np.array([-0.5 - EDGE / 2, -0.5 + EDGE / 2, 0.5 - EDGE / 2, 0.5 + EDGE / 2])
    return Passband.from_arrays(name, centre + reach, np.array([0.0, 1.0, 1.0, 0.0]), provenance=provenance)

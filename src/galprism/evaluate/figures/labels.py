"""What stands on axes: quantities as the parameter table writes them, and names of methods, which may be long."""

from __future__ import annotations

import re
import textwrap

from galprism.params import PARAMS

THIRD, HALF = 24, 32
"""Letters that fit along a panel where there are three in a page's width, and where there are two."""
MOST_LINES = 4
"""Of a name; of what is longer the rest is left out, as captions have the whole of it."""


def symbol(parameter: str) -> str:
    """The parameter's label without its unit."""
    return re.sub(r"\\ \[.*\]\$$", "$", PARAMS[parameter].label)


def unit(parameter: str) -> str:
    """The unit of a difference of two values: dex for a logarithm."""
    text = PARAMS[parameter].unit
    return "dex" if text.startswith("dex") else text


def axis_label(parameter: str, who: str, letters: int = HALF) -> str:
    """The parameter's label, and whose value it is: on lines below where that is more than a word or two."""
    label = PARAMS[parameter].label
    return f"{label}  {who}" if 2 * len(who) <= letters else f"{label}\n{heading(who, letters)}"


def difference_label(parameter: str, of: str = "", minus: str = "", letters: int = HALF) -> str:
    """Delta of the parameter in dex or its unit, and what is subtracted from what on lines below."""
    text = unit(parameter)
    first = rf"$\Delta\,${symbol(parameter)}" + (f"  [{text}]" if text else "")
    if not of:
        return first
    whole = f"{of} − {minus}"
    lines = [whole] if len(whole) <= letters else [heading(of, letters), heading(f"− {minus}", letters)]
    return "\n".join([first, *lines])


def quantity_label(name: str) -> str:
    """Of a quantity that things are binned by."""
    prefix, _, band = name.partition("_")
    if prefix == "mag":
        return f"${band}$ [AB mag]"
    if prefix == "snr":
        return f"S/N in ${band}$"
    return PARAMS[name].label


def heading(method: str, letters: int = THIRD) -> str:
    """A method's name in lines of so many letters, such as fit over a panel."""
    lines = textwrap.wrap(method, letters, max_lines=MOST_LINES, placeholder=" …")
    return "\n".join(lines)

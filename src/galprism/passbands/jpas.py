"""J-PAS's 56 narrow and two broader filters, modelled from the centres and widths that the survey published.

The official curves are at the SVO (OAJ/JPAS.J0378 and so on) and take a network; these are flat tops with steep edges,
which is what such filters are; where a line falls on an edge the two differ.
"""

from __future__ import annotations

from functools import lru_cache

from galprism.errors import RequestError
from galprism.passbands.passband import Passband
from galprism.passbands.tophat import flat_top

PREFIX = "jpas/"
SOURCE = "Benitez et al. (2014, arXiv:1403.5237), Table 4"

# name, central wavelength and full width at half maximum in Angstrom: SOURCE
_TABLE = """
    uJPAS 3596 261, J0378 3791 158, J0390 3904 141, J0400 4003 141, J0410 4102 142, J0420 4202 142,
    J0430 4302 142, J0440 4402 142, J0450 4501 142, J0460 4601 143, J0470 4701 143, J0480 4801 143,
    J0490 4901 143, J0500 5001 143, J0510 5101 143, J0520 5201 143, J0530 5301 143, J0540 5401 143,
    J0550 5501 143, J0560 5601 143, J0570 5701 143, J0580 5801 143, J0590 5901 143, J0600 6001 143,
    J0610 6101 143, J0620 6201 143, J0630 6301 143, J0640 6401 143, J0650 6501 143, J0660 6601 143,
    J0670 6701 143, J0680 6800 142, J0690 6901 143, J0700 7002 142, J0710 7100 141, J0720 7200 144,
    J0730 7301 143, J0740 7401 143, J0750 7500 143, J0760 7596 142, J0770 7705 136, J0780 7800 143,
    J0790 7901 143, J0800 8000 143, J0810 8099 142, J0820 8200 143, J0830 8302 142, J0840 8400 143,
    J0850 8500 143, J0860 8600 143, J0870 8700 143, J0880 8800 143, J0890 8898 141, J0900 8999 143,
    J0910 9100 142, J1007 9505 618
"""

FILTERS = {
    name: (float(centre), float(width)) for name, centre, width in (row.split() for row in _TABLE.strip().split(","))
}
"""Central wavelength and full width at half maximum of each filter, Angstrom."""


def is_name(name: str) -> bool:
    """Whether the name is meant to be one of these."""
    return name.startswith(PREFIX)


@lru_cache(maxsize=64)
def modelled(name: str) -> Passband:
    """The modelled curve of `jpas/<filter>`. Raises RequestError where J-PAS has no such filter."""
    band = name.removeprefix(PREFIX)
    if band not in FILTERS:
        raise RequestError(f"passband {name!r}: J-PAS has no such filter; it has {', '.join(FILTERS)}")
    centre, width = FILTERS[band]
    description = f"J-PAS {band}, modelled: a flat top of {width:g} A around {centre:g} A with steep edges"
    return flat_top(name, centre, width, {"description": description, "source": SOURCE})

"""How spectra are fitted: one record of settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from galprism.errors import RequestError
from galprism.fit.spectrum_mask import EMISSION_LINES


@dataclass(frozen=True)
class FullSpectrumConfig:
    """How spectra are fitted."""

    multiplicative: int = 10
    """Degree of the Legendre polynomial that the stars are multiplied by; 0: none. MMLforGalAM does not say its own."""
    additive: int = -1
    """Degree of the Legendre polynomial that is added; -1: none. It fills up lines, and so changes metallicities."""
    reddening: bool = False
    """A Calzetti et al. (2000) curve of free E(B-V) in place of the multiplicative polynomial."""
    regularisation: float = 1.0
    """What second differences of the weights along ages and metallicities are multiplied by before their squares are
    added to chi2, where the flux is of median 1; 0: none. At 1, all light in one template costs 12."""
    lines: tuple[float, ...] = EMISSION_LINES
    """Angstrom at rest in vacuum, masked."""
    line_width: float = 800.0
    """km/s, to either side."""
    clip: float = 4.0
    """Pixels whose residuals are so many times the scatter are left out; inf: none."""
    redshift_range: tuple[float, float] = (0.002, 1.0)
    """Below are the stars of the Milky Way, and galaxies whose redshifts cannot be told from theirs."""
    n_realisations: int = 100
    """Times that noise of the stated errors is added and the fit repeated, from which errors are. 0: no errors."""
    realisations_of: Literal["model", "observed"] = "model"
    """What the noise is added to. The model that was fitted: errors are the root mean square of what is found less what
    the model was made of, bias counted in (a parametric bootstrap: Efron & Tibshirani 1993, Sects. 6.5 and 10). Or the
    observed spectrum, as in MMLforGalAM, Eq. 12, noise upon noise: errors are standard deviations."""
    max_reduced_chi2: float = 3.0
    """Above it the row is flagged POOR_FIT."""
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"multiplicative": 0, "additive": -1, "regularisation": 0, "line_width": 0, "n_realisations": 0}
        for name, low in least.items():
            if not low <= getattr(self, name) < np.inf:
                raise RequestError(f"{name} = {getattr(self, name)}; accepted: {low} or more")
        if self.realisations_of not in ("model", "observed"):
            raise RequestError(f"realisations_of = {self.realisations_of!r}; accepted: 'model', 'observed'")
        if self.reddening and self.multiplicative:
            raise RequestError(f"reddening with multiplicative = {self.multiplicative}, which takes it up; accepted: 0")
        if not self.clip > 1:
            raise RequestError(f"clip = {self.clip}; accepted: above 1")

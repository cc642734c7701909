"""How bright a galaxy will be in one band, foreseen from what it is made of: so that light is made of those alone that
a limit may let through, a hundredth of what is drawn where the limit is bright.

The logarithm of the flux per solar mass, at one distance, is a polynomial of second degree in the galaxy's history,
metals and dust within a range of redshifts, to some hundredths of a dex; what it can be off by is taken from the
galaxies that it was fitted to, half as much again, and MARGIN more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galprism.cosmology import luminosity_distance_mpc

MARGIN = 0.05
"""dex."""
BINS = 12
"""Of redshift, even in ln(1 + z)."""
SLOWEST = -4.0
"""log10 of the specific rate in 1/Gyr below which rates make no difference to the light."""


@dataclass(frozen=True, eq=False)
class Foresight:
    """Polynomials of BINS ranges of redshift over V features."""

    edges: np.ndarray
    """(BINS - 1,), in ln(1 + z)."""
    mean: np.ndarray
    """(BINS, V)."""
    sd: np.ndarray
    """(BINS, V)."""
    coefficient: np.ndarray
    """(BINS, T), of the T terms of a polynomial."""
    margin: np.ndarray
    """(BINS,), dex: no galaxy is brighter than it was foreseen by more."""

    @classmethod
    def fit(cls, redshift: np.ndarray, features: np.ndarray, log_flux: np.ndarray) -> Foresight:
        """From galaxies (N,) of a range of redshifts with features (N, V) and log10 fluxes per solar mass (N,)."""
        x = np.log1p(redshift)
        edges = np.linspace(x.min(), x.max(), BINS + 1)[1:-1]
        place, light = np.digitize(x, edges), log_flux + _dimming(redshift)
        fitted = []
        for k in range(BINS):
            own = features[place == k]
            mean, sd = own.mean(axis=0), np.maximum(own.std(axis=0), 1e-6)
            terms, wanted = _terms((own - mean) / sd), light[place == k]
            coefficient = np.linalg.lstsq(terms, wanted, rcond=None)[0]
            off = float(np.abs(terms @ coefficient - wanted).max())
            fitted.append((mean, sd, coefficient, 1.5 * off + MARGIN))
        return cls(edges, *(np.array(column) for column in zip(*fitted, strict=True)))

    def brightest(self, redshift: np.ndarray, features: np.ndarray) -> np.ndarray:
        """(N,): log10 of the most flux per solar mass that each galaxy may have."""
        fitted, margin = self.foreseen(redshift, features)
        return fitted + margin

    def foreseen(self, redshift: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N,) twice: log10 of the flux per solar mass, and what it may be off by, dex."""
        place, found = np.digitize(np.log1p(redshift), self.edges), np.empty(len(redshift))
        for k in range(BINS):
            own = place == k
            scaled = (features[own] - self.mean[k]) / self.sd[k]
            found[own] = _terms(scaled) @ self.coefficient[k]
        return found - _dimming(redshift), self.margin[place]


def features_of(
    redshift: np.ndarray, age: np.ndarray, tau: np.ndarray, z_met: np.ndarray, ebv: np.ndarray, share: np.ndarray
) -> np.ndarray:
    """(N, V), of galaxies of two components, (N, 2) each, the second the disc: redshift (N,), the specific rates of the
    whole and of the disc, ages, metals, dust, and the bulge's share of the mass."""
    x = np.minimum(age / tau, 60.0)
    rate = x * x * np.exp(-x) / (1.0 - (1.0 + x) * np.exp(-x)) / age  # of t exp(-t / tau), over the mass formed
    with np.errstate(divide="ignore"):
        whole, disc = (np.maximum(np.log10(r), SLOWEST) for r in ((share * rate).sum(axis=1), rate[:, 1]))
    oldest = np.log10(age.max(axis=1))
    return np.stack([np.log1p(redshift), whole, disc, oldest, np.log10(z_met[:, 1]), ebv[:, 1], share[:, 0]], axis=1)


def _terms(x: np.ndarray) -> np.ndarray:
    """(N, T): 1, the features, and their products by twos."""
    first, second = np.triu_indices(x.shape[1])
    return np.concatenate([np.ones((len(x), 1)), x, x[:, first] * x[:, second]], axis=1)


_LN_Z = np.linspace(np.log(1e-5), np.log(20.0), 1024)
_DIMMING = 2.0 * np.log10(luminosity_distance_mpc(np.exp(_LN_Z))) - np.log10(1.0 + np.exp(_LN_Z))


def _dimming(redshift: np.ndarray) -> np.ndarray:
    """log10 of d_L^2 / (1 + z), d_L in Mpc, from a table."""
    return np.interp(np.log(redshift), _LN_Z, _DIMMING)

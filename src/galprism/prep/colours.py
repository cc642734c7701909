"""Our own preparation: colours that stay defined at any signal-to-noise, against a reference flux.

Of each source: for each band the colour against the reference and the error relative to it; the reference flux; the
redshift. Negative fluxes are legal, bands may be missing, errors may be unknown; each is a state of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galprism.cosmology import distance_modulus
from galprism.data import Photometry
from galprism.prep.inputs import Inputs
from galprism.units import AB_ZEROPOINT_NJY

_LN_Z = np.linspace(np.log(1e-5), np.log(20.0), 1024)
_MODULUS = distance_modulus(np.exp(_LN_Z)) - 2.5 * np.log10(1.0 + np.exp(_LN_Z))


def names(bands: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the values and of the indicators."""
    values = [f"colour_{band}" for band in bands] + [f"ln_err_{band}" for band in bands]
    values += ["ln_flux_ref", "redshift", "ln_1pz"]
    return tuple(values), tuple([f"missing_{band}" for band in bands] + [f"err_unknown_{band}" for band in bands])


@dataclass(frozen=True, eq=False)
class Relative:
    """Colours of N sources in B bands against a reference flux of each; not finite where they cannot be formed."""

    colour: np.ndarray
    """(N, B), float32."""
    ln_err: np.ndarray
    """(N, B), of the errors over the reference flux."""
    ln_reference: np.ndarray
    """(N,), nJy."""
    used: np.ndarray
    """(N, B), bool; upper limits are not."""
    unknown: np.ndarray
    """(N, B), bool: used without an error of its own."""


def relative(photometry: Photometry, softening: float, reference: str, assumed_err: np.ndarray) -> Relative:
    """Colours against a reference flux.

    reference : a band; where it is missing, or when empty, the inverse-variance mean of the bands that are there.
    assumed_err : (B,), nJy, stands in for an error that is not known.

    With flux f, error s and softening k of a band, and f_ref the source's reference, the colour is
    asinh(f / 2ks) - asinh(f_ref / 2ks): ln(f / f_ref) where the flux is well measured, linear in flux where it is
    not, finite always (as the magnitudes of Lupton, Gunn & Szalay 1999). The reference flux is bent
    to stay positive: (f + sqrt(f^2 + 4 s^2)) / 2.
    """
    used = photometry.observed if photometry.limit is None else photometry.observed & ~photometry.limit
    unknown = used & np.isnan(photometry.ivar)
    with np.errstate(all="ignore"):  # what overflows is for the caller to find
        flux, ivar = (x.astype(np.float32, copy=False) for x in (photometry.flux, photometry.ivar))
        if not used.all():
            flux, ivar = np.where(used, flux, np.float32(0)), np.where(used, ivar, np.float32(1))
        if unknown.any():
            ivar = np.where(unknown, (assumed_err**-2.0).astype(np.float32), ivar)
        weight = ivar * used
        if reference:
            alone = photometry.bands.index(reference)
            weight[used[:, alone]] *= np.arange(weight.shape[1]) == alone
        ones = np.ones(weight.shape[1], np.float32)
        total = weight @ ones
        mean = (weight * flux) @ ones / total
        bent = np.hypot(mean, 2 / np.sqrt(total))
        flux_ref = np.where(mean > 0, 0.5 * (bent + mean), 2 / total / (bent - mean))  # (N,), nJy, without cancellation
        ln_reference = np.log(flux_ref)
        soft = np.sqrt(ivar) * np.float32(0.5 / softening)
        colour = np.arcsinh(flux * soft) - np.arcsinh(flux_ref[:, None] * soft)
        ln_err = np.float32(-0.5) * np.log(ivar) - ln_reference[:, None]
    return Relative(colour, ln_err, ln_reference, used, unknown)


def measure(
    photometry: Photometry, redshift: np.ndarray, softening: float, reference: str, assumed_err: np.ndarray
) -> Inputs:
    """The inputs of N sources whose redshifts are positive and finite; the other arguments are those of `relative`.

    The anchor is -0.4 M, with M the absolute AB magnitude of the reference flux, not corrected for the shift of the
    passbands: what remains of log mass is a log of mass over light. Upper limits count as not observed.
    """
    found = relative(photometry, softening, reference, assumed_err)
    used, ln_reference = found.used, found.ln_reference
    with np.errstate(all="ignore"):  # what overflows is found below
        anchor = 0.4 * (np.interp(np.log(redshift), _LN_Z, _MODULUS) - AB_ZEROPOINT_NJY) + ln_reference / np.log(10.0)
        z = redshift.astype(np.float32)
        rest = np.stack([ln_reference, z, np.log1p(z)], axis=1)
        values = np.concatenate([found.colour, found.ln_err, rest], axis=1)

    there = np.concatenate([used, used & ~found.unknown, np.ones((len(used), 3), bool)], axis=1)
    good = there
    broken = ~np.isfinite(anchor)
    if not (finite := np.isfinite(values)).all():
        good = there & finite
        broken |= np.any(there & ~finite, axis=1)
    return Inputs(
        values=np.where(good, values, np.float32(0)),
        there=there,
        indicators=np.concatenate([~used, found.unknown], axis=1).astype(np.float32),
        anchor=np.where(broken, 0.0, anchor),
        broken=broken,
        n_bands=np.rint(used.astype(np.float32) @ np.ones(used.shape[1], np.float32)).astype(np.int16),
    )


def measure_without_redshift(photometry: Photometry, softening: float, assumed_err: np.ndarray) -> Inputs:
    """Colours, errors and the reference flux alone, against the mean of the bands that are there; no anchor."""
    found = relative(photometry, softening, "", assumed_err)
    used, some = found.used, found.used.any(axis=1, keepdims=True)
    values = np.concatenate([found.colour, found.ln_err, found.ln_reference[:, None]], axis=1, dtype=np.float32)
    known = np.concatenate([used, used & ~found.unknown, some], axis=1)
    good = known & np.isfinite(values)
    return Inputs(
        values=np.where(good, values, np.float32(0)),
        there=known,
        indicators=np.concatenate([~used, found.unknown], axis=1).astype(np.float32),
        anchor=np.zeros(len(used)),
        broken=np.asarray(np.any(known & ~good, axis=1)),
        n_bands=used.sum(axis=1).astype(np.int16),
    )


def names_without_redshift(bands: tuple[str, ...]) -> tuple[str, ...]:
    """Of what `measure_without_redshift` gives."""
    values, indicators = names(bands)
    return (*values[:-2], *indicators)

"""Quantities that follow from histories and metallicities: masses, rates, ages. Definitions are in galprism.params."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from galprism.errors import RequestError
from galprism.params import compress_logssfr
from galprism.sps.galaxies import Derived
from galprism.sps.histories import History, mean_sfr
from galprism.sps.ssp import Z_SUN

COLUMNS = ("surviving", "living", "age", "light", "age_light", "log_age_light")
"""Columns of the table that `derive` sums over: per solar mass formed at each age."""

WEIGHTED_BY_LIGHT = ("age_lw", "z_lw", "mean_log_age_lw", "mean_logzsol_lw")


def derive(history: History, z_met: Tensor, sums: Tensor) -> Derived:
    """Derived quantities of N galaxies, each of one metallicity.

    z_met : (N,); sums : (N, 6), COLUMNS summed over age bins with the fractions of mass formed as weights.
    """
    column = dict(zip(COLUMNS, sums.unbind(1), strict=True))
    return Derived(
        mstar=column["surviving"],
        mlive=column["living"],
        sfr=history.sfr(),
        sfr_10myr=mean_sfr(history, 0.01),
        sfr_100myr=mean_sfr(history, 0.1),
        age_mw=column["age"],
        age_lw=column["age_light"] / column["light"],
        z_mw=z_met,
        z_lw=z_met,
        mean_log_age_lw=column["log_age_light"] / column["light"],
        mean_logzsol_lw=torch.log10(z_met / Z_SUN),
        light=column["light"],
    )


def parameters(derived: Derived, logmformed) -> dict[str, np.ndarray]:
    """The parameters of galprism.params that follow from `derived`, by name, for log10 masses formed (N,) [Msun].

    log SFR is compressed as its definition says; averages over 10 and 100 Myr and log sSFR are not, and are -inf
    where no star formed.
    """

    def log10(value: Tensor) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.log10(value.detach().double().cpu().numpy())

    logmformed = np.asarray(logmformed, float)
    logmstar = logmformed + log10(derived.mstar)
    logssfr = log10(derived.ssfr)
    return {
        "logmstar": logmstar,
        "logmlive": logmformed + log10(derived.mlive),
        "logmformed": logmformed,
        "logsfr": logmstar + compress_logssfr(logssfr),
        "logsfr_10myr": logmformed + log10(derived.sfr_10myr),
        "logsfr_100myr": logmformed + log10(derived.sfr_100myr),
        "logssfr": logssfr,
        "age_mw": derived.age_mw.detach().cpu().numpy(),
        "age_lw": derived.age_lw.detach().cpu().numpy(),
        "logzsol_mw": log10(derived.z_mw / Z_SUN),
        "logzsol_lw": log10(derived.z_lw / Z_SUN),
    }


Mixed = TypeVar("Mixed", bound=Derived)


def mix(parts: Sequence[Mixed], shares: Tensor) -> Mixed:
    """Galaxies made of P populations, each with its own history, metallicity and dust, at the same redshifts.

    parts : P records of N rows; shares : (N, P), fraction of the mass formed in each, summing to one.
    """
    shape = (len(parts[0].mstar), len(parts))
    if tuple(shares.shape) != shape or not bool((torch.abs(shares.sum(1) - 1.0) < 1e-6).all()):
        raise RequestError(f"shares {tuple(shares.shape)} of {shape[1]} populations; expected {shape}, summing to one")
    light = torch.stack([share * part.light for share, part in zip(shares.T, parts, strict=True)], dim=1)
    weights = dict.fromkeys(WEIGHTED_BY_LIGHT, light / light.sum(1, keepdim=True))
    columns = {}
    for f in fields(parts[0]):
        value = torch.stack([getattr(part, f.name) for part in parts], dim=1)
        weight = weights.get(f.name, shares)
        columns[f.name] = (value * weight.reshape(*shape, *[1] * (value.ndim - 2))).sum(1)
    return type(parts[0])(**columns)


def mix_some(first: Mixed, second: Mixed, rows: Tensor, share: Tensor) -> Mixed:
    """N galaxies, of which some `rows` (M,) have a second population (M), with a share (M,) of the mass formed."""
    of_rows = type(first)(**{f.name: getattr(first, f.name)[rows] for f in fields(first)})
    mixed = mix([of_rows, second], torch.stack([1.0 - share, share], dim=1))
    columns = {f.name: getattr(first, f.name).index_copy(0, rows, getattr(mixed, f.name)) for f in fields(first)}
    return type(first)(**columns)

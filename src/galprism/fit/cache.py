"""Model fluxes of a survey's bands over redshift, compressed so that a whole grid travels in one small file.

The log fluxes of all models in all bands at all redshifts are close to a low-dimensional surface, so a cache holds
K scores a model and K curves over (redshift, band):

    log10(flux d_L^2 / (1 + z)) = mean(z, band) + sum_k score_k curve_k(z, band),

flux in nJy per Msun formed and d_L in Mpc. What is left depends smoothly on redshift, so the curves are interpolated
linearly between their redshifts, and the distance is put back exactly. The error of both steps is measured when a
cache is made and travels with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from galprism import passbands
from galprism.cosmology import age_gyr, luminosity_distance_mpc
from galprism.errors import RequestError
from galprism.params import PARAMS
from galprism.surveys import Survey

FORMAT = "galprism-model-cache"
VERSION = 1
LEVELS_16BIT = 32767
PER_DEX = np.log(10.0)

SCALED = ("logmstar", "logmlive", "logmformed", "logsfr", "logsfr_10myr", "logsfr_100myr")
"""Parameters that grow with the mass: a cache has them per Msun formed."""


def log_distance_factor(redshift: np.ndarray | float) -> np.ndarray:
    """log10((1 + z) / d_L^2), d_L in Mpc: what turns the cached quantity into an observed flux."""
    return np.log10(1.0 + redshift) - 2.0 * np.log10(luminosity_distance_mpc(redshift))


@dataclass(frozen=True, eq=False)
class ModelCache:
    """M models in B bands at Z redshifts."""

    bands: tuple[str, ...]
    redshift: np.ndarray
    """(Z,), ascending, above zero."""
    curves: np.ndarray
    """(Z, K + 1, B), float32; the first is the mean."""
    scores: np.ndarray
    """(M, K), float32."""
    values: dict[str, np.ndarray]
    """Parameters of the models by their names in PARAMS, each (M,) float32; those in SCALED per Msun formed."""
    block: int
    """Models are sorted by age within blocks of this many rows (the last may be shorter)."""
    meta: dict[str, Any] = field(default_factory=dict)
    """How it was made: survey, passbands (band to hash of curve), library, accuracy; anything that JSON holds."""
    file_hash: str | None = None
    """sha256 of its contents as its file gives it; None for a cache that comes from no file."""

    def __post_init__(self) -> None:
        m, k = self.scores.shape
        shape = (len(self.redshift), k + 1, len(self.bands))
        if self.curves.shape != shape:
            raise RequestError(f"ModelCache.curves has shape {self.curves.shape}; expected {shape}")
        if len(self.redshift) < 2 or np.any(np.diff(self.redshift) <= 0) or self.redshift[0] <= 0:
            raise RequestError("ModelCache.redshift must hold two or more ascending redshifts above zero")
        for name, value in self.values.items():
            if name not in PARAMS:
                raise RequestError(f"no such parameter: {name}; known: {', '.join(PARAMS)}")
            if np.shape(value) != (m,):
                raise RequestError(f"ModelCache.values[{name!r}] has shape {np.shape(value)}; expected ({m},)")
        if "age" not in self.values:
            raise RequestError("ModelCache.values has no age; models older than the Universe could not be left out")
        for rows in self._all_blocks():
            if np.any(np.diff(self.values["age"][rows]) < 0):
                raise RequestError(f"ModelCache.values['age'] is not sorted within blocks of {self.block}")

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def redshift_range(self) -> tuple[float, float]:
        return float(self.redshift[0]), float(self.redshift[-1])

    def select(self, bands) -> ModelCache:
        """The same models in some of the bands. Raises RequestError for a band that is not here."""
        missing = [band for band in bands if band not in self.bands]
        if missing:
            raise RequestError(
                f"the model cache has no band {', '.join(missing)}; it has {', '.join(self.bands)}. "
                "Leave the band out, or make a cache that has it"
            )
        columns = [self.bands.index(band) for band in bands]
        return replace(self, bands=tuple(bands), curves=np.ascontiguousarray(self.curves[:, :, columns]))

    def blocks(self, redshift: float) -> Iterator[slice]:
        """The rows of each block that are not older than the Universe at this redshift."""
        oldest = age_gyr(redshift)
        for rows in self._all_blocks():
            n = int(np.searchsorted(self.values["age"][rows], oldest, side="right"))
            if n:
                yield slice(rows.start, rows.start + n)

    def models(self, redshift: float) -> slice | np.ndarray:
        """The rows of all models that are not older than the Universe at this redshift."""
        blocks = list(self.blocks(redshift))
        if len(blocks) == 1:
            return blocks[0]
        return np.concatenate([np.arange(0), *(np.arange(block.start, block.stop) for block in blocks)])

    def light(self, redshift: float, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        """(m, B), float32: flux d_L^2 / (1 + z) in nJy Mpc^2 per Msun formed of some models at one redshift.

        The redshift must be within the cache's range.
        """
        curves = self._curves(redshift)
        log_light = self.scores[rows] @ curves[1:]
        log_light += curves[0]
        log_light *= np.float32(PER_DEX)
        return np.exp(log_light, out=log_light)

    def ln_flux(self, redshift: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(N, K, B): ln of the flux in nJy per Msun formed of models `rows` (N, K), each N at its redshift (N,).

        The redshifts must be within the cache's range.
        """
        curves = self._curves(redshift)
        log_light = np.matmul(self.scores[rows], curves[:, 1:]) + curves[:, :1]
        return PER_DEX * (log_light + log_distance_factor(redshift)[:, None, None])

    def interpolation_variance(self, redshift: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(N, B): the variance of `ln_flux` that comes of interpolating in redshift, for the mean of models `rows`.

        Where a line crosses the edge of a narrow band its light steps between two redshifts of the cache, at a share s
        of the way that is even between 0 and 1: what is interpolated is the mean of that, and s (1 - s) jump^2 its
        variance. The jump is what goes beyond the trend of the steps before and after; 0 at the ends of the cache.
        """
        i = np.clip(np.searchsorted(self.redshift, redshift) - 1, 1, max(len(self.redshift) - 3, 1))
        nodes = np.clip(i[:, None] + np.arange(-1, 3), 0, len(self.redshift) - 1)
        curves = self.curves[nodes]  # (N, 4, K + 1, B)
        scores = self.scores[rows].mean(axis=1)[:, None, None]
        step = np.diff(curves[:, :, 0] + (scores @ curves[:, :, 1:])[:, :, 0], axis=1)
        jump = PER_DEX * (step[:, 1] - 0.5 * (step[:, 0] + step[:, 2]))
        below, above = self.redshift[nodes[:, 1]], self.redshift[nodes[:, 2]]
        share = np.clip((redshift - below) / np.maximum(above - below, 1e-12), 0.0, 1.0)[:, None]
        return share * (1.0 - share) * jump * jump

    def _curves(self, redshift: np.ndarray | float) -> np.ndarray:
        """(..., K + 1, B), float32, at redshifts (...)."""
        i = np.clip(np.searchsorted(self.redshift, redshift) - 1, 0, len(self.redshift) - 2)
        share = ((redshift - self.redshift[i]) / (self.redshift[i + 1] - self.redshift[i])).astype(np.float32)
        share = share[..., None, None]
        return (1 - share) * self.curves[i] + share * self.curves[i + 1]

    @cached_property
    def identity(self) -> str:
        """What tells it from other caches: the hash of its file, or of what it holds."""
        return self.file_hash or _hash(self.meta, {**self.values, "curves": self.curves, "scores": self.scores})

    def check_passbands(self, survey: Survey) -> None:
        """Raises RequestError when a curve that the models were made with is not the survey's of today."""
        made_with = self.meta.get("passbands", {})
        for band in survey.bands:
            if band.name in self.bands and made_with.get(band.name) != passbands.get(band.passband).hash:
                held = str(made_with.get(band.name))[:12]
                raise RequestError(
                    f"the models were made with another curve of band {band.name} (sha256 {held}…) than "
                    f"{survey.name}'s {band.passband} ({passbands.get(band.passband).hash[:12]}…); name another file, "
                    "or take that one away, and they are made anew"
                )

    def _all_blocks(self) -> Iterator[slice]:
        for start in range(0, len(self.scores), self.block):
            yield slice(start, min(start + self.block, len(self.scores)))


def sort_by_age(age: np.ndarray, block: int) -> np.ndarray:
    """(M,) the order of rows that sorts age (M,) within blocks of `block` rows."""
    return np.concatenate([start + np.argsort(age[start : start + block]) for start in range(0, len(age), block)])


def floored_log(light: np.ndarray) -> np.ndarray:
    """log10 of light (M, Z, B); below 1e-6 of a model's brightest it counts as that, to keep the logarithm finite."""
    return np.log10(np.maximum(light, 1e-6 * light.max(axis=(1, 2), keepdims=True)))


def compress(log_light: np.ndarray, n_scores: int) -> tuple[np.ndarray, np.ndarray]:
    """(mean (Z, B), curves (K, Z, B)): the K leading directions of log10 light (M, Z, B), in float64."""
    m, z, b = log_light.shape
    flat = np.asarray(log_light, dtype=np.float64).reshape(m, z * b)
    mean = flat.mean(axis=0)
    flat = flat - mean
    _, vectors = np.linalg.eigh(flat.T @ flat) if z * b < m else _directions_by_models(flat)
    return mean.reshape(z, b), np.ascontiguousarray(vectors[:, ::-1][:, :n_scores].T).reshape(-1, z, b)


def _directions_by_models(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As eigh of the (ZB, ZB) matrix, by way of the (M, M) one."""
    values, vectors = np.linalg.eigh(flat @ flat.T)
    good = values > 1e-14 * values[-1]
    return values[good], flat.T @ vectors[:, good] / np.sqrt(values[good])


def project(log_light: np.ndarray, mean: np.ndarray, curves: np.ndarray) -> np.ndarray:
    """(M, K) scores of log10 light (M, Z, B) on orthonormal curves (K, Z, B)."""
    return (log_light - mean).reshape(len(log_light), -1) @ curves.reshape(len(curves), -1).T


def from_light(
    bands: tuple[str, ...],
    redshift: np.ndarray,
    light: np.ndarray,
    values: Mapping[str, np.ndarray],
    *,
    n_scores: int,
    block: int | None = None,
    meta: Mapping[str, Any] | None = None,
) -> ModelCache:
    """A cache from models at every redshift: light (M, Z, B) = flux d_L^2 / (1 + z), nJy Mpc^2 per Msun formed."""
    block = block or len(light)
    order = sort_by_age(np.asarray(values["age"]), block)
    log_light = floored_log(light)[order]
    mean, curves = compress(log_light, n_scores)
    return ModelCache(
        bands=tuple(bands),
        redshift=np.asarray(redshift, dtype=np.float64),
        curves=np.concatenate([mean[:, None], curves.transpose(1, 0, 2)], axis=1).astype(np.float32),
        scores=project(log_light, mean, curves).astype(np.float32),
        values={name: np.asarray(value, dtype=np.float32)[order] for name, value in values.items()},
        block=block,
        meta=dict(meta or {}),
    )


def save_cache(cache: ModelCache, path: str | os.PathLike) -> None:
    """Write a cache as .npz without pickles: 16-bit scores, float32 curves, a JSON header. Whole or not at all."""
    path = Path(path)
    step = np.maximum(np.abs(cache.scores).max(axis=0), 1e-30) / LEVELS_16BIT
    header = {
        "format": FORMAT,
        "version": VERSION,
        "bands": cache.bands,
        "block": cache.block,
        "parameters": {name: PARAMS[name].definition for name in cache.values},
        "meta": cache.meta,
    }
    arrays: dict[str, Any] = {
        "redshift": cache.redshift,
        "curves": cache.curves,
        "scores": np.rint(cache.scores / step).astype(np.int16),
        "step": step.astype(np.float32),
        **{f"value_{name}": value for name, value in cache.values.items()},
    }
    arrays["header"] = np.frombuffer(json.dumps({**header, "hash": _hash(header, arrays)}).encode(), dtype=np.uint8)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(partial, "wb") as file:
            np.savez_compressed(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise RequestError(f"cannot write {path}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def load_cache(name_or_path: str | os.PathLike, survey: Survey | None = None) -> ModelCache:
    """A cache from a file, or a shipped one by its name (`kids`); its passbands checked against the survey when given.

    Raises RequestError when it cannot be read, is not a cache, is damaged, or is from a newer version.
    """
    path = _find(name_or_path)
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(arrays.pop("header").tobytes())
    except OSError as error:
        raise RequestError(f"cannot read the model cache {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise RequestError(
            f"{path} is not a model cache or is damaged; accepted: a file that galprism wrote (`fit --cache`, `predict "
            "--predictive-check`); take it away, and it is made anew"
        ) from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise RequestError(f"{path} is not a model cache: its header does not say {FORMAT}")
    if header.get("version") != VERSION:
        raise RequestError(
            f"{path} is a model cache of version {header.get('version')}; this galprism reads version {VERSION}"
        )
    file_hash = header.pop("hash", None)
    if file_hash != _hash(header, arrays):
        raise RequestError(f"{path} is damaged: its contents do not have the hash that its header gives")
    cache = ModelCache(
        bands=tuple(header["bands"]),
        redshift=arrays["redshift"],
        curves=arrays["curves"],
        scores=arrays["scores"].astype(np.float32) * arrays["step"],
        values={name.removeprefix("value_"): arrays[name] for name in arrays if name.startswith("value_")},
        block=header["block"],
        meta=header["meta"],
        file_hash=file_hash,
    )
    if survey is not None:
        cache.check_passbands(survey)
    return cache


def shipped() -> list[str]:
    """Names of the caches that come with the package."""
    folder = resources.files("galprism.fit") / "caches"
    return sorted(entry.name.removesuffix(".npz") for entry in folder.iterdir() if entry.name.endswith(".npz"))


def _find(name_or_path: str | os.PathLike) -> Path:
    path = Path(name_or_path)
    if path.suffix or path.exists():
        return path
    if str(name_or_path) not in shipped():
        raise RequestError(
            f"no model cache {str(name_or_path)!r}: it is neither a file nor a shipped one ({', '.join(shipped())})"
        )
    return Path(str(resources.files("galprism.fit") / "caches" / f"{name_or_path}.npz"))


def _hash(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()

"""Catalogue file in, table of predictions out: any size, in order, whole or not at all, resumable.

The answers to each batch of rows are kept as a part in a hidden folder beside the output. A run that was interrupted
finds the parts of the same request there and goes on; when all are there the table is written and the folder removed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import zipfile
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from galprism import flags as flag_table
from galprism import passbands
from galprism.bundle import Bundle
from galprism.data import LEVELS, Photometry, Predictions, Sources
from galprism.data.pairs import on_sky
from galprism.data.tables import BATCH_ROWS, PredictionsWriter, TableReader, check_writable
from galprism.data.tables.csv import NOT_CSV
from galprism.data.tables.formats import format_of
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.infer.beside import check_blocks, opened, stamp
from galprism.infer.classes import ClassPredictor, check_priors
from galprism.infer.duplicates import keys, repeated_in_parts
from galprism.infer.options import check_levels, check_options
from galprism.infer.own_models import Models
from galprism.infer.predictor import Predictor
from galprism.infer.redshift_file import COLUMN as REDSHIFT_PDF
from galprism.infer.redshift_file import RedshiftWriter, check_redshift_file
from galprism.infer.redshift_predictor import RedshiftPredictor
from galprism.infer.with_spectra import SpectraAlone
from galprism.surveys import Layout, Survey

SAMPLE_ROWS = 16_384
"""The first rows, which say whether the table's values can be the survey's."""
SLOW_ROWS = 4096
"""Rows of a batch at most where redshifts are inferred or answers checked, which takes tens of times as long, or their
densities are kept, which are long."""
EXTRA = "extra_"
"""Before the names of further columns in a part."""
DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)
"""What reading a part that was cut off may raise."""


@dataclass(frozen=True)
class Summary:
    """What a run over a file did."""

    n_rows: int
    n_resumed: int
    """Rows whose answers an earlier, interrupted run had left."""
    flags: dict[str, int]
    """How many rows carry each flag."""
    seconds: float
    failed: tuple[tuple[str, str], ...] = ()
    """Files of spectra that were left out, and why."""
    notes: tuple[str, ...] = ()
    """What was done to spectra as they were read, and what is odd in them and in positions."""


def predict_file(
    bundle: Bundle,
    survey: Survey,
    in_path: str | os.PathLike[str] | Sequence[str],
    out_path: str | os.PathLike[str],
    *,
    levels: Sequence[float] = LEVELS,
    threads: int = 1,
    batch_rows: int = BATCH_ROWS,
    posterior: bool = False,
    infer_redshift: bool = False,
    redshift_path: str | os.PathLike[str] | None = None,
    cutouts: str | os.PathLike[str] | None = None,
    spectra: str | os.PathLike[str] | None = None,
    spectra_options: Mapping[str, Any] | None = None,
    priors: Sequence[float] | None = None,
    models: Models | Callable[[], Models] | None = None,
    progress: Callable[[int], None] | None = None,
    **reading: Any,
) -> Summary:
    """Infer every row of a catalogue; formats by suffix. `reading` are the options of `Survey.layout`.

    threads : batches that are inferred at the same time. posterior, infer_redshift, models : as of
    galprism.infer.predict; models that take long may be made by a function, once all else is found in order.
    redshift_path : write the posteriors of the redshifts there, see galprism.infer.redshift_file.
    cutouts, spectra : of models that take them; a file of the sources' cutouts, and a file or folder of their spectra,
    put to them by id. `in_path` may be such a file or folder itself, or a list of files of spectra, for images or
    spectra alone; beside answers to the latter stand the redshifts that were taken, and what the files say.
    spectra_options : of galprism.data.spectrum_files.read_spectra: redshifts, air, skip_unreadable and others; the
    summary names the files that were left out.
    priors : of classifiers; the shares of star, qso and galaxy where the sources are.
    progress : called with rows done since the last call.

    Raises RequestError, before any work and leaving nothing, where the output cannot be written, the catalogue cannot
    be read or understood, it has no redshifts, the survey's passbands are not those of the bundle, the bundle cannot
    do what is asked, or the models are not of it.
    """
    start = time.perf_counter()
    reads = [*_paths(in_path), *(path for path in (cutouts, spectra) if path)]
    out_path = check_writable(out_path, reads)
    check_blocks(bundle, cutouts, spectra)
    check_priors(bundle, priors)
    levels = check_levels(levels) if bundle.has_quantiles else ()
    for name, number in (("threads", threads), ("batch_rows", batch_rows)):
        if number < 1:
            raise RequestError(f"{name} = {number}; accepted: 1 or more")
    if posterior and format_of(out_path).name == "CSV":
        raise RequestError(f"{out_path}: posteriors are vectors, which CSV cannot hold; accepted: {NOT_CSV}")
    if infer_redshift or models is not None or redshift_path is not None:
        batch_rows = min(batch_rows, SLOW_ROWS)
    check_options(bundle, posterior, infer_redshift, redshift_path is not None)
    if redshift_path is not None:
        if Path(redshift_path).resolve() == out_path.resolve():
            raise RequestError(
                f"{redshift_path}: the posteriors of redshifts and the table of answers need a file each"
            )
        redshift_path = check_redshift_file(redshift_path, reads)
        if not infer_redshift and not bundle.tells_redshift:
            raise RequestError(f"{redshift_path}: posteriors of redshifts are of those that are inferred; ask for both")
    if bundle.any_bands:
        bundle = bundle.bind(survey)
    check_passbands(bundle, survey)
    options: dict[str, Any]
    checked: Models | None = None
    table, layout, beside = opened(bundle, in_path, survey, cutouts, spectra, reading, spectra_options or {})
    batch_rows = min(batch_rows, beside.most_rows)
    if bundle.kind == "classes":
        options = {"priors": priors and list(priors)}
        classifier = ClassPredictor(bundle, priors)

        def ask(sources: Sources) -> Predictions:
            return classifier.predict(beside.put_to(sources))

    else:
        check_redshifts(bundle, in_path, layout, infer_redshift)
        checked = models() if callable(models) else models
        predictor: Predictor | RedshiftPredictor
        options = {"posterior": posterior, "infer_redshift": infer_redshift, "redshift_pdf": redshift_path is not None}
        asked = dict(options)
        if bundle.spectroscopic is not None:
            predictor, asked = RedshiftPredictor(bundle), {"redshift_pdf": options["redshift_pdf"]}
        else:
            predictor = Predictor(bundle, checked)

        def ask(sources: Sources) -> Predictions:
            answers = predictor.predict(beside.put_to(sources), levels, **asked)
            return layout.beside(answers) if isinstance(layout, SpectraAlone) else answers

    parts = Parts(
        out_path,
        request(bundle, table, layout, levels, batch_rows)
        | options
        | beside.identity
        | {"models": None if checked is None else checked.identity},
        table.n_rows,
        batch_rows,
    )
    n_resumed = parts.n_done * batch_rows if table.n_rows > parts.n_done * batch_rows else table.n_rows
    try:
        if progress is not None and n_resumed:
            progress(n_resumed)
        for predictions in _answers(ask, table, layout, threads, batch_rows, parts.n_done):
            parts.append(predictions)
            if progress is not None:
                progress(len(predictions))
        with ExitStack() as stack:
            keep = None
            if redshift_path is not None:
                nodes = predictor.redshifts_asked
                keep = stack.enter_context(RedshiftWriter(redshift_path, nodes.redshift, nodes.edges))
            counts, odd = _assemble(parts, out_path, nothing(bundle, ask, layout), keep)
    except RequestError:
        parts.remove()
        raise
    except OSError:  # a full disk, say: what is whole is kept for the next try
        if not parts.n_done:
            parts.remove()
        raise
    except KeyboardInterrupt as stop:
        if not parts.n_done:
            parts.remove()
            raise
        kept = min(parts.n_done * batch_rows, table.n_rows)
        raise KeyboardInterrupt(
            f"{kept:,} of {table.n_rows:,} rows are done; run the same command again to take it up"
        ) from stop
    parts.remove()
    notes = (*odd, *beside.out_of_reach(bundle, counts), *beside.notes)
    return Summary(table.n_rows, n_resumed, counts, time.perf_counter() - start, beside.failed, notes)


def _paths(given: str | os.PathLike[str] | Sequence[str]) -> list[str | os.PathLike[str]]:
    return [given] if isinstance(given, str | os.PathLike) else list(given)


def check_redshifts(bundle: Bundle, path: str | os.PathLike[str] | Sequence[str], layout: Layout, infer: bool) -> None:
    """Raises RequestError where a catalogue has no redshifts, they are not to be inferred, and parameters need them."""
    if bundle.needs_redshift and layout.redshift is None and not infer:
        instead = ", or infer them with --infer-redshift" if bundle.ranking else ""
        raise RequestError(
            f"{path}: {bundle.name} needs redshifts; give their column with --column redshift=NAME{instead}"
        )


def check_passbands(bundle: Bundle, survey: Survey) -> None:
    """Raises RequestError where a band of the bundle is not in the survey, or has another curve there."""
    by_name = {band.name: band for band in survey.bands}
    for band in bundle.bands:
        if band not in by_name:
            raise RequestError(
                f"bundle {bundle.name} needs band {band}; survey {survey.name} has {', '.join(survey.band_names)}"
            )
        trained, here = bundle.passbands[band], by_name[band].passband
        if passbands.get(here).hash != trained["hash"]:
            raise RequestError(
                f"band {band} of survey {survey.name} is {here}, whose curve is not the one that bundle {bundle.name} "
                f"was trained with ({trained['name']}, sha256 {trained['hash'][:12]}…); train a bundle for this survey"
            )


def request(
    bundle: Bundle, table: TableReader, layout: Layout, levels: tuple[float, ...], batch_rows: int
) -> dict[str, Any]:
    """What an answer depends on: parts are taken up only by the same request."""
    return {
        "bundle": bundle.hash,
        "table": [*stamp(table.path), table.n_rows],
        "layout": layout.describe(),
        "passbands": bundle.passbands,
        "levels": list(levels),
        "batch_rows": batch_rows,
    }


class Parts:
    """The answers so far, a file for each batch of rows, in a folder beside the output."""

    def __init__(self, out_path: Path, request: dict[str, Any], n_rows: int, batch_rows: int) -> None:
        digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:16]
        self.folder = out_path.parent / f".{out_path.name[:40]}.{digest}.parts"
        self.n_parts = -(-n_rows // batch_rows)
        self.n_done = 0
        self.folder.mkdir(exist_ok=True)
        while self.n_done < self.n_parts and self._good(self.n_done):
            self.n_done += 1

    def append(self, predictions: Predictions) -> None:
        """Keep the answers to the next batch, whole or not at all."""
        optional = {"quantiles": predictions.quantiles, "ra": predictions.ra, "dec": predictions.dec}
        whole: dict[str, Any] = {name: value for name, value in optional.items() if value is not None}
        whole |= {EXTRA + name: value for name, value in predictions.extra.items()}
        ids = np.asarray(predictions.id)
        part = self.folder / "part"
        with open(part, "wb") as file:
            np.savez(
                file,
                id=ids if ids.dtype.kind != "O" else ids.astype(str),
                key=keys(ids),
                point=predictions.point,
                flags=predictions.flags,
                n_bands=predictions.n_bands,
                **whole,
            )
        os.replace(part, self._path(self.n_done))
        self.n_done += 1

    def load(self, number: int) -> dict[str, np.ndarray]:
        """The arrays of one part."""
        with open(self._path(number), "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)

    def load_keys(self, number: int) -> np.ndarray:
        """(n,), the keys of the ids of one part."""
        with open(self._path(number), "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return arrays["key"]

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:07d}.npz"

    def _good(self, number: int) -> bool:
        if not self._path(number).exists():
            return False
        try:
            return "point" in self.load(number)
        except DAMAGED:
            return False


def _answers(
    ask: Callable[[Sources], Predictions],
    table: TableReader,
    layout: Layout,
    threads: int,
    batch_rows: int,
    n_done: int,
) -> Iterator[Predictions]:
    """The answers to the batches that are not done yet, in order; at most `threads` + 1 batches are held."""
    first_row = n_done * batch_rows
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Predictions]] = deque()
        for batch in table.batches(layout.needs, batch_rows, start=first_row):
            sources = layout.sources(batch, first_row)
            if first_row == 0:
                try:
                    layout.check_range(sources.take(slice(0, SAMPLE_ROWS)))
                except RequestError as error:
                    raise RequestError(f"{table.path}: {error}") from error
            first_row += len(sources)
            if threads == 1:
                yield ask(sources)
                continue
            waiting.append(pool.submit(ask, sources))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _assemble(
    parts: Parts, out_path: Path, empty: Predictions, keep: RedshiftWriter | None
) -> tuple[dict[str, int], list[str]]:
    """Write the table from its parts, duplicated ids flagged; returns how many rows carry each flag, and what is odd.

    empty : the answer to no source. keep : where the posteriors of redshifts go.
    """
    empty.extra.pop(REDSHIFT_PDF, None)
    sizes = [len(parts.load_keys(number)) for number in range(parts.n_parts)]
    again = repeated_in_parts(parts.load_keys, sizes, parts.folder)
    counts: Counter[str] = Counter()
    first, n_odd, example = 0, 0, ""
    with PredictionsWriter(out_path, sum(sizes)) as writer:
        for number, size in enumerate(sizes):
            arrays: dict[str, Any] = parts.load(number)
            del arrays["key"]
            arrays["flags"][again[first : first + size]] |= np.uint32(Flag.DUPLICATE_ID)
            counts.update(flag_table.counts(arrays["flags"]))
            extra = {name.removeprefix(EXTRA): arrays.pop(name) for name in list(arrays) if name.startswith(EXTRA)}
            if keep is not None:
                keep.write(arrays["id"], extra.pop(REDSHIFT_PDF))
            writer.write(replace(empty, extra=extra, **arrays))
            odd = _off_sky(arrays)
            if len(odd) and not n_odd:
                ident, ra, dec = (arrays[name][odd[0]] for name in ("id", "ra", "dec"))
                example = f"row {first + odd[0]} (id {ident}), ra = {ra:g}, dec = {dec:g}"
            n_odd += len(odd)
            first += size
        if not sizes:
            writer.write(empty)
    accepted = "accepted: ra from -180 to below 360, dec from -90 to 90 deg"
    return dict(counts), [f"{n_odd:,} positions are none on the sky, such as {example}; {accepted}"] if n_odd else []


def _off_sky(arrays: dict[str, Any]) -> np.ndarray:
    """Rows of a part whose positions are known, and none on the sky."""
    if "ra" not in arrays or "dec" not in arrays:
        return np.zeros(0, np.int64)
    ra, dec = arrays["ra"], arrays["dec"]
    return np.flatnonzero(np.isfinite(ra) & np.isfinite(dec) & ~on_sky(ra, dec))


def nothing(bundle: Bundle, ask: Callable[[Sources], Predictions], layout: Any) -> Predictions:
    """The answer to no source: an empty table has its columns all the same."""
    if isinstance(layout, SpectraAlone):
        return ask(layout.sources({"row": np.zeros(0, np.int64)}, 0))
    none = np.zeros((0, len(bundle.bands)), np.float32)
    return ask(Sources(np.zeros(0, np.int64), redshift=np.zeros(0), photometry=Photometry(none, none, bundle.bands)))

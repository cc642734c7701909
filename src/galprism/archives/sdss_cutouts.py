"""Cutouts of objects of SDSS from its frames, field by field, those of each object kept in a small file."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from galprism.archives.client import Client, Unavailable, Unsound
from galprism.archives.sdss_frames import PIXEL_SCALE, ZEROPOINT, check_frame, frame_name, write_calibrated
from galprism.archives.sdss_objects import BANDS, Found
from galprism.data import cutouts
from galprism.data.cutout_file import CutoutWriter
from galprism.data.cutting import Cutter
from galprism.data.images import open_image
from galprism.data.tables.writing import write_whole
from galprism.errors import RequestError
from galprism.flags import Flag

KEPT = ("flux", "ivar", "fwhm", "flags", "bands", "why", "settled")
BATCH = 512
"""Cutouts that are in memory at a time."""


@dataclass(frozen=True, eq=False)
class Piece:
    """The cutouts of one object."""

    flux: np.ndarray
    """(5, H, W), nJy; ivar = 0 in a band without a frame."""
    ivar: np.ndarray
    fwhm: np.ndarray
    """(5,), arcsec; NaN where not known."""
    flags: np.ndarray
    """(1,), uint32."""
    bands: np.ndarray
    """(5,), bool: there was a frame with the source on it."""
    why: np.ndarray
    """(k,), text: of the bands without, why."""
    settled: np.ndarray
    """(), bool: another run would find no more."""


class Cutouts:
    """Cuts out objects, and keeps their pieces in `folder`/cutouts and, until they are used, frames in
    `folder`/frames."""

    def __init__(self, client: Client, sas: str, folder: Path, size: int, keep_frames: bool = False) -> None:
        self.client, self.sas, self.folder, self.size, self.keep_frames = client, sas, folder, size, keep_frames

    def cut(self, found: Sequence[Found]) -> None:
        """Cut out objects of one field, those of which all is kept already left out."""
        kept = {one.photoobj_id: self.piece(one.photoobj_id) for one in found}
        lacking = [one for one in {one.photoobj_id: one for one in found}.values() if not _settled(kept, one)]
        if not lacking or lacking[0].frame is None:
            return
        plain: dict[str, Path] = {}
        why, settled = [], True
        try:
            for band in BANDS:
                try:
                    plain[band] = self._calibrated(band, lacking[0].frame)
                except Unavailable as error:
                    why.append(f"{band}: {error}")
                    settled = settled and error.final
                except Unsound as error:
                    why.append(f"{band}: the frame {error}")
            try:
                pieces = self._pieces(lacking, plain, why, settled)
            except RequestError as error:  # frames of one field that do not fit together
                pieces = self._pieces(lacking, {}, [*why, f"the frames cannot be cut: {error}"], settled)
        finally:
            for band in BANDS:
                self._plain(band, lacking[0].frame).unlink(missing_ok=True)
        for one, piece in zip(lacking, pieces, strict=True):
            self._keep(one.photoobj_id, piece)
        if settled and not self.keep_frames:
            for band in BANDS:
                self._frame(band, lacking[0].frame).unlink(missing_ok=True)

    def _frame(self, band: str, frame: tuple[int, int, int, int]) -> Path:
        return self.folder / "frames" / Path(frame_name(band, *frame)).name

    def _plain(self, band: str, frame: tuple[int, int, int, int]) -> Path:
        """For the time of cutting."""
        return self._frame(band, frame).with_suffix(".tmp")

    def _calibrated(self, band: str, frame: tuple[int, int, int, int]) -> Path:
        """A plain file of image and inverse variance, of the frame of a band. Raises Unavailable and Unsound."""
        _, run, camcol, field = frame
        path = self._frame(band, frame)
        self.client.download(
            f"{self.sas}/{frame_name(band, *frame)}", path, lambda file: check_frame(file, band, run, camcol, field)
        )
        write_calibrated(path, self._plain(band, frame), band, run, camcol)
        return self._plain(band, frame)

    def _pieces(self, found: Sequence[Found], frames: Mapping[str, Path], why: list[str], settled: bool) -> list[Piece]:
        shape = (len(found), len(BANDS), self.size, self.size)
        flux, ivar = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        fwhm = np.array([one.photometry["psfWidth"] for one in found], np.float32)
        fwhm[~(fwhm > 0) | np.isinf(fwhm)] = np.nan
        flags = np.full(len(found), 0 if len(frames) == len(BANDS) else Flag.OFF_IMAGE, np.uint32)
        if frames:
            images = {b: open_image(f"{path}:0", weight=f"{path}:1", zeropoint=ZEROPOINT) for b, path in frames.items()}
            cut = Cutter(images, self.size, subtract=False).at_sky(
                np.array([one.photo_ra for one in found]), np.array([one.photo_dec for one in found])
            )
            place = [BANDS.index(band) for band in frames]
            flux[:, place], ivar[:, place] = cut.cutouts.flux, cut.cutouts.ivar
            flags |= cut.flags
        bands = ivar.max(axis=(2, 3)) > 0
        told = [
            [*why, *(f"{band}: the source is not on its frame" for band in frames if not got[BANDS.index(band)])]
            for got in bands
        ]
        return [
            Piece(flux[k], ivar[k], fwhm[k], flags[k : k + 1], bands[k], np.array(told[k], np.str_), np.array(settled))
            for k in range(len(found))
        ]

    def _path(self, photoobj_id: str) -> Path:
        return self.folder / "cutouts" / f"{photoobj_id}-{self.size}.npz"

    def _keep(self, photoobj_id: str, piece: Piece) -> None:
        content = io.BytesIO()
        np.savez_compressed(content, **{name: getattr(piece, name) for name in KEPT})
        self._path(photoobj_id).parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._path(photoobj_id), content.getvalue())

    def piece(self, photoobj_id: str) -> Piece | None:
        """What was kept of an object; None where nothing was, or it cannot be read."""
        try:
            content = io.BytesIO(self._path(photoobj_id).read_bytes())
            with np.load(content, allow_pickle=False) as file:
                return Piece(*(file[name] for name in KEPT))
        except (OSError, EOFError, KeyError, ValueError, zlib.error, zipfile.BadZipFile):
            return None

    def bands_of(self, found: Found) -> tuple[str, list[str]]:
        """The bands that there are cutouts of, and of those without, why."""
        piece = self.piece(found.photoobj_id)
        if piece is None:
            return "", ["the pieces are gone"]
        return "".join(band for band, got in zip(BANDS, piece.bands, strict=True) if got), piece.why.tolist()


def _settled(kept: Mapping[str, Piece | None], one: Found) -> bool:
    piece = kept[one.photoobj_id]
    return piece is not None and bool(piece.settled)


def gather(path: Path, ids: Mapping[str, str], cutter: Cutouts) -> None:
    """One file of the cutouts of objects: `ids`, id to the objID under which the pieces are kept. None where there is
    not a single one."""
    if not ids:
        return
    about = {"archive": "SDSS DR17, corrected frames", "noise": "photons, dark current and read-out, by the frame"}
    with CutoutWriter(path, about) as writer:
        names = list(ids)
        for start in range(0, len(names), BATCH):
            part = names[start : start + BATCH]
            pieces = [piece for piece in (cutter.piece(ids[name]) for name in part) if piece is not None]
            block = cutouts.Cutouts(
                np.array([piece.flux for piece in pieces]),
                np.array([piece.ivar for piece in pieces]),
                BANDS,
                PIXEL_SCALE,
                np.array([piece.fwhm for piece in pieces]),
            )
            writer.write(np.array(part), block, np.concatenate([piece.flags for piece in pieces]))

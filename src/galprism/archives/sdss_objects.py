"""Objects of SDSS found in SkyServer: the spectrum, the source in the images, and what the catalogue says of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from galprism.archives.client import Unavailable
from galprism.archives.sdss_list import Asked
from galprism.archives.skyserver import Row, SkyServer
from galprism.data.pairs import FARTHEST, separation

BANDS = ("u", "g", "r", "i", "z")
BY_BAND = ("modelFlux", "modelFluxIvar", "extinction", "psfWidth")
"""nanomaggies, nanomaggies^-2, mag, and the FWHM of the field's point-spread function, arcsec."""
MISSING = -9999.0
"""What stands where the catalogue has no value."""
COLUMNS = ",".join(
    (
        *("s.specObjID", "s.plate", "s.mjd", "s.fiberID", "s.run2d", "s.sciencePrimary", "s.z", "s.zErr", "s.zWarning"),
        *("s.class", "s.ra AS ra_s", "s.dec AS dec_s", "p.objID", "p.ra", "p.dec", "p.run", "p.rerun", "p.camcol"),
        *("p.field", *(f"p.{name}_{band}" for name in BY_BAND[:3] for band in BANDS)),
        *(f"f.psfWidth_{band}" for band in BANDS),
    )
)
IMAGED = "LEFT JOIN PhotoObjAll p ON p.objID=s.bestObjID LEFT JOIN Field f ON f.fieldID=p.fieldID"
BY_SPECTRUM = f"SELECT {COLUMNS} FROM SpecObjAll s {IMAGED} WHERE"
BY_POSITION = (
    f"SELECT {COLUMNS} FROM dbo.fGetNearbyObjEq({{ra:.7f}},{{dec:.7f}},{FARTHEST / 60:.4f}) n JOIN PhotoObjAll p ON "
    "p.objID=n.objID LEFT JOIN SpecObjAll s ON s.bestObjID=p.objID AND s.sciencePrimary=1 LEFT JOIN Field f ON "
    "f.fieldID=p.fieldID"
)


@dataclass(frozen=True, eq=False)
class Found:
    """An object as SkyServer has it. A spectrum, an image or both may be lacking."""

    id: str
    """PLATE-MJD-FIBER, as files of spectra have it; the image's objID where there is no spectrum."""
    ra: float
    """deg ICRS, of the fibre, else of the source in the images."""
    dec: float
    separation: float
    """arcsec from where it was asked for; NaN where no position was given."""
    fiber: tuple[int, int, int] | None
    """Plate, MJD and fibre of its spectrum; None where there is none."""
    specobj_id: str
    run2d: str
    """Version of the reduction of the spectrum."""
    redshift: float
    redshift_err: float
    zwarning: float
    spectral_class: str
    photoobj_id: str
    """Empty where there is no source in the images at its place."""
    frame: tuple[int, int, int, int] | None
    """Rerun, run, camcol and field of the images."""
    photo_ra: float
    photo_dec: float
    photometry: Mapping[str, np.ndarray]
    """(5,) by the names of BY_BAND; NaN where not known."""
    notes: tuple[str, ...] = ()
    """What of SkyServer's answer was not taken, in sentences."""


def find(
    asked: Sequence[Asked], skyserver: SkyServer, progress: Callable[[int], object] = lambda n: None
) -> list[Found | str]:
    """Of each the object that SkyServer has, or why there is none. An object asked for twice is looked up once.

    progress : told how many more were looked up
    """
    answers: dict[str, list[Row] | str] = {}
    for one in asked:
        if one.wrong:
            answers[one.by] = one.wrong
    by_id = {one.by: one for one in asked if not one.wrong and (one.specobj_id or one.fiber)}
    keys, conditions = list(by_id), [_condition(one) for one in by_id.values()]
    for sql, members in skyserver.batches(BY_SPECTRUM, conditions):
        try:
            rows = skyserver.rows(sql)
        except Unavailable as error:
            answers |= dict.fromkeys((keys[i] for i in members), str(error))
            rows = []
        for i in members:
            answers.setdefault(keys[i], [row for row in rows if _is(by_id[keys[i]], row)])
        progress(len(members))
    for one in asked:
        if one.by not in answers:
            try:
                answers[one.by] = skyserver.rows(BY_POSITION.format(ra=one.ra % 360, dec=one.dec))
            except Unavailable as error:
                answers[one.by] = str(error)
            progress(1)
    return [_chosen(one, answers[one.by]) for one in asked]


def _condition(one: Asked) -> str:
    if one.specobj_id:
        return f"s.specObjID={int(one.specobj_id)}"
    assert one.fiber
    return "(s.plate={} AND s.mjd={} AND s.fiberID={})".format(*one.fiber)


def _is(one: Asked, row: Row) -> bool:
    """Whether a row is the spectrum that was asked for."""
    if one.specobj_id:
        return _text(row, "specObjID") == str(int(one.specobj_id))
    return _fiber(row) == one.fiber


def _chosen(one: Asked, answer: list[Row] | str) -> Found | str:
    """The best of the rows: with a spectrum, the primary one, the nearest."""
    if isinstance(answer, str):
        return answer
    if not answer:
        known = "spectrum" if one.specobj_id or one.fiber else f"object within {FARTHEST:g} arcsec"
        return f"SDSS has no such {known}"
    objects = [_found(one, row) for row in answer]
    near = [k for k, found in enumerate(objects) if not found.separation > FARTHEST]
    if not near:
        least = min(found.separation for found in objects)
        return f"the object that SkyServer gives lies {least:.1f} arcsec from the position asked for; not taken"
    best = min(
        near,
        key=lambda k: (
            objects[k].fiber is None,
            not answer[k].get("sciencePrimary"),
            np.nan_to_num(objects[k].separation),
        ),
    )
    return objects[best]


def _found(one: Asked, row: Row) -> Found:
    fiber, notes = _fiber(row), []
    spectrum = _number(row, "ra_s"), _number(row, "dec_s")
    image = _number(row, "ra"), _number(row, "dec")
    photoobj_id = _text(row, "objID")
    if fiber and photoobj_id:
        apart = _apart(*spectrum, *image)
        if apart > FARTHEST:
            notes.append(f"the source in the images lies {apart:.1f} arcsec from the spectrum; not taken")
            photoobj_id, image = "", (np.nan, np.nan)
    ra, dec = spectrum if fiber else image
    frame = tuple(_number(row, name) for name in ("rerun", "run", "camcol", "field"))
    of_image = row if photoobj_id else {}
    photometry = {name: np.array([_number(of_image, f"{name}_{band}") for band in BANDS]) for name in BY_BAND}
    return Found(
        id="{:04d}-{}-{:04d}".format(*fiber) if fiber else photoobj_id,
        ra=ra,
        dec=dec,
        separation=_apart(one.ra, one.dec, ra, dec) if one.placed else np.nan,
        fiber=fiber,
        specobj_id=_text(row, "specObjID") if fiber else "",
        run2d=_text(row, "run2d") if fiber else "",
        redshift=_number(row, "z") if fiber else np.nan,
        redshift_err=_number(row, "zErr") if fiber else np.nan,
        zwarning=_number(row, "zWarning") if fiber else np.nan,
        spectral_class=_text(row, "class") if fiber else "",
        photoobj_id=photoobj_id,
        frame=tuple(int(n) for n in frame) if photoobj_id and np.isfinite(frame).all() else None,  # type: ignore[arg-type]
        photo_ra=image[0],
        photo_dec=image[1],
        photometry={
            name: values if photoobj_id else np.full(len(BANDS), np.nan) for name, values in photometry.items()
        },
        notes=tuple(notes),
    )


def _fiber(row: Row) -> tuple[int, int, int] | None:
    plate, mjd, fiber = (_number(row, name) for name in ("plate", "mjd", "fiberID"))
    return (int(plate), int(mjd), int(fiber)) if np.isfinite([plate, mjd, fiber]).all() and plate > 0 else None


def _number(row: Row, name: str) -> float:
    """NaN where there is no value, and where the catalogue's sign of none stands."""
    value = row.get(name)
    try:
        number = np.nan if value is None else float(value)
    except (TypeError, ValueError):
        return np.nan
    return np.nan if number == MISSING else number


def _text(row: Row, name: str) -> str:
    value: Any = row.get(name)
    return "" if value is None else str(value).strip()


def _apart(ra: float, dec: float, other_ra: float, other_dec: float) -> float:
    return float(separation(np.array([ra]), np.array([dec]), np.array([other_ra]), np.array([other_dec]))[0])

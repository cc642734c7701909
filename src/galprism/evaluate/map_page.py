"""One HTML page with maps of sources to look into: colour, zoom, hover, pick. It asks nothing of any network."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Mapping, Sequence
from importlib.resources import files

import matplotlib
import numpy as np
from matplotlib.colors import to_hex
from matplotlib.image import imsave

from galprism.errors import RequestError
from galprism.evaluate.figures.style import CYCLE
from galprism.evaluate.page import Section, page, paragraph

SIDE = 4095
"""Places are whole numbers up to this."""
REACH = (1.0, 99.0)
"""Per cent of the values that the colours reach over."""
QUALITY = 80
"""Of the pictures' JPEG."""

STYLE = """
.controls { display: flex; flex-wrap: wrap; gap: .5rem 1.1rem; align-items: center; margin: .6rem 0; }
.controls select, .controls button { font: inherit; color: inherit; background: var(--tint); padding: .1rem .4rem;
  border: 1px solid var(--line); border-radius: 4px; }
#stage { position: relative; border: 1px solid var(--line); border-radius: 4px; }
#plane { display: block; width: 100%; height: min(72vh, 44rem); cursor: crosshair; touch-action: none; }
#tip { position: absolute; pointer-events: none; background: var(--paper); border: 1px solid var(--line);
  border-radius: 4px; padding: .4rem; font-size: .8rem; box-shadow: 0 2px 8px #0003; }
#tip[hidden] { display: none; } #tip dl { display: grid; grid-template-columns: auto auto; gap: 0 .7rem; margin: 0; }
#tip dt { color: var(--soft); } #tip dd { margin: 0; text-align: right; }
.thumb { margin: 0 auto .3rem; border-radius: 3px; }
.bar { display: inline-block; width: 12rem; height: .7rem; margin: 0 .5rem; border-radius: 2px; }
.swatch { display: inline-block; width: .7rem; height: .7rem; border-radius: 50%; margin: 0 .35rem 0 .6rem; }
#ids { width: 100%; height: 7rem; font: .8rem/1.4 ui-monospace, monospace; color: inherit; background: var(--tint);
  border: 1px solid var(--line); border-radius: 4px; }
"""
BODY = """
<div class="controls">
<label>Map <select id="layout"></select></label> <label>Colour <select id="colour"></select></label>
<label><input type="checkbox" id="lasso"> lasso (or Shift)</label> <button id="whole">Whole map</button>
<span id="legend"></span></div>
<div id="stage"><canvas id="plane" role="img" aria-label="map of the sources"></canvas><div id="tip" hidden></div></div>
<div class="controls"><span id="count"></span> <button id="copy">Copy ids</button> <button id="none">Pick none</button>
</div><textarea id="ids" readonly aria-label="ids of what is picked"></textarea>
"""
GUIDE = "Drag to move, wheel to zoom, point at a source for what is known of it; click or lasso to pick, ids are below."


def map_page(
    title: str,
    lead: str,
    ids: Sequence[object] | np.ndarray,
    places: Mapping[str, np.ndarray],
    values: Mapping[str, np.ndarray],
    pictures: np.ndarray | None = None,
    footer: str = "",
) -> str:
    """The page.

    ids : (N,). places : (N, 2) of each map, by its name. values : (N,) by the label of what sources are coloured by;
    numbers (what is not finite is grey) or words, which are kinds. pictures : (N, S, S, 3), uint8, shown beside.
    Raises RequestError where they are not of as many sources, or there are no maps or values.
    """
    n = len(ids)
    lengths = {name: len(some) for name, some in [*places.items(), *values.items()]}
    if pictures is not None:
        lengths["pictures"] = len(pictures)
    odd = {name: length for name, length in lengths.items() if length != n}
    if odd or not places or not values:
        raise RequestError(f"a map of {n} ids with {odd or 'nothing'}; accepted: maps and values of as many sources")
    data = {
        "ids": [str(one) for one in ids],
        "side": SIDE,
        "maps": [{"name": name, "places": _whole(points).ravel().tolist()} for name, points in places.items()],
        "values": [{"name": name, **_shade(np.asarray(value))} for name, value in values.items()],
        "palette": [to_hex(colour) for colour in matplotlib.colormaps["viridis"](np.linspace(0, 1, 129))],
        "kinds": list(CYCLE),
        "sheet": None,
    }
    style = STYLE
    if pictures is not None:
        columns = math.ceil(math.sqrt(n))
        rows = -(-n // columns)
        data["sheet"] = {"columns": columns, "rows": rows, "size": pictures.shape[1]}
        style += f".thumb {{ background-image: url(data:image/jpeg;base64,{_sheet(pictures, columns, rows)}); }}\n"
    told = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    script = (files("galprism.evaluate") / "map_page.js").read_text()
    body = (
        f"<style>{style}</style>",
        BODY,
        f'<script type="application/json" id="points">{told}</script>',
        f"<script>{script}</script>",
    )
    return page(title, [paragraph(lead), paragraph(GUIDE, "soft")], [Section("Map", body)], footer)


def _whole(points: np.ndarray) -> np.ndarray:
    """(N, 2), int, from 0 to SIDE, with one scale along both axes and the points in the middle."""
    low, high = points.min(axis=0), points.max(axis=0)
    span = float((high - low).max()) or 1.0
    return np.rint(SIDE * ((points - (low + high) / 2) / span + 0.5)).astype(int)


def _shade(value: np.ndarray) -> dict[str, object]:
    if value.dtype.kind not in "fiu":
        kinds, which = np.unique(value.astype(str), return_inverse=True)
        return {"kinds": kinds.tolist(), "values": which.tolist()}
    good = np.isfinite(value)
    low, high = np.percentile(value[good], REACH) if good.any() else (0.0, 1.0)
    numbers = [float(f"{one:.4g}") if there else None for one, there in zip(value, good, strict=True)]
    return {"range": [float(f"{low:.3g}"), float(f"{high:.3g}")], "values": numbers}


def _sheet(pictures: np.ndarray, columns: int, rows: int) -> str:
    """All pictures in one, row by row, as base64 of a JPEG."""
    n, size = pictures.shape[:2]
    tiles = np.zeros((rows * columns, size, size, 3), np.uint8)
    tiles[:n] = pictures
    whole = tiles.reshape(rows, columns, size, size, 3).swapaxes(1, 2).reshape(rows * size, columns * size, 3)
    buffer = io.BytesIO()
    imsave(buffer, whole, format="jpeg", pil_kwargs={"quality": QUALITY})
    return base64.b64encode(buffer.getvalue()).decode("ascii")

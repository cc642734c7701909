"""Published systems from start to finish, by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from galprism.errors import RequestError
from galprism.evaluate import Table, bars_table
from galprism.evaluate.bars import bars_record
from galprism.recipes.mlp_gap import Reproduction
from galprism.recipes.stages import run_stages

REPRODUCTIONS = {"mlp-gap": Reproduction}


def reproduce(
    name: str, out: Path, *, quick: bool = False, workers: int = 1, say: Callable[[str], None] = print
) -> Table:
    """Run every stage that is not done, write `table.md` and `table.json` into `out`, and return the table.

    Raises RequestError for a system that is not known, and for a folder that is somebody else's.
    """
    if name not in REPRODUCTIONS:
        raise RequestError(f"reproduce {name!r}; accepted: {', '.join(REPRODUCTIONS)}")
    work = REPRODUCTIONS[name](out, quick=quick, workers=workers, say=say)
    run_stages(out, work.stages(), say)
    bars = work.bars()
    size = " (--quick: reduced size, the figures mean little)" if quick else ""
    table = bars_table(bars, f"{name}: the paper's figures and ours{size}")
    (out / "table.md").write_text(table.markdown() + "\n")
    (out / "table.json").write_text(json.dumps(bars_record(bars), indent=1) + "\n")
    return table

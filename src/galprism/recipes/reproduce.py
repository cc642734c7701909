"""Published systems from start to finish, by name."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import galprism
from galprism.errors import RequestError
from galprism.evaluate import Bar, Table, bars_table
from galprism.evaluate.bars import bars_record, bars_title
from galprism.recipes import jpas_libraries, jpas_ssp, kids_mnn, mlp_gap, mmlforgalam
from galprism.recipes.fusion import reproduction as sdss_fusion
from galprism.recipes.stages import Stage, duration, run_stages, timings


class System(Protocol):
    """A published system: its stages, and what stands when they are done."""

    def stages(self) -> list[Stage]:
        """In the order in which they are run."""
        ...

    def bars(self) -> list[Bar]:
        """The paper's figures and ours."""
        ...

    def results(self) -> list[tuple[str, Path, Path]]:
        """Of each sample: what it is, its tables in Markdown, and the folder of its report."""
        ...


REPRODUCTIONS: dict[str, Callable[..., System]] = {
    "mlp-gap": mlp_gap.Reproduction,
    "jpas-ssp": jpas_ssp.Reproduction,
    "kids-mnn": kids_mnn.Reproduction,
    "mmlforgalam": mmlforgalam.Reproduction,
    sdss_fusion.NAME: sdss_fusion.Reproduction,
    jpas_libraries.NAME: jpas_libraries.Reproduction,
}


def reproduce(
    name: str,
    out: Path,
    *,
    quick: bool = False,
    workers: int = 1,
    libraries: Sequence[str] = (),
    catalogue: str = "",
    say: Callable[[str], None] = print,
) -> Table:
    """Run every stage that is not done, write `results.md` and `table.json` into `out`, and return the table.

    libraries, catalogue : of jpas-libraries alone. Raises RequestError for a system that is not known, for what is not
    for it, and for a folder that is somebody else's.
    """
    if name not in REPRODUCTIONS:
        raise RequestError(f"reproduce {name!r}; accepted: {', '.join(REPRODUCTIONS)}")
    own: dict[str, object] = {"libraries": libraries, "catalogue": catalogue} if name == jpas_libraries.NAME else {}
    if not own and (libraries or catalogue):
        raise RequestError(f"--library and --catalogue are for {jpas_libraries.NAME}; {name} has its own")
    work = REPRODUCTIONS[name](out, quick=quick, workers=workers, say=say, **own)
    stages = work.stages()
    run_stages(out, stages, say)
    bars = work.bars()
    size = " (--quick: reduced size, the figures mean little)" if quick else ""
    title = f"{name}: {bars_title(bars)}"
    table = bars_table(bars, f"{title}{size}")
    (out / "table.json").write_text(json.dumps(bars_record(bars), indent=1) + "\n")
    seconds = timings(out)
    taken = {stage.name: seconds[stage.name] for stage in stages}
    given = "".join(f" --library {library}" for library in libraries)
    command = f"galprism reproduce {name} -o DIR{given}{' --quick' if quick else ''}"
    (out / "results.md").write_text(page(title, command, table, work.results(), taken))
    return table


def page(
    title: str, command: str, table: Table, results: list[tuple[str, Path, Path]], seconds: dict[str, float]
) -> str:
    """The results as a page in Markdown, all of it made from what the stages wrote."""
    parts = [
        f"# {title}",
        f"Made by `{command}` (galprism {galprism.__version__}, {os.cpu_count()} cores, {platform.machine()}). "
        "The first table is the end of that command; the others are those of its reports.",
        table.markdown(),
    ]
    for text, summary, report in results:
        numbers = json.loads((report / "metrics.json").read_text())
        sample = f"{numbers['meta']['sample']}. Noise: {numbers['meta']['noise']}."
        parts += [f"## {text[0].upper()}{text[1:]}", sample, summary.read_text().strip()]
        notes = [*numbers.get("notes", []), *numbers.get("classes", {}).get("notes", [])]
        parts += [f"- {note}" for note in notes]
        figures = sorted(report.glob("figures/*.png"))
        parts += [f"![{path.stem}]({report.name}/figures/{path.name})" for path in figures]
    took = ", ".join(f"{stage} {duration(value)}" for stage, value in seconds.items())
    how = "Of what was there already it is the time of its making. A training that was taken up again counts from there"
    parts += ["## How long it took", f"{took}. {how}."]
    return "\n\n".join(parts) + "\n"

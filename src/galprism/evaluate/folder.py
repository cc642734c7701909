"""A report's folder, written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from galprism.errors import RequestError

KIND = "galprism report"
"""What `metrics.json` says it is; a folder without it is not overwritten."""


def is_report(folder: Path) -> bool:
    """Whether a folder was written by `evaluate`."""
    try:
        return json.loads((folder / "metrics.json").read_text(encoding="utf-8")).get("kind") == KIND
    except (OSError, ValueError, AttributeError):
        return False


def check_out(out: Path, *, force: bool) -> None:
    """Refuse what may not be replaced.

    Raises RequestError when `out` is a file, holds the working directory, or is a folder with something in it that is
    not a report (unless `force`).
    """
    if out.is_dir():
        here = Path.cwd().resolve()
        if out.resolve() == here or out.resolve() in here.parents:
            raise RequestError(f"{out} holds the working directory and cannot be replaced; name a folder of its own")
        if any(out.iterdir()) and not is_report(out) and not force:
            raise RequestError(f"{out} is a folder that is not a report; name another, or force its replacement")
    elif out.exists():
        raise RequestError(f"{out} is a file; the report is a folder")


def write_folder(out: Path, files: Mapping[str, bytes], *, force: bool = False) -> None:
    """Write `files`, by path inside the folder, beside `out`, then put the whole in its place.

    Raises RequestError as `check_out` does, and when it cannot be written; then nothing is left behind.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise RequestError(f"cannot write {out}: {error.strerror}") from error
    try:
        temporary.chmod(0o755)
        for name, content in files.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            (temporary / name).write_bytes(content)
        check_out(out, force=force)
        _replace(temporary, out)
    except OSError as error:
        raise RequestError(f"cannot write {out}: {error.strerror}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _replace(new: Path, out: Path) -> None:
    """`new` in the place of `out`; what was there is kept until `new` stands."""
    if not out.exists():
        os.rename(new, out)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}-old-", dir=out.parent))
    os.rename(out, old / "old")
    try:
        os.rename(new, out)
    except OSError:
        os.rename(old / "old", out)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)

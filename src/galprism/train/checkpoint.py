"""Where a training stands, on disk: weights, optimizer and history, nothing that runs when it is read."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from pathlib import Path
from typing import Any

import torch

from galprism.config import plain
from galprism.errors import RequestError

NAME = "checkpoint.pt"


def fingerprint(*parts: Any) -> str:
    """sha256 of configurations: a checkpoint is taken up only by the training that it belongs to."""
    return hashlib.sha256(json.dumps([plain(part) for part in parts], sort_keys=True).encode()).hexdigest()


def save(folder: Path, state: dict[str, Any]) -> None:
    """Write the checkpoint whole, in place of the one before."""
    part = folder / (NAME + ".part")
    torch.save(state, part)
    os.replace(part, folder / NAME)


def load(folder: Path, expected: str) -> dict[str, Any] | None:
    """The checkpoint of a folder; None where there is none.

    Raises RequestError where it belongs to a training with other settings, or cannot be read.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise RequestError(
            f"{path} is not a checkpoint of this program, or is damaged; delete it to start afresh"
        ) from error
    if not isinstance(state, dict) or state.get("fingerprint") != expected:
        raise RequestError(f"{path} belongs to a training with other settings; delete it, or give another folder")
    return state

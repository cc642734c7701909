"""Where networks are trained."""

from __future__ import annotations

import torch

from galprism.errors import RequestError


def check_device(device: str) -> None:
    """Raises RequestError where PyTorch has no such device here."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # PyTorch raises the second where it was built without CUDA
        raise RequestError(f"device {device!r} is not here; accepted: cpu, or cuda where there is a GPU") from error


def best_device() -> str:
    """cuda where PyTorch has a GPU here, else cpu."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def fast_precision() -> str:
    """ "bfloat16" where this processor multiplies such numbers itself, else "float32"; see LoopConfig.precision."""
    has = torch.cpu.get_capabilities()
    return "bfloat16" if has.get("avx512_bf16") or has.get("amx_bf16") else "float32"


def one_thread() -> None:
    """PyTorch computes on one thread of this process from now on: where there are as many processes as cores."""
    torch.set_num_threads(1)

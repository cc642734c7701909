"""Threads of the simulation: processes that work beside each other have one each, or they would wait for each other."""

import torch


def one_thread() -> None:
    """Of linear algebra, in this process."""
    torch.set_num_threads(1)

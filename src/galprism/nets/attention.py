"""Attention between tokens, as plain matrix products."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head scaled dot-product attention (Vaswani et al. 2017, eq. 1): each of T tokens takes, from S others,
    their values, weighted by how well their keys answer its query.

    Tokens come as rows: those of one source stand together, (N T, width) and (N S, width). T and S are fixed, so that
    the whole is a few matrix products.
    """

    def __init__(self, width: int, heads: int, head_width: int, n_asking: int, n_asked: int):
        super().__init__()
        self.heads, self.head_width, self.n_asking, self.n_asked = heads, head_width, n_asking, n_asked
        inner = heads * head_width
        self.query, self.key, self.value = (nn.Linear(width, inner) for _ in range(3))
        self.output = nn.Linear(inner, width)

    def forward(self, asking: Tensor, asked: Tensor) -> Tensor:
        split = -1, self.n_asked, self.heads, self.head_width
        query = self.query(asking).reshape(-1, self.n_asking, self.heads, self.head_width).permute(0, 2, 1, 3)
        key = self.key(asked).reshape(*split).permute(0, 2, 3, 1)  # (N, heads, head_width, S)
        value = self.value(asked).reshape(*split).permute(0, 2, 1, 3)  # (N, heads, S, head_width)
        weight = torch.softmax(torch.matmul(query, key) * (1.0 / math.sqrt(self.head_width)), -1)  # (N, heads, T, S)
        found = torch.matmul(weight, value).permute(0, 2, 1, 3).reshape(-1, self.heads * self.head_width)
        return self.output(found)  # (N T, width)

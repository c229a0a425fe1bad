"""Word embeddings of which only the rows are trained that the texts at hand look up.

A step reads a few hundred rows of a table that has tens of thousands (of many languages, a quarter of a million). Its
gradient, the optimiser's moments and the average of the weights are as large as the whole table all the same, and each
step updates all of them (figures: docs/tuning.md). A row that no text looks up has no gradient: leaving it alone is
the same training, but for the weight decay that shrank it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from headstart.pretrained.opened import Trainable


class Rows(nn.Module):
    """Looks up as the whole table does, for the ids that it was made for.

    Args:
        table: what it stands for; its weight is kept, frozen.
        ids: (m,) that will be looked up, each once.
    """

    where: torch.Tensor

    def __init__(self, table: nn.Embedding, ids: np.ndarray) -> None:
        super().__init__()
        self.weight = nn.Parameter(table.weight.detach(), requires_grad=False)
        device = table.weight.device
        self._ids = torch.from_numpy(ids.astype(np.int64)).to(device)
        self.rows = nn.Parameter(table.weight.detach()[self._ids].clone())
        where = torch.full((table.num_embeddings,), -1, dtype=torch.int64, device=device)
        where[self._ids] = torch.arange(len(ids), device=device)
        self.register_buffer("where", where, persistent=False)
        padding = -1 if table.padding_idx is None else int(where[table.padding_idx])
        self._padding = None if padding < 0 else padding  # of the rows

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return nn.functional.embedding(self.where[ids], self.rows, padding_idx=self._padding)

    @torch.no_grad()
    def put_back(self, table: nn.Embedding) -> None:
        """What was trained, into the table."""
        table.weight[self._ids] = self.rows


def only_rows(trainable: Trainable, table: Any, ids: np.ndarray) -> tuple[Trainable, Callable[[], None]]:
    """The same module with these rows of its word embeddings in the place of all; and what puts them back at the end.

    Args:
        table: the module's word embeddings. Where it is none that can stand for another (scaled, shared with another
            layer, or none at all), everything stays as it was.
        ids: (m,) of every token that will go in, each once.
    """
    module = trainable.module
    plain = type(table) is nn.Embedding and table.max_norm is None
    uses = [name for name, p in module.named_parameters(remove_duplicate=False) if plain and p is table.weight]
    if len(uses) != 1:
        return trainable, lambda: None
    (weight,) = uses
    name = weight.removesuffix(".weight")
    rows = Rows(table, ids)
    module.set_submodule(name, rows)
    groups = tuple(tuple(f"{name}.rows" if known == weight else known for known in group) for group in trainable.groups)

    def put_back() -> None:
        rows.put_back(table)
        module.set_submodule(name, table)

    return replace(trainable, groups=groups), put_back

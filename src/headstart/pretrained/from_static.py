"""Static embeddings, as model2vec keeps them: a table with a vector for each token, whose mean is the text's.

There is no network in it, so it reads some hundred times as many texts a second as the smallest encoder.
Source: Tulkens and van Dongen, Model2Vec, https://github.com/MinishLab/model2vec, 2024.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from headstart.backbone import TextPreparation
from headstart.errors import ModelError, somebody_elses
from headstart.pretrained.foreign_files import text_of
from headstart.pretrained.schema import checked, flag, maybe, record
from headstart.pretrained.text_folder import refuse_growth, refuse_strange_ids
from headstart.pretrained.weights import raw_tensors, save_tensors
from headstart.storage.files import parse_json
from headstart.storage.places import as_json

_TOKENS = 512  # of a text that are read, as model2vec does
_CONFIG = record({}, {"normalize": maybe(flag)})
_TABLE, _MAPPING, _WEIGHTS = "embeddings", "mapping", "weights"
_MOST_NUMBERS = 2**31


class MeanOfTokens(nn.Module):
    """The mean of the tokens' vectors; of length one, where the model was made for that."""

    def __init__(self, tokens: int, width: int, *, unknown: int | None, normalise: bool) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(tokens, width)
        self.unknown, self.normalise = unknown, normalise

    def get_input_embeddings(self) -> nn.Module:
        return self.embeddings

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """(n, t) int64 ids and mask -> (n, width) float32. What the tokenizer does not know does not count."""
        mask = attention_mask.to(self.embeddings.weight.dtype)
        if self.unknown is not None:
            mask = mask * (input_ids != self.unknown).to(mask.dtype)
        total = (self.embeddings(input_ids) * mask.unsqueeze(-1)).sum(1)
        mean = total / mask.sum(1, keepdim=True).clamp(min=1.0)
        return nn.functional.normalize(mean, dim=-1) if self.normalise else mean


def describe(folder: Path, told: dict[str, Any], *, target: Path) -> dict[str, Any]:
    """Write the table, in one piece and in float32, as model.safetensors into `target`; say how texts are fed.

    Args:
        told: what config.json says.

    Raises:
        ModelError: no such table, or no tokenizer that goes with it.
    """
    where = folder / "model.safetensors"
    known = checked(told, _CONFIG, str(folder / "config.json"))
    table = _table(where)
    if not bool(torch.isfinite(table).all()):
        raise ModelError("its table has values that are no numbers", where=str(where), fix="fetch it again")
    save_tensors({_TABLE: table.contiguous()}, target / "model.safetensors")
    tokenizer, unknown, padding = _tokenizer(folder / "tokenizer.json")
    refuse_strange_ids(tokenizer, len(table), folder / "tokenizer.json")
    preparation = TextPreparation(
        tokenizer=tokenizer, max_length=_TOKENS, pad_id=padding, inputs=("input_ids", "attention_mask")
    )
    normalise = bool(known.get("normalize"))
    return {
        "source": "static",
        "architecture": "",
        "kind": "text",
        "width": int(table.shape[1]),
        "preparation": preparation.told,
        "weights": "model.safetensors",
        "classes": None,
        "config": {"tokens": len(table), "unknown": unknown, "normalise": normalise},
    }


def module(described: dict[str, Any], weights: Path) -> nn.Module:
    """The table with its mean, in eval mode.

    Raises:
        ModelError: the weights are not the table that is described.
    """
    asked, where = described["config"], str(weights)
    tensor = raw_tensors(weights).get(_TABLE)
    if tensor is None or list(tensor.shape) != [asked["tokens"], described["width"]]:
        raise ModelError("damaged: its table has another shape than was described", where=where)
    built = MeanOfTokens(asked["tokens"], described["width"], unknown=asked["unknown"], normalise=asked["normalise"])
    with somebody_elses("safetensors", where=where, fix="fetch it again"):
        built.load_state_dict({"embeddings.weight": load_file(weights)[_TABLE].float()})
    return built.eval()


def _table(file: Path) -> torch.Tensor:
    """(tokens, width) float32: newer versions keep fewer rows, which row is whose, and how much each token weighs."""
    shapes = {name: tensor.shape for name, tensor in raw_tensors(file).items()}
    if len(shapes.get(_TABLE, ())) != 2:
        raise ModelError(f"no table {_TABLE!r} in it", where=str(file), fix="take a folder of model2vec's")
    with somebody_elses("safetensors", where=str(file), fix="fetch it again"):
        found = load_file(file)
    table = found[_TABLE].float()
    rows = found.get(_MAPPING, torch.arange(len(table))).long()
    weights = found.get(_WEIGHTS, torch.ones(len(rows))).float()
    fits = rows.ndim == 1 and weights.shape == rows.shape and len(rows) * table.shape[1] <= _MOST_NUMBERS
    if not fits or not len(rows) or int(rows.min()) < 0 or int(rows.max()) >= len(table):
        raise ModelError("its rows, and which token each is of, do not fit together", where=str(file))
    return table[rows] * weights[:, None]


def _tokenizer(file: Path) -> tuple[str, int | None, int]:
    """tokenizer.json without the tokens that are put around a text, and the numbers of those that say nothing."""
    text = text_of(file)
    with somebody_elses("tokenizers", where=str(file), fix="save the tokenizer again"):
        told = parse_json(text)
        refuse_growth(told)
        told["post_processor"] = None
        from tokenizers import Tokenizer

        bare = as_json(told)
        opened = Tokenizer.from_str(bare)
        model = told["model"]
        unknown = model.get("unk_id")
        if isinstance(model.get("unk_token"), str):
            unknown = opened.token_to_id(model["unk_token"])
        padding = opened.token_to_id((told.get("padding") or {}).get("pad_token") or "[PAD]")
    return bare, unknown if isinstance(unknown, int) else None, padding or 0

"""A toy export format from outside the package: TorchScript, of texts."""

from __future__ import annotations

import inspect
import json
import warnings
from pathlib import Path

import numpy as np
import torch

from headstart.export.exporter import Exporter


class Whole(torch.nn.Module):
    def __init__(self, encoder, head):
        super().__init__()
        self.encoder, self.head = encoder, torch.nn.Linear(*head.weight.T.shape)
        self.head.weight.data, self.head.bias.data = torch.from_numpy(head.weight), torch.from_numpy(head.bias)

    def forward(self, ids, mask):
        return self.head(self.encoder(ids, mask)).softmax(-1)


def write(made, folder):
    ids = torch.ones((2, 8), dtype=torch.int64)
    with torch.inference_mode(), warnings.catch_warnings(action="ignore"):
        torch.jit.trace(Whole(made.backbone.module(), made.head), (ids, ids), check_trace=False).save(
            folder / "model.pt"
        )


def run(folder):
    from tokenizers import Tokenizer

    most = json.loads(Path(folder, "model.json").read_text(encoding="utf-8"))["preparation"]["max_length"]
    module, tokenizer = (
        torch.jit.load(Path(folder, "model.pt")),
        Tokenizer.from_file(str(Path(folder, "tokenizer.json"))),
    )
    tokenizer.no_padding()
    tokenizer.enable_truncation(most)

    def predict(text):
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.inference_mode():
            return np.asarray(module(ids, torch.ones_like(ids))[0])

    return predict


TORCHSCRIPT = Exporter(
    name="torchscript",
    title="TorchScript",
    refuse=lambda made: None if made.backbone.kind == "text" else "a toy takes texts only",
    write=write,
    opened=lambda made, folder: run(folder),
    snippet=lambda made: inspect.getsource(run),
)

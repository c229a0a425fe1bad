"""Word embeddings are trained by the rows that are looked up: the same training, in less time and memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from headstart.adapt.batches import tokenised
from headstart.adapt.loop import Recipe, Tuning
from headstart.adapt.sparse_embeddings import only_rows
from headstart.adapt.trainable_parts import TextParts
from headstart.pretrained.load import load
from headstart.pretrained.training import open_for_training, word_embeddings
from small_models import small_text_model


class Headed(torch.nn.Module):
    def __init__(self, body: torch.nn.Module, width: int, n_classes: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head = body, torch.nn.Linear(width, n_classes)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(*inputs))


@pytest.mark.parametrize("family", ["bert", "albert", "roberta", "modernbert", "xlm"])
def test_rows_are_trained_as_the_whole_table_is(family, questions, tmp_path):
    """The losses of 20 steps and what comes of them; rows that no text looks up stay as they were."""
    small_text_model(family, tmp_path / "model")
    backbone = load(str(tmp_path / "model"), kind="text")
    texts = tokenised([text for text, _ in questions], backbone.preparation)
    names = sorted({label for _, label in questions})
    y = torch.tensor([names.index(label) for _, label in questions])
    used = texts.vocabulary

    def trained(*, by_rows: bool) -> tuple[list[float], np.ndarray, torch.nn.Module]:
        trainable, put_back = open_for_training(backbone), lambda: None
        if by_rows:
            trainable, put_back = only_rows(trainable, word_embeddings(trainable.module), used)
            assert any(name.endswith("rows") for group in trainable.groups for name in group)
        bodies = TextParts(trainable, texts)
        body = bodies.at(bodies.depths)
        network = Headed(body.module, backbone.width, len(names))
        tuning = Tuning(
            network,
            [*body.groups, list(network.head.parameters())],
            body.plain,
            lambda logits, rows, _: torch.nn.functional.cross_entropy(logits, y[rows], reduction="none"),
            Recipe(bodies.depths, rate=3e-3, steps=20, batch=8, dropout=False),
        )
        losses = [step.loss for step in tuning]
        put_back()
        return losses, word_embeddings(trainable.module).weight.detach().numpy(), trainable.module

    dense, table, module = trained(by_rows=False)
    losses, mine, my_module = trained(by_rows=True)
    first = word_embeddings(open_for_training(backbone).module).weight.detach().numpy()
    np.testing.assert_allclose(losses, dense, atol=1e-4)
    np.testing.assert_allclose(mine[used], table[used], atol=1e-4)
    assert np.abs(mine[used] - first[used]).max() > 1e-3
    unused = np.setdiff1d(np.arange(len(first)), used)
    assert np.array_equal(mine[unused], first[unused])
    assert list(my_module.state_dict()) == list(module.state_dict())

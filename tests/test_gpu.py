"""What only a GPU can show: other tests that fit run on it too, where there is one."""

from __future__ import annotations

import csv
from collections.abc import Callable

import numpy as np
import pytest
import torch

import headstart as hs
from headstart.adapt import trial
from headstart.adapt.loop import Recipe, Tuning
from headstart.encode.engines import device
from headstart.pretrained.load import load
from headstart.pretrained.training import open_for_training
from own_clock import by_looks
from small_models import small_image_model
from toy_task import Rows

pytestmark = pytest.mark.skipif(device() != "cuda", reason="there is no GPU here")


def test_compiled_it_learns_the_same(tmp_path):
    """Twenty steps of a whole ResNet in float32, also where a batch is smaller than the others."""
    small_image_model("resnet18", tmp_path / "model")
    images = np.random.default_rng(0).normal(size=(40, 3, 64, 64)).astype(np.float32)
    y = torch.arange(40) % 2

    def losses(*, compiled: bool) -> list[float]:
        module = open_for_training(load(str(tmp_path / "model"), kind="image")).module
        torch.manual_seed(0)
        head = torch.nn.Linear(512, 2)
        tuning = Tuning(
            torch.nn.Sequential(module, head),
            [list(module.parameters()), list(head.parameters())],
            Rows(images),
            lambda logits, rows, _: torch.nn.functional.cross_entropy(logits, y[rows].cuda(), reduction="none"),
            Recipe(depth=1, rate=1e-3, steps=20, batch=16, compiled=compiled),
            device="cuda",
        )
        return [step.loss for step in tuning]

    plain = losses(compiled=False)
    assert np.ptp(plain) > 0.1
    np.testing.assert_allclose(losses(compiled=True), plain, atol=5e-3)


def questions_of(few_texts, tmp_path):
    """The questions, eight times over in other words."""
    with few_texts[0].open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    table = tmp_path / "many.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows([f"{i} {row['text']}", row["label"]] for i in range(8) for row in rows)
    return table, few_texts[1]


def test_long_training_is_compiled_if_that_is_faster(few_texts, tmp_path, monkeypatch, own_cache):
    """It is tried once; every run is compiled, or none is: that is the machine's affair."""
    table, model = questions_of(few_texts, tmp_path)
    tried, compiler = [], torch.compile

    def counted(network: torch.nn.Module) -> Callable[..., torch.Tensor]:
        tried.append(network)
        return compiler(network)

    monkeypatch.setattr(trial, "_COMPILED", 0.0)
    monkeypatch.setattr(torch, "compile", counted)
    told = hs.fit(table, model=str(model), how="tune", budget="4m", out=tmp_path / "out").summary["tuning"]
    assert tried
    assert told["recipe"]["compiled"] == (len(tried) > 1)


@by_looks()
def test_where_nothing_can_be_compiled_it_trains_as_it_is(few_texts, tmp_path, monkeypatch, own_cache):
    table, model = questions_of(few_texts, tmp_path)

    def broken(network: torch.nn.Module) -> Callable[..., torch.Tensor]:
        def call(*inputs: torch.Tensor) -> torch.Tensor:
            raise torch._dynamo.exc.TorchDynamoException("no compiler here")

        return call

    monkeypatch.setattr(trial, "_COMPILED", 0.0)
    monkeypatch.setattr(torch, "compile", broken)
    told = hs.fit(table, model=str(model), how="tune", budget="60s", out=tmp_path / "out").summary["tuning"]
    assert told["recipe"]["compiled"] is False

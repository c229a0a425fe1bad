"""Claim: a default fit is right at least as often as a plain loop of 60 lines that trains the same weights.

    pip install accelerate        (for the Trainer)
    python bench/plain.py DATA... [--of 2000] [--seeds 0 1 2] [--against default trainer] [--budget 2m] [--head probe]

DATA is a folder or a table, or TRAIN:TEST, of photos or texts with one class each. `--of` cuts the training part to so
many examples, drawn by the seed; the test part stays. All learn from the same cut and are tested on the same part. The
loop trains all layers: MiniLM in batches of 16 for three epochs at 0.00005, in bfloat16 where the processor has it;
EfficientNet-Lite0 for eight epochs of random crops and mirror images at 0.0003, its batch norm as it was; AdamW, at a
rate that falls in a straight line to 0, on a new head (of photos at ten times the rate), or on the probe's of the
loop's own features. headstart has its defaults, the Trainer (of texts) 0.00005, batches of 16 and three epochs.
Accuracy, and wall seconds of a process of its own for each: libraries loaded, and nothing in the cache.
"""

import math
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import arguments, asked, in_parts, installed, photos, small_models, small_text_model, texts
from cuts import Cut, Way, alone, by_headstart, by_transformers, cut, in_rows, named

import torch  # isort: skip - after `common`, which says how its threads wait
from torch import nn

from headstart.adapt.basis import fit_basis
from headstart.adapt.cross_validation import fit_probe
from headstart.backbone import Features
from headstart.data.check import check
from headstart.data.split import split
from headstart.encode.engines import device, may_train_in_bf16
from headstart.pretrained.find import find
from headstart.pretrained.torchvision_operators import declare_missing

declare_missing()  # or a CPU build of torch beside another torchvision has no models of transformers

Results = dict[str, dict[str, list[tuple[float, float]]]]  # of each data set, of each way: accuracy and seconds

# --- the plain loop -------------------------------------------------------------------------------------------------


class MeanState(nn.Module):
    """Tokens to the mean of an encoder's last states over those that are no padding."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, tokens: Any) -> torch.Tensor:
        real = tokens["attention_mask"].unsqueeze(-1)
        return (self.encoder(**tokens).last_hidden_state * real).sum(1) / real.sum(1)


def open_texts(name: str) -> tuple[nn.Module, Callable[..., Any]]:
    """The encoder, and what makes a batch of texts; padded to the longest."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(find(name).path)
    tokens = partial(tokenizer, padding=True, truncation=True, max_length=128, return_tensors="pt")
    return MeanState(AutoModel.from_pretrained(find(name).path)), lambda some, training: tokens(list(some))


def open_photos(name: str) -> tuple[nn.Module, Callable[..., Any]]:
    """timm's model, and what makes a batch of photos: views to learn from, or the middle of each."""
    from headstart.inputs.image import open_image
    from headstart.pretrained.from_timm import timm
    from headstart.pretrained.load import load

    backbone = load(name, kind="image")
    fed = backbone.images
    look = {"interpolation": fed.interpolation, "mean": fed.mean, "std": fed.std, "color_jitter": None}
    views = [timm.data.create_transform(fed.size, t, crop_pct=None if t else fed.crop, **look) for t in (False, True)]
    return backbone.module(), lambda some, training: torch.stack([views[training](open_image(one)) for one in some])


def outputs(network: nn.Module, batch: Callable[..., Any], some: Sequence[Any]) -> np.ndarray:
    """(n, n_outputs), of the network as it is asked."""
    network.eval()
    with torch.inference_mode():
        parts = [network(batch(some[i : i + 64], False).to(device())).cpu() for i in range(0, len(some), 64)]
    return torch.cat(parts).float().numpy()


@dataclass(frozen=True)
class Loop:
    rate: float
    head_rate: float
    epochs: int
    bf16: bool = False

    def train(self, body: nn.Module, head: nn.Module, batch: Callable[..., Any], given: Cut) -> nn.Module:
        network, y = nn.Sequential(body, head).to(device()), torch.from_numpy(given.y).to(device())
        rates = [{"params": body.parameters()}, {"params": head.parameters(), "lr": self.head_rate}]
        optimizer = torch.optim.AdamW(rates, self.rate, weight_decay=0.01)
        steps = self.epochs * math.ceil(len(y) / 16)
        falling = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
        network.train()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        for _ in range(self.epochs):
            for rows in torch.randperm(len(y)).split(16):
                with torch.autocast(device(), torch.bfloat16, enabled=self.bf16):
                    logits = network(batch([given.inputs[row] for row in rows], True).to(device()))
                loss = nn.functional.cross_entropy(logits.float(), y[rows.to(device())])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                falling.step()
        return network


# --- what it is compared with ---------------------------------------------------------------------------------------


def by_plain_loop(given: Cut, model: str, seed: int, *, probe: bool = False) -> float:
    random.seed(seed)  # views of photos
    torch.manual_seed(seed)
    of_texts = given.kind == "text"
    loop = Loop(5e-5, 5e-5, 3, bf16=may_train_in_bf16()) if of_texts else Loop(3e-4, 3e-3, 8)
    body, batch = (open_texts if of_texts else open_photos)(model)
    head = nn.Linear(outputs(body.to(device()), batch, given.inputs[:1]).shape[1], len(given.classes))
    if probe:
        start_as_probe(head, body, batch, given)
    return given.accuracy(outputs(loop.train(body, head, batch, given), batch, given.asked))


def start_as_probe(head: nn.Linear, body: nn.Module, batch: Callable[..., Any], given: Cut) -> None:
    """The head becomes headstart's probe of what the body says before it is trained."""
    dataset, learn, _ = in_rows(given)
    matrix = outputs(body, batch, list(dataset.take(learn).inputs))
    found = fit_probe(dataset, learn, Features(matrix, "", 0), basis=fit_basis(matrix)).head
    where = [given.classes.index(name) for name in found.classes]
    with torch.no_grad():
        head.weight[where], head.bias[where] = torch.from_numpy(found.weight), torch.from_numpy(found.bias)


def ways(against: Sequence[str], *, head: str, budget: str) -> dict[str, Way]:
    """By their names, in the order in which they are run."""
    others: dict[str, Way] = {}
    if "default" in against:
        others["headstart, default"] = partial(by_headstart, budget=budget)
    if "trainer" in against and installed("accelerate", needed_for="the Trainer"):
        others["Trainer"] = by_transformers
    return {"plain loop": partial(by_plain_loop, probe=head == "probe"), **others}


def bench(data: str, model_of: dict[str, str], size: int, seeds: Sequence[int], by: dict[str, Way]) -> Results:
    dataset = check(in_parts(data))
    parts, found = split(dataset, seed=0), defaultdict(list)
    for seed in seeds:
        drawn = np.sort(np.random.default_rng(seed).permutation(parts.train)[: size or None])
        given = cut(data, dataset, drawn, parts.test)
        for name, way in by.items():
            if way is by_transformers and given.kind != "text":
                continue
            found[name].append(alone(way, given, model_of[given.kind], seed))
            told(f"{given.name}, {len(drawn)} examples, seed {seed}", name, found[name][-1:])
    return {named(data): dict(found)}


def told(of: str, name: str, runs: Sequence[tuple[float, float]]) -> None:
    accuracy, seconds = np.mean(runs, axis=0)
    print(f"{of:36} {name:20} accuracy {accuracy:.4f}  {seconds:7.1f} s", flush=True)


def means(results: Results) -> None:
    """Of each data set; and over all of them by the ways that all of them have."""
    for dataset, found in results.items():
        for name, runs in found.items():
            told(f"mean of {dataset}", name, runs)
    if len(results) > 1:
        first, *others = results.values()
        for name in [name for name in first if all(name in other for other in others)]:
            told("mean over all", name, [np.mean(found[name], axis=0) for found in results.values()])


def small(work: Path) -> list[object]:
    small_models().small_image_model("test_efficientnet", work / "efficientnet")
    models = ["--text-model", small_text_model(work / "bert"), "--photo-model", work / "efficientnet"]
    data = [texts(work / "texts.csv", 60), photos(work / "photos", 8)]
    return [*data, *models, "--of", 40, "--seeds", 0, "--budget", "6s", "--head", "probe"]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--of", type=int, default=2000, help="training examples (0: all)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--against", nargs="*", choices=["default", "trainer"], default=["default", "trainer"])
    parser.add_argument("--budget", default="2m", help="of headstart's fit")
    parser.add_argument("--head", choices=["new", "probe"], default="new", help="that the loop starts with")
    parser.add_argument("--text-model", default="all-MiniLM-L6-v2")
    parser.add_argument("--photo-model", default="efficientnet_lite0")
    with asked(parser, small) as options:
        by = ways(options.against, head=options.head, budget=options.budget)
        model_of, results = {"text": options.text_model, "image": options.photo_model}, {}
        for data in options.data:
            results |= bench(data, model_of, options.of, options.seeds, by)
        means(results)


if __name__ == "__main__":
    main()

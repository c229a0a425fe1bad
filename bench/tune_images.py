"""Claim: training the last stage on stored activations takes a third of the time of a plain loop, at the same losses.

    python bench/tune_images.py FOLDER [MODEL ...] [--epochs 3] [--random]      (default: efficientnet_lite0)

The plain loop is what guides show: each step opens the photos, makes the views and runs the whole model, the frozen
layers without gradient. Both have the same four views of each photo, batches, optimiser and schedule. Seconds an epoch,
and what storing the activations cost before; the last column is what is left if the plain loop had its pixels ready.

With --random, MODEL is an architecture of timm's (resnet50) that gets random weights: it takes the time that a trained
one takes, and its losses can be compared, but accuracy would mean nothing.
"""

import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "30000")  # as the command line does

import numpy as np
import torch
from common import arguments, asked, photos, read
from safetensors.torch import save_file

from headstart.adapt.basis import Basis, fit_basis
from headstart.adapt.batches import Pixels
from headstart.adapt.cross_validation import fit_probe
from headstart.adapt.devices import channels_last
from headstart.adapt.linear_network import Classified
from headstart.adapt.loop import Recipe, Tuning, rates, schedule
from headstart.adapt.trainable_parts import VIEWS, ImageParts
from headstart.backbone import Backbone, Head
from headstart.data.check import check
from headstart.encode.encode import encode
from headstart.encode.engines import device
from headstart.inputs.augment import Views
from headstart.pretrained.from_timm import timm
from headstart.pretrained.load import load
from headstart.pretrained.training import open_for_training
from headstart.values import Dataset

BATCH = 32


def untrained(architecture: str, home: Path) -> Path:
    """A folder with timm's architecture as it is before any training."""
    torch.manual_seed(0)
    model = timm.create_model(architecture, pretrained=False)
    folder = home / architecture
    folder.mkdir()
    save_file(model.state_dict(), folder / "model.safetensors")
    config = {"architecture": architecture, "pretrained_cfg": model.pretrained_cfg}
    (folder / "config.json").write_text(json.dumps(config, default=str))
    return folder


@dataclass(frozen=True)
class Bench:
    """One model on some photos, from its probe on."""

    dataset: Dataset
    backbone: Backbone
    basis: Basis
    head: Head
    recipe: Recipe
    epochs: int

    def loss(self, logits: torch.Tensor, rows: torch.Tensor, smoothing: float) -> torch.Tensor:
        y = torch.from_numpy(self.dataset.y)[rows]
        return torch.nn.functional.cross_entropy(logits, y.to(logits.device), reduction="none")

    def ours(self) -> tuple[float, float, list[float]]:
        """Seconds for storing, seconds an epoch, losses."""
        start = time.perf_counter()
        trainable = open_for_training(self.backbone)
        trainable.module.to(device())
        parts = ImageParts(
            trainable,
            self.backbone,
            self.dataset.inputs,
            self.dataset.checked_digests,
            mirror=lambda: True,
            channels_last=channels_last(device()),
        )
        part = parts.at(1)
        feed = part.varied()
        stored = time.perf_counter() - start
        network = Classified(part.module, self.head, self.basis)
        groups = [*part.groups, [network.weight, network.bias]]
        start = time.perf_counter()
        losses = [step.loss for step in Tuning(network, groups, feed, self.loss, self.recipe, device=device())]
        return stored, (time.perf_counter() - start) / self.epochs, losses

    def plain(self) -> tuple[float, float, list[float]]:
        """Seconds for making pixels an epoch, seconds an epoch with them, losses."""
        opened = open_for_training(self.backbone)
        views = Views(VIEWS, mirror=True)
        feed = Pixels(self.dataset.inputs, self.dataset.checked_digests, self.backbone.images, views)
        trained = [[opened.module.get_parameter(n) for n in opened.groups[-1]]]
        for parameter in opened.module.parameters():
            parameter.requires_grad_(any(parameter is p for p in trained[0]))
        network = Classified(opened.module, self.head, self.basis).to(device())
        groups = rates([*trained, [network.weight, network.bias]], self.recipe.rate)
        optimizer = torch.optim.AdamW(groups, fused=True)
        losses, opening = [], 0.0
        start = time.perf_counter()
        for epoch in range(self.epochs):
            for rows in feed.batches(BATCH, epoch=epoch, seed=0):
                for group in optimizer.param_groups:
                    group["lr"] = group["highest"] * schedule(len(losses), self.recipe.steps)
                begun = time.perf_counter()
                ((_, (images,)),) = feed.parts(rows, epoch=epoch)
                opening += time.perf_counter() - begun
                value = self.loss(network(images.to(device())), torch.from_numpy(rows), 0.0).mean()
                optimizer.zero_grad()
                value.backward()
                torch.nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], 1.0)
                optimizer.step()
                losses.append(float(value.detach()))
        return opening / self.epochs, (time.perf_counter() - start) / self.epochs, losses


def bench(dataset: Dataset, name: str, epochs: int, *, random: bool) -> None:
    backbone = load(name, kind="image")
    features = encode(dataset.inputs, dataset.checked_digests, backbone)
    basis = fit_basis(features.matrix)
    head = fit_probe(dataset, np.arange(len(dataset)), features, basis=basis).head
    recipe = Recipe(1, 1e-4, epochs * -(-len(dataset) // BATCH), BATCH)
    both = Bench(dataset, backbone, basis, head, recipe, epochs)
    stored, seconds, ours = both.ours()
    opening, plain, theirs = both.plain()
    apart = float(np.abs(np.array(ours) - np.array(theirs)).max())
    told = f"{backbone.architecture} with random weights" if random else name
    print(
        f"{told}: plain loop {plain:.2f} s an epoch, stored activations {seconds:.2f} s = {plain / seconds:.1f} times "
        f"(storing {VIEWS} views once: {stored:.1f} s; losses apart by at most {apart:.4f}; pixels ready: "
        f"{(plain - opening) / seconds:.1f} times)",
        flush=True,
    )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("folder")
    parser.add_argument("models", nargs="*", default=["efficientnet_lite0"])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--random", action="store_true", help="random weights in timm's architectures of these names")
    small = ["test_efficientnet", "--epochs", 1, "--random"]
    with (
        asked(parser, lambda work: [photos(work / "photos", 4), *small]) as options,
        tempfile.TemporaryDirectory() as home,
    ):
        dataset = check(read(options.folder))
        for model in options.models:
            name = str(untrained(model, Path(home))) if options.random else model
            bench(dataset, name, options.epochs, random=options.random)


if __name__ == "__main__":
    main()

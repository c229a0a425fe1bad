"""Claim: training the last stage on stored activations takes a third of the time of a plain loop, at the same losses.

    python bench/tune_images.py FOLDER [MODEL ...] [--epochs 3] [--random]      (default: efficientnet_lite0)

The plain loop is what guides show: each step opens the photos, makes the views and runs the whole model, the frozen
layers without gradient. Both have the same four views of each photo, batches, optimiser and schedule. Seconds an epoch,
and what storing the activations cost before; the last column is what is left if the plain loop had its pixels ready.

With --random, MODEL is an architecture of timm's (resnet50) that gets random weights: it takes the time that a trained
one takes, and its losses can be compared, but accuracy would mean nothing.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "30000")

import numpy as np
import torch
from safetensors.torch import save_file

from headstart.adapt.basis import fit_basis
from headstart.adapt.batches import Pixels
from headstart.adapt.cross_validation import fit_probe
from headstart.adapt.devices import channels_last
from headstart.adapt.linear_network import Classified
from headstart.adapt.loop import Recipe, Tuning, rates, schedule
from headstart.adapt.trainable_parts import VIEWS, ImageParts
from headstart.data.check import check
from headstart.data.read import read
from headstart.encode.encode import encode
from headstart.encode.engines import device
from headstart.inputs.augment import Views
from headstart.pretrained.from_timm import timm
from headstart.pretrained.load import load
from headstart.pretrained.training import open_for_training

BATCH = 32

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("models", nargs="*", default=["efficientnet_lite0"])
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--random", action="store_true", help="random weights in timm's architectures of these names")
options = parser.parse_args()
dataset = check(read(options.folder))
y = torch.from_numpy(dataset.y)


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


def bench(name: str) -> None:
    backbone = load(name, kind="image")
    features = encode(dataset.inputs, dataset.digests, backbone)
    basis = fit_basis(features.matrix)
    head = fit_probe(dataset, np.arange(len(dataset)), features, basis=basis)
    each = -(-len(dataset) // BATCH)
    recipe = Recipe(1, 1e-4, options.epochs * each, BATCH)

    start = time.perf_counter()
    trainable = open_for_training(backbone)
    trainable.module.to(device())
    bodies = ImageParts(
        trainable,
        backbone,
        dataset.inputs,
        dataset.digests,
        mirror=lambda: True,
        channels_last=channels_last(device()),
    )
    body = bodies.at(1)
    feed = body.varied()
    stored = time.perf_counter() - start
    network = Classified(body.module, head, basis)
    groups = [*body.groups, [network.weight, network.bias]]

    def loss(logits: torch.Tensor, rows: torch.Tensor, smoothing: float) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(logits, y[rows].to(logits.device), reduction="none")

    start = time.perf_counter()
    ours = [step.loss for step in Tuning(network, groups, feed, loss, recipe, device=device())]
    seconds = (time.perf_counter() - start) / options.epochs

    opened = open_for_training(backbone)
    plain_feed = Pixels(dataset.inputs, dataset.digests, backbone.preparation, Views(VIEWS, mirror=True))
    trained = [[opened.module.get_parameter(n) for n in opened.groups[-1]]]
    for parameter in opened.module.parameters():
        parameter.requires_grad_(any(parameter is p for p in trained[0]))
    network = Classified(opened.module, head, basis).to(device())
    optimizer = torch.optim.AdamW(rates([*trained, [network.weight, network.bias]], recipe.rate), fused=True)
    losses, opening = [], 0.0
    start = time.perf_counter()
    for epoch in range(options.epochs):
        for rows in plain_feed.batches(BATCH, epoch=epoch, seed=0):
            for group in optimizer.param_groups:
                group["lr"] = group["highest"] * schedule(len(losses), recipe.steps)
            begun = time.perf_counter()
            ((_, (images,)),) = plain_feed.parts(rows, epoch=epoch)
            opening += time.perf_counter() - begun
            value = loss(network(images.to(device())), torch.from_numpy(rows), 0.0).mean()
            optimizer.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], 1.0)
            optimizer.step()
            losses.append(float(value.detach()))
    plain = (time.perf_counter() - start) / options.epochs
    apart = float(np.abs(np.array(ours) - np.array(losses)).max())
    ready = plain - opening / options.epochs
    told = f"{backbone.architecture} with random weights" if options.random else name
    print(
        f"{told}: plain loop {plain:.2f} s an epoch, stored activations {seconds:.2f} s = {plain / seconds:.1f} times "
        f"(storing {VIEWS} views once: {stored:.1f} s; losses apart by at most {apart:.4f}; pixels ready: "
        f"{ready / seconds:.1f} times)",
        flush=True,
    )


with tempfile.TemporaryDirectory() as temporary:
    for model in options.models:
        bench(str(untrained(model, Path(temporary))) if options.random else model)

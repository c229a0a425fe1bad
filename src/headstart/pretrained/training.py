"""A backbone opened to be trained further, and kept again under its source's own names."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from headstart.pretrained.rebuild import backbone_hash, describe_saved, rebuilt
from headstart.pretrained.source import SOURCES
from headstart.pretrained.weights import raw_tensors, save_tensors
from headstart.storage.files import parse_json
from headstart.storage.kept import writing
from headstart.storage.places import as_json
from headstart.values import Backbone, TextPreparation, Trainable

_NUMBERED = re.compile(r"\.(\d+)\.")  # the first: layer.3, h.3, attentions.3; of block.5.layer.0 the block


def open_for_training(backbone: Backbone) -> Trainable:
    """The module with its parameters in groups, from the input up: stem and stages, or embeddings and layers.

    Args:
        backbone: not one that is `frozen_only`.
    """
    module, source = backbone.module(), SOURCES[backbone.source]
    source.prepare(module)
    heads = _heads(module) if _reads(backbone) else ()
    head = tuple(name for name, _ in module.named_parameters() if name.startswith(heads))
    groups = [[name for name in group if name not in head] for group in source.groups(module)]
    return Trainable(module, tuple(tuple(group) for group in groups if group), head)


def word_embeddings(trainable: Trainable) -> nn.Module | None:
    """Where a text model looks its tokens up: `weight` is (vocabulary, d). None where it has no such table (CANINE)."""
    try:
        table: nn.Module = inner_model(trainable.module).get_input_embeddings()
    except NotImplementedError:
        return None
    return table if isinstance(getattr(table, "weight", None), Tensor) else None


def keep_tuned(backbone: Backbone, module: nn.Module, folder: Path) -> Backbone:
    """Write the trained weights into `folder`, as the source names them; the backbone that they make.

    Args:
        backbone: what `module` was before it was trained.
        module: as `open_for_training` gave it.
        folder: there already; gets model.safetensors, and what the source needs beside it.
    """
    inner, backbone = SOURCES[backbone.source].trained(backbone, module, folder)
    state = inner.state_dict()
    weights = folder / "model.safetensors"
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    save_tensors(tensors, weights)
    return with_weights(backbone, weights, backbone_hash(weights, raw_tensors(weights), backbone.config))


def with_weights(backbone: Backbone, weights: Path, weights_hash: str) -> Backbone:
    """The same architecture and preparation with the weights of another file, or of the same one elsewhere."""
    preparation = backbone.preparation
    tokenizer = preparation.tokenizer if isinstance(preparation, TextPreparation) else None
    return rebuilt({**describe_saved(backbone), "weights_hash": weights_hash}, weights, tokenizer=tokenizer)


def trained_timm(backbone: Backbone, module: nn.Module, folder: Path) -> tuple[nn.Module, Backbone]:
    """The module as it is."""
    return module, backbone


def trained_transformers(backbone: Backbone, module: nn.Module, folder: Path) -> tuple[nn.Module, Backbone]:
    """The model of transformers within the module; its config.json is written."""
    inner = inner_model(module)
    if _reads(backbone):
        backbone = _as_reader(backbone, inner)
    with writing(folder):
        (folder / "config.json").write_text(as_json(backbone.config["transformers"]), encoding="utf-8")
    return inner, backbone


def inner_model(module: Any) -> Any:
    """The model of transformers within a module of ours."""
    return module.encoder if hasattr(module, "encoder") else module.model


def by_products(module: nn.Module) -> None:
    """Have a model of transformers compute attention by plain products, which is faster to train."""
    from headstart.pretrained.attention import train_by_products

    train_by_products(inner_model(module))


def _reads(backbone: Backbone) -> bool:
    return backbone.config.get("head") in ("spans", "new spans")


def _as_reader(backbone: Backbone, model: Any) -> Backbone:
    """Described as what it is once it was trained: a reader, whatever it was made of."""
    dropout = {name: share for name, share in backbone.config["transformers"].items() if "dropout" in name}
    told = {**model.config.to_dict(), **dropout, "architectures": [type(model).__name__]}
    told = parse_json(as_json(told))  # as it will be read again: names of labels stand under numbers as text
    config = {**backbone.config, "head": "spans", "transformers": told}
    return replace(backbone, architecture=type(model).__name__, config=config)


def _heads(module: Any) -> tuple[str, ...]:
    """Beginnings of the names of a reader's head: all that is not of the model within it."""
    body = f"model.{module.model.base_model_prefix}."
    children = (f"model.{name}." for name, _ in module.model.named_children())
    return tuple(name for name in children if name != body)


def stages(module: Any) -> list[list[str]]:
    """Names of a timm model's parameters in groups, from the input up.

    timm says of every architecture which parameters are its stem, its stages or blocks, and what follows.
    """
    from timm.models import group_parameters

    found = group_parameters(module, module.group_matcher(coarse=True))
    groups: list[list[str]] = []
    for number in sorted(found):
        only_a_norm = all(module.get_parameter(name).ndim < 2 for name in found[number])
        if groups and only_a_norm:
            groups[-1] += found[number]
        else:
            groups.append(list(found[number]))
    return groups


def layers(module: nn.Module) -> list[list[str]]:
    """Names of a text model's parameters in groups: what comes before the numbered layers, and each layer.

    What follows the last one is of its group.
    """
    groups: dict[int, list[str]] = {}
    number = 0
    for name, _ in module.named_parameters():
        numbered = _NUMBERED.search(name)
        number = 1 + int(numbered[1]) if numbered else number
        groups.setdefault(number, []).append(name)
    return [groups[number] for number in sorted(groups)]

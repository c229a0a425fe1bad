"""Modules of timm and of transformers: groups of their parameters, the model within, and what is kept once trained.

torch comes with the modules, so that naming these functions loads none.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.backbone import Backbone
from headstart.pretrained.heads import SPANS, own_head
from headstart.storage.files import parse_json
from headstart.storage.kept import writing
from headstart.storage.places import as_json

if TYPE_CHECKING:
    from torch import nn

_NUMBERED = re.compile(r"\.(\d+)\.")  # the first: layer.3, h.3, attentions.3; of block.5.layer.0 the block


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


def inner_model(module: Any) -> Any:
    """The model of transformers within a module of ours."""
    return module.encoder if hasattr(module, "encoder") else module.model


def reader_head(module: Any) -> tuple[str, ...]:
    """Beginnings of the names of a reader's head: all that is not of the model within it."""
    body = f"model.{module.model.base_model_prefix}."
    children = (f"model.{name}." for name, _ in module.model.named_children())
    return tuple(name for name in children if name != body)


def as_it_is(module: nn.Module) -> None:
    """Have a module trained as it was built."""


def by_products(module: nn.Module) -> None:
    """Have a model of transformers compute attention by plain products, which is faster to train."""
    from headstart.pretrained.attention import train_by_products

    train_by_products(inner_model(module))


def trained_timm(backbone: Backbone, module: nn.Module, folder: Path) -> tuple[nn.Module, Backbone]:
    """The module as it is."""
    return module, backbone


def trained_transformers(backbone: Backbone, module: nn.Module, folder: Path) -> tuple[nn.Module, Backbone]:
    """The model of transformers within the module; its config.json is written."""
    inner = inner_model(module)
    if own_head(backbone.config).finds_answers:
        backbone = _as_reader(backbone, inner)
    with writing(folder):
        (folder / "config.json").write_text(as_json(backbone.config["transformers"]), encoding="utf-8")
    return inner, backbone


def _as_reader(backbone: Backbone, model: Any) -> Backbone:
    """Described as what it is once it was trained: a reader, whatever it was made of."""
    dropout = {name: share for name, share in backbone.config["transformers"].items() if "dropout" in name}
    told = {**model.config.to_dict(), **dropout, "architectures": [type(model).__name__]}
    told = parse_json(as_json(told))  # as it will be read again: names of labels stand under numbers as text
    config = {**backbone.config, "head": SPANS.name, "transformers": told}
    return replace(backbone, architecture=type(model).__name__, config=config)

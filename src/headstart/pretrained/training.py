"""A backbone opened to be trained further, and kept again under its source's own names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from headstart.backbone import Backbone
from headstart.pretrained.heads import own_head
from headstart.pretrained.modules import inner_model, reader_head
from headstart.pretrained.opened import Trainable
from headstart.pretrained.rebuild import backbone_hash, describe_saved, rebuilt
from headstart.pretrained.source import SOURCES
from headstart.pretrained.weights import save_tensors


def open_for_training(backbone: Backbone) -> Trainable:
    """The module with its parameters in groups, from the input up: stem and stages, or embeddings and layers.

    Args:
        backbone: not one that is `frozen_only`.
    """
    return _opened(backbone, backbone.module())


def open_untrained(backbone: Backbone, *, seed: int) -> Trainable:
    """The same architecture with the random weights of this seed, by its library's own rules, opened in the same way.

    Args:
        backbone: not one that is `frozen_only`; its weights are not looked at.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return _opened(backbone, SOURCES[backbone.source].untrained(describe_saved(backbone)))


def _opened(backbone: Backbone, module: nn.Module) -> Trainable:
    source = SOURCES[backbone.source]
    source.prepare(module)
    heads = reader_head(module) if own_head(backbone.config).finds_answers else ()
    head = tuple(name for name, _ in module.named_parameters() if name.startswith(heads))
    groups = [[name for name in group if name not in head] for group in source.groups(module)]
    return Trainable(module, tuple(tuple(group) for group in groups if group), head)


def word_embeddings(module: nn.Module) -> nn.Module | None:
    """Where a text model looks its tokens up: `weight` is (vocabulary, d). None where it has no such table (CANINE)."""
    try:
        own: Any = module if hasattr(module, "get_input_embeddings") else inner_model(module)
        table: nn.Module = own.get_input_embeddings()
    except NotImplementedError:
        return None
    return table if isinstance(getattr(table, "weight", None), Tensor) else None


def keep_tuned(backbone: Backbone, module: nn.Module, folder: Path) -> Backbone:
    """Write the trained weights into `folder`, as the source names them; the backbone that they make.

    Args:
        backbone: what `module` was before it was trained.
        module: as `open_for_training` gave it.
        folder: there already; gets the weights, and what the source needs beside them.
    """
    source = SOURCES[backbone.source]
    inner, backbone = source.trained(backbone, module, folder)
    state = inner.state_dict()
    weights = folder / source.weights
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    save_tensors(tensors, weights)
    return with_weights(backbone, weights, backbone_hash(backbone.source, weights, backbone.config))


def with_weights(backbone: Backbone, weights: Path, weights_hash: str) -> Backbone:
    """The same architecture and preparation with the weights of another file, or of the same one elsewhere."""
    told = {**describe_saved(backbone), "preparation": backbone.preparation.told}  # with its tokenizer
    return rebuilt({**told, "weights_hash": weights_hash}, weights)

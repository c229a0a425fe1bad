"""Low-rank adapters (LoRA) in a backbone whose own weights stay frozen, and their merging into plain weights.

An adapter adds `scale * B @ A` to a matrix; B is zero at the start, so training begins at the probe. All matrices of a
layer get one, not only those of attention.

Source: Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, 2021; that all matrices matter: Dettmers et al.,
QLoRA, 2023, and Schulman et al., LoRA Without Regret, 2025.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from headstart.adapt.policy import TUNING
from headstart.errors import ModelError, UserError
from headstart.pretrained.opened import Trainable

if TYPE_CHECKING:
    from torch import nn

_NAME = "default"  # of the one adapter, in PEFT's names of its parameters


def require_peft() -> None:
    """So that nobody waits for features first.

    Raises:
        UserError: PEFT cannot be imported.
    """
    from importlib.util import find_spec

    try:
        found = find_spec("peft") is not None
    except ImportError:
        found = False
    if not found:
        raise UserError(
            "LoRA needs peft, which is not installed", where="--how lora", fix="pip install headstart[lora]"
        )


def adapted(trainable: Trainable, *, seed: int) -> tuple[Trainable, Callable[[], nn.Module]]:
    """The same module with adapters in it, in groups by layer; and what merges them, to be called once at the end.

    The module is changed in place. Merged, it has its own layers again under its own names, and gives what it gave
    with adapters.

    Args:
        trainable: as it was opened for training.
        seed: of the adapters' A. A run that was killed starts again with the same ones.

    Raises:
        UserError: PEFT cannot be imported.
        ModelError: a model that has no matrices in numbered layers.
    """
    require_peft()
    import torch
    from peft import LoraConfig
    from peft.tuners.lora import LoraModel

    layers = [found for group in trainable.groups[1:] if (found := _matrices(trainable.module, group))]
    if not layers:
        raise ModelError("no layers that LoRA could adapt", where="--how lora", fix="use --how tune")
    wanted = "|".join(re.escape(name) for group in layers for name in group)
    config = LoraConfig(r=TUNING.lora_rank, lora_alpha=TUNING.lora_alpha, lora_dropout=0.0, target_modules=wanted)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        tuner = LoraModel(trainable.module, config, _NAME)
    groups = [tuple(f"{name}.lora_{part}.{_NAME}.weight" for name in group for part in "AB") for group in layers]
    return Trainable(trainable.module.eval(), tuple(groups), trainable.head), tuner.merge_and_unload


def _matrices(module: nn.Module, group: tuple[str, ...]) -> list[str]:
    """Names of the layers of a group that get an adapter.

    Only those with a number in their name: a pooler behind the numbered layers is not what features come through.
    """
    names = [name.removesuffix(".weight") for name in group if name.endswith(".weight")]
    return [name for name in names if re.search(r"\d", name) and _takes_adapter(module.get_submodule(name))]


def _takes_adapter(layer: nn.Module) -> bool:
    """Subclasses are left alone: they compute something else, or are read by others. So are convolutions that PEFT
    cannot merge (grouped) or would adapt by one of another shape (dilated)."""
    from torch import nn

    if type(layer) is nn.Conv2d:
        return layer.groups == 1 and layer.dilation == (1, 1) and layer.padding_mode == "zeros"
    return type(layer) is nn.Linear

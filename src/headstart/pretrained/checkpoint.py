"""Weights out of the checkpoint of a training script, and out of what a model was wrapped in while it was trained."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from headstart.errors import ModelError, short_name, some_of

if TYPE_CHECKING:
    import torch

State = dict[str, "torch.Tensor"]

# Where scripts put the weights, the averaged ones first: timm's and torchvision's report the scores of those.
_AVERAGED = ("state_dict_ema", "model_ema", "ema_state_dict")
_PLACES = (*_AVERAGED, "state_dict", "model_state_dict", "model_state", "model", "net", "weights", "params")
# DataParallel, torch.compile; then what a LightningModule, or a script's own module, calls the model in it.
_WRAPPERS = ("module.", "_orig_mod.", "model.", "backbone.", "net.", "network.", "encoder.")
_HEAD = re.compile(r"(?:module\.|_orig_mod\.|model\.)*(?:head\.fc|head|fc|classifier|linear)\.weight")
_DEEPEST = 4  # wrappers around each other
# What checkpoints hold beside weights, of no use here: settings of a run, its best score, where it wrote to.
_INERT = (
    "argparse.Namespace",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
    *("numpy.dtype", "numpy.ndarray", "numpy.dtypes.Float64DType", "numpy.dtypes.Float32DType"),
    *("numpy.dtypes.Int64DType", "_codecs.encode"),
    *(f"{module}.{name}" for module in ("pathlib", "pathlib._local") for name in ("PosixPath", "WindowsPath")),
    *(f"{module}.AttributeDict" for module in ("lightning_fabric.utilities.data", "lightning.fabric.utilities.data")),
    "pytorch_lightning.utilities.parsing.AttributeDict",
)


class Inert:
    """Stands for an object that is not wanted: it takes whatever it is given and does nothing."""

    def __new__(cls, *_: object, **__: object) -> Inert:
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...

    def __setitem__(self, key: object, value: object) -> None: ...


def inert() -> list[Callable[..., Any] | tuple[Callable[..., Any], str]]:
    """What torch's safe unpickler is to make of names that stand in checkpoints beside the weights: nothing is run."""
    return [(Inert, name) for name in _INERT]


def state_in(content: Any, where: str) -> State:
    """The state dict in what a torch file holds: the whole of it, or an entry of a training script's checkpoint.

    Raises:
        ModelError: there is none, or nothing says which entry it is.
    """
    if is_state(content):
        found: State = content
        return found
    entries = content if isinstance(content, dict) else {}
    place = next((name for name in _PLACES if is_state(entries.get(name)) and entries[name]), None)
    if place is not None:
        return state_in(entries[place], where)
    states = [name for name, value in entries.items() if isinstance(name, str) and is_state(value) and value]
    if states:
        names = some_of([repr(name) for name in states])
        raise ModelError(
            f"a checkpoint, and nothing says which is the model: {names}", where=where, fix=_save(states[0])
        )
    whole = next((name for name in _PLACES if name in entries), "")
    if whole:
        held = f"its {whole!r} is a {type(entries[whole]).__name__}"
        raise ModelError(f"a checkpoint without a state dict: {held}", where=where, fix="save model.state_dict()")
    raise ModelError("not a state dict (names to tensors)", where=where, fix="save model.state_dict()")


def _save(name: str) -> str:
    return f"save one of them: torch.save(torch.load(FILE)[{short_name(name)!r}], 'model.pth')"


def is_state(value: object) -> bool:
    """Whether this is names to plain tensors."""
    return isinstance(value, dict) and all(_is_plain(name, tensor) for name, tensor in value.items())


def _is_plain(name: object, value: object) -> bool:
    import torch

    plain = isinstance(value, torch.Tensor) and value.layout is torch.strided and value.device.type == "cpu"
    return isinstance(name, str) and plain and not getattr(value, "is_quantized", False)


def unwrapped(state: State, fits: Callable[[Collection[str]], bool], where: str) -> State:
    """The tensors of the model under its own names, where it was trained within something else: `module.conv1.weight`.

    As they are where they fit, or where nothing within does.

    Raises:
        ModelError: two models within fit.
    """
    found = state
    for _ in range(_DEEPEST):
        if fits(found.keys()):
            return found
        within = {prefix: _below(found, prefix) for prefix in _WRAPPERS}
        fitting = [prefix for prefix in _WRAPPERS if fits(within[prefix].keys())]
        if len(fitting) > 1:
            names = " and ".join(repr(prefix) for prefix in fitting)
            fix = "save the state dict of the one that you mean"
            raise ModelError(f"two models in one file, under {names}", where=where, fix=fix)
        found = within[fitting[0]] if fitting else max(within.values(), key=len)
    return state


def _below(state: State, prefix: str) -> State:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def head_beside(state: State, classifier: str) -> State:
    """The tensors, under the classifier's name, of the only linear layer beside a wrapped backbone: mmpretrain's."""
    heads = [name.removesuffix("weight") for name in state if _HEAD.fullmatch(name)]
    if len(heads) != 1:
        return {}
    there = {part: heads[0] + part for part in ("weight", "bias")}
    return {f"{classifier}.{part}": state[name] for part, name in there.items() if name in state}

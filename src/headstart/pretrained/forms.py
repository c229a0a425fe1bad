"""Forms in which weights lie on this machine: one row a form, with who says how the model is built and fed.

The functions import their library when they are called: what is kept of a model in the cache is opened without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from headstart.errors import ModelError
from headstart.pretrained.foreign_files import json_object
from headstart.pretrained.heads import CLASSES, NO_HEAD
from headstart.pretrained.sentence_files import PLAIN, SentenceForm
from headstart.pretrained.text_folder import TEXT_FILES
from headstart.storage.files import is_there


@dataclass(frozen=True)
class Found:
    """Weights, and what is known of them before they are opened."""

    name: str
    form: str  # a row of FORMS
    path: Path  # the file; transformers and headstart: the folder
    architecture: str = ""  # timm's name; empty: the file says, or its name does
    config: dict[str, Any] = field(default_factory=dict)  # what config.json (or headstart.json) beside the weights says
    licence: str = ""
    usual: SentenceForm = PLAIN  # texts: how sentences are read by it, where its files do not say
    words: Path | None = None  # texts: the folder with its tokenizer, where its own has none


def _no_answers(found: Found) -> bool:
    return False


def _as_found(found: Found) -> Found:
    return found


@dataclass(frozen=True)
class Form:
    """How weights lie there."""

    name: str
    library: str  # that describes the model; its version is in the key of what is kept of it
    describe: Callable[[Found, Path, str], dict[str, Any]]  # (found, target, head); headless weights go into the target
    endings: tuple[str, ...] = ()  # of its files, in small letters
    beside: tuple[str, ...] = ()  # files beside the weights that say more of the model
    saved: bool = False  # by headstart, which need not ask anybody
    texts: bool = False  # its models may read texts
    stay: bool = False  # safetensors files are opened where they are
    classifier: str = NO_HEAD.name  # the head that a model is described with, where its classes are asked for
    finds_answers: Callable[[Found], bool] = _no_answers  # whether the model that was found does
    unsaved: Callable[[Found], Found] = _as_found  # as the library's own model that it is too


def _timm(found: Found, target: Path, head: str) -> dict[str, Any]:
    from headstart.pretrained import from_timm

    read = from_timm.read(found.path, architecture=found.architecture, config=found.config)
    return from_timm.describe(read, target=target)


def _torchvision(found: Found, target: Path, head: str) -> dict[str, Any]:
    from headstart.pretrained import from_timm, from_torchvision

    translated = from_torchvision.translate(found.path, architecture=found.architecture or None)
    return from_timm.describe(translated, target=target)


def _keras(found: Found, target: Path, head: str) -> dict[str, Any]:
    from headstart.pretrained import from_keras, from_timm

    translated = from_keras.translate(found.path, architecture=found.architecture or None)
    return from_timm.describe(translated, target=target)


def _onnx(found: Found, target: Path, head: str) -> dict[str, Any]:
    from headstart.pretrained import from_onnx

    return from_onnx.describe(found.path, target=target)


def _transformers(found: Found, target: Path, head: str) -> dict[str, Any]:
    from headstart.pretrained import from_transformers

    return from_transformers.describe(found.path, found.config, target=target, head=head, usual=found.usual)


def _static(found: Found, target: Path, head: str) -> dict[str, Any]:
    from headstart.pretrained import from_static

    return from_static.describe(found.path, found.config, target=target)


def _onnx_bert(found: Found, target: Path, head: str) -> dict[str, Any]:
    from headstart.pretrained import from_onnx_bert

    if found.words is None:
        raise ModelError("nothing says how its texts become tokens", where=str(found.path))
    return from_onnx_bert.describe(
        found.path, found.config, target=target, head=head, words=found.words, usual=found.usual
    )


def _described(found: Found, target: Path, head: str) -> dict[str, Any]:
    raise TypeError("headstart.json describes it")


def _is_reader(config: dict[str, Any]) -> bool:
    """Whether a config.json of transformers' is of a model that finds answers."""
    named = config.get("architectures")
    return any("ForQuestionAnswering" in str(name) for name in (named if isinstance(named, list) else ()))


def _saved_reader(found: Found) -> bool:
    """A classifier that was saved here is one, whatever its encoder was trained for."""
    return "head" not in found.config and _is_reader(_encoder(found))


def _unsaved(found: Found) -> Found:
    """A reader that was saved here is a folder of transformers', with more beside it."""
    described = _encoder(found)
    return replace(found, form="transformers", config=described) if described else found


def _encoder(found: Found) -> dict[str, Any]:
    """What config.json says in a folder that headstart saved, where it is transformers'."""
    file = found.path / "config.json"
    described = json_object(file) if is_there(file) else {}
    return described if "model_type" in described else {}


FORMS = {
    row.name: row
    for row in (
        Form(name="timm", library="timm", describe=_timm, endings=(".safetensors", ".bin")),
        Form(name="torchvision", library="timm", describe=_torchvision, endings=(".pth", ".pt", ".ckpt", ".tar")),
        Form(name="keras", library="timm", describe=_keras, endings=(".h5",)),
        Form(
            name="onnx",
            library="openvino",
            describe=_onnx,
            endings=(".onnx",),
            beside=("config.json", "preprocessor_config.json"),
        ),
        Form(
            name="transformers",
            library="transformers",
            describe=_transformers,
            beside=TEXT_FILES,
            texts=True,
            stay=True,
            classifier=CLASSES.name,
            finds_answers=lambda found: _is_reader(found.config),
        ),
        Form(name="static", library="tokenizers", describe=_static, beside=("config.json", "tokenizer.json")),
        Form(name="onnx_bert", library="transformers", describe=_onnx_bert, texts=True),
        Form(
            name="headstart",
            library="headstart",
            describe=_described,
            saved=True,
            finds_answers=_saved_reader,
            unsaved=_unsaved,
        ),
    )
}
ENDINGS = {ending: form.name for form in FORMS.values() for ending in form.endings}

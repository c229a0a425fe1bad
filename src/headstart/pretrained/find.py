"""Where the weights that a name means lie on this machine, and in which form; no library of models is loaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from headstart.errors import ModelError
from headstart.pretrained import catalog, hub
from headstart.pretrained.description import told_by
from headstart.pretrained.foreign_files import json_object
from headstart.pretrained.forms import ENDINGS, Found
from headstart.pretrained.hub_errors import AbsentError
from headstart.pretrained.schema import checked, record
from headstart.pretrained.sentence_files import PLAIN, SentenceForm
from headstart.pretrained.shards import index_in, shards_of
from headstart.pretrained.timm_arguments import ARCHITECTURE
from headstart.pretrained.weights import INDEXES, NAMES, file_sha256, refuse_unlike_its_name, verify, weights_in
from headstart.progress import Progress
from headstart.storage.files import is_there, user_path

_TORCHVISION = re.compile(r"-([0-9a-f]{8})\.pth$")  # its file names end in the first digits of their sha256
_ARCHITECTURE = re.compile(r"[A-Za-z][\w.-]*")  # timm's or torchvision's names
_HUB_NAME = re.compile(r"(?:[\w-][\w.-]*/)?[\w-][\w.-]*")


def find(name: str, *, progress: Progress | None = None) -> Found:
    """Weights by catalog name, folder, file, ARCHITECTURE=FILE, or hub name; `progress` is told of a download.

    Raises:
        ModelError: nothing of that name, not on this machine and not to be fetched, or not the pinned file.
    """
    card = catalog.find(name)
    if card is not None:
        return _packaged(card) if card.package else _in_folder(hub.pull(card, progress=progress), card=card)
    architecture, path = _split(name)
    if is_there(path):
        return _in_folder(path) if path.is_dir() else _in_file(path, architecture)
    if architecture or path.suffix.lower() in (*ENDINGS, ".headstart") or not _HUB_NAME.fullmatch(name):
        raise ModelError(
            "no such file or folder",
            where=str(path),
            fix="headstart fit saves a model, headstart models lists more",
        )
    try:
        return _in_folder(hub.fetch(name if "/" in name else f"timm/{name}", progress=progress), name=name)
    except AbsentError as error:  # it may be a folder that was meant
        raise ModelError(f"no such folder; and {error.what}", where=name, fix=error.fix) from None


def _split(name: str) -> tuple[str, Path]:
    """The architecture, where one is named before the first `=`, and the path. What is there is a path as it stands."""
    try:
        whole = user_path(name)
        architecture, sign, file = name.partition("=")
        if not sign or is_there(whole) or not _ARCHITECTURE.fullmatch(architecture):
            return "", whole
        return architecture, user_path(file)
    except OSError as error:
        raise ModelError(error.strerror or str(error), where=name) from None


def _packaged(card: catalog.Card) -> Found:
    path = card.path
    if path is None:
        package = card.package.replace("_", "-")
        raise ModelError(f"{card.name} is not on this machine; it comes with the package {package}", fix=card.install)
    in_a_folder = path.is_dir()
    verify(path / NAMES[0] if in_a_folder else path, card.sha256)
    described = json_object(path / "config.json") if in_a_folder else {}
    form = "onnx_bert" if card.tokenizer else card.source  # form and source are one but there
    if card.words is not None:
        described = json_object(card.words / "config.json")
    return Found(card.name, form, path, card.architecture, described, card.licence, _usual(card), card.words)


def _usual(card: catalog.Card) -> SentenceForm:
    """What the catalog says of a model; how long its texts may be, where no file of its own does."""
    tokens = card.size if card.tokenizer else None
    return SentenceForm(pooling=card.pooling or PLAIN.pooling, prefix=card.prefix, tokens=tokens)


def _in_folder(folder: Path, *, name: str = "", card: catalog.Card | None = None) -> Found:
    """One that `fit` saved, or hub-style: timm's (config.json with `architecture`), transformers' (`model_type`)."""
    described = told_by(folder)
    if described is not None:
        return Found(folder.resolve().name, "headstart", folder, config=described)
    config_file, weights = folder / "config.json", weights_in(folder) or index_in(folder)
    if weights is None or not is_there(config_file):
        missing = f"no {NAMES[0]}" if is_there(config_file) else "no config.json"
        raise ModelError(missing, where=str(folder), fix="a model folder has both")
    config = json_object(config_file)
    name, licence = (card.name, card.licence) if card else (name or folder.name, "")
    usual = _usual(card) if card else PLAIN
    if "architecture" in config:
        if weights.name in INDEXES:
            fix = f"load them with timm and safetensors.torch.save_file them as one {NAMES[0]}"
            raise ModelError("an image model whose weights are in several files", where=str(weights), fix=fix)
        refuse_unlike_its_name(weights)
        architecture = checked(config, record({"architecture": ARCHITECTURE}), str(config_file))["architecture"]
        return Found(name, "timm", weights, architecture, _at_size(config, card), licence)
    if "model_type" in config:
        for file in shards_of(weights) if weights.name in INDEXES else [weights]:
            refuse_unlike_its_name(file)
        form = "static" if config["model_type"] == "model2vec" else "transformers"
        return Found(name, form, folder, config=config, licence=licence, usual=usual)
    raise ModelError("neither timm's nor transformers' config.json", where=str(config_file))


def _at_size(config: dict[str, Any], card: catalog.Card | None) -> dict[str, Any]:
    """What config.json says, with the size that the catalog has a vision transformer see, where that is another."""
    told = config.get("pretrained_cfg")
    published = told.get("input_size") if isinstance(told, dict) else None
    if card is None or not card.resized or published == [3, card.size, card.size]:
        return config
    sized = {**(told or {}), "input_size": [3, card.size, card.size]}
    return {
        **config,
        "pretrained_cfg": sized,
        "model_args": {**(config.get("model_args") or {}), "img_size": card.size},
    }


def _in_file(path: Path, architecture: str) -> Found:
    form = ENDINGS.get(path.suffix.lower())
    if form is None:
        raise ModelError(
            f"weights are not known as {path.suffix!r}", where=str(path), fix=f"one of {', '.join(ENDINGS)}"
        )
    refuse_unlike_its_name(path)
    pinned = _TORCHVISION.search(path.name)
    if pinned and not file_sha256(path).startswith(pinned[1]):
        raise ModelError(
            f"the name says that its sha256 starts with {pinned[1]}, it starts with {file_sha256(path)[:8]}",
            where=str(path),
            fix="the file is damaged or cut short: fetch it again",
        )
    card = next((card for card in catalog.cards() if architecture and card.sha256 == file_sha256(path)), None)
    if card is not None and card.architecture != architecture:  # tensors of the same shapes, and another padding
        raise ModelError(
            f"these are the weights of {card.name}, trained as {card.architecture}, not as {architecture}",
            where=str(path),
            fix=f"--model {card.name}",
        )
    return Found(path.stem, form, path, architecture)

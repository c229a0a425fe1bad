"""From weights that were found to a Backbone.

The first time, the library that the weights come from says how the model is built and fed; this description is kept in
the cache beside the headless weights, under the sha256 of the file and the library's version. After that a Backbone is
opened without loading torch: its `module` is built only where an engine has to be compiled.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from headstart.errors import ModelError
from headstart.files import read_json
from headstart.kept import in_a_folder, room, unfinished_folder, write_kept
from headstart.places import as_json
from headstart.pretrained.find import Found, find
from headstart.pretrained.weights import NAMES, RawTensor, file_sha256, raw_tensors, tensors_hash
from headstart.progress import Progress, Silent
from headstart.values import Backbone, Classifier, ImagePreparation, Kind, TextPreparation

_DESCRIPTION = 5  # raise when the description's form changes
Head = Literal["", "classes", "spans", "new spans"]  # which head the module has: none, a classifier, a reader's
_LIBRARY = {"timm": "timm", "torchvision": "timm", "keras": "timm", "onnx": "openvino", "transformers": "transformers"}


def load(name: str, *, kind: Kind, progress: Progress | None = None) -> Backbone:
    """Open a backbone by catalog name, hub name, folder, file or ARCHITECTURE=FILE.

    Args:
        name: which.
        kind: of the data that it is for.
        progress: told of a step "fetch", where the hub is asked for the weights, and then of one "open". Without it,
            the first shows on a terminal all the same.

    Raises:
        ModelError: unknown, not on this machine, damaged, or made for another kind of data.
    """
    found = find(name, progress=progress)
    with (progress or Silent()).step("open"):
        backbone, _ = _open(found)
    if backbone.kind != kind:
        raise ModelError(f"{name} is a model for {backbone.kind}s, the data are {kind}s", where="--model")
    return backbone


def load_classifier(name: str) -> tuple[Backbone, Classifier]:
    """A pre-trained model with the classes that it was trained on, by the same names as `load`.

    Raises:
        ModelError: as `load`; or the weights have no classifier.
    """
    found = find(name)
    if _reads(_unsaved(found)):
        raise ModelError(
            f"{found.name} finds answers in texts; it has no classes",
            where=name,
            fix=f"headstart answer {name} QUESTION --context FILE, or headstart.load_reader",
        )
    backbone, classifier = _open(found, with_head=True)
    if classifier is None:
        raise ModelError(
            f"{found.name} has no classes of its own: its weights have no classifier",
            where=name,
            fix=f"adapt it to yours: headstart fit DATA --model {name}",
        )
    return backbone, classifier


def load_reader(name: str, *, new_head: bool = False, progress: Progress | None = None) -> Backbone:
    """A model that finds answers in texts, by the same names as `load`; its features are (n, t, 2) scores.

    For each token of a question and a text: is it the first of the answer, is it the last.

    Args:
        new_head: any text encoder will do; where it has no such head it gets one of random numbers, which has yet to be
            trained, and the backbone's config says "new spans" for its head.
        progress: as for `load`.

    Raises:
        ModelError: as `load`; or it is no such model.
    """
    found = _unsaved(find(name, progress=progress))
    head: Head = "spans" if _reads(found) else "new spans"
    if new_head and found.form != "transformers":
        raise ModelError(
            f"{found.name} does not read texts",
            where=name,
            fix="take a text encoder of BERT's kind: headstart models lists some",
        )
    if not new_head and head != "spans":
        raise ModelError(
            f"{found.name} does not find answers in texts: it has no head for that",
            where=name,
            fix="take a model whose config.json says ForQuestionAnswering (trained on SQuAD, say)",
        )
    with (progress or Silent()).step("open"):
        return _described(found, head=head)[0]


def answers_questions(name: str) -> bool:
    """Whether a model is one for `load_reader`, as its config.json says.

    Raises:
        ModelError: as `load`, where there is nothing of that name.
    """
    return _reads(_unsaved(find(name)))


def _reads(found: Found) -> bool:
    named = found.config.get("architectures") or ()
    return found.form == "transformers" and any("ForQuestionAnswering" in str(name) for name in named)


def _unsaved(found: Found) -> Found:
    """A reader that was saved here is a folder of transformers', with more beside it."""
    config = found.path / "config.json"
    if found.form != "headstart" or not config.exists():
        return found
    told = json.loads(config.read_text(encoding="utf-8"))
    return replace(found, form="transformers", config=told) if "model_type" in told else found


def _open(found: Found, *, with_head: bool = False) -> tuple[Backbone, Classifier | None]:
    if "reader" in found.config:  # as what it is apart from that: an encoder
        found = _unsaved(found)
    if found.form == "headstart":
        return _saved(found)
    another = with_head and found.form == "transformers"  # there a classifier is a module of its own
    backbone, told, home = _described(found, head="classes" if another else "")
    if not with_head or told["classes"] is None:
        return backbone, None
    return backbone, _classifier(home / "head.safetensors", told["classes"])


def _described(found: Found, *, head: Head) -> tuple[Backbone, dict[str, Any], Path]:
    """The backbone, what was written down of it, and the folder where that is."""
    home = _home(found, head=head)
    told = _told(home)
    if told is None:
        write = partial(_keep, found=found, head=head)
        home = in_a_folder(home, write, what=f"the description of {found.name}", size=_bytes(found))
        told = read_json(home / "backbone.json")
    weights = _weights(found, home, told)
    return rebuilt({**told, "name": found.name, "licence": found.licence}, weights), told, home


def _saved(found: Found) -> tuple[Backbone, Classifier]:
    """The backbone of a folder that `fit` saved, just as it was used there, and its head."""
    try:
        backbone, head = reopen(found.path, found.config["backbone"]), found.config["head"]
        classifier = _classifier(found.path / head["file"], found.config["classes"], prefix=head["prefix"])
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ModelError(
            f"damaged, or saved by another version of headstart: {type(error).__name__} {error}",
            where=str(found.path),
            fix="save or copy it again",
        ) from None
    return replace(backbone, name=found.name), classifier


def _classifier(file: Path, classes: Sequence[str], *, prefix: str = "") -> Classifier:
    import numpy as np  # not with the list of models

    tensors = raw_tensors(file)
    weight, bias = (np.frombuffer(tensors[prefix + part].data, "<f4") for part in ("weight", "bias"))
    return Classifier(tuple(classes), weight.reshape(len(bias), -1), bias)


def rebuilt(told: dict[str, Any], weights: Path, *, tokenizer: str | None = None) -> Backbone:
    """From a description. Texts: the tokenizer is in it, or handed in."""
    preparation: ImagePreparation | TextPreparation
    if told["kind"] == "image":
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in told["preparation"].items()}
        preparation = ImagePreparation(**fields)
    else:
        fields = {**told["preparation"], "inputs": tuple(told["preparation"]["inputs"])}
        preparation = TextPreparation(**(fields if tokenizer is None else {**fields, "tokenizer": tokenizer}))
    plain = {k: told[k] for k in _PLAIN}
    return Backbone(**plain, preparation=preparation, weights=weights, module=_builder(told, weights))


def _weights(found: Found, home: Path, told: dict[str, Any]) -> Path:
    """In the description's folder; an encoder that has a safetensors file of its own is left where it is."""
    own = found.path / told["weights"]
    return own if found.form == "transformers" and own.exists() else home / str(told["weights"])


_PLAIN = ("name", "source", "architecture", "kind", "width", "weights_hash", "config", "licence")


def _builder(told: dict[str, Any], weights: Path) -> Callable[[], Any]:
    """What builds the module: it loads the library, so it is called only where an engine is compiled."""

    def module() -> Any:
        if told["source"] == "timm":
            from headstart.pretrained import from_timm

            return from_timm.module(told["architecture"], weights, told["config"])
        if told["source"] == "onnx":
            from headstart.pretrained import from_onnx

            return from_onnx.module(weights)
        from headstart.pretrained import from_transformers

        return from_transformers.module(weights.parent, told["config"])

    return module


def _describe(found: Found, folder: Path, *, head: Head) -> dict[str, Any]:
    """Ask the library; headless weights (and the head) are written into `folder`."""
    if found.form == "transformers":
        from headstart.pretrained import from_transformers

        return from_transformers.describe(found.path, target=folder, head=head)
    if found.form == "onnx":
        from headstart.pretrained import from_onnx

        return from_onnx.describe(found.path, target=folder)
    from headstart.pretrained import from_timm

    return from_timm.describe(_translated(found), target=folder)


def _translated(found: Found) -> Any:
    """The weights under timm's names."""
    from headstart.pretrained import from_timm

    if found.form == "timm":
        return from_timm.read(found.path, architecture=found.architecture, config=found.config)
    if found.form == "torchvision":
        from headstart.pretrained import from_torchvision

        return from_torchvision.translate(found.path, architecture=found.architecture or None)
    from headstart.pretrained import from_keras

    return from_keras.translate(found.path, architecture=found.architecture or None)


def backbone_hash(weights: Path, tensors: dict[str, RawTensor], config: dict[str, Any]) -> str:
    """The weights and all that changes what they compute: what `Backbone.weights_hash` holds."""
    hashed = file_sha256(weights) if weights.suffix == ".onnx" else tensors_hash(tensors)
    computed = {k: config[k] for k in ("pooling", "normalise", "layers", "head", "changes") if config.get(k)}
    return hashlib.sha256((hashed + (as_json(computed) if computed else "")).encode()).hexdigest()


def reopen(folder: Path, told: dict[str, Any]) -> Backbone:
    """The backbone inside a folder that headstart saved; the weights are hashed again, no other library is loaded.

    Args:
        folder: with model.safetensors (which may hold the head too) or model.onnx.
        told: what `describe_saved` wrote.

    Raises:
        ModelError: the weights are not those that were saved.
    """
    weights = folder / ("model.onnx" if told["source"] == "onnx" else "model.safetensors")
    tokenizer = (folder / "tokenizer.json").read_text(encoding="utf-8") if told["kind"] == "text" else None
    return verified(told, weights, tokenizer=tokenizer)


def verified(told: dict[str, Any], weights: Path, *, tokenizer: str | None) -> Backbone:
    """The backbone that `describe_saved` described, its weights hashed again.

    Raises:
        ModelError: the weights are gone, or not those that were described.
    """
    if not weights.exists():
        raise ModelError("the weights are gone", where=str(weights), fix="fit it again, or copy them there")
    tensors = {} if told["source"] == "onnx" else without_head(raw_tensors(weights), told["config"])
    if backbone_hash(weights, tensors, told["config"]) != told["weights_hash"]:
        raise ModelError("the weights are not those that were saved", where=str(weights), fix="save or copy it again")
    return rebuilt(told, weights, tokenizer=tokenizer)


def without_head(tensors: dict[str, RawTensor], config: dict[str, Any]) -> dict[str, RawTensor]:
    """The tensors that are not of the classifier (or classifiers) that `config` names."""
    named = config.get("classifier") or ()
    heads = tuple(f"{name}." for name in ([named] if isinstance(named, str) else named))
    return {k: t for k, t in tensors.items() if not heads or not k.startswith(heads)}


def describe_saved(backbone: Backbone) -> dict[str, Any]:
    """What `reopen` needs; the tokenizer is in its own file."""
    preparation = {k: v for k, v in asdict(backbone.preparation).items() if k != "tokenizer"}
    return {**{k: getattr(backbone, k) for k in _PLAIN}, "preparation": preparation}


def _home(found: Found, *, head: Head) -> Path:
    """The folder of the description, named after all that it depends on."""
    library = _LIBRARY[found.form]
    if found.path.is_dir():
        names = ("config.json", "tokenizer.json", "tokenizer_config.json", "modules.json", "1_Pooling/config.json")
        files = [found.path / name for name in (*NAMES, *names)]
    else:
        beside = [found.path.parent / name for name in ("config.json", "preprocessor_config.json")]
        files = [found.path, *(beside if found.form == "onnx" else ())]
    hashes = [file_sha256(file) if file.exists() else "" for file in files]
    asked = f"{_DESCRIPTION} {found.form} {library} {version(library)} {found.architecture} {head} {hashes}"
    key = hashlib.sha256(f"{asked} {as_json(found.config)}".encode()).hexdigest()[:24]
    return room("backbones") / key


def _told(home: Path) -> dict[str, Any] | None:
    """The description in a folder; None where there is none, or a power loss left files that are not whole."""
    try:
        told = dict(read_json(home / "backbone.json"))
        whole = all((home / name).stat().st_size == size for name, size in told.get("bytes", {}).items())
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return told if whole else None


def _bytes(found: Found) -> int:
    """What a description needs, about: that of an encoder leaves safetensors where they are."""
    if found.path.is_file():
        return found.path.stat().st_size
    files = [found.path / name for name in NAMES]
    if found.form == "transformers" and files[0].exists():
        return 0
    return next((file.stat().st_size for file in files if file.exists()), 0)


def _keep(home: Path, *, found: Found, head: Head) -> None:
    """Describe into a folder of its own, then rename: two runs at once, or a kill, leave nothing half done."""
    with unfinished_folder(home) as folder:
        told = _describe(found, folder, head=head)
        weights = _weights(found, folder, told)
        tensors = {} if weights.suffix == ".onnx" else raw_tensors(weights)
        told["weights_hash"] = backbone_hash(weights, tensors, told["config"])
        told["bytes"] = {file.name: file.stat().st_size for file in folder.iterdir() if file.is_file()}
        write_kept(folder / "backbone.json", as_json(told))
        if home.exists() and _told(home) is None:  # damaged
            shutil.rmtree(home, ignore_errors=True)
        try:
            folder.rename(home)
        except OSError:
            if _told(home) is None:  # another run was not first: a real failure
                raise

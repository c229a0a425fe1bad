"""From a name or a folder to a Backbone.

The first time, the source library (timm or transformers) says how the model is built and fed; this description is
kept in the cache beside the headless weights, under the sha256 of the weights file and the library's version. After
that a Backbone is opened without loading torch: its `module` is built only where an engine has to be compiled.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.errors import ModelError
from headstart.places import as_json, cache_folder, temporary_beside, write_whole
from headstart.pretrained import catalog
from headstart.pretrained.weights import RawTensor, file_sha256, open_torch_file, raw_tensors, tensors_hash, verify
from headstart.values import Backbone, ImagePreparation, Kind, TextPreparation

if TYPE_CHECKING:
    from torch import nn

_DESCRIPTION = 2  # raise when the description's form changes


def load(name: str, *, kind: Kind) -> Backbone:
    """Open a backbone by catalog name, hub name or folder.

    Raises:
        ModelError: unknown, not on this machine, damaged, or made for another kind of data.
    """
    card = catalog.find(name)
    if card is not None:
        backbone = _from_card(card)
    elif Path(name).is_dir():
        backbone = load_folder(Path(name))
    else:
        backbone = load_folder(_from_hub(name), name=name)
    if backbone.kind != kind:
        raise ModelError(f"{name} is a model for {backbone.kind}s, the data are {kind}s", where="--model")
    return backbone


def load_folder(folder: Path, *, name: str | None = None) -> Backbone:
    """Open a hub-style folder: timm's (config.json with `architecture`) or transformers' (with `model_type`)."""
    config_file, weights = folder / "config.json", folder / "model.safetensors"
    if not config_file.exists() or not weights.exists():
        missing = "config.json" if not config_file.exists() else "model.safetensors"
        raise ModelError(f"no {missing}", where=str(folder), fix="a model folder has both (no pickled weights)")
    config = json.loads(config_file.read_text(encoding="utf-8"))
    name = name or folder.name
    if "architecture" in config:
        return _timm(name, config["architecture"], weights, pretrained_cfg=config.get("pretrained_cfg"), licence="")
    if "model_type" in config:
        return _transformers(name, folder, licence="")
    raise ModelError("neither timm's nor transformers' config.json", where=str(config_file))


def _from_card(card: catalog.Card) -> Backbone:
    path = card.path
    if path is None:
        raise ModelError(
            f"{card.name} is not on this machine; it comes with the package {card.package.replace('_', '-')}",
            fix=card.install,
        )
    if card.source == "transformers":
        verify(path / "model.safetensors", card.sha256)
        return _transformers(card.name, path, licence=card.licence)
    verify(path, card.sha256)
    return _timm(card.name, card.architecture, path, pretrained_cfg=None, licence=card.licence)


def _timm(
    name: str, architecture: str, weights: Path, *, pretrained_cfg: dict[str, Any] | None, licence: str
) -> Backbone:
    asked = f"timm {version('timm')} {architecture} {file_sha256(weights)} {as_json(pretrained_cfg)}"
    home = _home(asked)
    if not (home / "backbone.json").exists():
        from safetensors.torch import load_file

        from headstart.pretrained import from_timm

        state = load_file(weights) if weights.suffix == ".safetensors" else open_torch_file(weights)
        describe = partial(from_timm.describe, architecture, state, pretrained_cfg=pretrained_cfg)
        _keep(home, lambda folder: describe(target=folder / "model.safetensors"))
    told = json.loads((home / "backbone.json").read_text(encoding="utf-8"))

    def module() -> nn.Module:
        from headstart.pretrained import from_timm

        return from_timm.module(architecture, home / "model.safetensors")

    return Backbone(
        name=name,
        source="timm",
        architecture=architecture,
        kind="image",
        width=told["width"],
        preparation=_image_preparation(told["preparation"]),
        weights_hash=told["weights_hash"],
        weights=home / "model.safetensors",
        config=told["config"],
        licence=licence,
        module=module,
    )


def _transformers(name: str, folder: Path, *, licence: str) -> Backbone:
    weights = folder / "model.safetensors"
    beside = [folder / f for f in ("config.json", "tokenizer.json", "tokenizer_config.json", "modules.json")]
    texts = [file_sha256(f) if f.exists() else "" for f in (*beside, folder / "1_Pooling" / "config.json")]
    home = _home(f"transformers {version('transformers')} {file_sha256(weights)} {texts}")
    if not (home / "backbone.json").exists():
        from headstart.pretrained import from_transformers

        _keep(home, lambda _: from_transformers.describe(folder), weights=weights)
    told = json.loads((home / "backbone.json").read_text(encoding="utf-8"))
    config = told["config"]

    def module() -> nn.Module:
        from headstart.pretrained import from_transformers

        return from_transformers.module(folder, config)

    return Backbone(
        name=name,
        source="transformers",
        architecture=(config["transformers"].get("architectures") or ["AutoModel"])[0],
        kind="text",
        width=told["width"],
        preparation=TextPreparation(**{**told["preparation"], "inputs": tuple(told["preparation"]["inputs"])}),
        weights_hash=told["weights_hash"],
        weights=weights,
        config=config,
        licence=licence,
        module=module,
    )


def backbone_hash(tensors: dict[str, RawTensor], config: dict[str, Any]) -> str:
    """The weights and, for texts, the pooling over them: what `Backbone.weights_hash` holds."""
    pooling = as_json({k: config[k] for k in ("pooling", "normalise", "layers")}) if "pooling" in config else ""
    return hashlib.sha256((tensors_hash(tensors) + pooling).encode()).hexdigest()


def reopen(folder: Path, told: dict[str, Any]) -> Backbone:
    """The backbone inside a folder that headstart saved; the tensors are hashed again, no other library is loaded.

    Args:
        folder: with model.safetensors, which may hold the head too.
        told: what `describe_saved` wrote.

    Raises:
        ModelError: the tensors are not those that were saved.
    """
    weights = folder / "model.safetensors"
    head = told["config"].get("classifier", "")
    tensors = {k: t for k, t in raw_tensors(weights).items() if not head or not k.startswith(head + ".")}
    if backbone_hash(tensors, told["config"]) != told["weights_hash"]:
        raise ModelError("the weights are not those that were saved", where=str(weights), fix="save or copy it again")
    preparation: ImagePreparation | TextPreparation
    if told["kind"] == "image":
        preparation = _image_preparation(told["preparation"])
    else:
        tokenizer = (folder / "tokenizer.json").read_text(encoding="utf-8")
        rest = {**told["preparation"], "inputs": tuple(told["preparation"]["inputs"])}
        preparation = TextPreparation(tokenizer=tokenizer, **rest)

    def module() -> nn.Module:
        if told["source"] == "timm":
            from headstart.pretrained import from_timm

            return from_timm.module(told["architecture"], weights)
        from headstart.pretrained import from_transformers

        return from_transformers.module(folder, told["config"])

    plain = {
        k: told[k] for k in ("name", "source", "architecture", "kind", "width", "weights_hash", "config", "licence")
    }
    return Backbone(**plain, preparation=preparation, weights=weights, module=module)


def describe_saved(backbone: Backbone) -> dict[str, Any]:
    """What `reopen` needs; the tokenizer is in its own file."""
    plain = ("name", "source", "architecture", "kind", "width", "weights_hash", "config", "licence")
    preparation = {k: v for k, v in asdict(backbone.preparation).items() if k != "tokenizer"}
    return {**{k: getattr(backbone, k) for k in plain}, "preparation": preparation}


def _image_preparation(told: dict[str, Any]) -> ImagePreparation:
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in told.items()}
    return ImagePreparation(**fields)


def _home(asked: str) -> Path:
    key = hashlib.sha256(f"{_DESCRIPTION} {asked}".encode()).hexdigest()[:24]
    return cache_folder() / "backbones" / key


def _keep(home: Path, describe: Any, *, weights: Path | None = None) -> None:
    """Describe into a folder of its own, then rename: two runs at once, or a kill, leave nothing half done."""
    home.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(home)
    temporary.mkdir()
    try:
        told = describe(temporary)
        tensors = raw_tensors(weights or temporary / "model.safetensors")
        told["weights_hash"] = backbone_hash(tensors, told["config"])
        write_whole(temporary / "backbone.json", as_json(told))
        try:
            temporary.rename(home)
        except OSError:
            if not (home / "backbone.json").exists():  # another run was not first: a real failure
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _from_hub(name: str) -> Path:
    """The hub's copy on this machine, or a download where there is a network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    repo = name if "/" in name else f"timm/{name}"
    wanted = ["config.json", "model.safetensors", "tokenizer*.json", "modules.json", "*_config.json", "1_Pooling/*"]
    near = catalog.nearest(name)
    fix = f"did you mean {near}?" if near else "headstart models lists what is at hand"
    try:
        return Path(snapshot_download(repo, allow_patterns=wanted, local_files_only=True))
    except HFValidationError:
        raise ModelError(f"no such folder, and no valid hub name: {name!r}", where="--model", fix=fix) from None
    except LocalEntryNotFoundError:
        pass
    try:
        return Path(snapshot_download(repo, allow_patterns=wanted, etag_timeout=5, max_workers=2))
    except Exception as error:  # the client raises its own, httpx's and OS errors, by cause; all mean: not to be had
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"{name!r} is not on this machine, and huggingface.co/{repo} cannot be reached: {reason[:160]}",
            where="--model",
            fix=fix,
        ) from error

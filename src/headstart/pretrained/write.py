"""A backbone with a linear head on it, written as the library that its weights come from keeps such models."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from headstart.backbone import Backbone, Head
from headstart.pretrained.weights import RawTensor, raw, raw_tensors, without_head, write_tensors
from headstart.storage.place import write_text
from headstart.storage.places import as_json

_DROPPED = ("url", "hf_hub_id", "file", "custom_load", "source", "origin_url", "paper_ids")  # of timm's configuration

_HEADED = re.compile(r"(?:For[A-Z]\w*|LMHeadModel)$")  # of a class of transformers: BertForMaskedLM


def write_timm(backbone: Backbone, head: Head, folder: Path) -> dict[str, str]:
    """As timm's own hub folders: `timm.create_model("local-dir:FOLDER", pretrained=True)` opens it.

    So does `pipeline("image-classification", FOLDER)` of transformers, with its classes. A distilled model has two
    classifiers and answers with the mean of them: both are the same one then. A model that timm's builder has no word
    for is described where neither looks: they would build another one, whose tensors have the same shapes.

    Returns:
        Where the head is: file, and prefix of its tensors' names.
    """
    named = backbone.config["classifier"]
    prefixes = [named] if isinstance(named, str) else list(named)
    tensors = without_head(raw_tensors(backbone.weights), backbone.config)
    for prefix in prefixes:
        tensors |= {f"{prefix}.weight": raw(head.weight), f"{prefix}.bias": raw(head.bias)}
    for norm in backbone.config.get("norms", ()):
        tensors |= _neutral(norm, backbone.width)
    write_tensors(folder / "model.safetensors", tensors)
    settings = {k: v for k, v in backbone.config["pretrained_cfg"].items() if k not in _DROPPED}
    settings |= {"num_classes": len(head.classes), "label_names": list(head.classes)}
    config = {
        "architecture": backbone.architecture,
        "num_classes": len(head.classes),
        "label_names": list(head.classes),
        "problem_type": _problem(head),
        "num_features": backbone.width,
        "model_args": backbone.config.get("model_args") or {},
        "pretrained_cfg": settings,
    }
    write_text(folder / "config.json", as_json({"changed": config} if backbone.config.get("changes") else config))
    return {"file": "model.safetensors", "prefix": f"{prefixes[0]}."}


def _neutral(norm: str, width: int) -> dict[str, RawTensor]:
    """A BatchNorm that changes nothing."""
    ones, zeros = raw(np.ones(width, np.float32)), raw(np.zeros(width, np.float32))
    told = {"weight": ones, "bias": zeros, "running_mean": zeros, "running_var": ones}
    counted = RawTensor("I64", [], bytes(8))
    return {f"{norm}.{part}": tensor for part, tensor in {**told, "num_batches_tracked": counted}.items()}


def _problem(head: Head) -> str:
    """What becomes of its outputs, in transformers' words."""
    if head.width is not None:
        return "regression"
    return "single_label_classification" if head.thresholds is None else "multi_label_classification"


def write_transformers(backbone: Backbone, head: Head, folder: Path) -> dict[str, str]:
    """The encoder as transformers keeps it, its pooling as sentence-transformers does, and the head beside them.

    transformers' own classifiers take one layer, and most of them its first token through a layer of their own, so no
    config of theirs says "two layers, then a linear one". `AutoModel.from_pretrained(FOLDER)` opens the encoder; the
    model card shows the ten lines of plain transformers that give the same probabilities. config.json says that it is
    an encoder without labels: a classifier that is made of it, with random numbers, has no class to answer with.
    """
    plain = {"architectures": [_HEADED.sub("Model", backbone.architecture)], "id2label": {}, "label2id": {}}
    write_encoder(backbone, folder, told=plain)
    config = backbone.config
    write_text(folder / "sentence_bert_config.json", as_json({"max_seq_length": backbone.texts.max_length}))
    steps = [("", "Transformer"), ("1_Pooling", "Pooling")]
    steps += [("2_Normalize", "Normalize")] if config["normalise"] else []
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{name}"}
        for i, (path, name) in enumerate(steps)
    ]
    write_text(folder / "modules.json", as_json(modules))
    pooling = {
        "word_embedding_dimension": backbone.width,
        "pooling_mode_cls_token": config["pooling"] == "cls",
        "pooling_mode_mean_tokens": config["pooling"] == "mean",
        **({"pooling_mode_max_tokens": True} if config["pooling"] == "max" else {}),
    }
    if backbone.texts.prefix:  # as sentence-transformers has what stands before every text
        prompts = {"prompts": {"headstart": backbone.texts.prefix}, "default_prompt_name": "headstart"}
        write_text(folder / "config_sentence_transformers.json", as_json(prompts))
    write_text(folder / "1_Pooling" / "config.json", as_json(pooling))
    return _write_head(head, folder)


def write_encoder(backbone: Backbone, folder: Path, *, told: Mapping[str, Any] | None = None) -> None:
    """Weights, configuration and tokenizer of a text model, as transformers keeps them.

    Args:
        told: what config.json says otherwise than the model's own.
    """
    shutil.copyfile(backbone.weights, folder / "model.safetensors")
    write_text(folder / "config.json", as_json({**backbone.config["transformers"], **(told or {})}))
    write_text(folder / "tokenizer.json", backbone.texts.tokenizer)
    write_text(folder / "tokenizer_config.json", as_json(backbone.config["tokenizer"]))


def write_static(backbone: Backbone, head: Head, folder: Path) -> dict[str, str]:
    """The table as model2vec keeps it, and the head beside it: `StaticModel.from_pretrained(FOLDER)` opens it."""
    shutil.copyfile(backbone.weights, folder / "model.safetensors")
    config = {"model_type": "model2vec", "architectures": ["StaticModel"], "hidden_dim": backbone.width}
    write_text(folder / "config.json", as_json({**config, "normalize": backbone.config["normalise"]}))
    write_text(folder / "tokenizer.json", backbone.texts.tokenizer)
    return _write_head(head, folder)


def write_onnx(backbone: Backbone, head: Head, folder: Path) -> dict[str, str]:
    """The file as it came, with what says how its images are prepared, and the new head beside it."""
    shutil.copyfile(backbone.weights, folder / "model.onnx")
    sidecar = backbone.config["sidecar"]
    write_text(folder / sidecar["name"], as_json(sidecar["content"]))
    return _write_head(head, folder)


def _write_head(head: Head, folder: Path) -> dict[str, str]:
    write_tensors(folder / "head.safetensors", {"weight": raw(head.weight), "bias": raw(head.bias)})
    return {"file": "head.safetensors", "prefix": ""}

"""A backbone with a linear head on it, written as the library that its weights come from keeps such models."""

from __future__ import annotations

import shutil
from pathlib import Path

from headstart.backbone import Backbone, Head
from headstart.pretrained.weights import raw, raw_tensors, without_head, write_tensors
from headstart.storage.place import write_text
from headstart.storage.places import as_json

_DROPPED = ("url", "hf_hub_id", "file", "custom_load", "source", "origin_url", "paper_ids")  # of timm's configuration


def write_timm(backbone: Backbone, head: Head, folder: Path) -> dict[str, str]:
    """As timm's own hub folders: `timm.create_model("local-dir:FOLDER", pretrained=True)` opens it.

    A distilled model has two classifiers and answers with the mean of them: both are the same one then.

    Returns:
        Where the head is: file, and prefix of its tensors' names.
    """
    named = backbone.config["classifier"]
    prefixes = [named] if isinstance(named, str) else list(named)
    tensors = without_head(raw_tensors(backbone.weights), backbone.config)
    for prefix in prefixes:
        tensors |= {f"{prefix}.weight": raw(head.weight), f"{prefix}.bias": raw(head.bias)}
    write_tensors(folder / "model.safetensors", tensors)
    settings = {k: v for k, v in backbone.config["pretrained_cfg"].items() if k not in _DROPPED}
    settings |= {"num_classes": len(head.classes), "label_names": list(head.classes)}
    config = {
        "architecture": backbone.architecture,
        "num_classes": len(head.classes),
        "num_features": backbone.width,
        "model_args": backbone.config.get("model_args") or {},
        "pretrained_cfg": settings,
    }
    write_text(folder / "config.json", as_json(config))
    return {"file": "model.safetensors", "prefix": f"{prefixes[0]}."}


def write_transformers(backbone: Backbone, head: Head, folder: Path) -> dict[str, str]:
    """The encoder as transformers keeps it, its pooling as sentence-transformers does, and the head beside them.

    transformers' own classifiers put a tanh layer on the first token, so no config of theirs says "means of two layers,
    then a linear one". `AutoModel.from_pretrained(FOLDER)` opens the encoder; the model card shows the ten lines of
    plain transformers that give the same probabilities.
    """
    write_encoder(backbone, folder)
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
    }
    write_text(folder / "1_Pooling" / "config.json", as_json(pooling))
    return _write_head(head, folder)


def write_encoder(backbone: Backbone, folder: Path) -> None:
    """Weights, configuration and tokenizer of a text model, as transformers keeps them."""
    shutil.copyfile(backbone.weights, folder / "model.safetensors")
    write_text(folder / "config.json", as_json(backbone.config["transformers"]))
    write_text(folder / "tokenizer.json", backbone.texts.tokenizer)
    write_text(folder / "tokenizer_config.json", as_json(backbone.config["tokenizer"]))


def write_onnx(backbone: Backbone, head: Head, folder: Path) -> dict[str, str]:
    """The file as it came, with what says how its images are prepared, and the new head beside it."""
    shutil.copyfile(backbone.weights, folder / "model.onnx")
    sidecar = backbone.config["sidecar"]
    write_text(folder / sidecar["name"], as_json(sidecar["content"]))
    return _write_head(head, folder)


def _write_head(head: Head, folder: Path) -> dict[str, str]:
    write_tensors(folder / "head.safetensors", {"weight": raw(head.weight), "bias": raw(head.bias)})
    return {"file": "head.safetensors", "prefix": ""}

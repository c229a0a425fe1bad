"""The folder of a fitted classifier."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from headstart.errors import OutputError
from headstart.model import Model, class_hash, load
from headstart.pretrained.load import without_head
from headstart.pretrained.plain_code import plain_code
from headstart.pretrained.rebuild import describe_saved, head_hash
from headstart.pretrained.weights import raw, raw_tensors, write_tensors
from headstart.report.card import card
from headstart.report.classification import report
from headstart.report.provenance import Provenance
from headstart.storage.place import Place, rejected_table, table, write_text
from headstart.storage.places import as_json
from headstart.values import Backbone, Dataset, Features, Head, Scores, Split, TextPreparation

_REPLAYED = 64  # test examples whose logits the loaded folder must give again


def save(
    model: Model, place: Place, *, dataset: Dataset, split: Split, features: Features, provenance: Provenance
) -> Model:
    """Write, load again, compare, rename. Returns the model with its folder; its weights are still where they were.

    Raises:
        OutputError: no space, no permission, taken by now, or the loaded folder gives other outputs (nothing is left
            behind).
    """
    place.write(
        write=lambda new: _write(model, new, dataset, split, provenance, name=place.folder.name),
        prove=lambda new: _prove(model, load(new), features),
    )
    return replace(model, folder=place.folder)


def _prove(model: Model, loaded: Model, features: Features) -> None:
    rows = features.matrix[:_REPLAYED]
    same = loaded.head.features_key == features.key and loaded.classes == model.classes
    if not same or loaded.backbone.weights_hash != model.backbone.weights_hash:
        raise OutputError("the saved model is not the one that was fitted", fix="please report this")
    if not np.array_equal(loaded.head.logits(rows), model.head.logits(rows)):
        raise OutputError("the saved model gives other outputs", fix="please report this")


def _write(model: Model, folder: Path, dataset: Dataset, split: Split, provenance: Provenance, *, name: str) -> None:
    backbone, head, scores = model.backbone, model.head, model.scores
    if scores is None:
        raise ValueError("a model is saved with its scores")
    write = {"transformers": _write_text_model, "onnx": _write_onnx_model}.get(backbone.source, _write_image_model)
    where = write(backbone, head, folder)
    told = {
        "headstart": model.summary["versions"]["headstart"],
        "classes": list(head.classes),
        "classes_hash": class_hash(head.classes),
        "backbone": describe_saved(backbone),
        "head": {
            **where,
            "hash": head_hash(head.weight, head.bias),
            "features_key": head.features_key,
            "penalty": head.penalty,
            "temperature": head.temperature,
        },
        "summary": model.summary,
    }
    write_text(folder / "headstart.json", as_json(told))
    write_text(folder / "metrics.json", as_json(model.summary))
    write_text(folder / "split.csv", _split_table(dataset, split))
    write_text(folder / "rejected.csv", rejected_table(dataset.rejected))
    write_text(folder / "report.html", report(scores, provenance))
    write_text(folder / "README.md", _card(scores, provenance, backbone, name))


def _card(scores: Scores, provenance: Provenance, backbone: Backbone, name: str) -> str:
    return card(
        scores,
        provenance,
        kind=backbone.kind,
        licence=backbone.licence,
        folder=name,
        base_model=backbone.name,
        plain_code=plain_code(backbone, name),
    )


def _write_image_model(backbone: Backbone, head: Head, folder: Path) -> dict[str, str]:
    """As timm's own hub folders: `timm.create_model("local-dir:FOLDER", pretrained=True)` opens it.

    A distilled model has two classifiers and answers with the mean of them: both are the same one then.
    """
    named = backbone.config["classifier"]
    prefixes = [named] if isinstance(named, str) else list(named)
    tensors = without_head(raw_tensors(backbone.weights), backbone.config)
    for prefix in prefixes:
        tensors |= {f"{prefix}.weight": raw(head.weight), f"{prefix}.bias": raw(head.bias)}
    write_tensors(folder / "model.safetensors", tensors)
    drop = ("url", "hf_hub_id", "file", "custom_load", "source", "origin_url", "paper_ids")
    settings = {k: v for k, v in backbone.config["pretrained_cfg"].items() if k not in drop}
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


def _write_text_model(backbone: Backbone, head: Head, folder: Path) -> dict[str, str]:
    """The encoder as transformers keeps it, its pooling as sentence-transformers does, and the head beside them.

    transformers' own classifiers put a tanh layer on the first token, so no config of theirs says "means of two layers,
    then a linear one". `AutoModel.from_pretrained(FOLDER)` opens the encoder; the model card shows the ten lines of
    plain transformers that give the same probabilities.
    """
    if not isinstance(backbone.preparation, TextPreparation):
        raise TypeError("a text model has a TextPreparation")
    shutil.copyfile(backbone.weights, folder / "model.safetensors")
    config = backbone.config
    write_text(folder / "config.json", as_json(config["transformers"]))
    write_text(folder / "tokenizer.json", backbone.preparation.tokenizer)
    write_text(folder / "tokenizer_config.json", as_json(config["tokenizer"]))
    write_text(folder / "sentence_bert_config.json", as_json({"max_seq_length": backbone.preparation.max_length}))
    steps = [("", "Transformer"), ("1_Pooling", "Pooling")]
    steps += [("2_Normalize", "Normalize")] if config["normalise"] else []
    kinds = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(steps)
    ]
    write_text(folder / "modules.json", as_json(kinds))
    pooling = {
        "word_embedding_dimension": backbone.width,
        "pooling_mode_cls_token": config["pooling"] == "cls",
        "pooling_mode_mean_tokens": config["pooling"] == "mean",
    }
    write_text(folder / "1_Pooling" / "config.json", as_json(pooling))
    tensors = {"weight": raw(head.weight), "bias": raw(head.bias)}
    write_tensors(folder / "head.safetensors", tensors)
    return {"file": "head.safetensors", "prefix": ""}


def _write_onnx_model(backbone: Backbone, head: Head, folder: Path) -> dict[str, str]:
    """The file as it came, with what says how its images are prepared, and the new head beside it."""
    shutil.copyfile(backbone.weights, folder / "model.onnx")
    sidecar = backbone.config["sidecar"]
    write_text(folder / sidecar["name"], as_json(sidecar["content"]))
    write_tensors(folder / "head.safetensors", {"weight": raw(head.weight), "bias": raw(head.bias)})
    return {"file": "head.safetensors", "prefix": ""}


def _split_table(dataset: Dataset, split: Split) -> str:
    part = np.full(len(dataset), "unused", dtype=object)
    part[split.train], part[split.test] = "train", "test"
    groups = dataset.checked_groups
    rows = zip(dataset.where, dataset.labels, part, groups.tolist(), strict=True)
    return table(("example", "label", "part", "group"), rows)

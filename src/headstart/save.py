"""The saved folder: written whole or not at all, and proved by loading it again before it gets its name."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from headstart.errors import OutputError
from headstart.evaluate.card import card
from headstart.evaluate.made import Provenance
from headstart.evaluate.report import report
from headstart.model import Model, class_hash, load
from headstart.places import as_json, cannot_write, temporary_beside
from headstart.pretrained import describe_saved
from headstart.pretrained.load import without_head
from headstart.pretrained.plain_code import plain_code
from headstart.pretrained.weights import raw, raw_tensors, write_tensors
from headstart.values import Backbone, Dataset, Features, Finding, Head, Scores, Split, TextPreparation

_REPLAYED = 64  # test examples whose logits the loaded folder must give again


def refuse_taken(folder: Path, *, force: bool) -> None:
    """Raises OutputError where something is already there, or nothing can be written there: before any work is done."""
    if folder.exists() and not force:
        raise OutputError("already there", where=str(folder), fix="choose another --out, or replace it with --force")
    if folder.exists() and not (folder / "headstart.json").exists():
        raise OutputError("not a folder that headstart saved; it is left alone", where=str(folder), fix="another --out")
    parent = folder.resolve().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        probe = temporary_beside(folder.resolve())
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise cannot_write(parent, error) from error


def save(
    model: Model, folder: Path, *, dataset: Dataset, split: Split, features: Features, provenance: Provenance
) -> Model:
    """Write, load again, compare, rename. Returns the model as it was loaded from its final place.

    Raises:
        OutputError: no space, no permission, or the loaded folder gives other outputs (nothing is left behind).
    """
    folder = folder.resolve()
    _sweep(folder)
    temporary = temporary_beside(folder)
    try:
        temporary.mkdir(parents=True)
        _write(model, temporary, dataset, split, provenance, name=folder.name)
        _prove(model, load(temporary), features)
        if folder.exists():  # --force: the old one keeps its bytes until the new one has its name
            old = temporary_beside(folder)
            folder.rename(old)
            temporary.rename(folder)
            shutil.rmtree(old, ignore_errors=True)
        else:
            temporary.rename(folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return replace(model, folder=folder)


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
        "head": {**where, "features_key": head.features_key, "penalty": head.penalty, "temperature": head.temperature},
        "summary": model.summary,
    }
    _text(folder / "headstart.json", as_json(told))
    _text(folder / "metrics.json", as_json(model.summary))
    _text(folder / "split.csv", _split_table(dataset, split))
    _text(folder / "rejected.csv", _rejected_table(dataset.rejected))
    _text(folder / "report.html", report(scores, provenance))
    _text(folder / "README.md", _card(scores, provenance, backbone, name))


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
    _text(folder / "config.json", as_json(config))
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
    _text(folder / "config.json", as_json(config["transformers"]))
    _text(folder / "tokenizer.json", backbone.preparation.tokenizer)
    _text(folder / "tokenizer_config.json", as_json(config["tokenizer"]))
    _text(folder / "sentence_bert_config.json", as_json({"max_seq_length": backbone.preparation.max_length}))
    steps = [("", "Transformer"), ("1_Pooling", "Pooling")]
    steps += [("2_Normalize", "Normalize")] if config["normalise"] else []
    kinds = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(steps)
    ]
    _text(folder / "modules.json", as_json(kinds))
    pooling = {
        "word_embedding_dimension": backbone.width,
        "pooling_mode_cls_token": config["pooling"] == "cls",
        "pooling_mode_mean_tokens": config["pooling"] == "mean",
    }
    _text(folder / "1_Pooling" / "config.json", as_json(pooling))
    tensors = {"weight": raw(head.weight), "bias": raw(head.bias)}
    write_tensors(folder / "head.safetensors", tensors)
    return {"file": "head.safetensors", "prefix": ""}


def _write_onnx_model(backbone: Backbone, head: Head, folder: Path) -> dict[str, str]:
    """The file as it came, with what says how its images are prepared, and the new head beside it."""
    shutil.copyfile(backbone.weights, folder / "model.onnx")
    sidecar = backbone.config["sidecar"]
    _text(folder / sidecar["name"], as_json(sidecar["content"]))
    write_tensors(folder / "head.safetensors", {"weight": raw(head.weight), "bias": raw(head.bias)})
    return {"file": "head.safetensors", "prefix": ""}


def _split_table(dataset: Dataset, split: Split) -> str:
    part = np.full(len(dataset), "train", dtype=object)
    part[split.test] = "test"
    groups = dataset.groups if dataset.groups is not None else np.arange(len(dataset))
    rows = zip(dataset.where, dataset.labels, part, groups.tolist(), strict=True)
    return _table(("example", "label", "part", "group"), rows)


def _rejected_table(rejected: Sequence[Finding]) -> str:
    return _table(("example", "kind", "reason"), ((f.where, f.kind, f.reason) for f in rejected))


def _table(header: Sequence[str], rows: Any) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _text(path: Path, content: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(content, encoding="utf-8", errors="surrogateescape")


def _sweep(folder: Path) -> None:
    """Remove what a killed run left beside the folder; runs that are alive are left alone."""
    for left in folder.parent.glob(f".{folder.name}.*-*.tmp"):
        pid = left.name.removeprefix(f".{folder.name}.").split("-")[0]
        if pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True

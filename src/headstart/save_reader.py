"""The folder of a fitted reader: as transformers keeps such a model, with headstart's own files beside it."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np

from headstart.answering.metrics import SpanScores
from headstart.errors import OutputError
from headstart.pretrained.plain_code import plain_reader_code
from headstart.pretrained.rebuild import describe_saved
from headstart.reader import Reader, load_reader
from headstart.report.answering import report
from headstart.report.card_answering import card
from headstart.report.provenance import Provenance
from headstart.storage.place import Place, rejected_table, table, write_text
from headstart.storage.places import as_json
from headstart.values import Questions, Split, TextPreparation

_REPLAYED = 16  # test questions that the loaded folder must answer in the same way
_SHOWN = 60  # characters of a text that has no title


def save_reader(
    reader: Reader,
    place: Place,
    questions: Questions,
    split: Split,
    *,
    scores: SpanScores,
    baseline: SpanScores,
    provenance: Provenance,
) -> Reader:
    """Write, load again, ask again, rename. Returns the reader as it is in its final place.

    Raises:
        OutputError: no space, no permission, taken by now, or the loaded folder gives other answers (nothing is left
            behind).
    """
    some = questions.take(split.test[:_REPLAYED])

    def write(new: Path) -> None:
        _write_model(reader, new)
        _write_facts(reader, new, questions, split)
        write_text(new / "report.html", report(scores, provenance, baseline=baseline))
        write_text(new / "README.md", _card(reader, place.folder.name, scores, baseline, provenance))

    def prove(new: Path) -> None:
        loaded = load_reader(new)
        if loaded.backbone.weights_hash != reader.backbone.weights_hash or loaded.settings != reader.settings:
            raise OutputError("the saved reader is not the one that was fitted", fix="please report this")
        if loaded.answer_all(some) != reader.answer_all(some):
            raise OutputError("the saved reader gives other answers", fix="please report this")

    place.write(write=write, prove=prove)
    saved = load_reader(place.folder)
    saved.summary = reader.summary
    return saved


def _write_model(reader: Reader, folder: Path) -> None:
    backbone = reader.backbone
    if not isinstance(backbone.preparation, TextPreparation):
        raise TypeError("a reader reads texts")
    shutil.copyfile(backbone.weights, folder / "model.safetensors")
    write_text(folder / "config.json", as_json(backbone.config["transformers"]))
    write_text(folder / "tokenizer.json", backbone.preparation.tokenizer)
    write_text(folder / "tokenizer_config.json", as_json(backbone.config["tokenizer"]))


def _write_facts(reader: Reader, folder: Path, questions: Questions, split: Split) -> None:
    told = {
        "headstart": reader.summary["versions"]["headstart"],
        "task": reader.summary["task"],
        "reader": asdict(reader.settings),
        "backbone": describe_saved(reader.backbone),
        "summary": reader.summary,
    }
    write_text(folder / "headstart.json", as_json(told))
    write_text(folder / "metrics.json", as_json(reader.summary))
    part = np.full(len(questions), "train", dtype=object)
    part[split.test] = "test"
    names = _document_names(questions)
    documents = (names[context] for context in questions.context.tolist())
    rows = zip(questions.where, questions.ids, part, documents, strict=True)
    write_text(folder / "split.csv", table(("question", "id", "part", "document"), rows))
    write_text(folder / "rejected.csv", rejected_table(questions.rejected))


def _document_names(questions: Questions) -> list[str]:
    """Of each context. One without a title would stand whole beside each of its questions: it gets a short name."""
    pairs = zip(questions.contexts, questions.documents, strict=True)
    return [
        f"text {number}: {' '.join(text[:_SHOWN].split())}" if document == text else document
        for number, (text, document) in enumerate(pairs, start=1)
    ]


def _card(reader: Reader, name: str, scores: SpanScores, baseline: SpanScores, provenance: Provenance) -> str:
    longest, threshold = reader.settings.longest, reader.settings.threshold
    return card(
        scores,
        provenance,
        baseline=baseline,
        licence=reader.backbone.licence,
        folder=name,
        longest=longest,
        base_model=reader.summary["model"],
        plain_code=plain_reader_code(reader.backbone, name, longest=longest, threshold=threshold),
    )

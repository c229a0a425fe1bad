"""Records of every task with the examples that their pages show, made without a fit: real data, answers by chance."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import headstart as hs
from headstart.answering.baseline import by_sentence
from headstart.answering.metrics import asked, score
from headstart.evaluate import classification, multilabel, regression
from headstart.record import Record
from headstart.report.examples import gallery_of
from headstart.report.gallery import Gallery
from headstart.task import Scores
from headstart.values import Dataset, Finding
from reading import read_questions

Made = tuple[Record, Gallery]
WORDS = ("card", "transfer", "balance", "cash", "rate", "refund", "pending", "limit", "identity", "cheque", "currency")


def recorded(dataset: Dataset, scores: Scores, **more: Any) -> Record:
    """How a model of this dataset came about."""
    told = {
        "task": dataset.task,
        "title": dataset.title,
        "data": dataset.name,
        "date": "2026-01-31",
        "model": "all-MiniLM-L6-v2",
        "method": "probe",
        "why": "asked for",
        "why_method": "asked for",
        "n_train": 2400,
        "n_rejected": 0,
        "official": False,
        "scores": scores,
        "facts": {"temperature": 1.2, "width": 0.5, "mean": 2.5, "deviation": 1.5},
        "findings": dataset.findings,
        "seconds": {"read": 0.1, "encode": 9.25, "adapt": 2.5, "save": 0.5, "total": 12.5},
        "out": "cards.headstart",
    }
    return Record(**(told | more))


def of_classes(dataset: Dataset, *, seed: int = 0, doubtful: int = 0, strength: float = 3.0) -> Made:
    """Mostly right, on all of the dataset. doubtful: so many labels are said to be."""
    rng, names = np.random.default_rng(seed), dataset.classes
    logits = rng.normal(size=(len(dataset), len(names))) + strength * np.eye(len(names))[dataset.y]
    scores = classification.evaluate(
        logits, dataset.y, classes=names, majority_class=names[0], where=dataset.where, positive=names[0]
    )
    odd = [
        Finding("doubtful-label", where, "a model says so", score=0.9, looks_like=names[0])
        for where in dataset.where[:doubtful]
    ]
    return with_examples(recorded(dataset, scores, findings=(*dataset.findings, *odd)), dataset)


def with_examples(record: Record, dataset: Dataset) -> Made:
    return record, gallery_of(record, dataset, np.arange(len(dataset)))


def photos(folder: Path) -> Made:
    return of_classes(hs.check(folder, model=None).dataset, doubtful=3, strength=1.0)


def intents(k: int = 60, n: int = 300, seed: int = 0) -> Made:
    """Texts of very many classes with long names."""
    rng = np.random.default_rng(seed)
    names = [f"{a}_{b}_not_{c}" for a in WORDS for b in WORDS for c in WORDS][:: len(WORDS) ** 3 // k][:k]
    names = [name.replace(" ", "_") for name in names]
    texts = [f"{' '.join(rng.choice(WORDS, 9))}, number {i}?" for i in range(n)]
    return of_classes(hs.check(texts, [names[i % k] for i in range(n)], task="classification", model=None).dataset)


def two_classes() -> Made:
    rng = np.random.default_rng(0)
    texts = [f"{' '.join(rng.choice(WORDS, 9))}, number {i}." for i in range(200)]
    return of_classes(hs.check(texts, [str(i % 3 // 2) for i in range(200)], task="classification", model=None).dataset)


def labels() -> Made:
    rng = np.random.default_rng(0)
    texts = [f"{' '.join(rng.choice(WORDS, 9))}, number {i}?" for i in range(120)]
    dataset = hs.check(texts, [tuple(sorted(set(rng.choice(WORDS, 2)))) for _ in texts], model=None).dataset
    names = dataset.classes
    logits = rng.normal(size=dataset.y.shape) - 2 + 3.5 * dataset.y
    scores = multilabel.evaluate(
        logits, dataset.y, names=names, thresholds=np.full(len(names), 0.4), where=dataset.where, times=20
    )
    return with_examples(recorded(dataset, scores), dataset)


def numbers() -> Made:
    rng = np.random.default_rng(0)
    pairs = [(" ".join(rng.choice(WORDS, 5)), f"{' '.join(rng.choice(WORDS, 5))} {i}") for i in range(80)]
    y = np.round(rng.uniform(0, 5, 80), 2)
    dataset = hs.check(pairs, y.tolist(), task="regression", model=None).dataset
    true = np.array(dataset.targets)
    values = true + rng.normal(size=len(true))
    scores = regression.evaluate(values, true, mean=2.5, width=1.5, where=dataset.where, times=20)
    return with_examples(recorded(dataset, scores), dataset)


def answers(folder: Path) -> Made:
    """Questions about three texts, of which some are answered wrongly."""
    texts = {
        "Tower": "The tower was built in 1889. It stands in Paris, by the river. A painter hated it, and ate there.",
        "Rhine": "The Rhine rises in Switzerland. It is 1230 km long. It flows into the North Sea near Rotterdam.",
        "Bread": "Mix flour with water. The dough rests for 12 hours. Bake it in an oven that is very hot.",
    }
    rows = [
        ("Tower", "When was the tower built?", "1889", "1889"),
        ("Tower", "Where does the tower stand?", "Paris", "in Paris, by"),
        ("Tower", "Who hated it?", "A painter", "ate there"),
        ("Rhine", "Where does the Rhine rise?", "Switzerland", ""),
        ("Rhine", "How long is the Rhine?", "1230 km", "North Sea"),
        ("Bread", "How long does the dough rest?", "12 hours", "12 hours"),
    ]
    articles = [
        {"title": name, "paragraphs": [{"context": texts[name], "qas": [_question(texts[name], q, a)]}]}
        for name, q, a, _ in rows
    ]
    file = folder / "manuals.json"
    file.write_text(json.dumps({"version": "v2.0", "data": articles}))
    dataset = read_questions(file)
    said = [
        replace(p, text=answer, start=p.context.index(answer), confidence=0.5 + i / 100)
        for i, (p, (*_, answer)) in enumerate(zip(asked(dataset.passages, dataset.where), rows, strict=True))
    ]
    scores = score(said, dataset.targets, baseline=by_sentence(dataset.passages, dataset.where))
    facts = {"documents_train": 36, "unanswerable_train": 4, "temperature": 1.2, "threshold": 0.42, "longest": 15}
    return with_examples(recorded(dataset, scores, facts=facts, method="tune"), dataset)


def _question(text: str, question: str, answer: str) -> dict[str, Any]:
    return {"id": question, "question": question, "answers": [{"text": answer, "answer_start": text.index(answer)}]}

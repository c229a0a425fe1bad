"""The main path for questions: read, split by document, open, train, answer, evaluate, save."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.answering.baseline import by_sentence
from headstart.answering.metrics import SpanScores, as_json, score
from headstart.choose.choose import way_of
from headstart.clock import Budget, seconds_of
from headstart.data.questions import read_questions, read_questions_with_test
from headstart.data.split import split_questions
from headstart.fitting import Clock, folder_for, today, tracked, versions
from headstart.pretrained.catalog import DEFAULT
from headstart.pretrained.load import load_reader as load_backbone
from headstart.progress import Progress, Silent
from headstart.reader import Reader, predicted
from headstart.report.provenance import Provenance
from headstart.save_reader import save_reader
from headstart.storage.place import reserve_place
from headstart.tracking.track import open_tracker
from headstart.values import Backbone, Finding, Questions, Split

if TYPE_CHECKING:
    from headstart.answering.learn import Learned

TASK = "question-answering"


def fit_reader(  # noqa: PLR0913 - a public door: every option of the command line is a keyword here
    data: Any,
    *,
    model: str | Path = "auto",
    how: str = "auto",
    budget: float | str | None = None,
    test: float | str | Path = 0.2,
    seed: int = 0,
    out: str | Path | None = None,
    force: bool = False,
    track: str | None = None,
    progress: Progress | None = None,
) -> Reader:
    """Adapt a pre-trained model to find the answers to questions in texts, and say how good it is on other documents.

    Args:
        data: as `data.read_questions`: SQuAD's JSON, or a table with context, question and answer.
        model: any text encoder of BERT's kind, by catalog or hub name or folder; one that finds answers already is
            trained further. "auto": the starter for texts.
        how: "tune": train all layers but the word vectors; "full": those too; "lora": small adapters of frozen layers
            (needs peft); "probe": leave a model that finds answers as it is, and fit when it says that there is none.
            "auto": tune, and keep a model that found answers already if that did not make it better beyond noise.
        budget: wall time from reading to saving, "90s", "2m", "1h" or seconds; None: two minutes.
        test: share of the questions that is kept for the test, whole documents, or a path with the test questions.
            Official parts in the data come first.
        seed: another seed, another split.
        out: folder to save to; without it, data from a path are saved as NAME.headstart here, others are not saved.
        force: replace a folder that headstart saved before.
        track: as for `fit`.
        progress: told what goes on.

    Returns:
        The reader; its `summary` has the scores.

    Raises:
        UserError: the data, the model, the place to save or to track cannot be used.
    """
    progress, way = progress or Silent(), way_of(how)
    folder, time_left = folder_for(data, out), Budget(seconds_of(budget))
    with reserve_place(folder, force=force) as place:
        record = open_tracker(track, name="headstart" if folder is None else folder.name, out=folder, progress=progress)
        clock = Clock(record.failed)

        with clock("read"), progress.step("read"):
            questions = read_questions_with_test(data, test) if isinstance(test, str | Path) else read_questions(data)
        with clock("split"):
            parts = split_questions(questions, test=0.2 if isinstance(test, str | Path) else test, seed=seed)
            learned_from, notes = _sure(questions, parts)
            train, tested = questions.take(learned_from), questions.take(parts.test)
        with clock("open"):
            name = DEFAULT["text"] if model == "auto" else str(model)
            backbone = load_backbone(name, new_head=True, progress=progress)
        record.parameters(_asked(questions, backbone, way, time_left.seconds, seed))
        with clock("tune"), progress.step("tune"):
            from headstart.adapt.tuning import Terms  # torch is loaded here, once the data are known to be good
            from headstart.answering.learn import learn

            learned = learn(train, backbone, Terms(way, time_left, 0.0, seed, progress, record), tested=tested)
        train, more = _learned_from(train, learned)
        notes = (*notes, *more)
        for note in notes:
            progress.note(f"note: {note}")
        reader = Reader(learned.backbone, settings=learned.settings)
        with clock("answer"), progress.step("answer") as advance:
            answers = reader.answer_all(tested, advance=advance)
        with clock("evaluate"):
            scores = score(predicted(answers, tested), tested.answers)
            baseline = score(by_sentence(tested), tested.answers)

        findings = (*questions.findings, *parts.findings, *reader.too_long(questions), *learned.left_out.values())
        told = _summary(questions, train, parts, learned, scores, baseline, findings, notes)
        told |= {"model": backbone.name, "why": "asked for" if model != "auto" else "the starter for texts"}
        reader.summary = {**told, "seconds": clock.seconds(), "out": None if folder is None else str(folder)}
        if place is not None:
            with clock("save"), progress.step("save"):
                provenance = _provenance(questions, train, reader.summary, findings)
                reader = save_reader(
                    reader, place, questions, parts, scores=scores, baseline=baseline, provenance=provenance
                )
        _settle(learned, folder)
        reader.summary = {**reader.summary, "seconds": clock.seconds()}
        with clock("track"):
            tracked(
                record, reader.summary, folder, ("exact_match", "f1", "temperature", "n_train", "n_test", "n_rejected")
            )
        return reader


def _settle(learned: Learned, folder: Path | None) -> None:
    """The reader is made: what a killed run would have gone on from is not needed, nor a second copy of the weights.
    That goes first: it is the journal that names it."""
    if folder is not None and learned.how != "probe":
        from headstart.adapt.tuning import settle

        settle(learned.backbone, folder)
    if learned.journal is not None:
        learned.journal.remove()


def _sure(questions: Questions, parts: Split) -> tuple[Any, tuple[str, ...]]:
    """The training rows that are learned from, and what is to be said: a guessed place teaches the wrong one."""
    notes = (*questions.notes, *parts.notes)
    sure = parts.train[~questions.unsure[parts.train]]
    if len(sure) == len(parts.train):
        return parts.train, notes
    if not len(sure):
        said = "each training answer is in its text more than once: the first place is learned, right or wrong"
        return parts.train, (*notes, said)
    left = len(parts.train) - len(sure)
    said = f"{left} training questions are not learned from: their answer is in the text more than once"
    return sure, (*notes, said)


def _learned_from(train: Questions, learned: Learned) -> tuple[Questions, tuple[str, ...]]:
    """Without what could not be learned from, and what is to be said of that."""
    if not learned.left_out:
        return train, ()
    said = f"{len(learned.left_out)} training questions are not learned from: no window of the model holds their answer"
    return train.take(np.delete(np.arange(len(train)), list(learned.left_out))), (said,)


def _asked(questions: Questions, backbone: Backbone, how: str, seconds: float, seed: int) -> dict[str, Any]:
    asked = {"data": questions.name, "task": TASK, "model": backbone.name, "how_asked": how}
    return {**asked, "budget": seconds, "seed": seed, "versions": versions()}


def _summary(
    questions: Questions,
    train: Questions,
    parts: Split,
    learned: Learned,
    scores: SpanScores,
    baseline: SpanScores,
    findings: Sequence[Finding],
    notes: Sequence[str],
) -> dict[str, Any]:
    """What `fit --json` prints and metrics.json holds, but for what the whole fit says."""
    to_beat = as_json(baseline)
    return {
        "task": TASK,
        "how": learned.how,
        "why_how": learned.why,
        "tuning": learned.told or None,
        "n_train": len(train),
        "documents_train": len({questions.documents[context] for context in train.context.tolist()}),
        "n_rejected": len(questions.rejected),
        **as_json(scores),
        "baseline": {name: to_beat[name] for name in ("exact_match", "f1", "f1_interval")},
        "split": "official" if parts.official else "made",
        **asdict(learned.settings),
        "findings": [asdict(finding) for finding in findings],
        "notes": list(notes),
        "versions": versions(),
    }


def _provenance(
    questions: Questions, train: Questions, told: dict[str, Any], findings: tuple[Finding, ...]
) -> Provenance:
    threshold = told["threshold"]
    every = "every training question has an answer"
    never = f"never: {every if all(train.answers) else 'on training questions that made no answer better'}"
    return Provenance(
        title=questions.name,
        model=told["model"],
        how=told["how"],
        date=today(),
        n_train=told["n_train"],
        n_test=told["n_test"],
        n_rejected=told["n_rejected"],
        seconds=told["seconds"],
        notes=tuple(told["notes"]),
        findings=findings,
        temperature=told["temperature"],
        why_how=told["why_how"],
        tuning=told["tuning"],
        untuned="Before training",
        right="Exactly right",
        facts=(
            ("Training documents", f"{told['documents_train']:,}"),
            ("Longest answer", f"{told['longest']} tokens"),
            ("No answer is given", never if threshold is None else f"when it is ahead by {threshold:.2f} nats"),
        ),
    )

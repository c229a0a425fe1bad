"""The main path on one page: read, check, split, choose, encode, adapt, evaluate, save."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.adapt.adapt import adapt
from headstart.adapt.again import learned_from_all
from headstart.choose.choose import choose, rank_sample
from headstart.choose.ranking import Ranking
from headstart.confidence.measure import measure
from headstart.data.alike.known import KnownImages
from headstart.data.beside import with_beside
from headstart.data.check import check
from headstart.data.read import read
from headstart.data.sampling import sample
from headstart.data.split import split
from headstart.doctor.doubtful import doubted
from headstart.encode.encode import encode_rows
from headstart.model import Model
from headstart.record import Record
from headstart.report.checked import lines, said_first
from headstart.session import Session
from headstart.tasks import table
from headstart.values import Dataset, Request, Split


def prepare(request: Request, session: Session) -> tuple[Dataset, Split]:
    """Read, check and split: what fit, rank and check have in common. No model is opened."""
    with session.step("read"):
        dataset = read(request, table.TASKS)
    with session.step("check", len(dataset)) as advance:
        known = KnownImages(dataset.modality.known())
        dataset = check(dataset, known=known, allow_rejected=request.allow_rejected, advance=advance)
    with session.step("split", shown=False):
        folds_too = request.scored_by_folds
        return dataset, split(dataset, test=request.share, seed=request.seed, folds_too=folds_too)


def fit(request: Request, session: Session) -> Model:
    """Adapt a pre-trained model to the user's data and measure it on examples that took part in no choice."""
    dataset, parts = prepare(request, session)
    dataset = with_beside(dataset, parts, request, session)
    session.say(said_first(dataset, parts))
    with session.step("choose", shown=False):  # sees the training part only
        plan = choose(dataset, parts.train, request, session)
    session.tracker.parameters(Record.asked(request, dataset, plan, session))
    rows = plan.to_encode(parts)
    with session.step("encode", len(rows), shown=len(rows) > 0) as advance:
        features = encode_rows(dataset, rows, plan.backbone, advance=advance)
    adapted = doubted(dataset, adapt(dataset, parts, plan, features, session, seed=request.seed), features)
    parts = adapted.parts(parts)
    model = Model(dataset.task, dataset.modality, adapted.backbone, adapted.head)
    with session.step("evaluate", len(parts.test)) as advance:
        learned = dataset.task.scorer.reference([dataset.targets[row] for row in adapted.rows.tolist()])
        if adapted.held_out is None:
            scores = model.score(dataset, parts.test, reference=learned, known=adapted.features, advance=advance)
        else:  # each example by a head that was made without its fold
            scores = dataset.task.scorer.score(adapted.head, adapted.held_out, dataset, parts.test, learned)
    if request.final:
        adapted = learned_from_all(dataset, parts, adapted)
        model = Model(dataset.task, dataset.modality, adapted.backbone, adapted.head)
    confidence = measure(dataset, adapted, session)
    record = Record.of(dataset, parts, plan, adapted, features, scores, confidence, session)
    session.say(lines(adapted.notes, (*adapted.cautions, *dataset.task.scorer.cautions(scores))))
    model = model.fitted(record, dataset, adapted.parts(parts), adapted.features, confidence)
    if session.place is not None:
        with session.step("save"):
            model = model.saved(session.place)
    for checkpoint in (adapted.checkpoint, plan.checkpoint):
        if checkpoint is not None:
            checkpoint.remove()  # what a killed run would have gone on from
    return model.with_record(record.finished(session, model.folder))


def rank(request: Request, session: Session, *, models: Sequence[str] | None) -> Ranking:
    """Which of several pre-trained models suits the data: the first steps of `fit`, then a verdict."""
    dataset, parts = prepare(request, session)
    session.say(said_first(dataset, parts))
    return rank_sample(sample(dataset, parts.train), models, session, licence=request.licence)

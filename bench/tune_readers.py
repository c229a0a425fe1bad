"""Claim: a reader is trained on at least 4 times as many questions a second as by transformers' example.

    pip install accelerate
    python bench/tune_readers.py SQUAD.json [--without IDS.txt] [--epochs 3] [--theirs 0.1] [--only ours|theirs]

SQUAD.json is split by article, three quarters to learn from; the ids in IDS.txt (whose places were guessed) are not
learned from. Both train MiniLM-L6 in batches of 32. transformers' question-answering example runs as it does by
default: windows padded to 384 tokens, stride 128, float32, AdamW at 0.00005, linear decay. Ours runs as `fit` does
without a search. `--theirs` are the epochs of the example: its throughput needs a few dozen steps; give 1 or 3 to
compare scores, which takes an hour. Both are scored on the other articles by the same decoding, next to the sentence
most like the question.
"""

import argparse
import os
import random
import resource
import tempfile
import time
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "30000")  # as the command line does; for both

import numpy as np
import torch

from headstart.adapt.fine_tune import GLANCE
from headstart.adapt.loop import Recipe, Tuning, outputs_of
from headstart.adapt.trainable_parts import TextParts
from headstart.answering.baseline import by_sentence
from headstart.answering.decode import Best
from headstart.answering.metrics import Predicted, SpanScores, asked, score
from headstart.answering.objective import Reading, as_texts, examples, spans_of, text_ends
from headstart.data.questions import read_questions
from headstart.encode.engines import cpu_has_bf16
from headstart.inputs.windows import Slicer, cut
from headstart.pretrained.load import load_reader
from headstart.pretrained.torchvision_operators import declare_missing
from headstart.pretrained.training import open_for_training
from headstart.values import Questions

BATCH, WARM_UP = 32, 3

parser = argparse.ArgumentParser()
parser.add_argument("squad", type=Path)
parser.add_argument("--without", type=Path)
parser.add_argument("--epochs", type=float, default=3.0)
parser.add_argument("--theirs", type=float, default=0.1)
parser.add_argument("--rate", type=float, default=4e-4)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--only", choices=["ours", "theirs"])
options = parser.parse_args()

questions = read_questions(options.squad)
articles = sorted(set(questions.documents))
random.Random(options.seed).shuffle(articles)
learned = set(articles[: 3 * len(articles) // 4])
guessed = set(options.without.read_text().split()) if options.without else set()
is_train = np.array([questions.documents[context] in learned for context in questions.context.tolist()])
is_sure = np.array([name not in guessed for name in questions.ids])
train, tested = questions.take(np.flatnonzero(is_train & is_sure)), questions.take(np.flatnonzero(~is_train))
backbone = load_reader("all-MiniLM-L6-v2", new_head=True)
slicer = Slicer(backbone.preparation)


def windows(some: Questions):
    return cut(some.questions, some.contexts, some.pairs, slicer)


def scored(found: dict[int, Best]) -> SpanScores:
    said = []
    for row, one in enumerate(asked(tested)):
        spans = found[row].spans() if row in found else ()
        text = one.context[spans[0].start : spans[0].stop] if spans else ""
        said.append(Predicted(text, spans[0].start if spans else 0, 1.0, one.context, group=one.group))
    return score(said, tested.answers)


def ours() -> tuple[float, SpanScores | None]:
    mine, wanted = examples(windows(train), train.answers, seed=options.seed)
    others = list(windows(tested))
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        trainable = open_for_training(backbone)
    body = TextParts(trainable, as_texts([*mine, *others], slicer)).at(len(trainable.groups) - 1)
    fake = np.zeros((len(others), *wanted.shape[1:]), dtype=np.int64)
    task = Reading(None, text_ends([*mine, *others]), np.concatenate([wanted, fake]), new=True)
    network, head = task.network(body, None)
    learn, judge = np.arange(len(mine)), np.arange(len(mine), len(mine) + len(others))
    half = cpu_has_bf16()
    recipe = Recipe(1, options.rate, round(options.epochs * len(mine) / BATCH), BATCH, bf16=half)
    groups, loss = [*body.groups, head], task.loss(learn, "cpu")
    dropout = body.dropout and options.epochs >= GLANCE
    tuning = Tuning(network, groups, body.plain.take(learn), loss, recipe, seed=options.seed, dropout=dropout)
    ends = [time.perf_counter() for _ in tuning]
    tuning.take_average()
    speed = (len(ends) - WARM_UP) * BATCH / (ends[-1] - ends[WARM_UP - 1])
    if options.epochs < 1:
        return speed * len(train) / len(mine), None
    kept = outputs_of(
        network, body.plain.take(judge), keep=lambda outputs, rows: task.kept(outputs, judge[rows]), bf16=half
    )
    found: dict[int, Best] = {}
    for window, spans in zip(others, spans_of(kept), strict=True):
        found.setdefault(window.row, Best()).take(window, spans, tested.contexts[window.text])
    return speed * len(train) / len(mine), scored(found)


def theirs() -> tuple[float, SpanScores | None]:
    declare_missing()  # or a CPU build of torch beside another torchvision has no Trainer
    from transformers import AutoModelForQuestionAnswering, Trainer, TrainerCallback, TrainingArguments

    from headstart.pretrained.find import find

    folder = find("all-MiniLM-L6-v2").path

    def padded(window) -> dict[str, torch.Tensor]:
        columns = zip(slicer.preparation.inputs, slicer.batch([window]), strict=True)
        return {name: torch.from_numpy(np.pad(ids[0], (0, 384 - ids.shape[1]))) for name, ids in columns}

    examples_of_theirs = []
    for window in windows(train):
        text, start = train.answers[window.row][0]
        first, last = window.target(start, start + len(text))
        if first >= 0:
            place = {"start_positions": torch.tensor(first), "end_positions": torch.tensor(last)}
            examples_of_theirs.append(padded(window) | place)
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        model = AutoModelForQuestionAnswering.from_pretrained(folder)
    ends: list[float] = []

    class StopSignal(TrainerCallback):
        def on_step_end(self, *_: object, **__: object) -> None:
            ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            out,
            per_device_train_batch_size=BATCH,
            num_train_epochs=options.theirs,
            seed=options.seed,
            report_to=[],
            use_cpu=True,
            save_strategy="no",
            disable_tqdm=True,
        )
        Trainer(model, arguments, train_dataset=examples_of_theirs, callbacks=[StopSignal()]).train()
    speed = (len(ends) - WARM_UP) * BATCH / (ends[-1] - ends[WARM_UP - 1])
    if options.theirs < 1:
        return speed * len(train) / len(examples_of_theirs), None
    found: dict[int, Best] = {}
    model.eval()
    for window in windows(tested):
        with torch.inference_mode():
            out = model(**{name: ids[None] for name, ids in padded(window).items()})
        scores = torch.stack([out.start_logits[0], out.end_logits[0]], dim=1).numpy()
        found.setdefault(window.row, Best()).add(window, scores, tested.contexts[window.text])
    return speed * len(train) / len(examples_of_theirs), scored(found)


def line(name: str, scores: SpanScores) -> str:
    exact, overlap = scores.exact_match_interval, scores.f1_interval
    return (
        f"{name:34} EM {scores.exact_match:.3f} ({exact.low:.3f} to {exact.high:.3f})  "
        f"F1 {scores.f1:.3f} ({overlap.low:.3f} to {overlap.high:.3f})"
    )


print(f"{len(train):,} questions to learn from, {len(tested):,} about {len(articles) - len(learned)} other articles")
print(line("the sentence most like the question", score(by_sentence(tested), tested.answers)))
speeds = {}
for name, run, epochs in (("ours", ours, options.epochs), ("theirs", theirs, options.theirs)):
    if options.only in (None, name) and epochs > 0:
        speeds[name], scores = run()
        print(f"{name}, {epochs:g} epochs: {speeds[name]:.1f} questions/s", flush=True)
        if scores is not None:
            print(line("", scores), flush=True)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"{'':34} most memory so far {peak:.2f} GB")
if len(speeds) == 2:
    print(f"{speeds['ours'] / speeds['theirs']:.1f} times as many questions a second")

"""Claim: a model learns to find answers from at least 4 times as many questions a second as by transformers' example.

    pip install accelerate
    python bench/tune_readers.py SQUAD.json [--without IDS.txt] [--epochs 3] [--theirs 0.1] [--only ours|theirs]

SQUAD.json is split by article, three quarters to learn from; the ids in IDS.txt (whose places were guessed) are not
learned from. Both train MiniLM-L6 in batches of 32. transformers' question-answering example runs as it does by
default: windows padded to 384 tokens, stride 128, float32, AdamW at 0.00005, linear decay. Ours runs as `fit` does
without a search. `--theirs` are the epochs of the example: its throughput needs a few dozen steps; give 1 or 3 to
compare scores, which takes an hour. Both are scored on the other articles by the same decoding, next to the sentence
most like the question.
"""

import os
import random
import resource
import tempfile
import time
from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "30000")  # as the command line does; for both

import numpy as np
import torch
from common import arguments, asked, installed, questions, read, small_reading_model

from headstart.adapt.loop import Recipe, Tuning, outputs_of
from headstart.adapt.policy import TUNING
from headstart.adapt.trainable_parts import TextParts
from headstart.answering.baseline import by_sentence
from headstart.answering.decode import Best
from headstart.answering.examples import examples, text_ends
from headstart.answering.metrics import Predicted, score
from headstart.answering.metrics import asked as unanswered
from headstart.answering.objective import Reading, as_texts, spans_of
from headstart.backbone import Backbone
from headstart.encode.engines import cpu_has_bf16
from headstart.inputs.windows import Slicer, Window, cut
from headstart.pretrained.find import find
from headstart.pretrained.load import load_reader
from headstart.pretrained.torchvision_operators import declare_missing
from headstart.pretrained.training import open_for_training
from headstart.task import Scores
from headstart.values import Dataset

WARM_UP, PADDED = 3, 384  # steps; tokens of the example's windows
Ended = tuple[float, Scores | None]  # questions a second; scores, of a whole epoch or more


@dataclass(frozen=True)
class Bench:
    """Questions to learn from and questions about other articles, with the model."""

    train: Dataset
    tested: Dataset
    backbone: Backbone
    slicer: Slicer
    options: Namespace

    def windows(self, some: Dataset) -> Iterator[Window]:
        return cut(some.passages.questions, some.passages.contexts, some.passages.pairs, self.slicer)

    def scored(self, found: dict[int, Best]) -> Scores:
        said = []
        for row, one in enumerate(unanswered(self.tested.passages, self.tested.where)):
            spans = found[row].spans() if row in found else ()
            text = one.context[spans[0].start : spans[0].stop] if spans else ""
            said.append(Predicted(text, spans[0].start if spans else 0, 1.0, one.context, group=one.group))
        return score(said, self.tested.targets)

    def pace(self, ends: list[float], windows: int) -> float:
        """Questions a second, from when each step on these windows ended."""
        a_second = (len(ends) - WARM_UP) * self.options.batch / (ends[-1] - ends[WARM_UP - 1])
        return a_second * len(self.train) / windows

    def ours(self) -> Ended:
        batch, epochs, seed = self.options.batch, self.options.epochs, self.options.seed
        mine, wanted = examples(self.windows(self.train), self.train.targets, seed=seed)
        others = list(self.windows(self.tested))
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            trainable = open_for_training(self.backbone)
        body = TextParts(trainable, as_texts([*mine, *others], self.slicer)).at(len(trainable.groups) - 1)
        fake = np.zeros((len(others), *wanted.shape[1:]), dtype=np.int64)
        task = Reading(None, text_ends([*mine, *others]), np.concatenate([wanted, fake]), new=True)
        network, head = task.network(body, None)
        learn, judge = np.arange(len(mine)), np.arange(len(mine), len(mine) + len(others))
        half = cpu_has_bf16()
        recipe = Recipe(1, self.options.rate, round(epochs * len(mine) / batch), batch, bf16=half)
        groups, loss = [*body.groups, head], task.loss(learn, "cpu")
        dropout = body.dropout and epochs >= TUNING.safe_epochs
        tuning = Tuning(network, groups, body.plain.take(learn), loss, recipe, seed=seed, dropout=dropout)
        ends = [time.perf_counter() for _ in tuning]
        tuning.take_average()
        if epochs < 1:
            return self.pace(ends, len(mine)), None
        kept = outputs_of(
            network, body.plain.take(judge), keep=lambda outputs, rows: task.kept(outputs, judge[rows]), bf16=half
        )
        found: dict[int, Best] = defaultdict(Best)
        for window, spans in zip(others, spans_of(kept), strict=True):
            found[window.row].take(window, spans, self.tested.passages.contexts[window.text])
        return self.pace(ends, len(mine)), self.scored(found)

    def theirs(self) -> Ended:
        declare_missing()  # or a CPU build of torch beside another torchvision has no Trainer
        from transformers import AutoModelForQuestionAnswering, Trainer, TrainerCallback, TrainingArguments

        data = self.as_theirs()
        with torch.random.fork_rng():
            torch.manual_seed(self.options.seed)
            model = AutoModelForQuestionAnswering.from_pretrained(find(self.options.model).path)
        ends: list[float] = []

        class Clock(TrainerCallback):
            def on_step_end(self, *_: object, **__: object) -> None:
                ends.append(time.perf_counter())

        with tempfile.TemporaryDirectory() as out:
            arguments = TrainingArguments(
                out,
                per_device_train_batch_size=self.options.batch,
                num_train_epochs=self.options.theirs,
                seed=self.options.seed,
                report_to=[],
                use_cpu=True,
                save_strategy="no",
                disable_tqdm=True,
            )
            Trainer(model, arguments, train_dataset=data, callbacks=[Clock()]).train()
        if self.options.theirs < 1:
            return self.pace(ends, len(data)), None
        found: dict[int, Best] = defaultdict(Best)
        model.eval()
        for window in self.windows(self.tested):
            with torch.inference_mode():
                out = model(**{name: ids[None] for name, ids in self.padded(window).items()})
            scores = torch.stack([out.start_logits[0], out.end_logits[0]], dim=1).numpy()
            found[window.row].add(window, scores, self.tested.passages.contexts[window.text])
        return self.pace(ends, len(data)), self.scored(found)

    def as_theirs(self) -> list[dict[str, torch.Tensor]]:
        made = []
        for window in self.windows(self.train):
            text, start = self.train.targets[window.row][0]
            first, last = window.target(start, start + len(text))
            if first >= 0:
                place = {"start_positions": torch.tensor(first), "end_positions": torch.tensor(last)}
                made.append(self.padded(window) | place)
        return made

    def padded(self, window: Window) -> dict[str, torch.Tensor]:
        columns = zip(self.slicer.preparation.inputs, self.slicer.batch([window]), strict=True)
        return {name: torch.from_numpy(np.pad(ids[0], (0, PADDED - ids.shape[1]))) for name, ids in columns}


def opened(options: Namespace) -> Bench:
    """Three quarters of the articles to learn from."""
    dataset = read(options.squad)
    passages = dataset.passages
    articles = sorted(set(passages.documents))
    random.Random(options.seed).shuffle(articles)
    learned = set(articles[: 3 * len(articles) // 4])
    guessed = set(options.without.read_text().split()) if options.without else set()
    is_train = np.array([passages.documents[context] in learned for context in passages.context.tolist()])
    is_sure = np.array([name not in guessed for name in passages.ids])
    train, tested = dataset.take(np.flatnonzero(is_train & is_sure)), dataset.take(np.flatnonzero(~is_train))
    others = len(articles) - len(learned)
    print(f"{len(train):,} questions to learn from, {len(tested):,} about {others} other articles")
    backbone = load_reader(options.model, new_head=True)
    return Bench(train, tested, backbone, Slicer(backbone.texts), options)


def line(name: str, scores: Scores) -> str:
    exact, overlap = scores.exact_match_interval, scores.f1_interval
    return (
        f"{name:34} EM {scores.exact_match:.3f} ({exact.low:.3f} to {exact.high:.3f})  "
        f"F1 {scores.f1:.3f} ({overlap.low:.3f} to {overlap.high:.3f})"
    )


def small(work: Path) -> list[object]:
    data = questions(work / "squad.json"), "--model", small_reading_model(work / "bert")
    return [*data, "--batch", 4, "--epochs", 1, "--theirs", 1]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("squad", type=Path)
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--without", type=Path)
    parser.add_argument("--epochs", type=float, default=3.0)
    parser.add_argument("--theirs", type=float, default=0.1)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=["ours", "theirs"])
    with asked(parser, small) as options:
        bench = opened(options)
        tested, speeds = bench.tested, {}
        baseline = by_sentence(tested.passages, tested.where)
        print(line("the sentence most like the question", score(baseline, tested.targets)))
        wanted = {"ours": options.epochs, "theirs": options.theirs}
        if not installed("accelerate", needed_for="transformers' example"):
            wanted.pop("theirs")
        for name, epochs in wanted.items():
            if options.only not in (None, name) or epochs <= 0:
                continue
            speeds[name], scores = getattr(bench, name)()
            print(f"{name}, {epochs:g} epochs: {speeds[name]:.1f} questions/s", flush=True)
            if scores is not None:
                print(line("", scores), flush=True)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            print(f"{'':34} most memory so far {peak:.2f} GB")
        if len(speeds) == 2:
            print(f"{speeds['ours'] / speeds['theirs']:.1f} times as many questions a second")


if __name__ == "__main__":
    main()

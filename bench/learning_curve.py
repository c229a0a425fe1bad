"""Claim: a learning curve at the probe's own penalty is what it is at others, for a small part of a second fit.

    python bench/learning_curve.py DATA...

DATA is a folder or a table, or TRAIN:TEST. The score on the test part of heads that learned from so many labels, the
mean of five draws, at the penalty of the probe of all of them; the same where the penalty grows with what is left out,
as if each example counted alike; and half way. Then seconds of the step in a fit whose features are known.
"""

import tempfile
from dataclasses import replace

import numpy as np
from common import arguments, asked, encoded, fit_alone, in_parts, texts

from headstart.adapt.basis import fit_basis
from headstart.adapt.cross_validation import fit_probe
from headstart.adapt.more_labels import Exam, parts_of
from headstart.backbone import Features
from headstart.data.check import check
from headstart.data.sampling import drawn
from headstart.data.split import split

GROWS = (0.0, 0.5, 1.0)  # the power of n / size by which the penalty is multiplied


def bench(data: str) -> None:
    dataset = check(in_parts(data))
    known, parts = encoded(dataset), split(dataset, seed=0)
    train, features = dataset.take(parts.train), Features(known.matrix[:][parts.train], known.key, 0)
    rows, n, basis = np.arange(len(train)), len(train), fit_basis(features.matrix)
    head = fit_probe(train, rows, features, basis=basis).head
    exam, family = Exam(dataset, parts.test, known), dataset.task.learner.family
    orders = [drawn(train, rows, seed=2**65 + draw, first=1) for draw in range(5)]
    whole = exam.fared(head, head.logits(exam.asked), compared=False).value
    print(f"{dataset.name}: {exam.metric.in_words} {whole:.4f} of {n:,} labels")
    print("| labels | its own | half way | as many times larger |\n|---|---|---|---|")
    for size in sorted({size for size, _ in parts_of(train, n)}):
        counted = np.zeros((len(orders), n), np.float32)
        for row, order in enumerate(orders):
            counted[row, order[:size]] = 1
        figures = []
        for power in GROWS:
            like = replace(head, penalty=head.penalty * (n / size) ** power)
            made = family.by_parts(features, train.y, basis=basis, like=like, counted=counted, asked=exam.asked)
            figures.append(float(np.mean([exam.fared(head, outputs, compared=False).value for outputs in made])))
        print(f"| {size:,} | {' | '.join(f'{figure:.4f}' for figure in figures)} |", flush=True)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("data", nargs="+")
    with asked(parser, lambda work: [texts(work / "texts.csv", 60)]) as options, tempfile.TemporaryDirectory() as cache:
        for data in options.data:
            bench(data)
            train, _, test = data.partition(":")
            asked_for = ["--test", test] if test else []
            for _ in range(2):
                _, told = fit_alone(train, *asked_for, cache=cache)
            step, total = told["seconds"]["learning curve"], told["seconds"]["total"]
            print(f"second fit {total:.2f} s, its learning curve {step:.2f} s: {step / total:.1%}\n", flush=True)


if __name__ == "__main__":
    main()

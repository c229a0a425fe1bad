"""Claim: 1,000 questions are answered at least 3 times as fast as by transformers' pipeline, and alike.

    python3 -m venv theirs && theirs/bin/pip install torch==2.13.0 "transformers<5.3"     (the last ones that have it)
    python bench/answer.py MODEL SQUAD.json theirs/bin/python [--questions 1000]

MODEL is a folder that `fit` saved. Each side runs in a process of its own, one after the other, and is timed from the
first question to the last answer, its model loaded; the pipeline at its defaults but for the two settings that
the fit made: whether a question may have no answer, and how many tokens an answer has at most.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import arguments, asked, questions, read, small_models


def ours(options: argparse.Namespace) -> dict:
    import numpy as np

    import headstart as hs

    passages = read(options.squad).passages
    some = passages.take(np.sort(np.random.default_rng(0).permutation(len(passages))[: options.questions]))
    model = hs.load(options.model, task="answering")
    model.predictor.answer_all(some.take(np.arange(min(64, len(some)))))  # opens the engine
    begun = time.perf_counter()
    answers = model.predictor.answer_all(some)
    seconds = time.perf_counter() - begun
    settings = {"threshold": model.head.threshold, "longest": model.head.longest}
    return {"seconds": seconds, **settings, "asked": list(some), "answers": [a.text for a in answers]}


def theirs(options: argparse.Namespace) -> dict:
    """In the other Python, which has no headstart."""
    from transformers import pipeline

    told = json.loads(Path(options.squad).read_text())
    reader = pipeline("question-answering", model=options.model)
    as_saved = {"max_answer_len": told["longest"], "handle_impossible_answer": told["threshold"] is not None}
    reader(question=told["asked"][0][0], context=told["asked"][0][1])
    begun = time.perf_counter()
    answers = [reader(question=question, context=context, **as_saved)["answer"] for question, context in told["asked"]]
    return {"seconds": time.perf_counter() - begun, "answers": answers}


def run(python: str, options: argparse.Namespace, data: str, side: str) -> dict:
    command = [python, __file__, options.model, data, "--side", side, "--questions", str(options.questions)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare(options: argparse.Namespace) -> None:
    mine = run(sys.executable, options, options.squad, "ours")
    print(f"headstart    {mine['seconds']:7.1f} s for {len(mine['answers']):,} questions")
    if not options.pipeline:
        print("left out: transformers' pipeline (name a Python that has it)")
        return
    with tempfile.TemporaryDirectory() as work:
        (Path(work) / "asked.json").write_text(json.dumps(mine))
        other = run(options.pipeline, options, f"{work}/asked.json", "theirs")
    same = sum(a.strip() == b.strip() for a, b in zip(mine["answers"], other["answers"], strict=True))
    print(f"pipeline     {other['seconds']:7.1f} s, {other['seconds'] / mine['seconds']:.1f} times as long")
    print(f"same answers {100 * same / len(mine['answers']):7.2f} %")


def small(work: Path) -> list[object]:
    small_models().model_that_finds_years(work / "years")
    return [work / "years", questions(work / "squad.json"), "--questions", 20]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("model")
    parser.add_argument("squad")
    parser.add_argument("pipeline", nargs="?", help="a python whose transformers has the pipeline")
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--side", choices=["ours", "theirs"], help="what a process of its own does")
    with asked(parser, small) as options:
        if options.side:
            print(json.dumps({"ours": ours, "theirs": theirs}[options.side](options)))
        else:
            compare(options)


if __name__ == "__main__":
    main()

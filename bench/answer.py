"""Claim: 1,000 questions are answered at least 3 times as fast as by transformers' pipeline, and alike.

    python3 -m venv theirs && theirs/bin/pip install torch==2.13.0 "transformers<5.3"     (the last ones that have it)
    python bench/answer.py READER SQUAD.json theirs/bin/python [--questions 1000]

READER is a folder that `fit` saved. Each side runs in a process of its own, one after the other, and is timed from the
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

parser = argparse.ArgumentParser()
parser.add_argument("reader")
parser.add_argument("squad")
parser.add_argument("pipeline", nargs="?", help="a python whose transformers has the pipeline")
parser.add_argument("--questions", type=int, default=1000)
parser.add_argument("--side", choices=["ours", "theirs"], help="what a process of its own does")
options = parser.parse_args()


def ours() -> None:
    import numpy as np

    import headstart as hs
    from headstart.data.questions import read_questions

    questions = read_questions(options.squad)
    rows = np.sort(np.random.default_rng(0).permutation(len(questions))[: options.questions])
    some, reader = questions.take(rows), hs.load_reader(options.reader)
    reader.answer_all(some.take(np.arange(64)))  # opens the engine
    begun = time.perf_counter()
    answers = reader.answer_all(some)
    seconds = time.perf_counter() - begun
    asked = [(q, some.contexts[c]) for q, c in zip(some.questions, some.context.tolist(), strict=True)]
    settings = {"threshold": reader.settings.threshold, "longest": reader.settings.longest}
    print(json.dumps({"seconds": seconds, **settings, "asked": asked, "answers": [a.text for a in answers]}))


def theirs() -> None:
    from transformers import pipeline

    told = json.loads(Path(options.squad).read_text())
    reader = pipeline("question-answering", model=options.reader)
    as_saved = {"max_answer_len": told["longest"], "handle_impossible_answer": told["threshold"] is not None}
    reader(question=told["asked"][0][0], context=told["asked"][0][1])
    begun = time.perf_counter()
    answers = [reader(question=question, context=context, **as_saved)["answer"] for question, context in told["asked"]]
    print(json.dumps({"seconds": time.perf_counter() - begun, "answers": answers}))


def run(python: str, data: str, side: str) -> dict:
    command = [python, __file__, options.reader, data, "--side", side, "--questions", str(options.questions)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


if options.side:
    {"ours": ours, "theirs": theirs}[options.side]()
    sys.exit()
mine = run(sys.executable, options.squad, "ours")
print(f"headstart    {mine['seconds']:7.1f} s for {len(mine['answers']):,} questions")
if options.pipeline:
    with tempfile.TemporaryDirectory() as work:
        (Path(work) / "asked.json").write_text(json.dumps(mine))
        other = run(options.pipeline, f"{work}/asked.json", "theirs")
    same = sum(a.strip() == b.strip() for a, b in zip(mine["answers"], other["answers"], strict=True))
    print(f"pipeline     {other['seconds']:7.1f} s, {other['seconds'] / mine['seconds']:.1f} times as long")
    print(f"same answers {100 * same / len(mine['answers']):7.2f} %")

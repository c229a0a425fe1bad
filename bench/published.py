"""Claim: the scorer gives published answers the score that was published with them.

    python bench/published.py SQUAD.json ANSWERS.json

ANSWERS.json is what a team handed in to SQuAD: an object of question ids and answers. Those of 2016 to 2018 are in the
repository rajpurkar/SQuAD-explorer under models/1.1, as `Match-LSTM with Ans-Ptr (Boundary+Ensemble) ....json`.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from headstart.answering.metrics import asked, score
from headstart.data.questions import read_questions

parser = argparse.ArgumentParser()
parser.add_argument("squad", type=Path)
parser.add_argument("answers", type=Path)
options = parser.parse_args()

questions = read_questions(options.squad)
given = json.loads(options.answers.read_text(encoding="utf-8"))
missing = set(questions.ids) - set(given)
said = [
    replace(one, text=given.get(name, ""), start=max(0, one.context.find(given.get(name, ""))))
    for name, one in zip(questions.ids, asked(questions), strict=True)
]
scores = score(said, questions.answers)
print(f"{len(questions):,} questions, {len(missing):,} not answered, {len(questions.rejected):,} rejected")
print(f"exact match {100 * scores.exact_match:.3f}, F1 {100 * scores.f1:.3f}")

"""Claim: the scorer gives published answers the score that was published with them.

    python bench/published.py SQUAD.json ANSWERS.json

ANSWERS.json is what a team handed in to SQuAD: an object of question ids and answers. Those of 2016 to 2018 are in the
repository rajpurkar/SQuAD-explorer under models/1.1, as `Match-LSTM with Ans-Ptr (Boundary+Ensemble) ....json`.
"""

import json
from dataclasses import replace
from pathlib import Path

from common import arguments, asked, questions, read

from headstart.answering.metrics import asked as unanswered
from headstart.answering.metrics import score


def small(work: Path) -> list[object]:
    """Every other question answered rightly, and one not at all."""
    squad, answers = questions(work / "squad.json"), {}
    dataset = read(squad)
    for number, (name, true) in enumerate(zip(dataset.passages.ids, dataset.targets, strict=True)):
        answers[name] = "the king" if number % 2 else true[0][0]
    answers.popitem()
    (work / "answers.json").write_text(json.dumps(answers), encoding="utf-8")
    return [squad, work / "answers.json"]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("squad", type=Path)
    parser.add_argument("answers", type=Path)
    with asked(parser, small) as options:
        dataset = read(options.squad)
        passages, given = dataset.passages, json.loads(options.answers.read_text(encoding="utf-8"))
        missing = set(passages.ids) - set(given)
        said = [
            replace(one, text=given.get(name, ""), start=max(0, one.context.find(given.get(name, ""))))
            for name, one in zip(passages.ids, unanswered(passages, dataset.where), strict=True)
        ]
        scores = score(said, dataset.targets)
        print(f"{len(dataset):,} questions, {len(missing):,} not answered, {len(dataset.rejected):,} rejected")
        print(f"exact match {100 * scores.exact_match:.3f}, F1 {100 * scores.f1:.3f}")


if __name__ == "__main__":
    main()

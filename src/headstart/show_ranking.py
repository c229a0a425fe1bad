"""A ranking as a person reads it, in 80 columns."""

from __future__ import annotations

import textwrap
from typing import Any

_WIDE = 80
_NAME = 19


def tell_ranking(told: dict[str, Any]) -> str:
    """The table of `headstart rank`, from what `as_json` makes."""
    lines = [f"{'model':{_NAME}} accuracy   95 % interval log loss  LogME  5-NN per s    size"]
    for row in told["rows"]:
        (low, high), name = row["accuracy_interval"], row["model"]
        if len(name) > _NAME:
            lines.append(name)
            name = ""
        figures = f"{row['accuracy']:8.3f}  {low:5.3f} to {high:5.3f} {row['log_loss']:8.3f} {row['logme']:6.3f}"
        machine = f"{_count(row['per_second']):>5} {_size(row['parameters']):>7}"
        lines.append(f"{name:{_NAME}} {figures} {row['neighbours']:5.3f} {machine}")
    lines.append(
        f"{told['n']:,} training examples, {told['classes']} classes; always answering the most common one: "
        f"{told['majority_accuracy']:.3f}"
    )
    lines.append(_say("take", _verdict(told)))
    for why in dict.fromkeys(untried["why"] for untried in told["untried"]):
        names = ", ".join(untried["model"] for untried in told["untried"] if untried["why"] == why)
        lines.append(_say("not tried", f"{names}: {why}"))
    lines += [_say("warning", warning) for warning in told["warnings"]]
    return "\n".join(lines)


def tell_choice(told: dict[str, Any]) -> str:
    """What `fit` chose its model from, before its own lines; nothing where there was no choice."""
    return "" if told.get("ranking") is None else tell_ranking(told["ranking"]) + "\n\n"


def _verdict(told: dict[str, Any]) -> str:
    first, choice = told["rows"][0], told["choice"]
    if len(told["rows"]) == 1:
        return choice
    if choice == first["model"]:
        return f"{choice}, by log loss on examples held out"
    row = next(row for row in told["rows"] if row["model"] == choice)
    return (
        f"{choice}: as good as {first['model']} as far as this sample can tell (log loss {row['behind']:.3f} "
        f"higher, give or take {row['behind_error']:.3f}), and cheaper"
    )


def _say(word: str, text: str) -> str:
    return textwrap.fill(f"{word:10} {text}", _WIDE, subsequent_indent=" " * 11, break_on_hyphens=False)


def _count(per_second: float | None) -> str:
    return "-" if per_second is None else f"{per_second:,.0f}"


def _size(parameters: int | None) -> str:
    return "-" if parameters is None else f"{parameters / 1e6:,.1f} M"

"""What `explain` prints for people: a map in characters, or a text in colours, and what the input looks like."""

from __future__ import annotations

import os
import sys

from headstart.errors import plain, short_name
from headstart.explain.drawing import in_characters
from headstart.explain.evidence import Word
from headstart.explain.explanation import Explanation

_FOR, _AGAINST = "\x1b[30;48;5;{}m", "\x1b[97;48;5;{}m"  # dark letters on orange, light ones on blue
_ORANGES, _BLUES = (223, 215, 208), (67, 31, 24)  # of xterm's 256, the more the stronger
_OFF = "\x1b[0m"
_SHOWN = 2000  # characters of a text
_WORDS = 8  # with their weights


def explained(found: Explanation, out: str | None) -> str:
    """An explanation in lines; out: where it was written, too."""
    name = plain(str(found.row.get("input", "")))
    lines = [f"{name if len(name) <= 60 else name[:57] + '...'}: {plain(found.said)}"]
    what = "the answer" if found.target is None else short_name(plain(found.target))
    if found.evidence.heat is not None:
        lines += [f"what speaks for {what}, where # is the most:", in_characters(found.evidence.heat)]
    else:
        lines += _texts(found, what)
    if found.neighbours:
        lines.append("looks like, of what it learned from:")
        lines += [f"  {near.similarity:.2f}  {plain(near.named)}  {plain(near.where)}" for near in found.neighbours]
    lines += [f"note: {plain(note)}" for note in found.notes]
    if out is not None:
        lines.append(f"saved      {plain(out)} (open explanation.html)")
    elif found.evidence.heat is not None:
        lines.append("--out FOLDER writes the photo with its map")
    return "\n".join(lines)


def _texts(found: Explanation, what: str) -> list[str]:
    words, lines = found.words or (), []
    if _coloured():
        most = max((abs(word.weight) for word in words), default=0.0) or 1.0
        for number, text in enumerate(found.evidence.texts, start=1):
            lines.append(_in_colour(text, [word for word in words if word.of in (None, number)], most))
    ranked = sorted(words, key=lambda word: -abs(word.weight))[:_WORDS]
    lines.append(f"what speaks most for {what}, or against it (-):")
    return lines + [f"  {word.weight:+.2f}  {plain(word.text)}{_which(word)}" for word in ranked]


def _which(word: Word) -> str:
    return "" if word.of is None else f"  (text {word.of})"


def _in_colour(text: str, words: list[Word], most: float) -> str:
    """The text with each word the stronger the more it weighs: orange for, blue against."""
    parts, at = [], 0
    for word in words:
        if word.end > _SHOWN:
            break
        parts.append(plain(text[at : word.start]))
        strength = int(3.999 * abs(word.weight) / most)  # 0: no colour
        tone, tones = (_FOR, _ORANGES) if word.weight > 0 else (_AGAINST, _BLUES)
        shown = plain(text[word.start : word.end])
        parts.append(f"{tone.format(tones[strength - 1])}{shown}{_OFF}" if strength else shown)
        at = word.end
    rest = text[at:]
    more = f" [{len(rest) - (_SHOWN - at):,} more characters]" if len(rest) > _SHOWN - at > 0 else ""
    return "".join(parts) + plain(rest[: max(0, _SHOWN - at)]) + more


def _coloured() -> bool:
    """Whether standard output is a terminal that takes colours, and its user wants them (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

"""Small models and small data for the crash harness: `python crash_data.py FOLDER photos texts questions`.

Random weights, and data that a fit takes a second or two for. It needs tests/ on PYTHONPATH, for the models.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from small_models import FILLING, QUESTION, YEARS, small_image_model, small_reading_model, small_text_model
from small_models import text_with_a_year as text_of

_WORDS = {"card": "where is my card lost", "rate": "the rate new of a", "pin": "pin new i it"}


def photos(data: Path, models: Path) -> None:
    """24 dark and light pictures, and a model of timm's own tests."""
    small_image_model("test_efficientnet", models / "image")
    rng = np.random.default_rng(0)
    for number in range(24):
        name, light = ("dark", 0) if number % 2 else ("light", 100)
        pixels = rng.integers(light, light + 120, (6, 6, 3), np.uint8)
        (data / "photos" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).resize((72, 64), Image.Resampling.BILINEAR).save(
            data / "photos" / name / f"{number}.png"
        )


def texts(data: Path, models: Path) -> None:
    """36 texts of three classes, and a BERT of three layers."""
    small_text_model("bert", models / "text")
    rng, rows = random.Random(0), ["text,label"]
    for number in range(36):
        label = list(_WORDS)[number % 3]
        words = [rng.choice([*_WORDS[label].split(), "my", "the"]) for _ in range(8)]
        rows.append(f"{' '.join(words)} {number},{label}")
    (data / "texts.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def questions(data: Path, models: Path) -> None:
    """24 questions about a text each, and a BERT that would answer questions."""
    small_reading_model("bert", models / "reading", words=[*FILLING, *YEARS, "when", "it", "?", "."])
    rng = random.Random(0)
    with (data / "questions.jsonl").open("w", encoding="utf-8") as file:
        for number in range(24):
            text, ((answer, _),) = text_of(rng, 12)
            row = {"context": f"{text} {number}", "question": QUESTION, "answer": answer}
            file.write(json.dumps(row) + "\n")


def main() -> None:
    folder = Path(sys.argv[1])
    for name in ("data", "models"):
        (folder / name).mkdir(parents=True)
    for make in (photos, texts, questions):
        if make.__name__ in sys.argv[2:]:
            make(folder / "data", folder / "models")


if __name__ == "__main__":
    main()

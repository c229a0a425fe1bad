"""Saved models, models and photos of strangers, and what an attacker makes of them."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import random
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import headstart as hs
from small_models import QUESTION, WORDS, small_image_model, small_text_model, text_with_a_year

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
TEXTS = ["where is my card", "the new rate is lost", "a pin of it?", "my rate is the new pin"]


class _Missing:
    """A field that is not there; its name in a test's is the same in every process."""

    def __repr__(self) -> str:
        return "missing"


MISSING = _Missing()


def digests(texts: list[str]) -> np.ndarray:
    return np.stack([np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8) for text in texts])


def ghostscript(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program on the path that Pillow takes for Ghostscript. Gives the file that it makes when it is started."""
    folder.mkdir()
    (folder / "gs").write_text(f"#!/bin/sh\ntouch {folder}/started\nsleep 1\n")
    (folder / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return folder / "started"


def make(folder: Path, years: Path, textile: Path) -> SimpleNamespace:
    """A saved model of each kind, and the folders that the first two were made of."""
    small_image_model("vit_tiny_patch16_224", folder / "vit")
    small_text_model("bert", folder / "bert")
    photos = [str(photo) for name in ("global", "nominal") for photo in sorted((textile / name).glob("*.jpg"))[:12]]
    labels = ["one"] * 12 + ["other"] * 12
    hs.fit(photos, labels, model=str(folder / "vit"), how="probe", out=folder / "image")
    rng = random.Random(0)
    texts = [" ".join(rng.choices(WORDS, k=6)) for _ in range(30)]
    hs.fit(texts, ["one", "other", "third"] * 10, model=str(folder / "bert"), how="probe", out=folder / "text")
    rows = [text_with_a_year(rng, 12) for _ in range(24)]
    asked = [{"context": text, "question": QUESTION, "answer": answers[0][0]} for text, answers in rows]
    (folder / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    hs.fit(folder / "q.jsonl", model=str(years), how="probe", out=folder / "reader")
    return SimpleNamespace(folder=folder, photo=photos[0])


def opened(folder: Path) -> Any:
    return hs.load(folder)


def changed(source: Path, target: Path, **files: Any) -> Path:
    """A copy in which the JSON of some files is what a function makes of it, or has these fields."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    for name, change in files.items():
        file = target / f"{name}.json"
        told = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps(change(told) if callable(change) else {**told, **change}))
    return target


def put(told: Any, path: str, value: Any) -> Any:
    *parents, last = path.split(".")
    entry = told = copy.deepcopy(told)
    for name in parents:
        entry = entry[name]
    if value is MISSING:
        del entry[last]
    else:
        entry[last] = value
    return told

"""Claim: the page of 100,000 test examples is small, is made in seconds, and answers a click within two.

    python bench/page.py [N [CLASSES]]      (default: 100,000 texts of 100 classes)

Answers are made up. The browser is Chromium, if there is one: from the moment that it is told to open the file until a
group of examples is open and drawn.
"""

import os
import random
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from common import arguments, asked, installed

import headstart as hs
from headstart.evaluate.classification import evaluate
from headstart.record import Record
from headstart.report.examples import gallery_of
from headstart.report.page import report
from headstart.values import Dataset

WORDS = ["card", "rate", "pin", "transfer", "refund", "cash", "limit", "fee", "account", "number", "date", "phone"]


def record_of(dataset: Dataset) -> Record:
    """A record of answers by chance, nine of ten of them right."""
    rng, names, n = np.random.default_rng(0), dataset.classes, len(dataset)
    logits = rng.normal(size=(n, len(names)))
    logits[np.arange(n), dataset.y] += 4.5
    scores = evaluate(logits, dataset.y, classes=names, majority_class=names[0], where=dataset.where)
    facts = {"temperature": 1.0, "penalty": 1.0, "class_weights": None, "cross_validation": []}
    made = {"model": "none", "method": "probe", "why": "", "why_method": "", "date": "2026-01-31", "official": True}
    about = {"task": dataset.task, "title": dataset.title, "data": dataset.name, "n_train": n, "n_rejected": 0}
    return Record(**about, **made, scores=scores, facts=facts, findings=dataset.findings)


def opened(file: Path) -> None:
    """How long a browser takes."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None or not installed("playwright", needed_for="the time in a browser"):
        print("left out: the time in a browser (no Chromium)")
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        environment = {**os.environ, "TMPDIR": "/tmp"}  # a long one leaves no room for the name of Chromium's socket
        flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=path, args=flags, env=environment)
        page = browser.new_page()
        start = time.perf_counter()
        page.goto(file.as_uri(), wait_until="commit")
        page.locator("[data-group]:enabled").first.wait_for()
        seen = time.perf_counter()
        page.locator("[data-group]:enabled").first.click()
        page.locator("#panel .example").first.wait_for()
        print(f"first control {seen - start:5.2f} s, its examples {time.perf_counter() - start:5.2f} s after opening")
        browser.close()


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("n", nargs="?", type=int, default=100_000)
    parser.add_argument("classes", nargs="?", type=int, default=100)
    with asked(parser, lambda work: [400, 30]) as options, tempfile.TemporaryDirectory() as folder:
        draw = random.Random(0)
        texts = [f"{' '.join(draw.choices(WORDS, k=12))} {i}" for i in range(options.n)]
        labels = [f"class {i % options.classes}" for i in range(options.n)]
        dataset = hs.check(texts, labels, model=None).dataset
        record = record_of(dataset)
        start = time.perf_counter()
        page = report(record, gallery_of(record, dataset, np.arange(len(dataset))))
        took, file = time.perf_counter() - start, Path(folder) / "report.html"
        file.write_text(page)
        print(f"{len(dataset):,} examples, {options.classes} classes: {len(page) / 1e6:.2f} MB, made in {took:.2f} s")
        opened(file)


if __name__ == "__main__":
    main()

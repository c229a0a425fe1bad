"""Every bench runs in its small form, and says what it is there to say. No time is looked at."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.check

BENCH = Path(__file__).parents[1] / "bench"
SHARED = {"common", "by_litserve", "by_trainer", "cuts", "made_photos", "many_texts"}  # what benches import
BENCHES = sorted(path.stem for path in BENCH.glob("*.py") if path.stem not in SHARED)
HEADLINES = {  # what each prints in any form
    "accuracy": r"as headstart does it +accuracy [01]\.\d+",
    "against_commit": r"second fit .* ratio \d+\.\d+ \([\s\S]*table read .* ratio \d",
    "against_fastai": r"headstart +[\d.]+ s  accuracy [01]\.\d+",
    "against_trainer": r"headstart, seed 0 +accuracy [01]\.\d+",
    "answer": r"headstart +[\d.]+ s for 20 questions",
    "as_it_is": r"efficientnet_lite0: \d of 2 right",
    "attention": r"\| 16 \| bfloat16 \| [\d.]+ \| [\d.]+ \|",
    "big_head": r"passes to gaps of 1e-02 \d[\s\S]*times its bound; peak \d+ MB[\s\S]*SAGA: .*gap",
    "chance": r"\| 30 \| 1 \| [01] \|",
    "cliff": r"headstart, --how tune +[01]\.\d+",
    "doubtful_labels": r"texts, 60 \| any class \| [\d.]+% \| [\d.]+% \|",
    "compare": r"labels  pre-trained, frozen[\s\S]*ended after \d+ s of 20 s",
    "confidence": r"AUROC [01]\.\d+ by nearest[\s\S]*called strangers +[01]\.\d+[\s\S]*coverage +[01]\.\d+",
    "encode": r"ratio to the sum +[\d.]+",
    "few_examples": r"one of unknown class counted accuracy [01]\.\d+",
    "few_labels": r"\| names \+ pool \| [01]\.\d+ \|",
    "kept_in_int8": r"int8: lost \d+\.\d+%, cosine [\s\S]*int8 less float16: accuracy [+-]\d\.\d+",
    "precision": r"bfloat16 less float32: [+-]\d\.\d+",
    "few_photos": r"photos alone +accuracy [01]\.\d+",
    "explain": r"without the marked tenth",
    "exports": r"openvino: largest difference [\d.e-]+; 1 splits\n  accuracy [\s\S]*int8 [\d.]+ times float32",
    "few_epochs": r"straight +accuracy [01]\.\d+",
    "epoch_reads": r"in windows of groups: 2\d groups and 4\d\d MB[\s\S]*from all photos: \d[\d,]* groups",
    "head": r"scikit-learn, tol 3e-06 +[\d.]+ s  gap .* ratio",
    "larger_batches": r"the mean of 2 runs' weights: accuracy [01]\.\d+",
    "learning_curve": r"\| 24 \| [01]\.\d+ \|[\s\S]*second fit [\d.]+ s, its learning curve",
    "long_run": r"half a cosine +False -> True: accuracy [+-]",
    "memory": r" 16 photos +\d+ MB",
    "million_photos": r"2,000 photos: .* nothing else: yes\n[\s\S]*\d runs and \d merges killed .*: 0 of \d+ files",
    "near_duplicates": r"\| JPEG 75 \| \d+ \| 100\.0% \| 0 \|[\s\S]*\| grains \| 20 \| 0 \|",
    "on_ray": r"left out: all of it|ratio [\d.]+\n3 workers and 1 nodes killed in \d+ passes: 0 wrong bytes",
    "never_worse": r"behind the better one, single runs: \d",
    "over_http": r"headstart serve: [\d.]+ of the bare engine, by processors [\d.]+[\s\S]*plain FastAPI: half of that",
    "page": r"400 examples, 30 classes: 0\.\d+ MB, made in [\d.]+ s",
    "peers": r"\| headstart, default \| [01]\.\d+ \| ± [\d.]+ \| - \| [\d.]+ \|",
    "plain": r"mean over all +plain loop +accuracy [01]\.\d+",
    "published": r"24 questions, 1 not answered, 0 rejected\nexact match 50\.000",
    "rank": r"by log loss [\s\S]*taken by auto +held-out accuracy [01]\.\d+",
    "second_fit": r"second +[\d.]+ s .* 100% of the features known",
    "serving": r"headstart, a text +first +[\d.]+ ms, then +[\d.]+ ms a call",
    "soak": r"wrong answers 0 \[\]; failures in the log 0; exit code 0\nmegabytes after each tenth: \[",
    "tasks_against_trainer": r"headstart, seed 0 +accuracy [01]\.\d+.*\n(difference in accuracy [+-]|$)",
    "ten_million": r"2,000 texts .* nothing else: yes\n[\s\S]*2,000 photos .* three: 200 of 200, others: 0",
    "training_on_ray": r"left out: all of it|two nodes together: [\d.]+ steps/s[\s\S]*side by side: [\d.]+ steps/s",
    "tune_images": r"plain loop [\d.]+ s an epoch, stored activations",
    "tune_readers": r"ours, 1 epochs: [\d.]+ questions/s\n +EM [01]\.\d+",
    "tune_texts": r"headstart, \w+, length buckets +[\d.]+ examples/s",
}


@pytest.mark.parametrize("bench", BENCHES)
def test_a_bench_runs_in_its_small_form(bench, tmp_path):
    environment = {**os.environ, "HEADSTART_CACHE": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)}
    (tmp_path / "cache").mkdir()
    done = subprocess.run(
        [sys.executable, BENCH / f"{bench}.py", "--small"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(HEADLINES[bench], done.stdout), done.stdout
    assert not list(tmp_path.glob("tmp*"))  # it cleans up after itself


def test_every_bench_is_in_the_table():
    rows = re.findall(r"^\| .* \| `(\w+)\.py", (BENCH / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(set(rows)) == BENCHES == sorted(HEADLINES)

"""The three counts of CONTRIBUTING: a task, a metric and an export format come from outside, and no file of the package
is touched. What a test puts into a table is the line that stands there otherwise."""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace

import numpy as np
import pytest

import headstart as hs
from headstart.commands import common
from headstart.errors import OutputError, UserError
from headstart.export import table as formats
from headstart.report.page import report
from headstart.task import Metric
from headstart.tasks import table
from test_fit_questions import squad
from topics import MINI, mixed, numbers
from toy_format import TORCHSCRIPT
from toy_ordinal import ORDINAL


def stars(n: int = 160, seed: int = 0) -> tuple[list[str], list[int]]:
    """Reviews with one to five stars."""
    rng, said = (
        random.Random(seed),
        ["terrible, awful", "rather bad", "so so, average", "good, nice", "superb, wonderful"],
    )
    steps = [rng.randrange(5) for _ in range(n)]
    return [f"Dish {i} was {said[step]}." for i, step in enumerate(steps)], [step + 1 for step in steps]


@pytest.fixture
def ordinal(monkeypatch):
    """The row of a toy task in the table of tasks."""
    monkeypatch.setattr(table, "TASKS", (ORDINAL, *table.TASKS))


def test_a_task_is_two_files_and_a_row(ordinal, tmp_path, monkeypatch):
    texts, steps = stars()
    model = hs.fit(texts, steps, task="ordinal", out=tmp_path / "saved", **MINI)
    assert model.summary["task"] == "text-ordinal"
    assert model.classes == ("1", "2", "3", "4", "5")
    assert model.scores.exact > model.scores.always["exact"] + 0.3
    assert model.scores.within_one >= model.scores.exact
    opened = hs.load(tmp_path / "saved")
    assert opened.task.name == "ordinal"
    assert opened.summary | {"seconds": 0} == model.summary | {"seconds": 0}
    asked = ["It was wonderful!", "", "An awful dish"]
    assert opened.predict(asked[::2]) == model.predict(asked[::2])
    assert opened.head.more == {"scale": (1, 2, 3, 4, 5)}
    best, blank, worst = opened.predict(asked)
    assert int(best.step) > int(worst.step)
    assert blank.error
    assert 1 <= worst.value < best.value <= 5
    found = opened.evaluate(*stars(60, 5)).scores
    assert found.distance < 1
    for told in ("Exact step", "Within one step", "Mean distance", "always giving the commonest step"):
        assert told in report(opened.record)
        assert told in (tmp_path / "saved" / "report.html").read_text()
    printed = opened.task.words.fitted(opened.summary, opened.task.scorer.metrics)
    assert "Exact step" in printed
    assert "commonest step" in printed
    assert "| Mean distance |" in (tmp_path / "saved" / "README.md").read_text()
    assert opened.export(tmp_path / "ir", inputs=texts[:4]).proof.n == 4 + 7  # in a format that knows nothing of it
    assert hs.rank(texts, steps, task="ordinal", models=["all-MiniLM-L6-v2"]).rows[0].accuracy > 0.4
    monkeypatch.undo()
    assert "ordinal" not in {task.name for task in table.TASKS}


def test_a_task_of_photos_with_parts_of_their_own(ordinal, photos, tmp_path):
    """The same two files do for other inputs: what a target is says nothing of what an input is."""
    files = sorted(photos.glob("*/*.jpg"))
    steps = [i % 3 for i in range(len(files))]
    model = hs.fit([str(file) for file in files], steps, task="image-ordinal", model="efficientnet_lite0", how="probe")
    assert model.summary["task"] == "image-ordinal"
    assert model.predict(files[0])[0].step in model.classes
    with pytest.raises(UserError, match="a scale has three steps"):
        hs.check([str(file) for file in files], [i % 2 for i in range(len(files))], task="ordinal")


def labelled_texts():
    rows = mixed(60)
    return [text for text, _ in rows], [names for _, names in rows]


def rated_texts():
    rows = numbers(60)
    return [text for text, _ in rows], [value for _, value in rows]


def classed_texts():
    texts, steps = stars(60)
    return texts, [f"{step} stars" for step in steps]


def second(p):
    order = np.argsort(-p.probabilities, axis=1)[:, :2]
    return float((order == p.y[:, None]).any(axis=1).mean())


TOY_METRICS = {
    "classification": (classed_texts, second),
    "multilabel": (labelled_texts, lambda p: float((p.given != p.y).mean())),
    "regression": (rated_texts, lambda p: float(np.median(np.abs(p.errors)))),
    "answering": (None, lambda p: float((p.overlap > 0).mean())),
}


@pytest.mark.parametrize("name", TOY_METRICS)
def test_a_metric_is_a_function_and_a_row(name, years, tmp_path, monkeypatch):
    """It is in JSON, on the page, in the terminal and in the model card, and comes back from a saved folder."""
    data, compute = TOY_METRICS[name]
    toy = Metric("toy", "Toy figure", "made for a test", compute, unit="target")
    before = table.TASKS

    def put(metrics):
        tasks = [
            replace(task, scorer=replace(task.scorer, metrics=(*task.scorer.metrics, *metrics)))
            if task.name == name
            else task
            for task in before
        ]
        monkeypatch.setattr(table, "TASKS", tuple(tasks))

    put([toy])
    if data is None:
        questions = tmp_path / "questions.json"
        questions.write_text(json.dumps(squad(documents=12, each=3, without=True)))
        model = hs.fit(questions, model=str(years), how="probe", out=tmp_path / "saved")
    else:
        texts, targets = data()
        model = hs.fit(texts, targets, task=name, out=tmp_path / "saved", **MINI)
    assert model.summary["toy"] == model.scores.toy
    for words in (model.task.words.fitted, model.task.words.scored):
        assert f"Toy figure {model.scores.toy:.3f}" in " ".join(words(model.summary, model.task.scorer.metrics).split())
    assert "Toy figure" in (tmp_path / "saved" / "report.html").read_text()
    assert "| Toy figure |" in (tmp_path / "saved" / "README.md").read_text()
    assert hs.load(tmp_path / "saved").scores.toy == model.scores.toy
    for metrics in ([], [replace(toy, key="another", title="Another")]):  # a folder from before, or after
        put(metrics)
        opened = hs.load(tmp_path / "saved")
        assert "Toy figure" not in report(opened.record)
        assert opened.task.words.scored(opened.summary, opened.task.scorer.metrics)


def test_an_export_format_is_a_file_and_a_line(tmp_path, monkeypatch):
    model = hs.fit(*classed_texts(), **MINI)
    runtime = TORCHSCRIPT.runtime(None)
    wrong = replace(runtime, code=runtime.code.replace("return model", "return 0.5 * model"))
    lies = replace(TORCHSCRIPT, name="lies", runtime=lambda made: wrong)
    monkeypatch.setattr(formats, "FORMATS", (*formats.FORMATS, TORCHSCRIPT, lies))
    exported = model.export(tmp_path / "script", format="torchscript")
    assert exported.files == ("README.md", "model.json", "model.pt", "predict.py", "tokenizer.json")
    assert "pip install numpy torch tokenizers" in (tmp_path / "script" / "README.md").read_text()
    with pytest.raises(OutputError, match=r"on .* the export differs from headstart by 0\.\d+, and 0\.005 is allowed"):
        model.export(tmp_path / "lies", format="lies")
    assert os.listdir(tmp_path) == ["script"]
    with pytest.raises(UserError, match=r"one of: openvino, onnx, .*, torchscript, lies"):
        model.export(tmp_path / "new", format="onyx")


def test_each_task_is_told_where_users_look():
    """The two other edits of a task: the help of --task, and the docstring of `fit`."""
    for task in table.TASKS:
        assert task.name in common.TASK
        assert f'"{task.name}"' in hs.fit.__doc__

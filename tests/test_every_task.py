"""What headstart promises of every task alike: one list of checks, over a small table for each task."""

from __future__ import annotations

import csv
import json
import pickle
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import headstart as hs
from fits import finished, started
from headstart.errors import ModelError
from headstart.tasks.table import TASKS
from hostile import MISSING, put
from small_models import QUESTION, WORDS, small_text_model, text_with_a_year

ROWS = 80
KEYS = {
    *("task", "model", "how", "why", "why_how", "tuning", "n_train", "n_test", "n_rejected", "split"),
    *("findings", "notes", "versions", "seconds", "out"),
}
OF_A_HEAD = {"penalty", "cross_validation", "cached", "ranking"}


@dataclass(frozen=True)
class Case:
    """A task, data for it, and what is said of them."""

    name: str
    title: str
    header: tuple[str, ...]
    row: Callable[[random.Random], tuple[object, ...]]
    columns: hs.Columns | None  # None: by their names
    keys: set[str]  # of `fit --json`, beside those of all tasks
    metrics: tuple[str, ...]
    note: str = ""  # what was guessed, and the way out
    samples: tuple[tuple[str, str], ...] = ()  # in the model card's code, and what is put there instead

    @property
    def options(self) -> list[str]:
        named = {} if self.columns is None else self.columns.named
        return [word for key, names in named.items() for word in (f"--{key}", names if key != "text" else names[0])]

    def write(self, folder: Path, *, without_target: int | None = None) -> Path:
        """A table; of one row the target is empty."""
        rng, path = random.Random(0), folder / f"{self.name}.csv"
        rows = [list(self.row(rng)) for _ in range(ROWS)]
        if without_target is not None:
            rows[without_target][-1] = ""
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([self.header, *rows])
        return path


def words(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=7))


def classed(rng: random.Random) -> tuple[object, ...]:
    return (text := words(rng)), "of cards" if "card" in text else "of else"


def labelled(rng: random.Random) -> tuple[object, ...]:
    text = words(rng)
    return text, "|".join(label for label in ("card", "rate", "pin") if label in text.split()) or "[]"


def valued(rng: random.Random) -> tuple[object, ...]:
    return (text := words(rng)), f"{text.count('card') - 2 * text.count('pin') + rng.gauss(0, 0.2):.3f}"


def paired(rng: random.Random) -> tuple[object, ...]:
    one, other = words(rng), words(rng)
    return one, other, "alike" if ("card" in one) == ("card" in other) else "not"


def asked(rng: random.Random) -> tuple[object, ...]:
    text, ((year, _),) = text_with_a_year(rng, 12)
    return text, QUESTION, year


CLASSES = {"classes", "temperature", "class_weights", "majority_class", "majority_accuracy", "per_class"}
ONE, PAIR = hs.Columns(text="words", label="kind"), hs.Columns(text="left", text2="right", label="kind")
A_TEXT, A_PAIR = (('"a text"', '"my card is lost"'),), (('"a text", "another text"', '"my card", "the pin"'),)
CASES = [
    Case(
        "classification",
        "text-classification",
        ("words", "kind"),
        classed,
        ONE,
        OF_A_HEAD | CLASSES,
        ("accuracy", "macro_f1", "log_loss", "ece"),
        samples=A_TEXT,
    ),
    Case(
        "multilabel",
        "text-multilabel",
        ("words", "kind"),
        labelled,
        ONE,
        OF_A_HEAD | {"classes", "temperature", "thresholds", "baseline", "per_label"},
        ("macro_f1", "micro_f1", "map", "exact_match"),
        "labels have '|' between 3 different ones: each has several labels; --task classification",
        samples=A_TEXT,
    ),
    Case(
        "regression",
        "text-regression",
        ("words", "kind"),
        valued,
        ONE,
        OF_A_HEAD | {"width", "mean", "deviation", "baseline", "bins"},
        ("r2", "mae", "rmse", "pearson", "spearman", "coverage"),
        "the label is taken as a number",
        samples=A_TEXT,
    ),
    Case(
        "pair",
        "text-pair-classification",
        ("left", "right", "kind"),
        paired,
        PAIR,
        OF_A_HEAD | CLASSES,
        ("accuracy", "macro_f1", "log_loss", "ece"),
        samples=A_PAIR,
    ),
    Case(
        "answering",
        "question-answering",
        ("context", "question", "answer"),
        asked,
        None,
        {"temperature", "threshold", "baseline", "documents_train", "mistakes"},
        ("exact_match", "f1"),
    ),
]
LABELLED = [case for case in CASES if case.columns]


@dataclass(frozen=True)
class Fitted:
    """What `headstart fit` made of a case."""

    case: Case
    data: Path
    folder: Path
    told: dict[str, Any]

    @property
    def opened(self) -> hs.Model:
        return hs.load(self.folder)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "bert"
    small_text_model("bert", folder)
    return folder


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def fitted(request, tmp_path_factory, years, bert):
    case, folder = request.param, tmp_path_factory.mktemp("fitted")
    data, model = case.write(folder), years if request.param.name == "answering" else bert
    given = [data, *case.options, "--model", model, "--how", "probe", "--out", folder / "out", "--json"]
    return Fitted(case, data, folder / "out", finished(started("fit", *given, folder=folder)))


def test_a_fit_says_its_task_and_what_it_guessed(fitted):
    assert fitted.told["task"] == fitted.case.title
    assert fitted.case.note in " ".join(fitted.told["notes"])
    assert fitted.opened.task.name == ("classification" if fitted.case.name == "pair" else fitted.case.name)


def test_the_json_of_a_fit_has_the_keys_that_are_promised(fitted):
    told, case = fitted.told, fitted.case
    assert KEYS | case.keys | set(case.metrics) <= set(told)
    assert told["n_train"] + told["n_test"] + told["n_rejected"] == ROWS
    for metric in case.metrics:
        low, high = told.get(f"{metric}_interval", (told[metric], told[metric]))
        assert low <= told[metric] <= high
    assert (told["how"], told["split"], told["out"]) == ("probe", "made", str(fitted.folder))


def test_a_saved_folder_gives_all_of_it_again(fitted, tmp_path):
    model = fitted.opened
    kept = json.loads((fitted.folder / "metrics.json").read_text())
    assert model.summary == kept | {"out": str(fitted.folder)}  # written without a path of this machine
    assert model.summary | {"seconds": {}} == fitted.told | {"seconds": {}}
    assert {key: model.scores.values[key] for key in fitted.case.metrics} == {
        key: fitted.told[key] for key in fitted.case.metrics
    }
    model.report(tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text() == (fitted.folder / "report.html").read_text()


def test_a_table_with_the_fits_columns_is_predicted(fitted, command, tmp_path):
    """Also where it has no column of targets."""
    table = tmp_path / "new.csv"
    with fitted.data.open(newline="") as file, table.open("w", newline="") as new:
        csv.writer(new).writerows(row[:-1] for row in list(csv.reader(file))[:9])
    code, out, err = command("predict", fitted.folder, table, "--json")
    assert code == 0, err
    rows = json.loads(out)["predictions"]
    with table.open(newline="") as file:
        inputs = [tuple(row) for row in csv.reader(file)][1:]
    given = {1: lambda row: row[0], 2: lambda row: row if fitted.case.columns else row[::-1]}[len(inputs[0])]
    expected = fitted.opened.predict(list(map(given, inputs)))
    sure = dict.fromkeys(("unsure", "out_of_scope", "scope_score"))  # of every prediction, whatever the task
    assert rows == json.loads(json.dumps([sure | fitted.opened.task.words.row(p) for p in expected]))
    assert len(rows) == 8
    assert not any("error" in row for row in rows)


def test_evaluate_has_the_metrics_under_the_same_keys(fitted, command):
    code, out, err = command("evaluate", fitted.folder, fitted.data, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert {"model", "n_test", "n_rejected", "findings", "notes", *fitted.case.metrics} <= set(told)
    assert (told["n_test"], told["n_rejected"]) == (ROWS, 0)
    assert [f"{key}_interval" in told for key in fitted.case.metrics] == [
        f"{key}_interval" in fitted.told for key in fitted.case.metrics
    ]


def test_a_model_pickles_and_is_two_lines_in_print(fitted):
    model = fitted.opened
    what, how_good = repr(model).splitlines()
    assert fitted.opened.backbone.name in what
    headline = fitted.case.metrics[0]
    assert how_good.startswith(f"{headline.replace('_', ' ')} {fitted.told[headline]:.3f} (")
    assert how_good.endswith(f"saved in {fitted.folder}")
    again = pickle.loads(pickle.dumps(model))
    some = ("a card", "the pin") if model.modality.of_two else "the card is lost"
    assert again.predict(some) == model.predict(some)
    assert (again.summary, repr(again)) == (model.summary, repr(model))
    assert model.predict([]) == []


def test_a_folder_from_before_there_were_records_still_loads_and_scores(fitted, tmp_path):
    folder = shutil.copytree(fitted.folder, tmp_path / "old")
    told = json.loads((folder / "headstart.json").read_text())
    del told["record"]
    (folder / "headstart.json").write_text(json.dumps(told))
    old, new = hs.load(folder), fitted.opened
    assert (old.summary, old.scores.values) == ({**new.summary, "out": str(folder)}, new.scores.values)
    old.report(tmp_path / "page.html")
    columns = fitted.case.columns  # which it does not remember
    ours, theirs = (model.evaluate(fitted.data, columns=columns).scores for model in (old, new))
    assert ours == theirs
    assert ours.n == ROWS


def said_by(folder: Path, **changes: Any) -> Path:
    """The folder with other fields in its headstart.json, by their paths with __ between."""
    file = folder / "headstart.json"
    told = json.loads(file.read_text())
    for path, value in changes.items():
        told = put(told, path.replace("__", "."), value)
    file.write_text(json.dumps(told))
    return folder


@pytest.fixture
def copied(fitted, tmp_path):
    return shutil.copytree(fitted.folder, tmp_path / "copied")


TITLES = sorted(title for task in TASKS for title in task.titles.values())


@pytest.mark.parametrize("title", ["text-regression2", "", None, 5, [], {}, *TITLES], ids=str)
def test_a_folder_that_says_another_task_is_refused(title, fitted, copied):
    if title == fitted.case.title:
        return
    with pytest.raises(ModelError, match=r"unknown task|damaged") as error:
        hs.load(said_by(copied, task=title))
    assert str(copied) in str(error.value)
    assert str(error.value).count("\n") == 1


def test_a_folder_that_says_no_task_is_a_classifiers_or_of_questions(fitted, copied):
    """As before tasks were written; a head with thresholds, an interval or two texts is none of those."""
    said_by(copied, task=MISSING)
    if fitted.case.name in ("classification", "answering"):
        assert hs.load(copied).task is fitted.opened.task
        return
    with pytest.raises(ModelError, match="damaged"):
        hs.load(copied)


def test_a_task_that_is_insisted_on_is_the_folders(fitted):
    mine = fitted.opened.task.name
    assert hs.load(fitted.folder, task=mine).summary == fitted.opened.summary
    for other in {task.name for task in TASKS} - {mine}:
        with pytest.raises(ModelError, match=f"a model for {mine}, not for {other}"):
            hs.load(fitted.folder, task=other)
    with pytest.raises(hs.UserError, match="unknown task 'nonsense'\none of: classification, regression, multilabel"):
        hs.load(fitted.folder, task="nonsense")


OTHERS = (MISSING, None, True, -5, 1e400, "x", [], [None], {}, {"a": [1]}, {"a": None}, {"a": float("nan")})


def test_a_summary_is_checked_field_by_field(fitted, copied):
    """What is not of its type is named; what is, is told and printed again."""
    told = json.loads((copied / "headstart.json").read_text())
    wrong = []
    for part in ("summary", "record"):
        for field in told[part]:
            for value in OTHERS:
                (copied / "headstart.json").write_text(json.dumps(put(told, f"{part}.{field}", value)))
                try:
                    model = hs.load(copied)
                except ModelError as error:
                    wrong.append((f"{part}.{field}", str(error)))
                    continue
                assert model.scores.n
                assert json.dumps(model.summary)
                assert repr(model)
    assert [said for field, said in wrong if f"damaged: {field}" not in said] == []
    assert {field for field, _ in wrong} == {
        f"{part}.{field}" for part in ("summary", "record") for field in told[part] if field != "out"
    }


def test_the_cards_code_gives_what_the_model_gives(fitted, monkeypatch, capsys):
    if not fitted.case.samples:
        pytest.skip("of models that answer questions, test_answering_page runs it")
    code = (fitted.folder / "README.md").read_text().split("```python")[-1].split("```")[0]
    for sample, instead in fitted.case.samples:
        assert sample in code
        code = code.replace(sample, instead)
    monkeypatch.chdir(fitted.folder.parent)
    exec(code, {})
    said = capsys.readouterr().out
    some = tuple(json.loads(f"[{instead}]"))
    (ours,) = fitted.opened.predict([some if len(some) == 2 else some[0]])
    if fitted.case.name == "regression":
        value, ends = said.split(" 90 % interval ")
        printed, expected = [float(value), *map(float, ends.split())], [ours.value, *ours.interval]
    else:
        pairs = [line.rsplit(" ", 1) for line in said.splitlines()]
        given = dict(ours.labels) if fitted.case.name == "multilabel" else {ours.label: ours.probability}
        assert {name for name, _ in pairs} == set(given)
        printed, expected = [float(p) for _, p in pairs], [given[name] for name, _ in pairs]
    np.testing.assert_allclose(printed, expected, atol=0.02)


@pytest.mark.parametrize("case", LABELLED, ids=lambda case: case.name)
def test_an_example_without_a_target_is_said_and_left_out(case, tmp_path):
    checked = hs.check(case.write(tmp_path, without_target=4), columns=case.columns)
    (finding,) = (finding for finding in checked.dataset.findings if finding.rejected)
    assert (finding.kind, finding.where) == ("missing-label", f"{case.name}.csv row 5")
    assert len(checked.dataset) == ROWS - 1
    assert checked.dataset.title == case.title


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_check_says_what_a_fit_would_learn_from(case, tmp_path, command):
    data = case.write(tmp_path)
    code, out, err = command("check", data, *case.options, "--json")
    assert code == 0, err
    told, checked = json.loads(out), hs.check(data, columns=case.columns)
    assert (told["task"], told["n"], told["n_rejected"]) == (case.title, ROWS, 0)
    assert (told["n_train"], told["n_test"]) == (len(checked.parts.train), len(checked.parts.test))
    assert told == checked.to_json()
    assert repr(checked).startswith(f"{case.name}: {case.title}, {ROWS} examples that can be used, 0 left out\n")


def test_models_are_ranked_on_what_a_fit_learns_from(fitted, bert):
    if not fitted.case.columns:
        with pytest.raises(hs.UserError):
            hs.rank(fitted.data, models=[str(bert)])
        return
    (row,) = hs.rank(fitted.data, models=[str(bert)], columns=fitted.case.columns).rows
    assert (row.model, row.width) == (str(bert), fitted.opened.head.weight.shape[1])
    assert 0 <= row.accuracy <= 1

"""Examples in docstrings run, in the folder that a reader of "First ten minutes" has, and give what they show."""

from __future__ import annotations

import doctest
import inspect
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import headstart as hs

pytestmark = pytest.mark.check

DOCS = Path(__file__).parents[1] / "docs"
FUNCTIONS_OF_A_MODEL = ("predict", "predict_proba", "answer", "evaluate", "explain", "export", "save", "report")
PUBLIC = {name: getattr(hs, name) for name in hs.__all__ if name != "__version__"}
DOCUMENTED = {**PUBLIC, **{f"Model.{name}": getattr(hs.Model, name) for name in FUNCTIONS_OF_A_MODEL}}
CLASSES = {name: value for name, value in PUBLIC.items() if inspect.isclass(value)}
members = runpy.run_path(str(DOCS / "make_api.py"))["members"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """What the first blocks of that page make, with a model of its table and one that answers."""
    home = tmp_path_factory.mktemp("reader")
    page = (DOCS / "first-ten-minutes.md").read_text(encoding="utf-8")
    for block in re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[:2]:
        subprocess.run([sys.executable, "-c", block], cwd=home, check=True)
    runpy.run_path(str(DOCS / "make_outputs.py"))["with_a_reader"](home)
    out = home / "questions.headstart"
    hs.fit(home / "questions.csv", model="all-MiniLM-L6-v2", how="probe", out=out)
    return home


def test_no_other_example_is_left_out():
    methods = {f"{name}.{one}": getattr(value, one) for name, value in CLASSES.items() for one in members(value)}
    shown = {name for name, method in methods.items() if ">>>" in (inspect.getdoc(method) or "")}
    assert shown <= DOCUMENTED.keys()


@pytest.mark.parametrize("name", DOCUMENTED)
def test_an_example_gives_what_it_shows(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    found = doctest.DocTestParser().get_doctest(inspect.getdoc(DOCUMENTED[name]), {"hs": hs}, name, None, 0)
    assert found.examples
    told: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert runner.run(found, out=told.append).failed == 0, "".join(told)

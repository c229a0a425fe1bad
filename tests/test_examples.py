"""Every example runs, as a person would start it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from fits import HANGS
from pages import EVIL, Page
from small_models import model_that_finds_years

pytestmark = pytest.mark.check

FOLDER = Path(__file__).parents[1] / "examples"
BOX = FOLDER / "answer_box.py"
EXAMPLES = sorted(set(FOLDER.glob("*.py")) - {BOX})
FIGURES = {"labels": "macro F1", "ratings": "on average"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(example, tmp_path):
    done = run(example, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert FIGURES.get(example.stem, "accuracy") in done.stdout


def run(example: Path, *arguments: object, cwd: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, example, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=os.environ, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    """The address of an answer box over two texts, with a reader that finds years; its own process."""
    home = tmp_path_factory.mktemp("box")
    for name in ("reader", "texts", "texts/towers"):
        (home / name).mkdir()
    model_that_finds_years(home / "reader")
    (home / "texts" / "bridge.txt").write_text("A bridge by the river <b>. The people came from the north.")
    (home / "texts" / "towers" / "old.txt").write_text("The old tower & house . It was built 1931 by <a> king.")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, BOX, home / "reader", home / "texts", "--port", str(port)]
    with (home / "said").open("wb") as said:
        process = subprocess.Popen(command, env=os.environ, stdout=said, stderr=said)
    try:
        until = time.monotonic() + HANGS
        while True:
            try:
                asked(f"http://127.0.0.1:{port}")
                break
            except URLError:
                assert process.poll() is None, (home / "said").read_text()
                assert time.monotonic() < until, "it does not come up"
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(HANGS)


def asked(address: str, path: str = "/", host: str = "", **fields: str) -> tuple[int, str]:
    """Status and body."""
    request = Request(f"{address}{path}?{urlencode(fields)}", headers={"Host": host} if host else {})
    try:
        with urlopen(request, timeout=HANGS) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_the_answer_box_answers(box):
    status, body = asked(box, "/answer", question="when was it built?")
    best = json.loads(body)["answers"][0]
    assert (status, best["text"], best["file"]) == (200, "1931", os.path.join("towers", "old.txt"))
    status, body = asked(box, question="when was it built?")
    Page(body)
    assert (status, "<mark>1931</mark> by &lt;a&gt; king" in body) == (200, True)
    assert "old.txt" in body.split("<mark>")[1]


def test_the_answer_box_shows_what_it_was_asked_and_runs_none_of_it(box):
    for hostile in (f"when was it built? {EVIL}", '"><img src=x onerror=alert(1)>', "{count} %s \\"):
        status, body = asked(box, question=hostile)
        assert status == 200
        page = Page(body)
        assert {"script", "img"}.isdisjoint(page.tags)
        assert page.links == []
    assert "{count} %s" in body


def test_the_answer_box_refuses(box):
    assert asked(box)[0] == 200
    for path in ("/", "/answer"):
        assert asked(box, path, question="x" * 301)[0] == 422
        status, body = asked(box, path, question="   ")
        assert (status, "an empty question" in body) == (422, True)
    assert asked(box, "/answer")[0] == 422
    assert asked(box, "/answer", host="elsewhere.example", question="when was it built?")[0] == 400


def test_the_answer_box_says_what_it_needs(tmp_path):
    for arguments, words in (
        ((), "usage"),
        (("reader", tmp_path), "it needs .txt files"),
    ):
        done = run(BOX, *arguments, cwd=tmp_path)
        assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    (tmp_path / "a.txt").write_text("a text")
    done = run(BOX, "nothing-here", tmp_path, cwd=tmp_path)
    assert done.returncode == 2
    assert "nothing-here" in done.stderr

"""The pages say what is so: their first blocks run as they stand, and what they name is there."""

from __future__ import annotations

import ast
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import headstart as hs

pytestmark = pytest.mark.check

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "bench" / "README.md",
    ROOT / "examples" / "README.md",
    *(ROOT / "docs").rglob("*.md"),
]
made_outputs = runpy.run_path(str(ROOT / "docs" / "make_outputs.py"))
NOT_ALONE = {"answer-box", "index", "ray", "serve"}  # what they show is run elsewhere, or needs a cluster
RUN = sorted(
    page.stem
    for page in made_outputs["by_hand"]()
    if page not in made_outputs["showing"]() and page.stem not in NOT_ALONE and "\n```python\n" in page.read_text()
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)[^)]*\)")
FOLDERS = ("bench", "docs", "examples", "src", "tests", "torture")
NAMED = re.compile(r"(?<![\w./<>*-])((?:[\w-]+/)*[\w-]+\.(?:py|md|c))\b")  # files of ours; data are the reader's
ELSEWHERE = {  # whichever; of another repository; of an export
    *("bench/NAME.py", "minilm/README.md"),
    *("flowers-onnx/predict.py", "intents-openvino/predict.py", "questions-openvino/predict.py"),
}
SCRIPT = """
import shlex, sys
from headstart.commands.app import app

page, *commands = sys.argv[1:]
if "import timm" in page:  # beside a torchvision that was compiled for another torch
    from headstart.pretrained.torchvision_operators import declare_missing

    declare_missing()
exec(compile(page, "the page", "exec"), {"__name__": "__main__"})
for command in commands:
    app(shlex.split(command)[1:], standalone_mode=False)
"""


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    """What stands between ```language and ```."""
    return [code for found, code in BLOCK.findall(page.read_text(encoding="utf-8")) if found == language]


def run(code: str, commands: list[str], cwd: Path) -> None:
    """Python code and then commands in one process, as a reader would type them in one folder."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, code, *commands],
        cwd=cwd,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", RUN)
def test_what_a_page_begins_with_runs(name, tmp_path, years):
    shutil.copytree(years, tmp_path / "deepset" / "minilm-uncased-squad2")  # in the place of a model of the hub
    page = ROOT / "docs" / f"{name}.md"
    lines = "".join(blocks(page, "console")[:1]).splitlines()
    typed = [line.removeprefix("$ ") for line in lines if line.startswith("$ headstart ")]
    run(blocks(page, "python")[0], typed, tmp_path)


def test_what_the_readme_says_runs(tmp_path, photos):
    photos.rename(tmp_path / "flowers")
    shutil.copytree(tmp_path / "flowers", tmp_path / "other_photos")
    shutil.copy(next((tmp_path / "flowers").glob("*/*.jpg")), tmp_path / "rose.jpg")
    run(blocks(ROOT / "README.md", "python")[0], [], tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_code_on_a_page_is_python(page):
    for code in blocks(page, "python"):
        ast.parse(code)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=name_of)
def test_links_lead_somewhere(page):
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_names_is_there(page):
    text = page.read_text(encoding="utf-8")
    files = [file.relative_to(ROOT).as_posix() for top in FOLDERS for file in (ROOT / top).rglob("*.*")]
    known = {ending for file in [*files, *(path.name for path in ROOT.glob("*.*"))] for ending in endings(file)}
    assert sorted({path for path in NAMED.findall(LINK.sub("](", text)) if path not in known | ELSEWHERE}) == []
    assert sorted({name for name in re.findall(r"\bhs\.(\w+)", text) if name not in hs.__all__}) == []


def endings(file: str) -> list[str]:
    """a/b/c.py, b/c.py and c.py: pages name files from the folder that they are about; the top of all says it whole."""
    parts = file.split("/")
    return ["/".join(parts[at:]) for at in range(len(parts))]


def test_each_kind_of_warning_is_told():
    """Programs go by the kind, so a page lists them all, and none that there is not."""
    code = "".join(file.read_text() for file in Path(hs.__file__).parent.rglob("*.py"))
    made = {*re.findall(r'Caution\(\s*"([a-z-]+)"', code), "worse-than-constant", "not-better-than-constant"}
    page = (ROOT / "docs" / "warnings.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`([a-z-]+)`", "".join(rows))) == made


@pytest.mark.parametrize("page", ["scale.md", "schedulers.md"])
def test_shards_run_as_they_stand(page, tmp_path, photos):
    """At once or one after the other, then the merge and the fit."""
    loop = blocks(ROOT / "docs" / page, "bash")[0]
    (tmp_path / "headstart").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m headstart "$@"\n')
    (tmp_path / "headstart").chmod(0o755)
    done = subprocess.run(
        ["bash", "-ec", loop],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "photos.headstart").is_dir()

"""Run the blocks of a page in a folder of their own, and put what they print where the page shows it.

    python docs/make_outputs.py [PAGE ...]    # `make outputs`; without pages, all that show what comes

A block of ```python is run, and of ```console each line that begins with "$ ". What a page shows is the ```text block
behind a ```python block, and the lines below a command. Blocks whose first line names something else
(```python fastai) are others' code, and not run. A test compares what comes with what is shown.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```(python|console|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LIMIT = 600  # seconds that a block may take
DOCS = Path(__file__).parent
# Pages whose ```text blocks show something else than what a block before them prints, and pages that are made.
ILLUSTRATED = {"answer-box", "choosing", "compare", "explain", "export", "http-api", "long-texts"}
MADE = {"api", "command-line", "json", "models", "results", "troubleshooting"}


@dataclass(frozen=True)
class Shown:
    """A piece of a page that shows what something prints, and what that printed now."""

    start: int  # characters of the page
    end: int
    typed: str
    shown: str
    came: str


def by_hand() -> list[Path]:
    """The pages that people wrote, but for the log."""
    pages = [*DOCS.glob("*.md"), *(DOCS / "coming-from").glob("*.md")]
    return sorted(page for page in pages if page.stem not in MADE)


def showing() -> list[Path]:
    """Those of them that show what their blocks print."""
    pages = (page for page in by_hand() if page.stem not in ILLUSTRATED)
    return [page for page in pages if "\n```text\n" in page.read_text(encoding="utf-8")]


def outputs(page: str, folder: Path) -> list[Shown]:
    """What the blocks of a page print, run one after the other in a folder, from an empty cache on.

    Raises:
        RuntimeError: a block ends with an error.
    """
    blocks, made = list(BLOCK.finditer(page)), []
    for block, after in zip(blocks, [*blocks[1:], None], strict=True):
        language, text = block.groups()
        if language == "python":
            came = ran([sys.executable, "-c", text], folder)
            if after is not None and after[1] == "text" and page[block.end() : after.start()].strip() == "":
                made.append(Shown(after.start(2), after.end(2), text, after[2], came))
        elif language == "console":
            made += commands(block.start(2), text, folder)
    return made


def commands(start: int, text: str, folder: Path) -> list[Shown]:
    """The commands of a block, each with the lines below it, where there are any."""
    made = []
    for one in re.finditer(r"^\$ (.*\n)((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
        typed = one[1].strip()
        came = ran([sys.executable, "-m", *shlex.split(typed)], folder)
        if one[2].strip():
            blank = "\n" if one[2].endswith("\n\n") else ""
            made.append(Shown(start + one.start(2), start + one.end(2), typed, one[2], came + blank))
    return made


def ran(command: list[str], folder: Path) -> str:
    """What a command prints on stdout.

    Raises:
        RuntimeError: it ends with an error.
    """
    around = {**os.environ, "HF_HUB_OFFLINE": "1", "HEADSTART_CACHE": str(folder / "cache-of-this-page")}
    done = subprocess.run(command, cwd=folder, env=around, capture_output=True, text=True, timeout=LIMIT, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[-1]}\n{done.stderr}")
    return done.stdout


def rewritten(page: str, prepare: Callable[[Path], None]) -> str:
    """The page with what its blocks print now."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        for one in reversed(outputs(page, Path(folder))):
            page = page[: one.start] + one.came + page[one.end :]
    return page


def with_a_reader(folder: Path) -> None:
    """Put a small reading model in the place of the one that the pages fetch from the hub."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from small_models import model_that_finds_years

    reader = folder / "deepset" / "minilm-uncased-squad2"
    reader.mkdir(parents=True)
    model_that_finds_years(reader)


if __name__ == "__main__":
    for name in sys.argv[1:] or showing():
        Path(name).write_text(rewritten(Path(name).read_text(encoding="utf-8"), with_a_reader), encoding="utf-8")

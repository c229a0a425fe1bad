"""A real browser for tests of pages: Debian's Chromium, without a network, driven by Playwright.

Where there is none the tests are skipped; with HEADSTART_BROWSER=needed they fail, so that a machine that is to run
them cannot leave them out unnoticed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = (1280, 390)
_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions")
# Words that stand on two lines, though they would fit on one; what is not to be seen is left out.
_BROKEN = r"""() => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const around = node.parentElement;
    if (around.closest("script, style, svg, template") || !around.checkVisibility()) continue;
    for (const word of node.data.matchAll(/[\p{L}\p{M}\p{N}'’]{2,}/gu)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const boxes = [...range.getClientRects()].filter((box) => box.width > 0);
      const lines = new Set(boxes.map((box) => Math.round(box.top)));
      const width = boxes.reduce((sum, box) => sum + box.width, 0);
      let block = around;
      while (getComputedStyle(block).display.startsWith("inline") && block.parentElement) block = block.parentElement;
      if (lines.size > 1 && width < block.clientWidth) found.push(word[0]);
    }
  }
  return found;
}"""


def executable() -> str:
    """The browser; the test is skipped where there is none, or fails where one is needed."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        said = "no Chromium here: apt-get install chromium"
        if os.environ.get("HEADSTART_BROWSER") == "needed":
            pytest.fail(said)
        pytest.skip(said)
    return found


@contextmanager
def browser(*arguments: str) -> Iterator[Any]:
    """A browser of its own, as Playwright has it; with more arguments where a test needs them."""
    path = executable()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # A socket's path has room for 107 bytes: a long TMPDIR, such as that of a test, leaves Chromium none.
        environment = {**os.environ, "TMPDIR": "/tmp"}
        opened = playwright.chromium.launch(executable_path=path, args=[*_ARGUMENTS, *arguments], env=environment)
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def page_of(browser: Any, file: Path, *, width: int = 1280, dark: bool = False, script: bool = True) -> Iterator[Any]:
    """A file as a person sees it. Fails at the end where it asked for anything of a network, or said that it erred."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
        java_script_enabled=script,
        offline=True,
    )
    asked, erred = [], []
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda said: erred.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: erred.append(str(error)))
    try:
        page.goto(file.resolve().as_uri())
        yield page
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        assert erred == []
    finally:
        context.close()


def serious(page: Any) -> list[str]:
    """What axe-core has to say that keeps somebody from using the page, a line each."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for each in violations
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def broken_words(page: Any) -> list[str]:
    """Words that stand on two lines and would fit on one."""
    return page.evaluate(_BROKEN)


def scrolls_sideways(page: Any) -> bool:
    """Whether the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


def refuse_bad_looks(browser: Any, file: Path) -> None:
    """Fails where the page asks for a network, errs, scrolls sideways, breaks a word or keeps somebody out: wide and on
    a phone, light and dark, with everything unfolded."""
    for width in WIDTHS:
        for dark in (False, True):
            with page_of(browser, file, width=width, dark=dark) as page:
                page.evaluate("document.querySelectorAll('details').forEach((part) => (part.open = true))")
                assert not scrolls_sideways(page), width
                assert broken_words(page) == [], width
                assert serious(page) == [], (width, dark)

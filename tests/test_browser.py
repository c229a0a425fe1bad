"""Pages as people use them, in Chromium: what a click opens, the keyboard, a phone, no script, and who reads by ear."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import made_records as made
from browser import browser, page_of, refuse_bad_looks
from headstart.report.page import report

pytestmark = pytest.mark.check
TASKS = ("photos", "intents", "two_classes", "labels", "numbers", "answers")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory, textile) -> dict[str, Path]:
    """A page of every task."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "photos").mkdir()
    for name in ("global", "nominal"):
        (folder / "photos" / name).mkdir()
        for photo in sorted((textile / name).glob("*.jpg"))[:12]:
            (folder / "photos" / name / photo.name).write_bytes(photo.read_bytes())
    files = {}
    for task in TASKS:
        made_of = {"photos": (folder / "photos",), "answers": (folder,)}.get(task, ())
        files[task] = folder / f"{task}.html"
        files[task].write_text(report(*getattr(made, task)(*made_of)))
    return files


@pytest.mark.parametrize("task", TASKS)
def test_a_page_looks_right_wide_and_on_a_phone(task, chromium, pages):
    refuse_bad_looks(chromium, pages[task])


def test_a_click_on_a_number_shows_those_photos(chromium, pages):
    with page_of(chromium, pages["photos"]) as page:
        cell = page.locator(".matrix .miss button").first
        counted = int(cell.inner_text())
        cell.click()
        panel = page.locator("#panel")
        assert panel.is_visible()
        assert " taken for " in panel.locator("h2").inner_text()
        shown = panel.locator(".photo")
        assert shown.count() == counted
        assert "data:image/jpeg" in shown.first.evaluate("(photo) => getComputedStyle(photo).backgroundImage")
        assert shown.first.bounding_box()["width"] > 40
        wanted = cell.get_attribute("data-group").removeprefix("cell-").split("-")
        assert len(set(wanted)) == 2
        page.locator("#panel-close").click()
        assert not panel.is_visible()


def test_the_keyboard_is_enough(chromium, pages):
    with page_of(chromium, pages["two_classes"]) as page:
        cell = page.locator(".matrix .miss button").first
        cell.focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "panel-title"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "panel-close"
        page.keyboard.press("Escape")
        assert not page.locator("#panel").is_visible()
        assert cell.evaluate("(cell) => cell === document.activeElement")


def test_a_class_among_many_is_found_by_its_name(chromium, pages):
    with page_of(chromium, pages["intents"], width=390) as page:
        page.get_by_text("Class by class").click()
        rows = page.locator("#each-class tbody tr:visible")
        before = rows.count()
        name = rows.last.locator("th").inner_text()
        page.get_by_label("Find a class").fill(name.upper()[:12])
        assert 0 < rows.count() < before
        assert all(name.upper()[:12] in row.upper() for row in rows.locator("th").all_inner_texts())
        assert page.get_by_text(f"{rows.count()} of {before} rows").is_visible()


def test_without_its_script_the_page_says_all_but_what_a_click_opens(chromium, pages):
    with page_of(chromium, pages["photos"], script=False) as page:
        assert page.locator("section .examples .photo").first.is_visible()
        assert page.get_by_text("Most confident mistakes").is_visible()
        assert not page.locator("#panel").is_visible()
        assert page.locator(".find:visible").count() == 0

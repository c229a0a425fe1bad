"""The documentation site: it builds without a warning, leads nowhere wrong, and shows what is so."""

from __future__ import annotations

import csv
import json
import os
import re
import runpy
import subprocess
import sys
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest

import headstart as hs
from browser import browser, scrolls_sideways, serious
from headstart.encode.engines import cpu_has_bf16

pytestmark = pytest.mark.check

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GENERATED = {"commands": "command-line.md", "api": "api.md", "json": "json.md", "results": "results.md"}
made_outputs = runpy.run_path(str(DOCS / "make_outputs.py"))
BY_HAND, SHOWING = made_outputs["by_hand"](), made_outputs["showing"]()
TASKS = set(re.findall(r"\((\w[\w-]*\.md)\)", (DOCS / "how-to.md").read_text(encoding="utf-8")))  # not sections
PEERS = sorted((DOCS / "coming-from").glob("*.md"))
LONGEST, MOST_WORDS, WIDEST, MOST_FIGURES = 200, 22, 100, 2  # lines; of a sentence; characters; of 100 words
LONGEST_TASK, LONGEST_SENTENCE = 120, 40
WITH_FIGURES = ("index.md",)


TOOK = re.compile(r"\b\d[\d.,]* s\b")  # depends on the machine
FRACTION = re.compile(r"\d+\.\d+|\d+(?= ?%)")  # that processors round differently; counts are exact


def nearly(shown: str, came: str) -> bool:
    """Whether two outputs have the same words and counts, and nearly the same fractions."""
    one, other = (TOOK.sub("- s", text).strip() for text in (shown, came))
    figures = [[float(number) for number in FRACTION.findall(text)] for text in (one, other)]
    same = FRACTION.sub("0", one).split() == FRACTION.sub("0", other).split()
    return same and all(abs(a - b) <= max(0.02, 0.02 * a) for a, b in zip(*figures, strict=True))


def closed(schema: Any) -> Any:
    """A schema by which an object may have no other fields than those that are named."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inside = {key: closed(value) for key, value in schema.items()}
    return {**inside, "additionalProperties": False} if isinstance(schema.get("properties"), dict) else inside


def test_outputs_are_compared_closely():
    assert nearly("accuracy 0.93, 57% of 48, took 3.1 s", "accuracy 0.94, 58% of 48, took 9 s")
    assert not nearly("accuracy 0.93 of 48", "accuracy 0.84 of 48")
    assert not nearly("built in 1931", "built in 1932")


def made(name: str) -> dict:
    return runpy.run_path(str(DOCS / f"make_{name}.py"))


def as_pinned(*names: str) -> bool:
    """Whether these libraries have the versions that are tested."""
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    return {f"{name}=={version(name).split('+')[0]}" for name in names} <= set(pins)


class Html(HTMLParser):
    """What a page links to, what it loads, and which ids it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = {name: value or "" for name, value in attrs}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "link" and values.get("rel") not in ("canonical", "search", "next", "prev", "index", "genindex"):
            self.loads.append(values.get("href", ""))
        elif tag in ("script", "img", "iframe", "source", "audio", "video"):
            self.loads.append(values.get("src", ""))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built as `make docs` does; a warning is an error."""
    out = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-b",
        "html",
        "-d",
        out / "d",
        DOCS,
        out / "s",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ), timeout=600)
    assert (done.returncode, done.stderr) == (0, "")
    return out / "s"


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Html]:
    return {path: Html(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def test_every_page_is_reached(site, pages):
    """From the first one, by links; and by the search, which is of this folder."""
    reached, ahead = set(), [site / "index.html"]
    while ahead:
        page = ahead.pop()
        if page not in reached and page in pages:
            reached.add(page)
            links = (unquote(urlsplit(link).path) for link in pages[page].links if not urlsplit(link).scheme)
            ahead += [(page.parent / link).resolve() for link in links if link]
    written = {
        site / path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md") if "_site" not in path.parts
    }
    assert written - reached == set()
    assert (site / "searchindex.js").stat().st_size > 10_000


def test_links_and_anchors_lead_somewhere(site, pages):
    wrong = []
    for page, html in pages.items():
        for link in html.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            known = pages.get(target)
            if not target.exists() or (parts.fragment and known and unquote(parts.fragment) not in known.ids):
                wrong.append(f"{page.relative_to(site)}: {link}")
    assert wrong == []


def test_a_page_fetches_nothing_from_elsewhere(site, pages):
    loads = {load for html in pages.values() for load in html.loads if load}
    assert [load for load in loads if urlsplit(load).netloc] == []
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", styles) == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_pages_keep_nobody_out(site, width, scheme):
    """By axe-core, on a large screen and on a phone; they ask for nothing, and are not wider than it."""
    with browser() as opened:
        size = {"width": width, "height": 900}
        page, asked = opened.new_context(viewport=size, color_scheme=scheme, offline=True).new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        for name in ("index", "first-ten-minutes", "api", "results", "coming-from/keras"):
            page.goto((site / f"{name}.html").as_uri())
            assert serious(page) == [], name
            assert not scrolls_sideways(page), name
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_the_search_needs_no_server(site):
    with browser() as opened:
        page = opened.new_context(offline=True).new_page()
        page.goto((site / "search.html").as_uri() + "?q=abstain")
        page.locator("#search-results li a", has_text="How sure a model is").wait_for()


@pytest.mark.parametrize("name", GENERATED)
def test_a_page_that_is_made_is_up_to_date(name):
    if name == "commands" and not as_pinned("typer"):
        pytest.skip("another typer names types otherwise")
    assert (DOCS / GENERATED[name]).read_text(encoding="utf-8") == made(name)["page"](), "make docs"


def test_the_command_line_page_has_every_option():
    """Of each command, all options that its --help has, and no other."""
    page = (DOCS / "command-line.md").read_text(encoding="utf-8")
    parts = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    assert parts.keys() == made("commands")["helps"]().keys()
    for name, part in parts.items():
        command = [sys.executable, "-m", "headstart", name, "--help"]
        told = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "200"})
        options = set(re.findall(r"^[^\w]*(--[a-z][\w-]*)", told.stdout, re.MULTILINE)) - {"--help"}
        assert set(re.findall(r"^\| `(--[a-z][\w-]*)", part, re.MULTILINE)) == options, name


def test_the_python_page_has_every_public_name(site):
    text = (site / "api.html").read_text(encoding="utf-8")
    ids = Html(text).ids
    assert {f"headstart.{name}" for name in hs.__all__ if name != "__version__"} - ids == set()
    assert "headstart.Model.predict" in ids
    assert text.count("Raises<") > 10


def test_what_commands_print_is_as_the_schemas_say(tmp_path):
    schemas = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (DOCS / "schemas").glob("*.json")}
    found = made("schemas")["outputs"](tmp_path)
    assert {name.removesuffix(".json") for name in found} == schemas.keys()
    assert {schema["version"] for schema in schemas.values()} == {hs.__version__}
    for name, values in found.items():
        for value in values:
            jsonschema.validate(value, closed(schemas[name.removesuffix(".json")]))


def test_results_name_scripts_that_are_there():
    results = made("results")
    for file in (ROOT / "bench" / "results").glob("*.csv"):
        for row in results["rows"](file.stem):
            assert row["claim"], file
            assert re.fullmatch(r"\d{4}-\d\d-\d\d", row["date"]), row
            assert not row["script"] or (ROOT / "bench" / row["script"]).exists(), row
            assert not row["page"] or (DOCS / row["page"].split("#")[0]).exists(), row
    readme = (ROOT / "bench" / "README.md").read_text(encoding="utf-8")
    assert results["readme"](readme) == readme, "make docs"


@pytest.mark.parametrize("page", [DOCS / "index.md", ROOT / "README.md"], ids=lambda path: path.stem)
def test_figures_of_the_first_page_are_results(page):
    """Each figure of its table is in the results of the script beside it."""
    known: dict[str, str] = {}
    for file in (ROOT / "bench" / "results").glob("*.csv"):
        with file.open(encoding="utf-8", newline="") as opened:
            for row in csv.DictReader(opened):
                said = f"{row['figure']} {row['ratio']}"
                known[row["script"]] = f"{known.get(row['script'], '')} {said}"
    table = page.read_text(encoding="utf-8")
    rows = re.findall(r"^\| .* \| (.*) \| `(?:python )?bench/(\w+\.py).*` \|$", table, re.MULTILINE)
    assert len(rows) > 5
    for figures, script in rows:
        for figure in re.findall(r"\d+(?:\.\d+)?", figures):
            assert re.search(rf"(?<![\d.]){re.escape(figure)}(?![\d.]\d)", known[script]), (figure, script)


@pytest.mark.parametrize("page", SHOWING, ids=lambda path: path.stem)
def test_what_a_page_shows_is_what_comes(page, tmp_path):
    """The words exactly; figures nearly, for processors round differently; and how long it took, not at all."""
    outputs = made("outputs")
    outputs["with_a_reader"](tmp_path)
    shown = outputs["outputs"](page.read_text(encoding="utf-8"), tmp_path)
    assert shown
    if not (cpu_has_bf16() and as_pinned("openvino", "timm", "torch", "transformers")):
        pytest.skip("shown as another processor, or other versions, have it")  # what runs has run
    for one in shown:
        assert nearly(one.shown, one.came), f"{one.typed}\n{one.shown}\n{one.came}"


def test_the_first_block_of_the_site_runs(tmp_path, photos):
    photos.rename(tmp_path / "flowers")
    next((tmp_path / "flowers").glob("*/*.jpg")).rename(tmp_path / "rose.jpg")
    code = re.search(r"^```python\n(.*?)^```", (DOCS / "index.md").read_text(), re.MULTILINE | re.DOTALL)
    assert code is not None
    done = subprocess.run([sys.executable, "-c", code[1]], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PEERS, ids=lambda path: path.stem)
def test_lines_of_others_are_python(page):
    theirs = re.findall(r"^```python \w+\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(theirs) == 1
    compile(theirs[0], page.name, "exec")


@pytest.mark.parametrize("page", BY_HAND, ids=lambda path: path.stem)
def test_a_page_is_easy_to_read(page):
    text = page.read_text(encoding="utf-8")
    assert text.count("\n") <= (LONGEST_TASK if page.name in TASKS else LONGEST)
    typed = re.sub(r"^```(?:console|text)\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert [line for line in typed.splitlines() if len(line) > WIDEST and not line.startswith("|")] == []
    prose = re.sub(r"^```.*?^```$|(?-s:^[|#].*$)", "", text, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"`[^`]*`", "code", re.sub(r"\]\([^)]*\)", "]", prose))
    words = re.findall(r"[\w'-]+", prose)
    sentences = [one for one in re.split(r"[.?!:]\s|\n\n", prose) if re.search(r"\w", one)]
    assert len(words) / max(1, len(sentences)) <= MOST_WORDS
    items = [item for one in sentences for item in re.split(r"^- ", one, flags=re.MULTILINE)]
    assert [item for item in items if len(re.findall(r"[\w'-]+", item)) > LONGEST_SENTENCE] == []
    if page.name not in WITH_FIGURES:
        assert len(re.findall(r"(?<!\w)\d[\d.,]*", prose)) <= max(2, MOST_FIGURES * len(words) / 100)

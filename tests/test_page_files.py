"""The built pages: small, from their own place alone, with nothing inline, and what `make web` makes of the sources."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import headstart as hs

PACKAGE = Path(hs.__file__).parent
WEB = PACKAGE.parents[1] / "web"
PAGES = {
    "page": PACKAGE / "serve" / "static",
    "export": PACKAGE / "export" / "web",
    "studio": PACKAGE / "studio" / "static",
}
OTHERS = {"onnxruntime.js", "onnxruntime-wasm.js", "onnxruntime.wasm.gz", "tokenizers.js", "LICENCES.txt"}
MOST = 60 * 1024  # bytes, compressed, of what is ours

pages = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)


def ours(page: Path) -> list[Path]:
    return sorted(file for file in page.iterdir() if file.is_file() and file.name not in OTHERS)


@pages
def test_a_page_is_small(page):
    sizes = {file.name: len(gzip.compress(file.read_bytes(), 9, mtime=0)) for file in ours(page)}
    assert {"index.html", "app.js", "app.css"} <= set(sizes)
    assert sum(sizes.values()) <= MOST, sizes


@pages
def test_a_page_names_no_other_place_and_has_nothing_inline(page):
    html = (page / "index.html").read_text()
    policy = re.search(r'Content-Security-Policy"\s+content="([^"]+)"', html)
    assert policy is not None
    assert policy[1].startswith("default-src 'self';")
    assert "unsafe-inline" not in policy[1]
    assert "'unsafe-eval'" not in policy[1]
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=\"\./)", html)
    # Namespaces of SVG and the like are names, and where to report an error is a text: nothing is fetched from there.
    for file in ours(page):
        places = set(re.findall(r"https?://[\w.-]+", file.read_text()))
        assert places <= {"http://localhost", "http://www.w3.org", "https://svelte.dev"}, file.name


@pages
def test_what_others_wrote_has_its_licence_beside_it(page):
    licences = (page / "LICENCES.txt").read_text()
    assert "svelte" in licences
    if (page / "tokenizers.js").exists():
        assert "Copyright (c) Microsoft Corporation" in licences
        assert "Apache License" in licences


@pytest.mark.check
def test_the_pages_are_what_their_sources_make(tmp_path):
    """Built elsewhere from a copy of the sources, with the versions of the lock file: the same to the byte."""
    if shutil.which("npm") is None:
        pytest.skip("no Node here: it takes Node 20 to build the pages")
    sources = tmp_path / "web"
    shutil.copytree(WEB, sources, ignore=shutil.ignore_patterns("node_modules"))
    try:
        fetched = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund"], cwd=sources, capture_output=True, text=True, timeout=600
        )
    except subprocess.TimeoutExpired:
        pytest.skip("npm gives no answer here")
    if fetched.returncode != 0 and re.search(r"ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|ENETUNREACH", fetched.stderr):
        pytest.skip("npm reaches no registry here")
    assert fetched.returncode == 0, fetched.stderr
    subprocess.run(["npm", "run", "check"], cwd=sources, check=True)
    subprocess.run(["node", "build.mjs", "--out", tmp_path / "built"], cwd=sources, check=True)
    for page in PAGES.values():
        built = tmp_path / "built" / page.relative_to(PACKAGE)
        made = {file.name: file.read_bytes() for file in built.iterdir()}
        kept = {file.name: file.read_bytes() for file in page.iterdir() if file.is_file()}
        assert set(made) == set(kept)
        assert [name for name in made if made[name] != kept[name]] == [], "run make web, and commit what it makes"

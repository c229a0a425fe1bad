"""What stands around the package says what is so: how to cite it, how to report, what a change needs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import headstart as hs

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
FORMS = sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml"))


def test_who_cites_it_cites_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited.keys() >= {"cff-version", "message", "title", "authors"}  # what the format asks for
    assert (cited["title"], cited["version"], cited["license"]) == ("headstart", hs.__version__, "Apache-2.0")


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_a_form_for_issues_is_one(form):
    """As GitHub reads it: a form with a mistake is not shown at all."""
    made = yaml.safe_load(form.read_text(encoding="utf-8"))
    assert made.keys() >= {"name", "description", "body"}
    assert {part["type"] for part in made["body"]} <= {"markdown", "textarea", "input", "dropdown", "checkboxes"}
    asked = [part for part in made["body"] if part["type"] != "markdown"]
    assert asked
    assert all(part["attributes"]["label"] for part in asked)
    ids = [part["id"] for part in asked]
    assert len(set(ids)) == len(ids)
    named = re.findall(r"blob/main/([^)\s]+)", form.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", sorted(GITHUB.glob("*.md")), ids=lambda path: path.stem)
def test_links_for_contributors_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (page.parent / link).exists()] == []

"""Write docs/json.md from docs/schemas/*.json: `make docs`. A test compares them, and the schemas with what comes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headstart import __version__

DOCS = Path(__file__).parent
FILES = ("headstart", "manifest", "model")
DEPTH = 3  # levels of fields that the page shows; the schema has all
HEAD = f"""# JSON

Made from `docs/schemas/*.json`, which are made from real outputs (`make schemas`).
Each is a JSON schema (draft 2020-12) with every field; this page shows the first {DEPTH} levels.

The version of a form is the version of headstart, {__version__} here. An output says which one made it:

| where | field |
|---|---|
| `fit --json`, `metrics.json` | `versions.headstart` |
| `headstart.json` of a saved folder | `headstart` |
| `manifest.json` of a saved folder | `headstart` |
| `model.json` of an export | `made_by` |

Fields may be added in any version. A field that is gone or means something else is told in the changelog.
What the server answers has its own schema, `/openapi.json` ([serve](serve.md)).
*always* means: in every output that the schema was made from.
"""


def page() -> str:
    """The page as text."""
    schemas = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (DOCS / "schemas").glob("*.json")}
    lines = [HEAD]
    commands = sorted(name for name in schemas if name not in FILES)
    for title, names in (("What commands print", commands), ("What folders hold", FILES)):
        lines.append(f"\n## {title}")
        for name in names:
            schema = schemas[name]
            lines += [f"\n### {schema['title']}\n", f"Schema: [{name}.json](schemas/{name}.json)\n"]
            lines += ["| field | type | there |", "|---|---|---|"]
            lines += [f"| `{field}` | {kind} | {always} |" for field, kind, always in fields(schema)]
    return "\n".join(lines) + "\n"


def fields(schema: dict[str, Any], prefix: str = "", depth: int = DEPTH) -> Iterator[tuple[str, str, str]]:
    """The fields of an object, each with its type, and whether it is always there."""
    if depth == 0:
        return
    for name, form in schema.get("properties", {}).items():
        yield f"{prefix}{name}", kind_of(form), "always" if name in schema.get("required", ()) else ""
        inner = form.get("items", {})
        yield from fields(form, f"{prefix}{name}.", depth - 1)
        yield from fields(inner, f"{prefix}{name}[].", depth - 1)


def kind_of(form: dict[str, Any]) -> str:
    """A type in a word or two."""
    named = form["type"] if isinstance(form["type"], list) else [form["type"]]
    said = ", ".join(
        "array of " + kind_of(form["items"]) if one == "array" and form.get("items") else one for one in named
    )
    return f"{said} by key" if "additionalProperties" in form else said


if __name__ == "__main__":
    (DOCS / "json.md").write_text(page(), encoding="utf-8")

"""Write docs/api.md: a section for each public name, and for what these give. `make docs`; Sphinx fills in the
docstrings."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import headstart as hs

HEAD = """# Python

Made from the docstrings: of `import headstart as hs` and all that it gives.
`hs.UserError` is the base class of every error about what you gave; its text says what to do.
Examples run in the folder of [first ten minutes](first-ten-minutes.md).
"""

# Public between headstart's own rooms, and not for users.
INTERNAL = {
    *(f"Model.{name}" for name in ("with_record", "fitted", "saved", "predictor", "explainer", "score")),
    *("Checked.firsts", "Checked.placed"),
}
METHODS = (property, cached_property, classmethod, staticmethod)


def page() -> str:
    """The page as text."""
    public = {name: getattr(hs, name) for name in sorted(hs.__all__, key=str.lower) if name != "__version__"}
    functions = {name: value for name, value in public.items() if not inspect.isclass(value)}
    classes = {name: value for name, value in public.items() if inspect.isclass(value)}
    given = {value.__name__: value for one in public.values() for value in gives(one)}
    lines = [HEAD]
    for title, some in (("Functions", functions), ("Classes", classes)):
        lines.append(f"\n## {title}")
        for name, value in some.items():
            lines += section(f"headstart.{name}", value)
    lines.append("\n## What they give\n\nThese are made by headstart alone, never by you.")
    for value in dict(sorted(given.items())).values():
        if value not in public.values():
            lines += section(f"{value.__module__}.{value.__name__}", value)
    return "\n".join(lines) + "\n"


def section(path: str, value: Any) -> list[str]:
    """The directive that has a name's docstring rendered."""
    name = path.rpartition(".")[2]
    lines = [f"\n### {name}\n", "```{eval-rst}"]
    if not inspect.isclass(value):
        return [*lines, f".. autofunction:: {path}", "```"]
    return [*lines, f".. autoclass:: {path}", f"    :members: {', '.join(members(value))}", "```"]


def members(value: type) -> list[str]:
    """The public methods and properties that headstart has written, of the class or of those that it is made of."""
    written = (name for one in value.__mro__ if one.__module__.startswith("headstart.") for name in vars(one))
    known = ((name, inspect.getattr_static(value, name)) for name in dict.fromkeys(written) if name[0] != "_")
    public = [name for name, member in known if inspect.isfunction(member) or isinstance(member, METHODS)]
    return [name for name in public if f"{value.__name__}.{name}" not in INTERNAL]


def gives(value: Any) -> Iterator[type]:
    """The classes of headstart's that a function, or the methods of a class, give back."""
    functions = [value] if inspect.isfunction(value) else [f for _, f in inspect.getmembers(value, inspect.isfunction)]
    functions += [p.fget for _, p in inspect.getmembers(value, lambda member: isinstance(member, property)) if p.fget]
    for function in functions:
        if function.__name__.startswith("_") or not function.__module__.startswith("headstart."):
            continue
        for name in re.findall(r"\w+", str(function.__annotations__.get("return", ""))):
            found = named(function.__module__, name)
            if inspect.isclass(found) and found.__module__.startswith("headstart.") and found.__doc__:
                yield found


def named(module: str, name: str) -> Any:
    """What a name in a module's annotations means, also where it is imported for them alone."""
    known = vars(sys.modules[module]).get(name)
    if known is not None:
        return known
    for node in ast.walk(ast.parse(inspect.getsource(sys.modules[module]))):
        if isinstance(node, ast.ImportFrom) and node.module and name in [alias.name for alias in node.names]:
            return getattr(import_module(node.module), name)
    return None


if __name__ == "__main__":
    (Path(__file__).parent / "api.md").write_text(page(), encoding="utf-8")

"""The layout: imports go from the ground up, without rings; files, functions and the main page stay small."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import headstart as hs

PACKAGE = Path(hs.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
# Rooms, and modules of the root, may import what is on their own level or below; those of one line that stand alone
# (None) never each other.
LEVELS = (
    {"values", "backbone", "errors", "progress", "clock", "no_telemetry", "task", "inputs.modality"},
    {"storage", "inputs", "tracking"},
    {"evaluate", "data", "pretrained", "session"},
    {"encode"},
    {"adapt"},
    {"choose", "answering", "confidence", "doctor"},
    {"record", "report", "explain"},
    {"tasks"},
    {"export", "comparison"},
    {"model", "artifact", "evaluation"},
    {"pipeline", "api", "estimators", "serve", "studio", "cluster"},
    {"commands"},
)
# Rooms within `data`, from the ground up; above them are its own modules, by which other rooms come in.
LEVELS_OF_DATA = ({"files", "alike"}, {"labels"}, {"columns"}, {"tables"}, {"folders", "questions", "shards"})
EVERYWHERE = {"__init__", "__main__"}
MOST_LINES, MOST_OF_A_FUNCTION, MOST_OF_THE_MAIN_PAGE, MOST_IN_THE_ROOT = 395, 60, 80, 16
# Questions of which kind, source, form or head something is, which belong into the tables of these.
WHICH_KIND = re.compile(
    r"isinstance\([^)]*Preparation\)|\bsource (==|!=|in)|\.kind (==|!=) |\.form (==|!=) |\bform (==|!=) "
    r"|\bhead(\"\]|\.get\(\"head\"\))? (==|!=|in|not in) [(\"]|get\(\"head\"\)|\"head\" in"
    r"|\bkind (==|!=) \"(image|text|pair|passage)|\b(modality|task)\.name (==|!=|in) [(\"]"
)
MOST_WHICH_KIND = 10


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts)


def imports(file: Path) -> Iterator[str]:
    """Modules of the package that a file imports, wherever in it and in whatever form; not for types alone."""
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    modules = {name_of(path).removesuffix(".__init__") for path in FILES}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: say where from"
            module = (node.module or "").removeprefix("headstart").removeprefix(".")
            if (node.module or "").split(".")[0] == "headstart":
                named = [f"{module}.{alias.name}".strip(".") for alias in node.names]
                yield from (name if name in modules else module for name in named)
        elif isinstance(node, ast.Import):
            yield from (a.name.removeprefix("headstart.") for a in node.names if a.name.startswith("headstart."))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            assert file.name == "__init__.py", f"{file}: imports are statements"


def level(module: str) -> int:
    for number, names in enumerate(LEVELS):
        if module in names:
            return number
    return next(number for number, names in enumerate(LEVELS) if module.split(".")[0] in names)


def room(module: str) -> str:
    """The folder that a module is in, of which `data` has several; the module itself, in the root."""
    first, *more = module.split(".")
    return f"{first}.{more[0]}" if first == "data" and len(more) > 1 else first


def level_in_data(module: str) -> int:
    name = room(module).removeprefix("data.")
    inner = (number for number, names in enumerate(LEVELS_OF_DATA) if name in names)
    return next(inner, len(LEVELS_OF_DATA))


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_imports_go_one_way(file):
    name = name_of(file)
    if name in EVERYWHERE or file.name == "__init__.py":
        return
    above = [module for module in imports(file) if module and level(module) > level(name)]
    if name.startswith("data."):
        inside = [module for module in imports(file) if module.startswith("data.")]
        above += [module for module in inside if level_in_data(module) > level_in_data(name)]
    assert not above


def test_there_is_no_ring():
    """Neither of modules nor, on one level, of rooms."""
    graph = {name_of(file): set(imports(file)) - {""} for file in FILES if file.name != "__init__.py"}
    rooms: dict[str, set[str]] = {}
    for name, needed in graph.items():
        rooms.setdefault(room(name), set()).update({room(module) for module in needed} - {room(name)})
    for nodes in (graph, {k: v - {"inputs"} if k == "task" else v for k, v in rooms.items()}):
        done: set[str] = set()
        while ready := {name for name, needed in nodes.items() if name not in done and needed & set(nodes) <= done}:
            done |= ready
        assert not set(nodes) - done


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_files_and_functions_fit(file):
    text, documented = file.read_text(), {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            documented[node] = node.body[0].end_lineno - node.body[0].lineno if ast.get_docstring(node) else 0
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno - node.lineno - documented[node] < MOST_OF_A_FUNCTION, node.name
    assert text.count("\n") - sum(documented.values()) <= MOST_LINES


def test_the_main_page_is_a_page():
    assert (PACKAGE / "pipeline.py").read_text().count("\n") <= MOST_OF_THE_MAIN_PAGE
    assert len(list(PACKAGE.glob("*.py"))) <= MOST_IN_THE_ROOT
    assert all(file.read_text() == "" for file in PACKAGE.glob("*/**/__init__.py"))


def test_few_places_ask_which_kind_it_is():
    places = [
        f"{name_of(file)}:{number}"
        for file in FILES
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if WHICH_KIND.search(line)
    ]
    assert len(places) <= MOST_WHICH_KIND, places


def test_contributing_tells_every_room_and_level():
    """A newcomer finds each room there, and what may import what; nothing is told that is not there."""
    page = (PACKAGE.parents[1] / "CONTRIBUTING.md").read_text()
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    inner = {path.name for path in (PACKAGE / "data").iterdir() if (path / "__init__.py").exists()}
    assert {room.rstrip("/") for room in re.findall(r"`([a-z]+/)`", page)} - {"tests", "docs"} == rooms
    assert {room.rstrip("/") for room in re.findall(r"`data/([a-z]+/)`", page)} == inner == set().union(*LEVELS_OF_DATA)
    named = re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.\w+)`", page)
    assert [path for path in named if not any((top / path).exists() for top in (PACKAGE, *PACKAGE.parents[:2]))] == []
    for number, names in enumerate(LEVELS):
        told = re.search(rf"\s{number} (.*?)(?:\s·\s|\. Heavy)", page, re.DOTALL)
        assert told is not None
        assert set(re.findall(r"`(\w+)`", told[1])) <= names


def test_versions_agree():
    changelog = (PACKAGE.parents[1] / "CHANGELOG.md").read_text()
    assert f"## {hs.__version__}" in changelog


def test_only_pretrained_names_the_sources_of_models():
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            sources = {n.split(".")[0] for n in names}
            if sources & {"timm", "transformers"}:
                assert file.parent.name == "pretrained"
            if "peft" in sources:
                assert file.name == "lora.py"

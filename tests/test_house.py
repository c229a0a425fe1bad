"""The layout: imports go one way, files stay small, the public names exist."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import headstart as hs

PACKAGE = Path(hs.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
GROUND = {"values", "errors", "files", "progress", "places", "matrix", "no_telemetry", "locks", "living", "kept"}
MAY_IMPORT = {
    "values": set(),
    "errors": set(),
    "renames": set(),
    "manifest": {"files", "places"},
    "saved": {"errors", "files", "locks", "manifest", "places", "renames", "streams", "values"},
    "files": set(),
    "streams": {"errors"},
    "progress": {"errors"},
    "no_telemetry": set(),
    "places": {"errors", "files"},
    "locks": {"errors", "places"},
    "living": {"errors", "locks", "places"},
    "kept": {"errors", "living", "locks", "places", "streams"},
    "matrix": {"values", "places", "kept"},
    "track": {"errors", "files", "progress", "track_mlflow", "track_tensorboard"},
    "track_mlflow": {"errors", "no_telemetry", "track"},
    "track_tensorboard": {"places", "track"},
    "data": GROUND | {"data"},
    "pretrained": GROUND | {"pretrained"},
    "evaluate": GROUND | {"evaluate"},
    "encode": GROUND | {"encode", "data.images", "data.texts", "data.views", "data.windows"},
    "adapt": GROUND
    | {"adapt", "data.images", "data.split", "data.views", "data.windows"}
    | {"encode", "evaluate.calibrate", "evaluate.metrics"},
    "choose": GROUND | {"choose", "data.split", "pretrained.catalog", "encode", "adapt", "evaluate"},
}


def imports(file: Path) -> set[str]:
    """Dotted names inside the package that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("headstart."):
            found.add(node.module.removeprefix("headstart."))
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_imports_go_one_way(file):
    room = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room in MAY_IMPORT:
        allowed = MAY_IMPORT[room]
        wrong = {name for name in imports(file) if name not in allowed and name.split(".")[0] not in allowed}
        assert not wrong


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_files_and_functions_fit(file):
    text = file.read_text()
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and file.name not in ("cli.py", "fit.py", "fit_reader.py"):
            assert node.end_lineno - node.lineno < 70, node.name


def test_public_names_exist_and_versions_agree():
    for name in hs.__all__:
        assert getattr(hs, name) is not None
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

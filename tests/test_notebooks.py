"""Every notebook runs from its first cell to its last one, as it stands and in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.check

NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples").glob("*.ipynb"))
RUNNER = """
import ast, json, sys

cells, here = json.load(sys.stdin), {"__name__": "__main__"}
for number, cell in enumerate(cells):
    tree = ast.parse(cell, f"cell {number}")
    shown = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, f"cell {number}", "exec"), here)
    if shown is not None:
        value = eval(compile(ast.Expression(shown.value), f"cell {number}", "eval"), here)
        if value is not None:
            print(value._repr_html_() if hasattr(value, "_repr_html_") else repr(value))
"""  # as a notebook does: what the last line of a cell gives is shown
SAID = {
    "defects": "flawed   found",
    "emotions": "-> joy, surprise",
    "flowers": "held-out photos (",
    "intents": "labels look doubtful",
    "manual": "The first model was built in [[1931]]",
    "ratings": "off by 0.2",
    "sentiment": "Slow, and an empty mess. -> bad",
}


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def test_there_are_notebooks():
    assert {path.stem for path in NOTEBOOKS} == SAID.keys()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_no_outputs(path):
    """What is shown comes from who runs it; and a change is a change of code."""
    notebook = read(path)
    assert notebook["nbformat"] == 4
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, years):
    shutil.copytree(years, tmp_path / "deepset" / "minilm-uncased-squad2")  # in the place of a model of the hub
    assert SAID[path.stem] in told_by(path, tmp_path)


def test_flowers_are_learned_with_a_file_of_resnet50(tmp_path):
    """A real ResNet50's tensors, drawn by chance: what the notebook is about, in its true form."""
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    weights = timm.create_model("resnet50", pretrained=False).state_dict()
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, tmp_path / "resnet50.safetensors")
    (path,) = (path for path in NOTEBOOKS if path.stem == "flowers")
    assert "'resnet50.safetensors'" in told_by(path, tmp_path)


def told_by(path: Path, folder: Path) -> str:
    """What a notebook prints and shows, run in a folder."""
    cells = ["".join(cell["source"]) for cell in read(path)["cells"] if cell["cell_type"] == "code"]
    done = subprocess.run(
        [sys.executable, "-c", RUNNER],
        cwd=folder,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        input=json.dumps(cells),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout

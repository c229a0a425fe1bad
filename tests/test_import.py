"""`headstart.fit` is the function, whichever import came first."""

from __future__ import annotations

import subprocess
import sys

import pytest

CHECK = """
import inspect, sys, headstart
function = headstart.fit
assert list(inspect.signature(function).parameters)[:2] == ["data", "labels"], function
assert sys.modules["headstart.fit"].fit is function
from headstart import fit
assert fit is function
try:
    headstart.fit("nowhere")
except headstart.UserError as error:
    print(error)
"""


@pytest.mark.parametrize(
    "first",
    [
        "",
        "import headstart.fit; assert callable(headstart.fit)",
        "from headstart.fit import fit",
        "from headstart.fit import Model",
        "import headstart.fit as fit; assert callable(fit)",
        "from headstart import fit; import headstart.fit",
        "import headstart; headstart.fit; from headstart.fit import Model",
        "import importlib; importlib.import_module('headstart.fit')",
        "import headstart.commands.app; from headstart.ranking import rank",
        "from headstart import *",
    ],
)
def test_fit_is_the_function_in_every_order_of_imports(first, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", "-c", first + CHECK],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("nowhere: "), done.stdout
    assert done.stderr == ""


def test_other_submodules_are_there_as_ever():
    code = "import headstart.data, headstart.values; assert headstart.data.check and headstart.values.Kind"
    subprocess.run([sys.executable, "-c", code], check=True)

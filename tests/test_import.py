"""`import headstart` is cheap, and says what it has."""

from __future__ import annotations

import subprocess
import sys

import pytest

import headstart as hs


def test_its_names_are_listed_and_there():
    assert dir(hs) == sorted(hs.__all__)
    for name in hs.__all__:
        assert getattr(hs, name) is not None


@pytest.mark.parametrize("first", ["", "import headstart.api", "from headstart import *", "import headstart.pipeline"])
def test_fit_is_the_function_in_every_order_of_imports(first, tmp_path):
    check = (
        "import headstart\ntry:\n    headstart.fit('nowhere')\nexcept headstart.UserError as error:\n    print(error)"
    )
    code = [sys.executable, "-W", "error::ImportWarning", "-c", f"{first}\n{check}"]
    done = subprocess.run(code, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("nowhere: "), done.stdout
    assert done.stderr == ""


def test_it_loads_nothing_heavy():
    code = "import sys, headstart; print([m for m in ('torch', 'numpy', 'timm', 'sklearn') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_check_reads_the_data_and_loads_no_engine(photos):
    code = (
        "import sys, headstart; print(headstart.check(sys.argv[1]).counts); "
        "print([m for m in ('torch', 'openvino', 'sklearn', 'transformers') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(photos)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=photos.parent)
    assert done.stdout == "{'global': 20, 'nominal': 20}\n[]\n"

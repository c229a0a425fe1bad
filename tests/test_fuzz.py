"""A short form of `make fuzz`: some hundreds of mutated inputs of every kind; and that the fuzzers can fail."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import PIL
import pytest
from packaging.version import Version

pytestmark = pytest.mark.check

TORTURE = Path(__file__).parents[1] / "torture"
MODELS = (
    *("timm-folder", "text-folder", "reader-folder", "safetensors", "pth", "h5", "onnx"),
    *("saved-photos", "saved-texts", "saved-reader"),
)
PHOTOS = (
    *("jpeg", "png", "gif", "bmp", "tiff", "webp", "avif", "ppm", "mpo", "animations", "jpeg2000", "ico", "tga", "dds"),
    *("small-formats", "foreign-formats", "postscript"),
)
TABLES = ("csv", "tsv", "label", "jsonl", "json", "parquet", "squad", "folder", "typed-paths")


def fuzzed(*targets: str, cases: int, folder: Path, torture: Path = TORTURE, hang: int = 300) -> tuple[int, dict, str]:
    """Exit code, what was written down and what was printed."""
    out = folder / "found.json"
    asked = [word for target in targets for word in ("--target", target)]
    command = [sys.executable, torture / "fuzz.py", *asked, "--cases", cases, "--jobs", 1, "--hang", hang, "--out", out]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=os.environ, check=False)
    assert out.exists(), done.stderr
    return done.returncode, json.loads(out.read_text()), done.stdout


@pytest.mark.parametrize(
    ("targets", "cases"), [(PHOTOS, 40), (TABLES, 40), (MODELS, 14)], ids=["photos", "tables", "models"]
)
def test_no_input_ends_in_a_traceback_a_hang_or_a_touched_file(targets, cases, tmp_path):
    if targets is PHOTOS and Version(PIL.__version__) < Version("11.3"):
        pytest.skip("the seeds are made by a Pillow that writes AVIF")
    code, found, said = fuzzed(*targets, cases=cases, folder=tmp_path)
    assert code == 0, said
    assert [(target["target"], target["cases"]) for target in found["targets"]] == [(name, cases) for name in targets]


def test_every_target_is_in_the_short_form():
    listed = subprocess.run(
        [sys.executable, TORTURE / "fuzz.py", "--target", "nothing"], capture_output=True, text=True, check=False
    )
    assert listed.stderr.strip().endswith(f"there are {', '.join((*PHOTOS, *TABLES, *MODELS))}")


ENDS = {  # what a door does -> how that is told
    "raise ValueError('no')": "ValueError",
    "raise FileNotFoundError(2, 'not there')": "FileNotFoundError",
    "raise Refused('one\\ntwo\\nthree')": "an error of more than two lines",
    "sys.exit(0)": "SystemExit",
    "Path('left').write_text('x')": "touched outside",
    "time.sleep(1e6)": "a hang",
    "os.kill(os.getpid(), 11)": "died of SIGSEGV",
    "os._exit(3)": "died of exit code 3",
    "bytes(8 * 2**30)": "MemoryError",
    "raise Refused('two\\nlines')": "",
    "Path(path).with_name('beside').write_text('x')": "",
}


@pytest.mark.parametrize("does", ENDS)
def test_what_goes_wrong_behind_a_door_is_found(does, tmp_path):
    torture = tmp_path / "torture"
    shutil.copytree(TORTURE, torture, ignore=shutil.ignore_patterns("__pycache__"))
    (torture / "doors.py").write_text(
        "import os, sys, time\nfrom pathlib import Path\n\nclass Refused(Exception): ...\n\n"
        f"def refused(): return Refused\n\ndef photo(path, near):\n    {does}\n"
    )
    code, found, said = fuzzed(
        "tga", cases=1, folder=tmp_path, torture=torture, hang=1 if ENDS[does] == "a hang" else 300
    )
    kinds = [failure["kind"] for target in found["targets"] for failure in target["failures"]]
    assert kinds == ([ENDS[does]] if ENDS[does] else []), said
    assert code == bool(kinds)


TOUCHES = {  # what is done in a room -> what it is noted as
    "(Path.home() / '.bashrc').unlink()": "os.remove",
    "Path('left').write_text('x')": "opened to write",
    "os.rename('notes.txt', '../cache/notes.txt')": "os.rename",
    "shutil.rmtree('../canary')": "os.remove",
    "os.symlink('../home/x', '../case/link'); open('../case/link', 'w').close()": "opened to write",
    "os.system('true')": "os.system",
    "subprocess.run(['true'])": "subprocess.Popen",
    "pickle.loads(pickle.dumps(Path))": "pickle.find_class",
    "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.1', 9))": "socket.connect",
    "ctypes.CDLL(None).creat(b'behind', 0o600)": "changed",  # Python is not told
    "open('../canary/secret').read()": "changed",
    "Path('../case/mine').write_text('x')": "",
    "Path('../cache/deep').mkdir()": "",
    "tempfile.mkdtemp()": "",
    "open('/etc/hostname').close()": "",
}


def test_what_is_touched_outside_is_noted(tmp_path):
    lines = ["import ctypes, json, os, pickle, shutil, socket, subprocess, sys, tempfile", "from pathlib import Path"]
    lines += ["from fuzz_watch import Room", "room = Room(Path(sys.argv[1]))", "os.environ.update(room.environment())"]
    lines += ["os.chdir(room.root / 'cwd')", "room.watch()", "noted = []"]
    for does in TOUCHES:
        lines += ["room.begin()", does, "noted.append(room.end())", "room = Room(room.root)", "room.watch()"]
    lines += ["print(json.dumps(noted))"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines), tmp_path / "room"],
        env={**os.environ, "PYTHONPATH": str(TORTURE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for (does, expected), noted in zip(TOUCHES.items(), json.loads(done.stdout), strict=True):
        assert bool(noted) == bool(expected), (does, noted)
        assert any(what.startswith(expected) for what, _ in noted) or not expected, (does, noted)

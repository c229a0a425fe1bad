"""Making room in the cache harms nothing that is alive, and what was killed leaves nothing there."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from subprocess import PIPE

import numpy as np
import pytest

from fits import ended, fitting, killed
from headstart.data.check import check
from headstart.encode import kinds, pruning, store
from headstart.encode.encode import encode
from headstart.errors import OutputError
from headstart.pretrained.load import load
from headstart.storage import living
from reading import read

TEXTS = [f"where is my card {i}" for i in range(40)]


@pytest.fixture
def encoding(few_texts, own_cache, monkeypatch):
    """Encode 40 texts, written eight at a time; `meanwhile` is called after each batch."""
    monkeypatch.setattr(sys.modules["headstart.encode.encode"], "_FLUSH", 8)
    monkeypatch.setattr(kinds, "_TEXTS", 64)
    monkeypatch.setattr(kinds, "_TOKENS", 64)
    backbone = load(str(few_texts[1]), kind="text")
    dataset = check(read(TEXTS, labels=["a", "b"] * 20))

    def run(meanwhile=lambda: None):
        return encode(dataset.inputs, dataset.checked_digests, backbone, advance=lambda _: meanwhile())

    return run


@pytest.fixture
def expected(encoding, own_cache) -> np.ndarray:
    found = encoding().matrix[:]
    shutil.rmtree(own_cache / "features")
    return found


def test_a_table_in_use_is_not_pruned(encoding, own_cache, expected, command):
    told = []

    def meanwhile():
        if any(own_cache.glob("features/*/*.rows")) and not told:
            code, out, err = command("cache", "--prune", "0", "--json")
            assert code == 0, err
            told.append(json.loads(out))

    np.testing.assert_array_equal(encoding(meanwhile).matrix, expected)
    assert told[0]["removed"] == []
    assert [table["in_use"] for table in told[0]["tables"]] == [True]
    assert encoding().cached == len(TEXTS)
    assert [table.rows for table in pruning.prune(most_bytes=0)] == [len(TEXTS)]  # nobody uses it any more
    assert not list(own_cache.glob("features/*"))


def test_rows_that_somebody_removed_are_computed_again(encoding, own_cache, expected):
    removed = []

    def meanwhile():
        if any(own_cache.glob("features/*/*.rows")) and not removed:
            removed.append(shutil.rmtree(own_cache / "features"))

    np.testing.assert_array_equal(encoding(meanwhile).matrix, expected)
    assert removed


def test_rows_that_are_gone_whenever_they_were_written_are_missed(encoding, monkeypatch):
    monkeypatch.setattr(store.Table, "add", lambda *rows, of: None)
    with pytest.raises(OutputError, match="what was just written there is gone"):
        encoding()


def test_rows_that_go_while_they_are_read_are_computed_again(encoding, own_cache, expected, monkeypatch):
    whole, gone = store.Table.matrix, []

    def matrix(table, handles):
        if not gone:
            gone.append(shutil.rmtree(own_cache / "features"))
        return whole(table, handles)

    monkeypatch.setattr(store.Table, "matrix", matrix)
    np.testing.assert_array_equal(encoding().matrix, expected)


def test_a_row_that_is_not_there_is_not_read(encoding, own_cache):
    encoding()
    opened = store.Table(next(own_cache.glob("features/*")), 32)
    with pytest.raises(ValueError, match="no row"):
        opened.rows(np.array([0, -1]))


def test_each_of_several_users_keeps_a_table(own_cache):
    first, second = store.image_hashes(), store.image_hashes()
    first.add(np.zeros((1, 32), np.uint8), np.ones((1, 650), np.uint8))
    assert pruning.prune(most_bytes=0) == []
    del first
    assert pruning.prune(most_bytes=0) == []
    del second
    (own_cache / "features" / ("0123456789ab" * 2)).mkdir()
    assert len(pruning.prune(most_bytes=0)) == 1
    assert list(own_cache.glob("features/*")) == []


def test_what_a_killed_process_used_is_pruned(own_cache):
    script = (
        "import sys, numpy as np; from headstart.encode import store; table = store.image_hashes(); "
        "table.add(np.zeros((1, 32), np.uint8), np.ones((1, 650), np.uint8)); "
        "print('ready', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdin=PIPE, stdout=PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    assert pruning.prune(most_bytes=0) == []
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(pruning.prune(most_bytes=0)) == 1


def test_what_killed_processes_left_is_swept_by_the_next_and_nothing_else(own_cache):
    """A name that nobody is known to have may be of another version of headstart: it stays for a day."""
    script = (
        "import sys; from headstart.storage import kept; from headstart.storage import living\n"
        "for room in ('backbones', 'engines', 'features/one', 'runs/one'):\n"
        "    path = living.temporary(kept.cache_root(), kept.room(room) / 'file')\n"
        "    path.parent.mkdir(parents=True, exist_ok=True); path.write_text('half')\n"
        "with kept.unfinished_folder(kept.room('backbones') / 'model') as folder:\n"
        "    (folder / 'model.safetensors').write_text('half')\n"
        "    print('ready', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script]
    dead, alive = (subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) for _ in "12")
    assert dead.stdout.readline() == alive.stdout.readline() == "ready\n"
    dead.send_signal(signal.SIGKILL)
    dead.communicate()
    (own_cache / "engines" / ".old.1-0123abcd.tmp").write_text("half")
    (own_cache / "engines" / ".new.1-0123abcd.tmp").write_text("half")
    os.utime(own_cache / "engines" / ".old.1-0123abcd.tmp", (time.time() - 90_000,) * 2)
    script = "from headstart.encode import store; store.image_hashes()"
    subprocess.run([sys.executable, "-c", script], check=True)
    left = {path.name for path in own_cache.rglob(".*.tmp")}
    alive.send_signal(signal.SIGKILL)
    alive.communicate()
    assert ".new.1-0123abcd.tmp" in left
    assert ".old.1-0123abcd.tmp" not in left
    assert all(f".{alive.pid}-" in name for name in left - {".new.1-0123abcd.tmp"})
    assert len(left) == 6
    subprocess.run([sys.executable, "-c", script], check=True)
    assert {path.name for path in own_cache.rglob(".*.tmp")} == {".new.1-0123abcd.tmp"}
    assert len(list(own_cache.glob("alive/*"))) == 0


@pytest.mark.check
def test_a_killed_fit_that_is_run_again_leaves_nothing(few_texts, tmp_path, own_cache):
    """States and the tuned weights of the killed one too: killed where it evaluates."""
    data, model = few_texts
    killed(fitting(data, model, tmp_path / "out", halts="wrote copy-*.json"))
    again = fitting(data, model, tmp_path / "out")
    _, err = ended(again)
    assert again.returncode == 0, err
    assert {path.name for path in own_cache.iterdir()} <= {"alive", "backbones", "engines", "features", "runs", "tuned"}
    for room in ("alive", "runs", "tuned"):
        assert list((own_cache / room).glob("*")) == []
    assert not [path for path in own_cache.rglob("*") if path.name.endswith((".tmp", ".use", ".lock"))]


def test_what_cannot_be_removed_is_said_and_goes_with_the_process(own_cache, monkeypatch):
    """The table is removed whole or not at all: its files may be deaf to it, its name is not."""
    for key in "ab":
        folder = own_cache / "features" / (key * 24)
        folder.mkdir(parents=True)
        (folder / "about.json").write_text('{"about": "a table without rows", "key": "k", "width": 4}')
    whole = os.unlink

    def unlink(path, **options):
        if os.path.basename(path) == "about.json":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        whole(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", unlink)
        with pytest.raises(OutputError, match="cannot be removed: Permission denied"):
            pruning.prune(most_bytes=0)
    assert len(list(own_cache.glob("features/.*.tmp"))) == len(list(own_cache.glob("features/*"))) == 2
    living._leave()
    assert not list(own_cache.glob("features/*"))


def test_who_cannot_clean_up_leaves_word_for_the_next(own_cache):
    script = (
        "import os, shutil; from headstart.storage import kept; from headstart.storage import living\n"
        "path = living.temporary(kept.cache_root(), kept.room('engines') / 'file')\n"
        "path.parent.mkdir(parents=True); path.write_text('half'); living._remove = lambda path: None"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert len(list(own_cache.glob("engines/.*.tmp"))) == len(list(own_cache.glob("alive/*.lock"))) == 1
    assert pruning.prune(most_bytes=0) == []
    assert not list(own_cache.glob("engines/*"))
    assert [path.name.split("-")[0] for path in own_cache.glob("alive/*.lock")] == [str(os.getpid())]


def test_what_cannot_be_swept_now_is_swept_the_next_time(own_cache):
    left = own_cache / "engines" / ".graph.xml.1-0123abcd-7.tmp"
    for path in (left, own_cache / "alive" / "1-0123abcd.lock"):
        path.parent.mkdir()
        path.write_text("half" if path == left else "")
    look = "from headstart.encode import store; store.image_hashes()"
    deaf = "from headstart.storage import living; living._remove = lambda path: None; "
    for script, there in ((deaf + look, True), (look, False)):
        subprocess.run([sys.executable, "-c", script], check=True)
        assert left.exists() == (own_cache / "alive" / "1-0123abcd.lock").exists() == there


def test_what_else_lies_where_the_cache_is_stays(few_texts, tmp_path, own_cache, command):
    """`HEADSTART_CACHE=.` in a project that has runs of TensorBoard, features and tuned models of its own."""
    names = "runs/exp1/events runs/exp1.lock runs/notes.use features/best.use/a features/mine/a.rows tuned/best/m"
    key = "507f1f77bcf86cd799439011"  # as other tools name their runs
    names += f" runs/{key}/results.csv runs/{key}.lock features/{key}/f.npy tuned/{key}/deep/weights.pt"
    mine = [own_cache / name for name in (*names.split(), "alive/mine.lock", "features/mine/1-0123abcd-1.use")]
    for file in mine:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("months of work")
        os.utime(file, (1, 1))
    (own_cache / "alive" / "1-0123abcd.lock").write_text("")  # of a process that was killed
    (own_cache / "features" / "empty").mkdir()
    data, model = few_texts
    assert command("fit", data, "--model", model, "--how", "probe")[0] == 0
    told = json.loads(command("cache", "--prune", "0", "--json")[1])
    assert told["removed"]
    assert [file.read_text() for file in mine] == ["months of work"] * len(mine)
    assert (own_cache / "features" / "empty").is_dir()

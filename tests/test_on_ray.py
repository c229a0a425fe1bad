"""A fit on a cluster of Ray is the fit on one machine, byte for byte, whatever is killed meanwhile."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import headstart as hs
from clusters import cluster, kill, processes
from fits import HANGS, goes_on, halted
from headstart.cluster.on_ray import computed_on
from headstart.cluster.ray_worker import refuse_other_versions
from headstart.data import inspect_images, looks
from headstart.data.alike.known import KnownImages
from headstart.data.check import check
from headstart.encode.elsewhere import Chunk, runner
from headstart.encode.kinds import KINDS
from headstart.inputs.packed import PhotoInSpool
from headstart.pretrained.load import load
from headstart.storage.spool import Spool
from reading import read
from small_models import small_image_model, small_text_model
from tars import CLASSES, files_in, hub, shards

with_ray = [
    pytest.mark.check,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'headstart[ray]'"),
]
N = 60


@pytest.fixture(scope="module")
def nodes():
    with cluster(1, 1) as found:
        yield found


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> tuple[Path, Path]:
    """Two classes of tiny photos that are hard to tell apart, and a small model."""
    home = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(N):
        folder = home / "photos" / ("dark" if number % 2 else "light")
        folder.mkdir(parents=True, exist_ok=True)
        level = 120 if number % 2 else 130
        pixels = np.clip(rng.normal(level, 40, (40, 48, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
    small_image_model("vit_tiny_patch16_224", home / "model")
    return home / "photos", home / "model"


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setitem(KINDS, "image", replace(KINDS["image"], chunk=4))


@pytest.fixture
def small_looks(monkeypatch):
    """Chunks of eight photos: looked at elsewhere where there are more."""
    for module in (looks, inspect_images):
        monkeypatch.setattr(module, "CHUNK", (8, 2**20))


@pytest.fixture(scope="module")
def odd_photos(tmp_path_factory) -> Path:
    """Two classes of photos, some the same, nearly the same, damaged, cut off or tiny; as files, in tars, in tables."""
    home, rng = tmp_path_factory.mktemp("odd"), np.random.default_rng(0)
    for number in range(40):
        folder = home / "files" / CLASSES[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (8, 10, 3)).astype(np.uint8)
        Image.fromarray(pixels).resize((100, 80)).save(folder / f"{number:02d}.jpg", quality=95)
    first = home / "files" / CLASSES[0]
    (first / "50.jpg").write_bytes((first / "04.jpg").read_bytes())
    Image.open(first / "06.jpg").resize((90, 72)).save(first / "51.jpg")
    (first / "52.jpg").write_bytes(b"no photo")
    (first / "53.jpg").write_bytes((first / "08.jpg").read_bytes()[:1500])
    Image.new("RGB", (3, 3)).save(first / "54.jpg")
    shards(home / "tars", files_in(home / "files"), "train-000.tar", "train-001.tar")
    hub(home / "tables", files_in(home / "files"), "train-00000-of-00002.parquet", "train-00001-of-00002.parquet")
    return home


def fitted(data, model, folder: Path, monkeypatch, **options) -> tuple[dict, dict[str, bytes], dict[str, bytes]]:
    """What a fit with a cache of its own says, but for the time, its features, and the files of the model."""
    monkeypatch.setenv("HEADSTART_CACHE", str(folder / "cache"))
    found = hs.fit(data, model=model, how="probe", out=folder / "model", **options)
    told = {key: value for key, value in found.summary.items() if key not in ("seconds", "out")}
    tables = (folder / "cache" / "features").glob("*/*.rows")
    rows = {f"{path.parent.name} {i}": path.read_bytes() for i, path in enumerate(sorted(tables))}
    kept = {path.name: path.read_bytes() for path in sorted((folder / "model").glob("*.safetensors"))}
    return told, rows, kept


IN_SMALL_CHUNKS = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from dataclasses import replace
from headstart.encode.kinds import KINDS
KINDS["image"] = replace(KINDS["image"], chunk=4)
import command_that_halts
command_that_halts.run(halts="within encode")
"""

WITH_RAY = """
import os, sys
from dataclasses import replace
import headstart as hs
from headstart.encode.kinds import KINDS

KINDS["image"] = replace(KINDS["image"], chunk=4)
data, model, out, connected = sys.argv[1:]
if int(connected):
    import ray
    ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False)
before = dict(os.environ)
for number in range(2):
    os.environ["HEADSTART_CACHE"] = before["HEADSTART_CACHE"] = f"{out}-cache-{number}"
    hs.fit(data, model=model, how="probe", out=f"{out}-{number}", on="ray")
    changed = {name for name in {*os.environ, *before} if os.environ.get(name) != before.get(name)}
    assert not {name for name in changed if name.startswith(("RAY_AUTH", "RAY_DEDUP", "HEADSTART"))}, changed
import ray
assert ray.is_initialized() == bool(int(connected))
if not int(connected):
    ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False)

@ray.remote
def twice(number):
    return 2 * number

assert ray.get(twice.remote(4)) == 8
ray.shutdown()
print("done")
"""


def by_command(pictures: tuple[Path, Path], out: Path, cache: Path, *, address: str) -> subprocess.Popen:
    """A fit on Ray by the command line, in a group of processes of its own, that halts while features are made."""
    arguments = ["fit", pictures[0], "--model", pictures[1], "--how", "probe", "--on", "ray", "--json", "--out", out]
    return subprocess.Popen(
        [sys.executable, "-c", IN_SMALL_CHUNKS, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "RAY_ADDRESS": address, "HEADSTART_CACHE": str(cache)},
    )


def rays(cache: Path) -> list[str]:
    """How the processes of Ray are called that a command with this cache has started."""
    found = []
    for pid, _, called in processes():
        with suppress(OSError):
            around = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            if ("/ray/" in called or "ray::" in called) and f"HEADSTART_CACHE={cache}".encode() in around:
                found.append(called)
    return found


@contextmanager
def watching(opened: list[str]) -> Iterator[None]:
    """Within the block, what this process opens is written down."""
    _watching.append(opened)
    try:
        yield
    finally:
        _watching.remove(opened)


def _note_opened(event: str, arguments: tuple) -> None:
    if event == "open" and _watching:
        _watching[-1].append(str(arguments[0]))


_watching: list[list[str]] = []
sys.addaudithook(_note_opened)


def same(found: tuple[dict, dict, dict], alone: tuple[dict, dict, dict]) -> None:
    assert {key: (value, alone[0][key]) for key, value in found[0].items() if value != alone[0][key]} == {}
    assert [*found[1]] == [*alone[1]]
    assert [name for name, content in found[1].items() if content != alone[1][name]] == []
    assert found[2] == alone[2]


@pytest.mark.parametrize("place", ["cluster", ""])
def test_the_place_is_one_that_there_is(place):
    with pytest.raises(hs.UserError, match="no such place"):
        hs.fit("photos", on=place)


def test_without_ray_it_is_said_how_to_install_it(pictures, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)  # as importing takes a package that is not there
    with pytest.raises(hs.UserError, match=r"Ray is not installed\npip install 'headstart\[ray\]'"):
        hs.fit(pictures[0], on="ray")


def test_a_photo_that_came_once_is_given_to_others_as_its_bytes():
    spool = Spool()
    photo = PhotoInSpool("", 5, "row 7", spool.add(b"photo"), spool)
    there = pickle.loads(pickle.dumps(photo))
    assert (there.read(), str(there)) == (b"photo", "row 7")


def test_a_node_with_other_versions_is_refused():
    """Also one whose headstart knows nothing of a library."""
    here = {"python": "3.13.1", "headstart": "0.2", "ray": "2.60"}
    refuse_other_versions("a", here, here)
    with pytest.raises(hs.UserError, match=r"node a has headstart 0\.1, here 0\.2; ray none, here 2\.60"):
        refuse_other_versions("a", {"python": "3.13.1", "headstart": "0.1"}, here)


def test_on_one_machine_nothing_of_ray_is_imported(pictures, tmp_path):
    script = (
        "import sys, headstart as hs\n"
        "hs.fit(sys.argv[1], model=sys.argv[2], how='probe', out=sys.argv[3])\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'ray'])"
    )
    command = [sys.executable, "-c", script, *map(str, pictures), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class TestOnACluster:
    pytestmark = with_ray

    def test_photos(self, nodes, pictures, tmp_path, monkeypatch, small_chunks):
        alone = fitted(*pictures, tmp_path / "alone", monkeypatch)
        same(fitted(*pictures, tmp_path / "ray", monkeypatch, on="ray"), alone)

    @pytest.mark.parametrize("form", ["files", "tars", "tables"])
    def test_photos_are_looked_at_by_nodes(self, form, nodes, odd_photos, tmp_path, monkeypatch, small_looks):
        """This process opens those only that a node could not; what is said of each is what is said on one machine."""

        def checked(cache: str):
            monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / cache))
            dataset = read(odd_photos / form)
            return check(dataset, known=KnownImages(dataset.modality.known()))

        alone = checked("alone")
        assert {"duplicate", "near-duplicate", "unreadable", "tiny"} == {one.kind for one in alone.findings}
        opened, kept = [], (tmp_path / "alone").rglob("*.rows")
        with computed_on("ray"):
            for again in range(2):  # the second time the store knows what they look like
                with watching(opened):
                    found = checked("ray")
                assert [*found.findings] == [*alone.findings]
                for name in ("digests", "sketches", "groups"):
                    np.testing.assert_array_equal(getattr(found, name)[:], getattr(alone, name)[:])
                assert [*map(str, found.inputs)] == [*map(str, alone.inputs)]
                assert found.notes == alone.notes
                if form == "files" and not again:
                    assert {Path(name).name for name in opened if name.endswith(".jpg")} == {"52.jpg", "53.jpg"}
        rows = [path.read_bytes() for path in kept]
        assert [path.read_bytes() for path in (tmp_path / "ray").rglob("*.rows")] == rows
        assert len(rows) == 1

    def test_a_photo_that_no_node_sees(self, nodes, pictures, monkeypatch, small_looks):
        """A link that leads somewhere else in each process stands for a disk of this machine's own."""
        data = read(pictures[0])
        own = Path(f"/proc/self/fd/{os.open(pictures[0] / 'dark' / '59.png', os.O_RDONLY)}")
        inputs = [own if Path(path).name == "59.png" else path for path in data.inputs]
        with (
            computed_on("ray"),
            pytest.raises(hs.UserError, match=r"/proc/self/fd/\d+: node \S+: .*\n.*where every node"),
        ):
            check(replace(data, inputs=inputs))
        os.close(int(own.name))

    def test_workers_and_a_node_are_killed(self, nodes, pictures, tmp_path, monkeypatch, small_chunks):
        alone = fitted(*pictures, tmp_path / "alone", monkeypatch)
        draw, left, killed = random.Random(0), ["worker", "node", "worker"], []

        def killing(update: hs.Update) -> None:
            if update.step != "encode" or not left:
                return
            if left[0] == "node":
                nodes.remove(nodes.nodes[1])
            else:
                workers = nodes.workers()
                if not workers:
                    return
                kill(draw.choice(workers))
            killed.append(left.pop(0))

        found = fitted(*pictures, tmp_path / "ray", monkeypatch, on="ray", progress=killing)
        nodes.nodes.append(nodes.add())
        assert killed == ["worker", "node", "worker"]
        same(found, alone)

    def test_texts(self, nodes, tmp_path, monkeypatch):
        """Of more than one chunk, as it is: texts are sorted by their length within each."""
        small_text_model("bert", tmp_path / "bert")
        draw, words = random.Random(0), ["where", "card", "pin", "rate", "lost"]
        rows = [" ".join(draw.choices(words, k=draw.randint(1, 20))) + f" {i}" for i in range(16384 + 1500)]
        table = tmp_path / "texts.csv"
        table.write_text("text,label\n" + "".join(f"{text},{'ab'[i % 2]}\n" for i, text in enumerate(rows)))
        options = {"budget": "1h", "precision": "float32"}
        alone = fitted(table, tmp_path / "bert", tmp_path / "alone", monkeypatch, **options)
        same(fitted(table, tmp_path / "bert", tmp_path / "ray", monkeypatch, on="ray", **options), alone)

    def test_what_a_node_does_not_see_is_said(self, nodes, pictures, tmp_path, monkeypatch, small_chunks):
        """A photo that goes once it was checked stands for one that only this machine has."""
        data, gone = shutil.copytree(pictures[0], tmp_path / "photos"), []

        def removing(update: hs.Update) -> None:
            if update.step == "encode" and not gone:
                gone.append(data / "dark" / "59.png")
                gone[0].unlink()

        with pytest.raises(
            hs.UserError, match=r"59\.png: node \S+: gone since it was checked\n.*where every node sees them"
        ):
            fitted(data, pictures[1], tmp_path / "ray", monkeypatch, on="ray", progress=removing)

    def test_a_model_that_a_node_does_not_see(self, nodes, pictures, tmp_path, monkeypatch, small_chunks):
        found = load(str(pictures[1]), kind="image")
        away = replace(found, weights=tmp_path / "elsewhere" / "model.safetensors")
        chunk = Chunk([np.zeros((40, 40, 3), np.uint8)], np.zeros((1, 32), np.uint8))
        with computed_on("ray"), pytest.raises(hs.UserError, match=r"model\.safetensors: node .* weights are gone"):
            list(runner().encode(1, lambda number: chunk, away, "f32"))

    def test_versions_that_differ_are_refused(self, nodes, pictures, tmp_path, monkeypatch, small_chunks):
        metadata = "Metadata-Version: 2.1\nName: tokenizers\nVersion: 0.0.1\n"
        node = self.node_that_has(nodes, tmp_path / "packages", "tokenizers-0.0.1.dist-info/METADATA", metadata)
        with node, pytest.raises(hs.UserError, match=r"node .* has tokenizers 0\.0\.1, here "):
            fitted(*pictures, tmp_path / "ray", monkeypatch, on="ray")

    def test_a_node_without_headstart_is_told(self, nodes, pictures, tmp_path, monkeypatch, small_chunks):
        """A package of that name that cannot be imported stands for none."""
        fake = "raise ModuleNotFoundError(\"No module named 'headstart'\", name='headstart')\n"
        node = self.node_that_has(nodes, tmp_path / "packages", "headstart/__init__.py", fake)
        with node, pytest.raises(hs.UserError, match=r"headstart is not installed on a node\ninstall the same version"):
            fitted(*pictures, tmp_path / "ray", monkeypatch, on="ray")

    @staticmethod
    @contextmanager
    def node_that_has(nodes, folder, name, content):
        """Within the block there is a node that finds this file before the packages that are installed."""
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(content)
        other = nodes.add(PYTHONPATH=os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
        try:
            yield
        finally:
            nodes.remove(other)

    def test_what_is_printed_is_json_whatever_is_killed(self, nodes, pictures, tmp_path):
        """Two workers, while the command halts; what Ray says of that is nobody's."""
        fit = by_command(pictures, tmp_path / "out", tmp_path / "cache", address=nodes.address)
        halted(fit)
        for pid in nodes.workers():
            kill(pid)
        out, err = goes_on(fit).communicate(timeout=HANGS)
        assert fit.returncode == 0, err
        assert json.loads(out)["n_test"] == 12
        assert "ray" not in err.lower(), err

    def test_ctrl_c_ends_it_and_its_cluster(self, pictures, tmp_path):
        """As a terminal sends it: to all processes of the group at once."""
        fit = by_command(pictures, tmp_path / "out", tmp_path / "cache", address="")
        halted(fit)
        assert rays(tmp_path / "cache")
        os.killpg(fit.pid, signal.SIGINT)
        out, err = goes_on(fit).communicate(timeout=HANGS)
        assert (fit.returncode, out) == (130, "")
        assert err.strip().endswith("interrupted; what was encoded is kept, the same command goes on from there"), err
        assert "Traceback" not in err
        until = time.monotonic() + HANGS
        while rays(tmp_path / "cache") and time.monotonic() < until:  # they were told to end
            time.sleep(0.1)
        assert not rays(tmp_path / "cache")
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("connected", [False, True])
    def test_a_program_that_uses_ray_itself_goes_on_with_it(self, connected, pictures, tmp_path):
        """What it has connected to is used and stays; its environment is as it was; it may start a cluster later."""
        around = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        around |= {"HEADSTART_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)}
        command = [sys.executable, "-c", WITH_RAY, *map(str, pictures), str(tmp_path / "out"), str(int(connected))]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=around)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split()[-1] == "done"

    def test_a_cluster_that_is_not_there(self, pictures, tmp_path, monkeypatch):
        monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
        with pytest.raises(hs.UserError, match=r"RAY_ADDRESS 127\.0\.0\.1:1: the cluster cannot be reached"):
            fitted(*pictures, tmp_path / "ray", monkeypatch, on="ray")

    def test_a_cluster_of_this_machine_is_gone_afterwards(self, pictures, tmp_path, command, small_chunks):
        """The command leaves no process and nothing in the home, and says nothing of Ray's."""
        ours = {"RAY_ADDRESS": "", "HEADSTART_CACHE": str(tmp_path / "cache")}
        code, out, err = command(
            "fit", pictures[0], "--model", pictures[1], "--how", "probe", "--on", "ray", "--json", **ours
        )
        assert code == 0, err
        assert json.loads(out)["n_test"] == 12
        assert "ray" not in err.lower(), err
        assert not rays(tmp_path / "cache")

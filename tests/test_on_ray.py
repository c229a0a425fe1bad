"""A fit on a cluster of Ray is the fit on one machine, byte for byte, whatever is killed meanwhile."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import headstart as hs
from clusters import cluster, kill, processes
from headstart.cluster.on_ray import computed_on
from headstart.encode.elsewhere import Chunk, runner
from headstart.encode.kinds import KINDS
from headstart.inputs.packed import PhotoInSpool
from headstart.pretrained.load import load
from headstart.storage.spool import Spool
from small_models import small_image_model, small_text_model

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


def fitted(data, model, folder: Path, monkeypatch, **options) -> tuple[dict, dict[str, bytes], dict[str, bytes]]:
    """What a fit with a cache of its own says, but for the time, its features, and the files of the model."""
    monkeypatch.setenv("HEADSTART_CACHE", str(folder / "cache"))
    found = hs.fit(data, model=model, how="probe", out=folder / "model", **options)
    told = {key: value for key, value in found.summary.items() if key not in ("seconds", "out")}
    tables = (folder / "cache" / "features").glob("*/*.rows")
    rows = {f"{path.parent.name} {i}": path.read_bytes() for i, path in enumerate(sorted(tables))}
    kept = {path.name: path.read_bytes() for path in sorted((folder / "model").glob("*.safetensors"))}
    return told, rows, kept


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
        told = tmp_path / "packages" / "tokenizers-0.0.1.dist-info" / "METADATA"
        told.parent.mkdir(parents=True)
        told.write_text("Metadata-Version: 2.1\nName: tokenizers\nVersion: 0.0.1\n")
        path = os.pathsep.join([str(told.parents[1]), os.environ.get("PYTHONPATH", "")])
        other = nodes.add(PYTHONPATH=path)
        try:
            with pytest.raises(hs.UserError, match=r"node .* has tokenizers 0\.0\.1, here "):
                fitted(*pictures, tmp_path / "ray", monkeypatch, on="ray")
        finally:
            nodes.remove(other)

    def test_a_cluster_that_is_not_there(self, pictures, tmp_path, monkeypatch):
        monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
        with pytest.raises(hs.UserError, match=r"RAY_ADDRESS 127\.0\.0\.1:1: the cluster cannot be reached"):
            fitted(*pictures, tmp_path / "ray", monkeypatch, on="ray")

    def test_a_cluster_of_this_machine_is_gone_afterwards(self, pictures, tmp_path, command, small_chunks):
        """The command leaves no process and nothing in the home, and says nothing of Ray's."""
        ours = {"RAY_ADDRESS": "", "HEADSTART_CACHE": str(tmp_path / "cache")}
        before = {pid for pid, _, _ in processes()}
        code, out, err = command(
            "fit", pictures[0], "--model", pictures[1], "--how", "probe", "--on", "ray", "--json", **ours
        )
        assert code == 0, err
        assert json.loads(out)["n_test"] == 12
        assert "ray" not in err.lower(), err
        left = [called for pid, _, called in processes() if pid not in before and "/ray/" in called]
        assert not left

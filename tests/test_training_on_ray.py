"""Training on a cluster of Ray: trials side by side, long runs by all nodes, and what comes of it is what one makes."""

from __future__ import annotations

import hashlib
import io
import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import headstart as hs
from clusters import Nodes, cluster, kill
from headstart.adapt import elsewhere, fine_tune, trial
from headstart.adapt.batches import tokenised
from headstart.adapt.checkpoint import Checkpoint
from headstart.adapt.loop import Recipe, Tuning
from headstart.adapt.lora import adapted
from headstart.adapt.policy import ELSEWHERE, TUNING
from headstart.adapt.trainable_parts import ImageParts, TextParts, TrainablePart
from headstart.cluster.on_ray import computed_on
from headstart.data.elsewhere import lookers
from headstart.inputs.packed import PhotoInSpool
from headstart.pretrained.load import load
from headstart.pretrained.training import open_for_training
from headstart.storage.columns import Lazy
from headstart.storage.spool import Spool
from small_models import small_image_model, small_text_model
from test_best_so_far import Fit

pytestmark = [
    pytest.mark.check,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'headstart[ray]'"),
]
N = 1200  # examples of the toy task: too many for folds
TEXTS = [f"where is my card {'lost' if i % 2 else 'new'} {i}" for i in range(40)]


THERE = """
import json, pathlib, sys
from safetensors.torch import save_file
from headstart.cluster.ray_trained import unpacked
run = unpacked(pathlib.Path(sys.argv[1]).read_bytes(), "cpu")
print(json.dumps([step.loss for step in run]))
save_file(run.state(), sys.argv[1])
"""


@pytest.fixture(scope="module")
def nodes():
    with cluster(1, 1) as found:
        yield found


@pytest.fixture
def anything_is_worth_it(monkeypatch):
    """Runs go to the nodes however short they are, and stay there however slow this machine is."""
    policy = replace(ELSEWHERE, worth_from=0.0, trials_from=0.0, slower=math.inf)
    for module in (elsewhere, fine_tune):
        monkeypatch.setattr(module, "ELSEWHERE", policy)


@pytest.fixture
def kept_each_step(monkeypatch):
    monkeypatch.setattr(trial, "SECONDS_LOST", 0.0)


Then = dict[tuple[str, int], Callable[["Seen"], None]]  # at a step of a run


class Seen(Fit):
    """A fit of the toy task that something may happen to at a step of a run; with all numbers of steps heard of."""

    def __init__(self, home: Path, *, then: Then | None = None, **more: object):
        self.then, self.heard = then or {}, dict[str, list[int]]()
        super().__init__(home, **more)

    def _listen(self, name, step, recipe):
        super()._listen(name, step, recipe)
        self.heard.setdefault(name, []).append(step.number)
        self.then.pop((name, step.number), lambda fit: None)(self)


def close(found: Fit, alone: Fit) -> None:
    assert np.abs(found.logits - alone.logits).max() < 1e-3 * np.abs(alone.logits).max()
    assert found.tuned.verdict.tuned_log_loss == pytest.approx(alone.tuned.verdict.tuned_log_loss, rel=1e-3)
    assert [one.recipe for one in found.tuned.trials] == [one.recipe for one in alone.tuned.trials]


def in_order(fit: Seen) -> None:
    """Each step is heard of once, whoever was killed."""
    assert {name: numbers for name, numbers in fit.heard.items() if numbers != [*range(1, len(numbers) + 1)]} == {}


def killing(nodes: Nodes, killed: list[int], called: str = "RayTrainWorker") -> Callable[[Seen], None]:
    def one(fit: Seen) -> None:
        for worker in nodes.workers(called)[:1]:  # there is none where a run by itself is over by now
            killed.append(worker)
            kill(worker)

    return one


def test_a_fit_is_what_it_is_on_one_machine(nodes, tmp_path, anything_is_worth_it):
    """Trials are done side by side, the main run and the last one by both nodes."""
    begun: list[str] = []
    ranks: list[int] = []
    alone = Seen(tmp_path / "alone", depths=(1, 2), n=N)

    def look(fit: Seen) -> None:
        others = elsewhere.trainers()
        begun.extend(name for name in alone.heard if others is not None and others.begun(name))

    def count(fit: Seen) -> None:
        ranks.append(len(nodes.workers("RayTrainWorker")))

    then = {(next(iter(alone.heard)), 1): look, ("main", 30): count, ("last", 30): count}
    with computed_on("ray"):
        found = Seen(tmp_path / "ray", depths=(1, 2), n=N, then=then)
    close(found, alone)
    in_order(found)
    assert (len(begun), ranks) == (2, [2, 2])
    assert {name: steps[-1] for name, steps in found.heard.items()} == {
        name: steps[-1] for name, steps in alone.heard.items()
    }


def test_a_worker_is_killed(nodes, tmp_path, anything_is_worth_it, kept_each_step):
    """It ends with the bytes of the run that nobody was killed in: as many ranks go on with the very state."""
    killed: list[int] = []
    then = {("main", 25): killing(nodes, killed), ("last", 40): killing(nodes, killed)}
    with computed_on("ray"):
        calm = Seen(tmp_path / "calm", n=N)
        found = Seen(tmp_path / "killed", n=N, then=then)
    assert len(killed) == 2
    in_order(found)
    assert np.array_equal(found.logits, calm.logits)
    assert found.tuned.verdict == calm.tuned.verdict


def test_a_trial_and_a_node_are_killed(nodes, tmp_path, anything_is_worth_it, kept_each_step):
    alone = Seen(tmp_path / "alone", n=N)
    killed: list[int] = []
    first = next(iter(alone.heard))
    then = {
        (first, 5): killing(nodes, killed, "train_alone"),
        ("main", 25): lambda fit: nodes.remove(nodes.nodes[-1]),
        ("main", 60): lambda fit: nodes.nodes.append(nodes.add()),
    }
    with computed_on("ray"):
        found = Seen(tmp_path / "killed", n=N, then=then)
    assert not then
    in_order(found)
    close(found, alone)


def test_the_user_stops_it(nodes, tmp_path, anything_is_worth_it):
    """After the step in progress; the next start goes on from there, on whatever machine."""
    alone = Fit(tmp_path / "alone", n=N)
    with computed_on("ray"):
        stopped = Seen(tmp_path / "fit", n=N, stop=("main", 20))
    assert stopped.heard["main"][-1] == 20
    close(Seen(tmp_path / "fit", n=N), alone)


def test_the_clock_ends_it(nodes, tmp_path, anything_is_worth_it):
    """What was come to by then counts."""

    def late(fit: Seen) -> None:
        fit.toy.clock.now += 1e9

    with computed_on("ray"):
        found = Seen(tmp_path / "fit", n=N, budget=1e8, then={("main", 20): late})
    assert found.heard["main"][-1] == 20
    assert found.tuned is not None


def image_part(home: Path, depth: int) -> TrainablePart:
    small_image_model("vit_tiny_patch16_224", home)
    backbone, rng = load(str(home), kind="image"), np.random.default_rng(0)
    photos = [rng.integers(255, size=(40, 40, 3), dtype=np.uint8) for _ in range(24)]
    digests = rng.integers(255, size=(24, 32), dtype=np.uint8)
    trainable = open_for_training(backbone)
    parts = ImageParts(trainable, backbone, photos, digests, mirror=lambda: True)
    return parts.at(min(depth, parts.depths))


def text_part(home: Path, how: str) -> TrainablePart:
    small_text_model("bert", home)
    backbone = load(str(home), kind="text")
    trainable = open_for_training(backbone)
    if how == "lora":
        trainable, _ = adapted(trainable, seed=0)
    parts = TextParts(trainable, tokenised(TEXTS[:24], backbone.texts))
    return parts.at(parts.depths)


PARTS: dict[str, Callable[[Path], TrainablePart]] = {
    "stored": lambda home: image_part(home, 1),
    "pixels": lambda home: image_part(home, 99),
    "texts": lambda home: text_part(home, "full"),
    "lora": lambda home: text_part(home, "lora"),
}


@pytest.mark.parametrize("kind", PARTS)
def test_a_run_that_is_sent_away_is_the_same(kind, tmp_path, own_cache):
    """Networks of every kind, also one that was cut, with what feeds them: to the bit, from the middle of a run."""
    from headstart.cluster.ray_trained import packed

    if kind == "lora":
        pytest.importorskip("peft")
    part = PARTS[kind](tmp_path / "model")
    feed = part.plain if part.varied is None else part.varied()
    wide = len(feed)
    y = torch.arange(wide) % 2

    def loss(outputs: torch.Tensor, rows: torch.Tensor, smoothing: float) -> torch.Tensor:
        return (outputs.mean(dim=1) - y[rows]).square()

    recipe = Recipe(depth=1, rate=1e-3, steps=8, batch=7)
    here = Tuning(part.module, part.groups, feed, loss, recipe, dropout=part.dropout)
    steps = iter(here)
    for _ in range(3):
        next(steps)
    sent = tmp_path / "run"
    sent.write_bytes(packed(here))
    done = subprocess.run([sys.executable, "-c", THERE, sent], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [step.loss for step in steps]
    for name, tensor in load_file(sent).items():
        assert torch.equal(tensor, here.state()[name])


def test_what_lies_in_a_file_of_this_process_is_trained_here(tmp_path, own_cache, capsys):
    """Photos that came once, of a stream; it is said once. No cluster is asked for anything."""
    from headstart.cluster.ray_training import Trainers

    part = image_part(tmp_path / "model", 99)
    spool, photo = Spool(), io.BytesIO()
    Image.effect_noise((40, 40), 40).save(photo, "png")
    content = photo.getvalue()
    place = spool.add(content)
    inputs = Lazy(lambda row: PhotoInSpool("", len(content), f"row {row}", place, spool), range(24))
    digest = np.frombuffer(hashlib.sha256(content).digest(), dtype=np.uint8)
    feed = replace(part.plain, inputs=inputs, digests=np.tile(digest, (24, 1)))

    def loss(outputs: torch.Tensor, rows: torch.Tensor, smoothing: float) -> torch.Tensor:
        return outputs.mean(dim=1).square()

    released: list[bool] = []
    trainers = Trainers(None, None, lambda: released.append(True))
    for name in ("main", "last"):
        run = Tuning(part.module, part.groups, feed, loss, Recipe(depth=1, rate=1e-3, steps=2, batch=4))
        assert list(trainers.steps(name, run, Checkpoint(tmp_path), lambda: False)) == []
        assert [step.number for step in run] == [1, 2]
    assert not released
    said = "what cannot be sent to nodes is trained here: what was read as it came lies in a file of this process"
    assert capsys.readouterr().err.count(said) == 1


def test_nothing_is_left_in_a_program_that_stays_connected(nodes, photos, tmp_path, anything_is_worth_it):
    """Neither of a run that is cut off by a bug of the program's own, nor of actors that encode."""
    import ray

    def bug(fit: Seen) -> None:
        assert "headstart-main" in threads()
        raise ZeroDivisionError

    def threads() -> list[str]:
        return [thread.name for thread in threading.enumerate()]

    ray.init(log_to_driver=False, logging_level="ERROR")
    try:
        with pytest.raises(ZeroDivisionError), computed_on("ray"):
            Seen(tmp_path / "fit", n=N, then={("main", 20): bug})
        with computed_on("ray"):
            files = sorted(photos.rglob("*.jpg"))[:4]
            assert [len(seen) for seen in lookers().look(2, lambda number: files)] == [4, 4]
            assert nodes.workers()
        while nodes.workers() or nodes.workers("RayTrainWorker") or "headstart-main" in threads():
            time.sleep(0.1)  # they take a moment to go, and would never
    finally:
        ray.shutdown()


@pytest.mark.parametrize(("kind", "how"), [("texts", "full"), ("texts", "lora"), ("photos", "tune")])
def test_a_fit_of_real_data(kind, how, nodes, tmp_path, monkeypatch, anything_is_worth_it, photos):
    """As good as on one machine."""
    if how == "lora":
        pytest.importorskip("peft")
    if kind == "texts":
        small_text_model("bert", tmp_path / "model")
        table = tmp_path / "texts.csv"
        rows = [f"where is my card {'lost' if i % 2 else 'new'} {i},{'ab'[i % 2]}" for i in range(400)]
        table.write_text("text,label\n" + "\n".join(rows) + "\n")
        data = table
    else:
        small_image_model("vit_tiny_patch16_224", tmp_path / "model")
        data = photos
    monkeypatch.setattr(fine_tune, "TUNING", replace(TUNING, folded_up_to=0))  # each fold would be a start of Ray Train
    scores = []
    for on in (None, "ray"):
        monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / f"cache-{on}"))
        out = tmp_path / f"out-{on}"
        found = hs.fit(data, model=str(tmp_path / "model"), how=how, on=on, budget="3m", out=out)
        scores.append(found.summary["accuracy"])
    assert scores[1] == pytest.approx(scores[0], abs=0.15)

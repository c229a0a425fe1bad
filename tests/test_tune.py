"""Fine-tuning: it starts at the probe, frozen stays frozen, it equals a plain loop, and it survives kills."""

from __future__ import annotations

import csv
import json
import random
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from fits import finished, fitting, goes_on, halted, killed
from headstart.adapt.basis import fit_basis
from headstart.adapt.cross_validation import fit_probe
from headstart.adapt.linear_network import Classified
from headstart.adapt.loop import Recipe, Tuning, outputs_of, rates, schedule
from headstart.adapt.policy import TUNING
from headstart.adapt.schedule import full_run, pace
from headstart.adapt.search import Trial, climb, range_test, rate_between
from headstart.adapt.trainable_parts import ImageParts
from headstart.adapt.trunk import cut
from headstart.data.check import check
from headstart.encode.encode import encode
from headstart.encode.store import tables
from headstart.evaluate.paired_test import HeldOut, verdict
from headstart.pretrained.load import load
from headstart.pretrained.training import open_for_training
from reading import read
from small_models import small_image_model, small_text_model
from test_onnx import SIDECAR, export

FAMILIES = ["resnet18", "vgg11", "densenet121", "inception_v3", "mobilenetv3_small_050", "convnext_tiny"]
FAMILIES += ["vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "tf_efficientnet_lite0"]


@pytest.mark.parametrize("architecture", FAMILIES)
def test_trunk_and_suffix_are_the_model(architecture, tmp_path):
    """Cut between two groups of layers, the two parts give what the whole gives, to the bit."""
    small_image_model(architecture, tmp_path / "model")
    backbone = load(str(tmp_path / "model"), kind="image")
    opened = open_for_training(backbone)
    images = torch.randn(3, 3, *backbone.preparation.size)
    names = [name for group in opened.groups for name in group]
    assert sorted(names) == sorted(name for name, _ in opened.module.named_parameters())
    with torch.inference_mode():
        whole = opened.module(images)
    for depth in {1, len(opened.groups) // 2, len(opened.groups) - 1} if architecture == "resnet18" else {1}:
        trained = {name for group in opened.groups[-depth:] for name in group}
        parts = cut(opened.module, images[:2], trained)
        assert parts is not None
        with torch.inference_mode():
            activation = parts.trunk(images)
            assert activation.shape == (3, *parts.shape)
            torch.testing.assert_close(parts.suffix(activation), whole, rtol=0, atol=0)
        below = {name for name, _ in parts.trunk.named_parameters()}
        assert not below & trained
        mine = dict(parts.suffix.named_parameters())
        assert all(mine[name] is opened.module.get_parameter(name) for name in trained)


@pytest.mark.parametrize("architecture", FAMILIES)
def test_with_channels_last_it_gives_the_same(architecture, tmp_path):
    """As on a GPU: the whole model, and the two parts that it is cut into so."""
    small_image_model(architecture, tmp_path / "model")
    backbone = load(str(tmp_path / "model"), kind="image")
    opened = open_for_training(backbone)
    images = torch.randn(3, 3, *backbone.preparation.size)
    with torch.inference_mode():
        expected = opened.module(images)
    opened.module.to(memory_format=torch.channels_last)
    images = images.contiguous(memory_format=torch.channels_last)
    parts = cut(opened.module, images[:2], set(opened.groups[-1]))
    scale = expected.abs().max()
    with torch.inference_mode():
        activation = parts.trunk(images)
        assert parts.channels_last == (activation.ndim == 4 and not activation.is_contiguous())
        for made in (opened.module(images), parts.suffix(activation)):
            torch.testing.assert_close(made / scale, expected / scale, rtol=0, atol=1e-5)


@pytest.fixture
def pictures(photos, tmp_path, request, on_a_cpu):
    """A small random ResNet or what the test names, its features of 40 photos, and the probe on them; on a CPU."""
    small_image_model(getattr(request, "param", "resnet18"), tmp_path / "model")
    backbone = load(str(tmp_path / "model"), kind="image")
    dataset = check(read(photos))
    features = encode(dataset.inputs, dataset.digests, backbone)
    basis = fit_basis(features.matrix)
    head = fit_probe(dataset, np.arange(len(dataset)), features, basis=basis).head
    return backbone, dataset, features, basis, head


def plain_losses(module, head, basis, groups, bodies, y, recipe):
    """What anybody would write: the whole model in each step, frozen layers too, on the same views and batches."""
    feed = bodies.at(len(groups)).varied()
    trained = [[module.get_parameter(name) for name in group] for group in groups[-recipe.depth :]]
    for parameter in module.parameters():
        parameter.requires_grad_(any(parameter is p for group in trained for p in group))
    network = Classified(module.eval(), head, basis)
    optimizer = torch.optim.AdamW(rates([*trained, [network.weight, network.bias]], recipe.rate))
    losses = []
    while len(losses) < recipe.steps:
        epoch = len(losses) // 3
        for rows in feed.batches(recipe.batch, epoch=epoch, seed=0)[: recipe.steps - len(losses)]:
            for group in optimizer.param_groups:
                group["lr"] = group["highest"] * schedule(len(losses), recipe.steps)
            ((_, (images,)),) = feed.parts(rows, epoch=epoch)
            loss = torch.nn.functional.cross_entropy(network(images), y[torch.from_numpy(rows)])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 1.0)
            optimizer.step()
            losses.append(float(loss))
    return losses


@pytest.mark.check
@pytest.mark.parametrize(
    ("pictures", "rate", "channels_last"),
    [("resnet18", 1e-4, False), ("resnet18", 1e-4, True), ("vit_tiny_patch16_224", 1e-3, False)],
    indirect=["pictures"],
)
def test_a_stored_trunk_trains_as_the_whole_model_does(pictures, rate, channels_last):
    """50 steps in float32: the losses agree with a plain loop within 0.0001, also laid out as for a GPU."""
    backbone, dataset, _, basis, head = pictures
    y, recipe = torch.from_numpy(dataset.y), Recipe(depth=1, rate=rate, steps=50, batch=16)

    def bodies(channels_last=False):
        return ImageParts(
            open_for_training(backbone),
            backbone,
            dataset.inputs,
            dataset.digests,
            mirror=lambda: True,
            exact=True,
            channels_last=channels_last,
        )

    body = bodies(channels_last).at(1)
    assert body.stored
    ((_, (activation,)),) = body.varied().parts(np.arange(2), epoch=0)
    assert channels_last == (activation.ndim == 4 and not activation.is_contiguous())
    network = Classified(body.module, head, basis)
    groups = [*body.groups, [network.weight, network.bias]]
    tuning = Tuning(
        network,
        groups,
        body.varied(),
        lambda logits, rows, _: torch.nn.functional.cross_entropy(logits, y[rows], reduction="none"),
        recipe,
    )
    ours = [step.loss for step in tuning]
    opened = open_for_training(backbone)
    plain = plain_losses(opened.module, head, basis, opened.groups, bodies(), y, recipe)
    assert np.ptp(ours) > 0.2  # something moved
    np.testing.assert_allclose(ours, plain, atol=1e-4)


def test_the_first_step_starts_at_the_probe(pictures):
    backbone, dataset, features, basis, head = pictures
    bodies = ImageParts(open_for_training(backbone), backbone, dataset.inputs, dataset.digests, mirror=lambda: False)
    for depth in (1, 2, bodies.depths):
        body = bodies.at(depth)
        network = Classified(body.module, head, basis)
        np.testing.assert_allclose(outputs_of(network, body.plain), head.logits(features.matrix), atol=2e-2)


STAGES = {"resnet18": [("layer4.",), ("layer3.", "layer4.")], "vit_tiny_patch16_224": [("blocks.1.", "norm.")]}


@pytest.mark.check
@pytest.mark.parametrize("architecture", STAGES)
def test_frozen_layers_keep_their_bytes(architecture, photos, tmp_path, own_cache):
    small_image_model(architecture, tmp_path / "model")
    told = finished(fitting(photos, tmp_path / "model", tmp_path / "out", seconds_lost=9))
    assert told["how"] == "tune"
    assert any(" below " in table.about for table in tables())  # the trunk's activations were stored
    before, after = load_file(tmp_path / "model/model.safetensors"), load_file(tmp_path / "out/model.safetensors")
    trained = STAGES[architecture][told["tuning"]["recipe"]["depth"] - 1]
    for name in before.keys() - {"fc.weight", "fc.bias", "head.weight", "head.bias"}:
        moves = name.startswith(trained) and "running_" not in name and "num_batches" not in name
        assert torch.equal(before[name], after[name]) != moves, name
    from headstart.pretrained.from_timm import timm

    model = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True).eval()
    assert model.num_classes == 2


def killed_then_calm(fit, moments, cache: Path, calm: pytest.MonkeyPatch) -> tuple[dict, dict]:
    """What a fit tells that is killed at one moment after the other, and one that nothing disturbs."""
    for moment in moments:
        killed(fit("killed", halts=f"wrote {moment}"))
    assert not cache.with_name("killed").exists()
    disturbed = finished(fit("killed"))
    assert not list(cache.glob("runs/*"))
    calm.setenv("HEADSTART_CACHE", str(cache.with_name("another_cache")))
    return disturbed, finished(fit("calm"))


@pytest.mark.check
def test_killed_three_times_it_ends_in_the_same_bytes(few_texts, tmp_path, own_cache, monkeypatch):
    """In a trial, in a run of another fold, and in the last run."""
    fit = lambda out, **halts: fitting(*few_texts, tmp_path / out, "--budget", "10m", **halts)  # noqa: E731
    again, calm = killed_then_calm(fit, ["trial-*@*", "fold-2@*", "last@*"], own_cache, monkeypatch)
    assert again["how"] == calm["how"] == "tune"
    assert again["tuning"] == calm["tuning"]
    for name in ("model.safetensors", "head.safetensors"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "calm" / name).read_bytes()


@pytest.mark.check
def test_killed_among_other_views_it_goes_on_exactly(photos, tmp_path, own_cache, monkeypatch):
    """Training on stored activations: of other views, and mixed."""
    small_image_model("vit_tiny_patch16_224", tmp_path / "model")

    def fit(out, **halts):
        return fitting(photos, tmp_path / "model", tmp_path / out, "--budget", "10m", **halts)

    moments = ["trial-*-1-0.0-0.0@*", "trial-*-0.2-*@*"]
    again, calm = killed_then_calm(fit, moments, own_cache, monkeypatch)
    assert any(trial["varied"] for trial in calm["tuning"]["trials"])
    assert any(trial["mixup"] for trial in calm["tuning"]["trials"])
    assert again["tuning"] == calm["tuning"]
    weights = [(tmp_path / out / "model.safetensors").read_bytes() for out in ("killed", "calm")]
    assert weights[0] == weights[1]


def test_ctrl_c_keeps_the_best_so_far(few_texts, tmp_path, own_cache):
    moment = {"halts": "wrote trial-*.weights.safetensors"}
    process = halted(fitting(*few_texts, tmp_path / "out", "--budget", "10m", **moment))
    told = finished(goes_on(process, told=signal.SIGINT))
    assert told["how"] == "tune"
    assert len(told["tuning"]["trials"]) == 1
    assert told["seconds"]["total"] < 600
    assert "cut-short" in [caution["kind"] for caution in told["warnings"]]
    assert "tuning was cut short" in (tmp_path / "out" / "report.html").read_text()
    assert "cut-short" in (tmp_path / "out" / "metrics.json").read_text()


def test_few_examples_keep_the_probe_and_say_why(few_texts, tmp_path, command):
    data, model = few_texts
    code, out, err = command("fit", data, "--model", model, "--out", "out")
    assert code == 0, err
    assert "(probe)" in out
    assert "too few to prove that tuning is better" in out


def word_order(folder: Path, *, shuffled: bool = False) -> tuple[Path, Path]:
    """Which of two words comes first: a probe of a random model cannot tell, and of chance nobody can."""
    small_text_model("bert", folder / "bert")
    rng = random.Random(0)
    texts, labels = [], [("card", "pin")[i % 2] for i in range(300)]
    for first in labels:
        words = rng.choices(["where", "is", "my", "the", "rate", "new", "it", "lost"], k=6)
        a, b = sorted(rng.sample(range(6), 2))
        words[a], words[b] = first, "pin" if first == "card" else "card"
        texts.append(" ".join(words))
    if shuffled:
        rng.shuffle(labels)
    rows = [f"{text},{label}" for text, label in zip(texts, labels, strict=True)]
    (folder / "data.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    return folder / "data.csv", folder / "bert"


LEARNED_BY_TUNING = ("tune", "tuned, better: on 240 held-out training examples")
KEPT = ("probe", "the probe is kept: ")


@pytest.mark.check
@pytest.mark.parametrize(("shuffled", "expected"), [(False, LEARNED_BY_TUNING), (True, KEPT)])
def test_auto_takes_the_tuned_model_where_it_is_better_and_says_so(tmp_path, shuffled, expected):
    data, model = word_order(tmp_path, shuffled=shuffled)
    out = tmp_path / "out"
    told = finished(fitting(data, model, out, how="auto", seconds_lost=15))
    how, why = expected
    assert told["how"] == how
    assert told["why_how"].startswith(why)
    assert "on 240 held-out training examples" in told["why_how"]
    verdict = told["tuning"]["verdict"]
    assert verdict["tuned_is_better"] == (how == "tune")
    assert (told["accuracy"] > 0.8) == (how == "tune")
    assert why in (out / "report.html").read_text()


@pytest.mark.check
def test_every_layer(few_texts, tmp_path):
    data, model = few_texts
    told = finished(fitting(data, model, tmp_path / "out", how="full"))
    assert told["how"] == "full"
    before, after = load_file(model / "model.safetensors"), load_file(tmp_path / "out/model.safetensors")
    words = "embeddings.word_embeddings.weight"
    assert not torch.equal(before[f"bert.{words}"], after[words])


def test_a_tuned_folder_answers_as_the_fit_did(few_texts, tmp_path, command):
    data, model = few_texts
    told = finished(fitting(data, model, tmp_path / "out"))
    lines = data.read_text().splitlines()
    with (tmp_path / "out" / "split.csv").open(newline="") as file:
        held_out = [int(row["example"].split()[-1]) for row in csv.DictReader(file) if row["part"] == "test"]
    (tmp_path / "held_out.csv").write_text("\n".join([lines[0], *(lines[row] for row in held_out)]) + "\n")
    code, out, err = command("evaluate", tmp_path / "out", tmp_path / "held_out.csv", "--json")
    assert code == 0, err
    report = (tmp_path / "out" / "report.html").read_text()
    assert "Fine-tuning" in report
    assert told["why_how"] in report
    scores = json.loads(out)
    assert scores["n_test"] == told["n_test"] == len(held_out)
    assert scores["accuracy"] == told["accuracy"]
    assert scores["log_loss"] == pytest.approx(told["log_loss"], abs=1e-3)


def test_an_onnx_model_cannot_be_tuned(photos, tmp_path, command):
    class Small(torch.nn.Module):
        def forward(self, images):
            return images.mean(dim=(2, 3))

    file = tmp_path / "model.onnx"
    export(Small(), file, old=True)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(SIDECAR))
    code, _, err = command("fit", photos, "--model", file, "--how", "tune", "--out", "out")
    assert code == 2
    assert "frozen only" in err


def judged_at(losses, right):
    return HeldOut(np.array(losses), np.array(right, dtype=bool), 1.0)


def test_the_verdict_needs_more_than_noise():
    rng = np.random.default_rng(0)
    probe = rng.gamma(1, 0.4, 400)
    right = probe < 0.7
    same = verdict(judged_at(probe, right), judged_at(probe + rng.normal(0, 0.3, 400), right))
    assert not same.tuned_is_better
    better = verdict(judged_at(probe, right), judged_at(probe * 0.7, right))
    assert better.tuned_is_better
    surer_but_wrong = right.copy()
    surer_but_wrong[np.flatnonzero(right)[:10]] = False
    assert not verdict(judged_at(probe, right), judged_at(probe * 0.7, surer_but_wrong)).tuned_is_better


@pytest.mark.parametrize("n", [19, 20])
def test_nothing_is_proved_on_fewer_than_twenty_examples(n):
    probe, right = np.linspace(1, 2, n), [True] * n
    assert verdict(judged_at(probe, right), judged_at(probe / 2, right)).tuned_is_better == (n >= 20)


def test_of_models_that_are_no_better_one_in_twenty_passes():
    """Whose losses, and what is right, differ from the probe's by chance alone, together as in real models."""
    rng, passed = np.random.default_rng(0), 0
    for _ in range(2000):
        logits = rng.normal(0, 1, 300)
        y = rng.random(300) < 0.5
        sides = [(logits + rng.normal(0, 0.5, 300)) * np.where(y, 1, -1) for _ in range(2)]
        passed += verdict(*(judged_at(np.logaddexp(0, -side), side > 0) for side in sides)).tuned_is_better
    assert 0.02 < passed / 2000 < 0.06


@given(
    n=st.integers(10, 200_000),
    batch=st.sampled_from([8, 32, 64]),
    seconds=st.floats(1e-3, 10),
    left=st.floats(1, 7200),
    again=st.sampled_from([0.0, 4 / 3]),
)
def test_what_is_planned_fits_into_the_time(n, batch, seconds, left, again):
    found = pace(n, batch=batch, seconds_a_step=seconds, left=left, again=again)
    if found is None:
        assert left / seconds < 100 * (1 + again)
        return
    steps = found.main * (1 + again)
    if found.trial > 60:  # the shortest trials may cost more than their share
        steps += TUNING.trials * (found.trial - 1)  # which is rounded
    assert steps * seconds <= left
    assert found.main <= full_run(n, batch)
    assert found.trial <= found.main


def test_a_long_run_does_not_pay_for_long_trials():
    """150,000 examples and forty minutes: most of them go into the run itself."""
    found = pace(150_000, batch=32, seconds_a_step=0.18, left=2400, again=0.0)
    assert 60 < found.trial < 600
    assert found.main * 0.18 > 0.8 * 2400


@given(best=st.floats(-13, -5), start=st.sampled_from([1e-5, 2e-4, 1e-3]))
def test_the_walk_finds_a_rate_wherever_it_is(best, start):
    """On any valley over the logarithm of the rate, to within one step of a factor of three; and what lies between."""
    trials = []

    def attempt(recipe):
        loss = 0.1 * (np.log(recipe.rate) - best) ** 2 + (0.5 if recipe.depth == 1 else 0)
        trials.append(Trial(recipe, loss, 0.5))
        return trials[-1]

    found = climb([3, 1], start=Recipe(3, start, 60), attempt=attempt)
    assert found.recipe.depth == 3
    assert abs(np.log(found.recipe.rate) - best) < np.log(3)
    between = rate_between(trials, found)
    if found.recipe.rate / 3 >= 1e-6 and found.recipe.rate * 3 <= 1e-2:
        assert abs(np.log(between) - best) < 0.01
    smoother = Trial(replace(found.recipe, smoothing=0.1), found.log_loss - 0.01, 0.5)
    assert rate_between([*trials, smoother], smoother) == between
    assert rate_between([found], found) == found.recipe.rate


@pytest.mark.check
def test_a_range_test_stays_below_where_training_breaks(pictures):
    """It learns at the rate that was found; at a few times that the loss is out of hand on the way."""
    backbone, dataset, _, basis, head = pictures
    y = torch.from_numpy(dataset.y)

    def tuning(rate: float) -> Tuning:
        opened = open_for_training(backbone)
        body = ImageParts(opened, backbone, dataset.inputs, dataset.digests, mirror=lambda: False).at(1)
        network = Classified(body.module, head, basis)
        loss = lambda logits, rows, _: torch.nn.functional.cross_entropy(logits, y[rows], reduction="none")  # noqa: E731
        groups = [*body.groups, [network.weight, network.bias]]
        return Tuning(network, groups, body.plain, loss, Recipe(1, rate, 60, 16))

    found = range_test(tuning(1e-4))
    here, far_above = ([step.loss for step in tuning(rate)] for rate in (found, 8 * found))
    assert 1e-6 <= found < 0.01
    assert here[-1] < 0.1 * here[0]
    assert max(here) < 10 * here[0] < 0.5 * max(far_above)

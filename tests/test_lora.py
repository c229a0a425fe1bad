"""LoRA: it starts at the probe, only matrices of layers move and by little rank, what is saved is a plain model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from fits import finished, fitting, killed
from headstart.adapt.lora import adapted
from headstart.errors import ModelError
from headstart.pretrained.load import load
from headstart.pretrained.opened import Trainable
from headstart.pretrained.training import open_for_training
from own_clock import TICK
from small_models import small_image_model, small_text_model

RANK = 8
FAMILIES = ["bert", "albert", "vit_tiny_patch16_224", "resnet18", "swin_tiny_patch4_window7_224"]


@pytest.mark.parametrize("family", FAMILIES)
def test_unmerged_it_starts_as_the_model_and_merged_it_equals_unmerged(family, tmp_path):
    text = family in ("bert", "albert")
    (small_text_model if text else small_image_model)(family, tmp_path / "model")
    backbone = load(str(tmp_path / "model"), kind="text" if text else "image")
    trainable = open_for_training(backbone)
    names = list(trainable.module.state_dict())
    torch.manual_seed(0)
    if text:
        inputs = (torch.randint(4, 20, (3, 9)), torch.ones(3, 9, dtype=torch.int64))
    else:
        inputs = (torch.randn(3, 3, *backbone.preparation.size),)
    with torch.inference_mode():
        plain = trainable.module(*inputs)
    opened, merge = adapted(trainable, seed=0)
    with torch.inference_mode():
        torch.testing.assert_close(opened.module(*inputs), plain, rtol=0, atol=0)
    adapters = {name: opened.module.get_parameter(name) for group in opened.groups for name in group}
    assert adapters.keys() == {name for name in opened.module.state_dict() if ".lora_" in name}
    for parameter in adapters.values():
        nn.init.normal_(parameter, std=0.05)
    opened.module(*inputs).square().sum().backward()
    assert all(parameter.grad is not None for parameter in adapters.values())  # none lies where nothing comes through
    with torch.inference_mode():
        unmerged = opened.module(*inputs)
        merged = merge()
        torch.testing.assert_close(merged(*inputs), unmerged, rtol=1e-5, atol=1e-5)
    assert (unmerged - plain).abs().max() > 0.01
    assert list(merged.state_dict()) == names


def low_rank_only(before, after, adapted_layers: tuple[str, ...]) -> None:
    """Matrices of these layers moved, each by a matrix of the adapters' rank; all else has its bytes."""
    for name, was in before.items():
        moved = after[name] - was
        if any(layer in name for layer in adapted_layers) and name.endswith(".weight") and was.ndim == 2:
            assert 0 < torch.linalg.matrix_rank(moved, rtol=1e-4) <= RANK, name
        else:
            assert torch.equal(after[name], was), name


@pytest.mark.check
def test_killed_and_run_again_ends_in_the_same_plain_model(few_texts, tmp_path, own_cache, monkeypatch):
    data, model = few_texts
    fit = lambda out, **halts: fitting(data, model, tmp_path / out, "--budget", "10m", how="lora", **halts)  # noqa: E731
    killed(fit("killed", halts="wrote trial-*@*"))
    again = finished(fit("killed"))
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "another_cache"))
    calm = finished(fit("calm"))
    assert again["how"] == calm["how"] == "lora"
    assert again["tuning"] == calm["tuning"]
    for name in ("model.safetensors", "head.safetensors"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "calm" / name).read_bytes()
    saved = load_file(tmp_path / "calm/model.safetensors")
    source = {
        k.removeprefix("bert."): v for k, v in load_file(model / "model.safetensors").items() if "classifier" not in k
    }
    assert saved.keys() == source.keys()
    depth = calm["tuning"]["recipe"]["depth"]
    low_rank_only(source, saved, tuple(f".layer.{number}." for number in range(3 - depth, 3)))
    from transformers import AutoModel

    opened = AutoModel.from_pretrained(tmp_path / "calm", local_files_only=True)
    assert all(torch.equal(opened.state_dict()[name], tensor) for name, tensor in saved.items())


@pytest.mark.check
def test_killed_before_its_plan_and_at_the_end_it_is_as_one_undisturbed(few_texts, tmp_path, own_cache, monkeypatch):
    """The undisturbed fit makes a plan of its own, on a machine of another speed: time and chance are no part of what
    comes out."""

    def fit(out, **settings):
        return fitting(*few_texts, tmp_path / out, "--budget", "20m", how="lora", **settings)

    for moment in ("writes scheme.json", "wrote last@*"):
        killed(fit("killed", halts=moment))
    disturbed = finished(fit("killed"))
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "another_cache"))
    calm = finished(fit("calm", tick=8 * TICK))
    assert disturbed["tuning"] == calm["tuning"]
    for name in ("model.safetensors", "head.safetensors"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "calm" / name).read_bytes()


@pytest.mark.check
def test_a_vit_is_saved_as_timm_opens_it(photos, tmp_path):
    small_image_model("vit_tiny_patch16_224", tmp_path / "model")
    told = finished(fitting(photos, tmp_path / "model", tmp_path / "out", how="lora"))
    assert told["how"] == "lora"
    before, after = load_file(tmp_path / "model/model.safetensors"), load_file(tmp_path / "out/model.safetensors")
    assert before.keys() == after.keys()
    low_rank_only({k: v for k, v in before.items() if not k.startswith("head.")}, after, ("blocks.1.",))
    from headstart.pretrained.from_timm import timm

    assert timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True).num_classes == 2


def test_without_peft_it_says_what_to_install(few_texts, tmp_path):
    data, model = few_texts
    script = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(name, path, target=None):\n"
        "        if name.split('.')[0] == 'peft':\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing)\n"
        "from headstart.commands.app import main; main()"
    )
    arguments = ["fit", data, "--model", model, "--how", "lora", "--out", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-2:] == [
        "error: --how lora: LoRA needs peft, which is not installed",
        "pip install headstart[lora]",
    ]
    assert not Path(tmp_path / "out").exists()


def test_a_model_without_matrices_is_refused():
    module = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 3, groups=3), nn.Flatten())
    with pytest.raises(ModelError, match=r"how=.tune."):
        adapted(Trainable(module, (("0.weight", "0.bias"), ("1.weight", "1.bias"))), seed=0)

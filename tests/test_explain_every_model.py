"""Every photo model of the catalog has a map at the layer that its row names, and every text model weights of words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from headstart.explain.heat_map import by_gradient
from headstart.explain.texts import TextExplainer
from headstart.pretrained import catalog
from headstart.pretrained.load import load
from headstart.pretrained.source import SOURCES
from headstart.task import Direction
from small_models import pictures, prepared_pixels, small_image_model, small_text_model
from test_every_model import IMAGES, QUESTIONS, TEXTS

pytestmark = pytest.mark.check
SIDE = {"inception_v3": 150, "inception_resnet_v2": 150}  # smaller ones end in a single place


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("architecture", IMAGES)
def test_a_map_that_depends_on_what_was_learned(architecture, tmp_path, own_cache):
    """Finite, not the same everywhere, and another one with other weights (Adebayo et al., Sanity Checks, 2018)."""
    small_image_model(architecture, tmp_path / "model")
    backbone = load(str(tmp_path / "model"), kind="image")
    module = backbone.module().requires_grad_(False)
    layer = SOURCES[backbone.source].map_layer(backbone, module)
    assert layer is not None
    assert layer.name == catalog.layer_of(architecture)
    preparation = backbone.images
    if architecture in SIDE:
        preparation = replace(preparation, size=(SIDE[architecture],) * 2)
    pixels = prepared_pixels(pictures()[:1], preparation)[1]
    weight = np.random.default_rng(0).normal(size=backbone.width).astype(np.float32)
    learned = by_gradient(module, layer, pixels, weight)
    with torch.no_grad():
        before = module(pixels)
    assert learned is not None
    assert np.isfinite(learned).all()
    assert learned.ptp() if hasattr(learned, "ptp") else np.ptp(learned) > 1e-3 * np.abs(learned).max()
    again = by_gradient(module, layer, pixels, weight)
    np.testing.assert_array_equal(again, learned)
    with torch.no_grad():
        assert torch.equal(module(pixels), before)  # nothing is left behind in the module
    torch.manual_seed(1)
    for name, parameter in module.named_parameters():
        if parameter.ndim > 1:
            module.get_parameter(name).copy_(parameter.flatten()[torch.randperm(parameter.numel())].view_as(parameter))
    other = by_gradient(module, layer, pixels, weight)
    assert other is not None
    alike = np.corrcoef(learned.ravel(), other.ravel())[0, 1]
    assert abs(alike) < 0.9 or learned.size <= 4  # of four places two maps may be alike by chance
    scale = np.abs(learned).max()
    assert np.abs(learned / scale - other / np.abs(other).max()).max() > 0.05


@pytest.mark.parametrize("model_type", TEXTS)
def test_words_of_every_text_model_add_up(model_type, tmp_path, own_cache):
    small_text_model(model_type, tmp_path / "model")
    backbone = load(str(tmp_path / "model"), kind="text")
    weight = np.random.default_rng(0).normal(size=backbone.width).astype(np.float32)
    found = TextExplainer(backbone)._of_sequence(QUESTIONS[0], torch.from_numpy(weight))
    assert [word.text for word in found.words] == ["Where", "is", "my", "new", "card", "?"]
    assert found.notes == ()  # they add up
    assert np.isfinite([word.weight for word in found.words]).all()
    assert max(abs(word.weight) for word in found.words) > 0
    assert Direction(None, weight).weight is weight

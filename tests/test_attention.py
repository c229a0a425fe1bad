"""Attention by plain matrix products is torch's, to rounding; what dropout drops is said by its seed alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from headstart.adapt.dropout import Dropping, dropping
from headstart.pretrained.attention import NAME, attend
from headstart.pretrained.load import load
from headstart.pretrained.training import open_for_training
from small_models import small_text_model

FUSED = ["bert", "roberta", "distilbert", "albert", "electra", "modernbert"]
OF_THEIR_OWN = ["mpnet", "xlm", "deberta-v2"]  # whose attention transformers has written only one way


@pytest.mark.parametrize("family", FUSED + OF_THEIR_OWN)
def test_opened_for_training_it_gives_the_same_outputs_and_gradients(family, tmp_path):
    small_text_model(family, tmp_path / "model")
    backbone = load(str(tmp_path / "model"), kind="text")
    plain, opened = backbone.module().double(), open_for_training(backbone).module.double()  # not left to the kernel
    assert (opened.encoder.config._attn_implementation == NAME) == (family in FUSED)
    ids, mask = torch.randint(4, 20, (3, 19)), torch.ones(3, 19, dtype=torch.int64)
    mask[0, 11:] = mask[2, 3:] = 0
    made = [module(ids, mask) for module in (plain, opened)]
    torch.testing.assert_close(made[1], made[0])
    for outputs in made:
        outputs.square().sum().backward()
    for was, now in zip(plain.parameters(), opened.parameters(), strict=True):
        if was.grad is not None:
            torch.testing.assert_close(now.grad, was.grad)


@pytest.mark.parametrize("tokens", [1, 40, 200])  # the last by the fused kernel,
@pytest.mark.parametrize("precision", [torch.float64, torch.float32])  # and all of float32
@pytest.mark.parametrize("masked", [False, True])
def test_texts_of_any_length(tokens, precision, masked):
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 4, tokens, 8, dtype=precision).unbind()
    mask = None
    if masked:
        mask = torch.ones(2, 1, tokens, tokens, dtype=torch.bool)
        mask[1, :, :, (tokens + 1) // 2 :] = False
    made, _ = attend(nn.Identity(), query, key, value, mask, is_causal=False)
    wanted = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    torch.testing.assert_close(made.transpose(1, 2), wanted)


def test_a_model_that_looks_back_only_stays_one():
    query, key, value = torch.randn(3, 2, 4, 9, 8, dtype=torch.float64).unbind()  # not left to the kernel
    made, _ = attend(nn.Identity(), query, key, value, None, is_causal=True)
    wanted = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    torch.testing.assert_close(made.transpose(1, 2), wanted)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_dropout_drops_its_share_and_keeps_the_mean(share):
    layer = nn.Dropout(share).train()
    with Dropping([1, 2]):
        made = layer(torch.ones(1000, 1000))
    assert float((made == 0).float().mean()) == pytest.approx(share, abs=0.002)  # four deviations
    assert float(made.mean()) == pytest.approx(1, abs=0.004)
    assert made.unique().tolist() == pytest.approx([0, 1 / (1 - share)], rel=1e-4)


@pytest.mark.parametrize("device", ["cpu", "cuda"])  # how the numbers are drawn for it; all tensors are the CPU's
def test_what_is_dropped_is_said_by_the_seed_and_by_nothing_else(device):
    layer, x = nn.Dropout(0.5).train(), torch.ones(4, 50, requires_grad=True)
    before = torch.random.get_rng_state()

    def dropped(*seed: int) -> list[torch.Tensor]:
        with dropping(seed, device):
            return [layer(x), layer(x)]

    first, again, other = dropped(3, 0), dropped(3, 0), dropped(3, 1)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], other[0])
    assert torch.equal(torch.random.get_rng_state(), before)
    first[0].sum().backward()
    assert torch.equal(x.grad, first[0])  # what was dropped learns nothing, what was kept learns as much more
    with dropping([3, 0], device):
        assert torch.equal(layer.eval()(x), x)

"""Claim: a training step's attention takes less time by plain products than by torch's fused kernel, for short texts.

    python bench/attention.py [--heads 12] [--width 32] [--batch 32] [--tokens 8 16 32 64 128 256]

Forward and backward pass of one layer's attention, milliseconds, by number of tokens; all ways in this process, one
after the other, the best of five. "With dropout" is what torch does where attention has dropout, against ours.
"""

import os
import time
from argparse import Namespace
from collections.abc import Callable
from functools import partial

os.environ.setdefault("GOMP_SPINCOUNT", "30000")  # as the command line does

import torch
from common import arguments, asked
from torch.nn.functional import scaled_dot_product_attention

from headstart.adapt.dropout import Dropping
from headstart.pretrained.attention import products


def milliseconds(step: Callable[[], torch.Tensor], gradient: torch.Tensor) -> float:
    def passed() -> float:
        begun = time.perf_counter()
        step().backward(gradient)
        return 1000 * (time.perf_counter() - begun)

    passed()
    return min(passed() for _ in range(5))


def row(tokens: int, precision: torch.dtype, options: Namespace) -> list[str]:
    shape = (options.batch, tokens, options.heads, options.width)
    query, key, value = (torch.randn(shape, dtype=precision).transpose(1, 2).requires_grad_() for _ in range(3))
    mask, gradient = torch.ones(options.batch, 1, tokens, tokens, dtype=torch.bool), torch.randn(shape, dtype=precision)
    mask[:, :, :, -1] = False

    def fused(share: float) -> torch.Tensor:
        return scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=share).transpose(1, 2)

    def plain(share: float) -> torch.Tensor:
        with Dropping([0]):
            return products(query, key, value, mask, dropout=share)

    cells = [str(tokens), str(precision).removeprefix("torch.")]
    for share in (0.0, 0.1):
        theirs, ours = (milliseconds(partial(way, share), gradient) for way in (fused, plain))
        cells += [f"{theirs:.2f}", f"{ours:.2f}", f"{theirs / ours:.1f}"]
    return cells


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--tokens", nargs="+", type=int, default=[8, 16, 32, 64, 128, 256])
    with asked(parser, lambda work: ["--heads", 2, "--batch", 2, "--tokens", 8, 16]) as options:
        print("| tokens | precision | fused | products | ratio | with dropout: torch | ours | ratio |\n|" + 8 * "---|")
        for tokens in options.tokens:
            for precision in (torch.bfloat16, torch.float32):
                print(f"| {' | '.join(row(tokens, precision, options))} |", flush=True)


if __name__ == "__main__":
    main()

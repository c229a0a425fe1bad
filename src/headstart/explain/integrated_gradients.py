"""What each token adds to a score: integrated gradients over the word embeddings, by Captum."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from headstart.backbone import Backbone, TextPreparation
from headstart.errors import ModelError, UserError
from headstart.inputs.tokens import counting
from headstart.pretrained.training import word_embeddings
from headstart.storage.kept import room

_STEPS = (4, 8, 16, 32, 64, 128, 256)
_FIRST = 16  # steps, after which the weights of most texts add up
_WORK = 2**14  # steps times tokens, at most: a text in sixteen windows would take minutes otherwise
_GAP = 0.05  # of all that the tokens add and take away, that may be missing of the difference that they explain
_TOKENS = 4096  # in a batch
_NOTHING = ("[MASK]", "<mask>")  # what a word is replaced by, as masked language models were trained to read

Score = Callable[..., torch.Tensor]  # the (n, t) ids of each sequence -> (n,) scores


@dataclass(frozen=True)
class Attributions:
    """What each token of each sequence adds to a score."""

    weights: tuple[np.ndarray, ...]  # (t,) each; special tokens have none
    gap: float  # what is missing of the difference between input and baseline, as a share of the weights' sizes
    steps: int  # on the way between them

    @property
    def notes(self) -> tuple[str, ...]:
        """Where they do not add up."""
        if self.gap <= _GAP:
            return ()
        what = f"the words' weights miss {self.gap:.0%} of all that they add and take away"
        return (f"{what}, after {self.steps} steps: take them as rough",)


class Attributor:
    """A text model whose scores are taken apart. It is opened once and kept."""

    def __init__(self, backbone: Backbone) -> None:
        """
        Raises:
            UserError: Captum is missing. ModelError: the model has no table of word embeddings.
        """
        captum = _captum()
        self.module = backbone.module().requires_grad_(False)
        table = word_embeddings(self.module)
        if table is None:
            raise ModelError("it reads letters, not words, so words have no weights", where=backbone.name)
        self._table, self._captum, self._nothing = table, captum, _baseline(backbone.texts)

    def attribute(
        self, score: Score, ids: Sequence[np.ndarray], special: Sequence[np.ndarray], *, of: int | None = None
    ) -> Attributions:
        """How a score comes from tokens, in the place of which nothing could stand.

        Steps on the way from nothing to the tokens are doubled until the weights add up, or it would be too much work.

        Source: Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, ICML 2017.

        Args:
            score: of batches of each sequence, which it has to look up in the module's own table, in this order.
            ids: (t,) int64 of each sequence. special: (t,) bool, which tokens are the tokenizer's own: they stay.
            of: tokens of the whole text, of which these are a part; None: these are all.
        """
        tokens = [torch.from_numpy(one)[None] for one in ids]
        nothing = [
            torch.where(torch.from_numpy(s)[None], t, self._nothing) for t, s in zip(tokens, special, strict=True)
        ]
        with torch.no_grad():
            given, without = (tuple(self._table(one) for one in some) for some in (tokens, nothing))

        def forward(*embedded: torch.Tensor) -> torch.Tensor:
            with _read_as(self._table, embedded):
                return score(*(one.expand(len(embedded[0]), -1) for one in tokens))

        method = self._captum.IntegratedGradients(forward)
        n_tokens = sum(map(len, ids))
        for steps in _steps_for(of or n_tokens):
            found, missing = method.attribute(
                given,
                without,
                n_steps=steps,
                method="gausslegendre",
                internal_batch_size=max(2, _TOKENS // n_tokens),
                return_convergence_delta=True,
            )
            sums = [np.asarray(one[0].sum(-1), dtype=np.float64) for one in found]
            size = sum(float(np.abs(one).sum()) for one in sums)
            gap = float(missing.abs().max()) / max(size, 1e-9)
            if gap <= _GAP:
                break
        return Attributions(tuple(sums), gap, steps)


def _steps_for(tokens: int) -> list[int]:
    """How many steps are tried one after the other for a text of so many tokens: of a long one, as many as there may
    be."""
    bearable = [steps for steps in _STEPS if steps * tokens <= _WORK] or [_STEPS[0]]
    return [steps for steps in bearable if steps >= _FIRST] or bearable[-1:]


def _captum() -> Any:
    """Captum. It imports matplotlib, which writes a list of the system's fonts: into our cache, not the user's home.

    Raises:
        UserError: it is missing.
    """
    kept = os.environ.get("MPLCONFIGDIR")
    os.environ["MPLCONFIGDIR"] = kept or str(room("matplotlib"))
    try:
        import captum.attr
    except ImportError:
        raise UserError("words are explained with Captum", fix="pip install headstart[explain]") from None
    finally:
        if kept is None:
            del os.environ["MPLCONFIGDIR"]
    return captum.attr


@contextmanager
def _read_as(table: nn.Module, embedded: Sequence[torch.Tensor]) -> Iterator[None]:
    """Within, the table gives these, one after the other, whatever it is asked."""
    waiting = iter(embedded)
    handle = table.register_forward_hook(lambda module, given, found: next(waiting))
    try:
        yield
    finally:
        handle.remove()


def _baseline(preparation: TextPreparation) -> int:
    """The token that says nothing: the mask, or padding where the tokenizer has none."""
    tokenizer = counting(preparation)
    known = (tokenizer.token_to_id(name) for name in _NOTHING)
    return next((token for token in known if token is not None), preparation.pad_id)

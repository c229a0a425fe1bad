"""Texts as a backbone's tokenizer is given them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from headstart.backbone import TextPreparation
from headstart.errors import somebody_elses
from headstart.inputs.text import whole_characters

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CHARACTERS = 16  # characters a token, at most looked at
OPEN = 8  # tokenizers that are kept open: a service may have as many models


@lru_cache(maxsize=OPEN)
def _opened(tokenizer: str) -> Tokenizer:
    from tokenizers import Tokenizer

    with somebody_elses("tokenizers"):
        opened = Tokenizer.from_str(tokenizer)
        opened.no_padding()
        opened.no_truncation()
    return opened


def counting(preparation: TextPreparation) -> Tokenizer:
    """The tokenizer, cutting nothing; opened once, and for nobody to change."""
    return _opened(preparation.tokenizer)


def truncating(preparation: TextPreparation) -> Tokenizer:
    """The tokenizer, cutting at the model's longest text and padding nothing."""
    from tokenizers import Tokenizer

    with somebody_elses("tokenizers"):
        tokenizer = Tokenizer.from_str(preparation.tokenizer)
        tokenizer.no_padding()
        tokenizer.enable_truncation(preparation.max_length)
    return tokenizer


@lru_cache(maxsize=OPEN)
def shared(preparation: TextPreparation) -> Tokenizer:
    """As `truncating`, opened once a process: that takes longer than a text. Nobody may change it."""
    return truncating(preparation)


def shortened(text: str | tuple[str, str], preparation: TextPreparation) -> str | tuple[str, str]:
    """As much as a truncating tokenizer can want of it: 100,000 characters are cut before they are tokenised.

    The model's prefix stands before it. Of a pair, which becomes one sequence with the tokenizer's own separator, as
    much of each, and a prefix before both.
    """
    most = preparation.max_length * CHARACTERS
    if isinstance(text, tuple):
        first, second = text
        return _begun(first, most, preparation), _begun(second, most, preparation)
    return _begun(text, most, preparation)


def _begun(text: str, most: int, preparation: TextPreparation) -> str:
    return preparation.prefix + whole_characters(str(text)[:most])

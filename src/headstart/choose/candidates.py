"""The models that come into question, in the order in which they are tried."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from headstart.backbone import Backbone
from headstart.choose.rank import Candidate
from headstart.inputs.modality import Modality
from headstart.pretrained import catalog

Load = Callable[[str], Backbone]


def at_hand(modality: Modality, load: Load) -> list[Candidate]:
    """The catalog's models for this kind of data that are on this machine: the starter first, then cheaper ones."""
    cards = sorted(catalog.at_hand(modality.kind), key=lambda card: (card.gmacs, card.name))
    cards.sort(key=lambda card: card.name != modality.default_model)
    return [Candidate(card.name, card.gmacs, card.parameters, partial(load, card.name)) for card in cards]


def named(names: Sequence[str], load: Load) -> list[Candidate]:
    """These models, cheaper ones first. All are opened here, so that a wrong name is known before work begins.

    Raises:
        ModelError: unknown, not on this machine, or made for another kind of data.
    """
    return sorted((_opened(name, load) for name in dict.fromkeys(names)), key=lambda candidate: candidate.cost)


def _opened(name: str, load: Load) -> Candidate:
    backbone, card = load(name), catalog.find(name)
    cost, parameters = (math.inf, None) if card is None else (card.gmacs, card.parameters)
    return Candidate(name, cost, parameters, lambda: backbone)

"""The models that come into question, in the order in which they are tried."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from headstart.backbone import Backbone
from headstart.choose.rank import Candidate
from headstart.choose.ranking import Untried
from headstart.errors import worded
from headstart.inputs.modality import Modality
from headstart.pretrained import catalog
from headstart.pretrained.licences import may_be_chosen

Load = Callable[[str], Backbone]


def at_hand(modality: Modality, load: Load, licence: str = "free") -> list[Candidate]:
    """The catalog's models for this kind of data that are on this machine: the starter first, then cheaper ones.

    Args:
        licence: which may be chosen unasked, "free" or "any".
    """
    cards = sorted(catalog.choosable(modality.kind, licence), key=lambda card: (card.gmacs, card.name))
    cards.sort(key=lambda card: card.name != modality.default_model)
    return [Candidate(card.name, card.gmacs, card.parameters, partial(load, card.name)) for card in cards]


def refused(modality: Modality, licence: str) -> tuple[Untried, ...]:
    """The models at hand that are not chosen unasked, for their licence."""
    return tuple(
        Untried(card.name, worded(f"{card.licence} is {card.licence_class}: --licence any tries it"))
        for card in catalog.at_hand(modality.kind)
        if not may_be_chosen(card.licence_class, licence)
    )


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

"""`headstart models`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from headstart.commands import common
from headstart.errors import UserError
from headstart.report import terminal


def models(
    words: Annotated[list[str] | None, typer.Argument(help="A name, shown in full; or words to search for.")] = None,
    pull: Annotated[bool, typer.Option("--pull", help="Fetch the weights of the named model and verify them.")] = False,
    as_json: common.Json = False,
) -> None:
    """List the known pre-trained models, show one, or fetch it."""
    from headstart.pretrained import catalog

    name = " ".join(words or ())
    card = catalog.find(name)
    if pull:
        _pull(name, card)
    if card is not None:
        common.show(_card_row(card), as_json, terminal.model)
        return
    rows = [_card_row(card) for card in catalog.models(words or ())]
    if not rows:
        near = catalog.nearest(name)
        fix = f"did you mean {near}?" if near else "headstart models lists all"
        raise UserError(f"no model of the catalog has all of this in its name or description: {name!r}", fix=fix)
    common.show({"models": rows}, as_json, terminal.models)


def _card_row(card: Any) -> dict[str, Any]:
    from dataclasses import asdict

    path = card.path
    return {**asdict(card), "at_hand": path is not None, "path": path and str(path), "install": card.install}


def _pull(name: str, card: Any) -> None:
    if card is None:
        raise UserError(f"no model of the catalog: {name!r}", where="--pull", fix="headstart models lists them")
    from headstart.pretrained.hub import pull

    pull(card)  # with a bar on a terminal

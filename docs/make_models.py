"""Write docs/models.md from the catalog: `make docs`. A test compares the page with what this makes."""

from __future__ import annotations

from pathlib import Path

from headstart.pretrained.catalog import Card, cards

HEAD = """# Models

Names that `--model` takes, each with its licence (license), size and source. Beside these it takes
any timm or transformers name of the [hub](hub.md), a folder, and [a file of weights](weights.md).
`headstart models NAME` says the same of one, `--pull` fetches it.

What the columns say stands [below the tables](#columns).
"""
FOOT = """## Columns

- *licence*: of the weights, and its class: *free*; *conditions* of its own, to be read first;
  *non-commercial*; *gated*, to be agreed to first; *unknown*. None that is non-commercial or gated
  is chosen by itself, unless `--licence any` says so. What is named is taken, and its card warns.
- *input*: pixels a side, or tokens at most. *GMACs*: billions of multiply-adds of one image, or of
  a text of 128 tokens. *width*: features of an image; of one layer, for texts.
- *score*: as published, in percent, with the source it was read in; empty where none was read.
- *before each text*: what the model was trained to see there; it is put there by headstart.

Packaged weights are tried on real photos and texts (`tests/test_packaged_weights.py`), all others
with random weights (`tests/test_every_model.py`): that their numbers are what the hub announces is
checked when they are fetched. The page is made from `src/headstart/pretrained/catalog.csv`.
"""
COLUMNS = (
    "model",
    "licence",
    "parameters",
    "GMACs",
    "input",
    "width",
    "trained on",
    "score",
    "before each text",
    "weights",
)


def row(card: Card) -> str:
    score = f"{card.score} {card.score_on} ({card.score_source})" if card.score else ""
    cells = (
        card.name,
        f"{card.licence} ({card.licence_class})",
        f"{card.parameters / 1e6:.1f} M",
        f"{card.gmacs:g}",
        str(card.size),
        f"{card.width:,}",
        card.trained_on,
        score,
        f'"{card.prefix}"' if card.prefix else "",
        f"`{card.weights}`",
    )
    return "| " + " | ".join(cells) + " |"


def page() -> str:
    parts = [HEAD]
    for kind, title in (("image", "Images"), ("text", "Texts")):
        some = [card for card in cards() if card.kind == kind]
        parts.append(f"\n## {title} ({len(some)})\n")
        parts.append("| " + " | ".join(COLUMNS) + " |")
        parts.append("|" + "---|" * len(COLUMNS))
        parts += [row(card) for card in some]
    return "\n".join([*parts, "", FOOT.rstrip()]) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "models.md").write_text(page(), encoding="utf-8")

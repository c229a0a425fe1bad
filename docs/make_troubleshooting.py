"""Write docs/troubleshooting.md from docs/troubleshooting.csv: `make docs`. A test compares the two, and that headstart
says what the table says that it says."""

from __future__ import annotations

import csv
from itertools import groupby
from pathlib import Path

TABLE = Path(__file__).with_name("troubleshooting.csv")
HEAD = """# Troubleshooting

Made from `docs/troubleshooting.csv` by `make docs`. Errors of headstart have one or two lines: what is wrong and where,
then what to do. This page has more on some of them, and on what other libraries say. Search it for a piece of yours.
"""


def rows() -> list[dict[str, str]]:
    """A message a row: part of the page, who says it ("headstart" or "other"), the message, its cause, the remedy."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def page() -> str:
    """The page as text."""
    lines = [HEAD]
    for part, some in groupby(rows(), key=lambda row: row["part"]):
        lines += [f"\n## {part}\n", "| message | cause | what to do |", "|---|---|---|"]
        lines += [f"| `{row['message'].strip()}` | {row['cause']} | {row['remedy']} |" for row in some]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.with_suffix(".md").write_text(page(), encoding="utf-8")

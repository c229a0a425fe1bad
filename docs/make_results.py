"""Write docs/results.md, and the table of bench/README.md, from bench/results/*.csv: `make docs`. Tests compare."""

from __future__ import annotations

import csv
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "bench" / "results"
CLAIMS = "claims"
PARTS = {"performance": "Speed and memory", "accuracy": "Accuracy", "tuning": "Fine-tuning"}
COLUMNS = (
    *("claim", "figure", "against", "ratio", "limit"),
    *("script", "command", "needs", "machine", "date", "page"),
)
HEAD = """# Results

What was measured, each with the command that measures it again. *date* is the day on which a figure
was written down. *limit* is what was promised before it was measured. An empty cell was not noted,
or does not apply. What led to a decision is in the [log](log.md).

The page is made from `bench/results/*.csv`.

## A claim for each script

Each script of `bench/` prints the figures of one claim, and judges nothing.
"""
README_HEAD = "| claim | script | needs | last result |"


def rows(name: str) -> list[dict[str, str]]:
    """The rows of one file; each has all columns.

    Raises:
        ValueError: a file with other columns.
    """
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(f"bench/results/{name}.csv has not the columns {', '.join(COLUMNS)}")
        return list(reader)


def page() -> str:
    """The results as a page."""
    lines = [HEAD, "| claim | last result | script | date |", "|---|---|---|---|"]
    for row in rows(CLAIMS):
        result = row["figure"] or "a tool: run it on your own change"
        more = f" ([{label(row['page'])}]({row['page']}))" if row["page"] else ""
        lines.append(f"| {row['claim']} | {result}{more} | `{row['script']}` | {row['date']} |")
    for name, title in PARTS.items():
        lines += [f"\n## {title}\n", f"From `bench/results/{name}.csv`.\n"]
        machines = sorted({row["machine"] for row in rows(name) if row["machine"]})
        lines += [f"Machines: {'; '.join(machines)}.\n"] if machines else []
        lines += ["| what | headstart | against | ratio | limit | command | date |", "|" + "---|" * 7]
        for row in rows(name):
            command = f"`{row['command']}`" if row["command"] else ""
            cells = (*(row[key] for key in COLUMNS[:5]), command, row["date"])
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def readme(text: str) -> str:
    """The page of the benches with its table made anew; what stands above the table stays."""
    lines = [README_HEAD, "|---|---|---|---|"]
    for row in rows(CLAIMS):
        link = f" ([{label(row['page'])}](../docs/{row['page']}))" if row["figure"] and row["page"] else ""
        last = f"{row['figure'] or '-'}{link}"
        lines.append(f"| {row['claim']} | `{row['script']}` | {row['needs'] or '-'} | {last} |")
    return text.split(README_HEAD)[0] + "\n".join(lines) + "\n"


def label(target: str) -> str:
    """What a link to a page says."""
    return "log" if target.startswith("log/") else Path(target.split("#")[0]).stem


if __name__ == "__main__":
    (ROOT / "docs" / "results.md").write_text(page(), encoding="utf-8")
    bench = ROOT / "bench" / "README.md"
    bench.write_text(readme(bench.read_text(encoding="utf-8")), encoding="utf-8")

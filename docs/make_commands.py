"""Write docs/command-line.md from the commands' own --help: `make docs`. A test compares the two."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer.main

from headstart.commands.app import app

HEAD = """# Command line

Made from the commands' own `--help` by `make docs`. `headstart COMMAND --help` says the same.
Exit codes: 0 done, 2 the input is wrong, 130 interrupted, 1 anything else.
With exit code 2, one or two lines say what is wrong, where, and what to do.
`--json` prints one JSON object on stdout ([JSON](json.md)).
"""
PART = re.compile(r"^(Arguments|Options):\n((?:  .*\n?)+)", re.MULTILINE)
WIDTH = 10_000  # characters: an option is a line


def helps() -> dict[str, str]:
    """What each command's --help says, in plain text, in the order of `headstart --help`."""
    group: Any = typer.main.get_command(app)
    return {name: help_of(name, command) for name, command in group.commands.items()}


def help_of(name: str, command: Any) -> str:
    """One line an option, without the frames that a terminal gets."""
    command.rich_markup_mode = None
    wide = {"terminal_width": WIDTH, "max_content_width": WIDTH}
    said: str = command.get_help(command.context_class(command, info_name=f"headstart {name}", **wide))
    return said + "\n"


def page() -> str:
    """The page as text."""
    found = helps()
    lines = [HEAD, "| command | what it does |", "|---|---|"]
    lines += [f"| [`{name}`](#{name}) | {about(said)[0]} |" for name, said in found.items()]
    for name, said in found.items():
        usage = said.splitlines()[0].removeprefix("Usage: ")
        lines += [f"\n## {name}\n", "```text", usage, "```\n", "\n\n".join(about(said)), ""]
        lines += ["| argument, option | what it is |", "|---|---|"]
        lines += [row(line) for _, part in PART.findall(said) for line in part.splitlines() if "--help " not in line]
    return "\n".join(lines) + "\n"


def about(said: str) -> list[str]:
    """What a command does, in paragraphs."""
    middle = PART.split(said.partition("\n")[2])[0]
    return [cell(paragraph) for paragraph in re.split(r"\n\s*\n", middle) if paragraph.strip()]


def row(line: str) -> str:
    """An argument or option with what it is, as a row of a table."""
    name, _, text = line.strip().partition("  ")
    return f"| `{name.replace('|', chr(92) + '|')}` | {cell(text)} |"


def cell(text: str) -> str:
    """Text that stands in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    (Path(__file__).parent / "command-line.md").write_text(page(), encoding="utf-8")

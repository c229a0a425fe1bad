"""Write docs/terminal.svg: what a terminal shows of a fit and a prediction, as they came. `make screenshots`.

Photos are of the package conformal-clip-data. The picture is made by rich; nothing in it is fetched.
"""

from __future__ import annotations

import io
import os
import pty
import shlex
import shutil
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from make_screenshots import DOCS, photos
from rich.console import Console
from rich.text import Text

_WIDTH = 100
_FORMAT = """\
<svg viewBox="-12 -10 {terminal_width} {terminal_height}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>headstart fit and predict in a terminal</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>{lines}</defs>
<rect fill="#10141c" x="-12" y="-10" width="{terminal_width}" height="{terminal_height}" rx="8"/>
<g>{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


def main() -> None:
    shown = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        for kind in ("global", "local", "nominal"):
            (folder / "fabric" / kind).mkdir(parents=True)
            for photo in sorted((photos() / kind).glob("*.jpg"))[:200]:
                shutil.copy(photo, folder / "fabric" / kind)
        shutil.copy(sorted((photos() / "global").glob("*.jpg"))[250], folder / "new.jpg")
        for command in (
            "headstart fit fabric/ --model efficientnet_lite0 --how probe",
            "headstart predict fabric.headstart new.jpg",
        ):
            shown.print(Text(f"$ {command}", style="bold #8ab4f8"))
            shown.print(Text.from_ansi(ran(command, folder)))
        shown.print()  # the picture's lower margin
    (DOCS / "terminal.svg").write_text(shown.export_svg(title="", code_format=_FORMAT), encoding="utf-8")


def ran(command: str, folder: Path) -> str:
    """What a command shows on a terminal of its own; progress goes elsewhere."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (50, _WIDTH))
    around = {**os.environ, "COLUMNS": str(_WIDTH), "HEADSTART_CACHE": str(folder / "cache"), "TERM": "xterm-256color"}
    with subprocess.Popen(
        [sys.executable, "-m", *shlex.split(command)], cwd=folder, env=around, stdout=theirs, stderr=subprocess.DEVNULL
    ) as process:
        os.close(theirs)
        came = bytearray()
        while part := read(ours):
            came += part
    os.close(ours)
    if process.returncode:
        raise SystemExit(f"{command}: exit {process.returncode}")
    return came.decode().replace("\r\n", "\n").rstrip("\n")


def read(terminal: int) -> bytes:
    """More of it; nothing once the other side is closed, which Linux calls an error."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


if __name__ == "__main__":
    main()

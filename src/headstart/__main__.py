"""The `headstart` command, and `python -m headstart`."""

from __future__ import annotations

import sys


def main() -> None:
    """As `commands.app.main`, which takes a third of a second to be there: Ctrl-C may come before."""
    try:
        from headstart.commands.app import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()

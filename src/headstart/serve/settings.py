"""How a server is run: its limits, and who may ask it."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from headstart.errors import UserError
from headstart.progress import note
from headstart.storage.files import read_file

LOOPBACK = ("127.0.0.1", "localhost", "::1")
ANYWHERE = ("0.0.0.0", "::")
_SHORTEST_TOKEN, _MOST_OF_A_TOKEN_FILE = 16, 4096
_MAKE_A_TOKEN = "python -c 'import secrets; print(secrets.token_urlsafe(32))' > token.txt; chmod 600 token.txt"


@dataclass(frozen=True)
class Limits:
    """What one client may ask for, and how much is held at once."""

    queue: int = 256  # inputs that are waited for, of all requests together
    inputs: int = 128  # of a request
    body: int = 64 * 2**20  # bytes of a request
    bodies: int = 512 * 2**20  # bytes of all requests under way
    text: int = 1_000_000  # characters of all texts of a request
    contexts: int = 64  # texts that an answer is looked for in
    connections: int = 512
    header_bytes: int = 64 * 2**10
    header_seconds: float = 10.0  # in which a request's headers have to be there
    body_seconds: float = 60.0  # in which its body has to be there
    feedback_files: int = 100_000
    feedback_bytes: int = 10 * 2**30


@dataclass(frozen=True)
class Settings:
    """How one server is run."""

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None  # None: nobody is asked for one
    feedback: Path | None = None  # the folder for corrected examples; None: none are taken
    limits: Limits = Limits()

    @property
    def everywhere(self) -> bool:
        """Whether it listens on all addresses of the machine."""
        return self.host in ANYWHERE

    def refuse_open_door(self) -> None:
        """Raises UserError where anybody on the network could ask."""
        if self.host not in LOOPBACK and self.token is None:
            what = "others on the network could ask, and no token keeps them out"
            fix = f"make one: {_MAKE_A_TOKEN}; then --token-file token.txt"
            raise UserError(what, where=f"--host {self.host}", fix=fix)


def token_in(file: Path) -> str:
    """The token on the first line of a file.

    Raises:
        UserError: there is none, or one that could be guessed or cannot be sent.
    """
    where = f"--token-file {file}"
    try:
        content = read_file(file, most=_MOST_OF_A_TOKEN_FILE)
    except OSError as error:
        raise UserError(error.strerror or str(error), where=where, fix=f"make one: {_MAKE_A_TOKEN}") from None
    token = content.decode("utf-8", "replace").strip().split("\n", 1)[0].strip()
    if len(token) < _SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        what = f"a token has {_SHORTEST_TOKEN} characters or more of ASCII, and no spaces"
        raise UserError(what, where=where, fix=f"make one: {_MAKE_A_TOKEN}")
    if file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        note(f"{file}: others on this machine can read the token; chmod 600 {file}")
    return token

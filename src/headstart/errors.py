"""The one error a user meets, in three parts: what is wrong, where, what to do.

UserError            exit code 2; the input, a name or an option is wrong
├── DataError        the user's examples or labels
├── ModelError       a backbone or a saved folder that cannot be used
└── OutputError      the place to write to
"""

from __future__ import annotations


class UserError(Exception):
    """What is wrong (with the value seen), where (file and row, or the argument as typed), what to do."""

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        first = f"{where}: {what}" if where else what
        super().__init__(f"{first}\n{fix}" if fix else first)


class DataError(UserError):
    """The user's examples or labels cannot be used."""


class ModelError(UserError):
    """A pre-trained model or a saved folder cannot be used."""


class OutputError(UserError):
    """The result cannot be written where it should go."""

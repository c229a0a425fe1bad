"""A frozen backbone over many examples, once."""

from headstart.encode.encode import encode, missing
from headstart.encode.store import table

__all__ = ["encode", "missing", "table"]

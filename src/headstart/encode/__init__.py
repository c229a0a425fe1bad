"""A frozen backbone over many examples, once."""

from headstart.encode.encode import encode
from headstart.encode.store import table

__all__ = ["encode", "table"]

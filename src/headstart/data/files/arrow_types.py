"""Whether a value is pyarrow's, without loading pyarrow, which photos in folders do without."""

from __future__ import annotations

import sys
from typing import Any


def of_pyarrow(value: Any, *classes: str) -> bool:
    """Whether a value is of one of pyarrow's classes; no value is where nobody has loaded it."""
    pyarrow = sys.modules.get("pyarrow")
    return pyarrow is not None and isinstance(value, tuple(getattr(pyarrow, name) for name in classes))

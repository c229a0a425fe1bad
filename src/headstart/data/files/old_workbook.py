"""Workbooks of Excel before 2007 (.xls), read in a process of its own.

How much memory one takes is not told by anything short of reading it: a file of ten kilobytes may ask for a hundred
gigabytes, and the library then ends the process that it runs in.
"""

from __future__ import annotations

import json
import subprocess  # the interpreter that runs this, with the code below
import sys
from pathlib import Path
from typing import Any

from headstart.errors import DataError, first_line, plain

_MOST_MEMORY = 4 * 2**30  # bytes; 65,536 rows of 256 cells, which is the most that there may be, take a quarter
_MOST_SECONDS = 600
_READER = """
import json, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
except (ImportError, ValueError, OSError):
    pass  # no such limit: it is this process that is ended where memory is
sys.path.insert(0, sys.argv[3])
from python_calamine import CalamineWorkbook
try:
    with open(sys.argv[1], "rb") as file:
        if file.read(4) != bytes.fromhex("D0CF11E0"):  # else another format would be tried, and read uncounted
            raise ValueError("no workbook of this kind")
        file.seek(0)
        book = CalamineWorkbook.from_filelike(file)
    sheets = {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
    told = {"sheets": sheets}
except Exception as error:
    told = {"error": str(error)}
json.dump(told, sys.stdout, default=str)
"""


def old_sheets(path: Path, library: Path) -> dict[str, list[list[Any]]]:
    """The cells of each sheet; dates and times of day are texts.

    Args:
        library: the folder that python_calamine was imported from.

    Raises:
        DataError: it cannot be read, or takes more memory than any has a use for.
    """
    fix = "save it as .xlsx or CSV"
    if not sys.executable:
        raise DataError("a workbook of before 2007, and there is no Python to read it with", where=str(path), fix=fix)
    command = [sys.executable, "-I", "-c", _READER, str(path.absolute()), str(_MOST_MEMORY), str(library.absolute())]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_MOST_SECONDS, check=False)
        told = json.loads(done.stdout) if done.returncode == 0 else {}
    except (subprocess.TimeoutExpired, OSError, ValueError):
        told = {}
    if "sheets" not in told:
        why = plain(first_line(ValueError(told.get("error") or "it is damaged, or asks for too much memory")))
        raise DataError(f"cannot be read: {why}", where=str(path), fix=fix)
    sheets: dict[str, list[list[Any]]] = told["sheets"]
    return sheets

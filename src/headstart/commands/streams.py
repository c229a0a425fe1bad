"""Standard streams that may be closed, full or read by nobody: no fit ends because a line about it was lost.

A program that nohup, cron or a dropped terminal started may have no descriptors 0 to 2. The next file that is opened
would get one of their numbers, and what a library writes to standard error would land in it.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from typing import Any, TextIO, cast


class LostOutputError(Exception):
    """What a command printed did not arrive, and nobody chose not to read it."""


class _Unheard:
    """A text stream whose writes never fail: what it says is lost where nobody listens."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # the latter: closed
            self._stream = _to_nowhere(self._stream)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._stream = _to_nowhere(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Result:
    """Standard output: what does not arrive there is no success, whoever prints it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _lost(error) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _lost(error: Exception) -> LostOutputError:
    return LostOutputError(f"standard output: cannot write: {getattr(error, 'strerror', None) or error}")


def secure() -> None:
    """Open what is closed of standard input, output and error; and let no write to standard error fail."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
            if opened != number:
                os.close(opened)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the life of the process
    if sys.stdout is None:
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(_Closed()), encoding="utf-8")
    sys.stdout = cast("TextIO", _Result(sys.stdout))
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stderr = cast("TextIO", _Unheard(sys.stderr))


def outlive_terminal() -> None:
    """A fit goes on when its terminal is closed or its connection is lost; Ctrl-C and kill end it as ever."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def write_result(content: bytes) -> None:
    """Write what a command found to standard output.

    A reader that went away (`| head`) has read what it wanted.

    Raises:
        LostOutputError: the disk is full, or standard output is closed.
    """
    try:
        if content:
            sys.stdout.buffer.write(content)
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = _to_nowhere(sys.stdout)
    except (OSError, ValueError) as error:  # the latter: closed
        sys.stdout = _to_nowhere(sys.stdout)
        raise _lost(error) from None


class _Closed(io.RawIOBase):
    """Standard output that was closed before the program began: whoever writes is told so."""

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def _to_nowhere(stream: TextIO) -> TextIO:
    """The stream to use from now on: its descriptor leads nowhere, so that what is still held back cannot fail at the
    end of the program, which would change its exit code."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # it has none
        return open(os.devnull, "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
    return stream

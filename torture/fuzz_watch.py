"""What a case may touch, and who tells when it touches more: Python's audit events, and the folders around it.

Python tells of what Python opens; libraries of C open files behind its back. So the neighbours of a case are looked at
too: names, sizes and times, and whether the one file that nobody should read was read.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES: dict[str, tuple[tuple[int, int | None], ...]] = {  # event -> where the changed path is, and its folder
    "os.mkdir": ((0, 2),),
    "os.rmdir": ((0, 1),),
    "os.remove": ((0, 1),),
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
    "os.chmod": ((0, 2),),
    "os.chown": ((0, 3),),
    "os.utime": ((0, 3),),
    "os.setxattr": ((0, None),),
}
_STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "pty.spawn")
_REACHES = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.bind", "socket.sendto")
_RUNS = ("pickle.find_class", "marshal.loads", "code.__new__")  # a stranger's pickle or code is being opened
_HARMLESS = ("/dev/null/", "/proc/", "/sys/")
_PACKAGE = f"{os.sep}headstart{os.sep}"
_SECRET_TIME = 10**18  # of reading and of writing: any reading later than the writing shows


def frame_in_headstart(frame: FrameType | None) -> str:
    """The innermost place of the package that is on the stack."""
    while frame is not None:
        name = frame.f_code.co_filename
        if _PACKAGE in name and ("/src/headstart/" in name or "/site-packages/headstart/" in name):
            return f"{name.rsplit(_PACKAGE, 1)[1]}:{frame.f_code.co_name}"
        frame = frame.f_back
    return ""


@dataclass
class Room:
    """A worker's own folders, in which all that a case may touch lies, and around it what it may not."""

    root: Path
    case: Path = field(init=False)
    seen: list[tuple[str, str]] = field(default_factory=list)  # what was touched outside, and by whom
    armed: bool = False

    def __post_init__(self) -> None:
        self.root = Path(os.path.realpath(self.root))
        self.case = self.root / "case"
        for name in ("case", "cache", "tmp", "home/.ssh", "home/Documents", "canary", "cwd"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        for name in ("home/.ssh/id", "home/.bashrc", "home/Documents/letter.txt", "canary/secret", "cwd/notes.txt"):
            (self.root / name).write_text(f"{name} is nobody's business\n")
        secret = self.root / "canary" / "secret"
        os.utime(secret, ns=(_SECRET_TIME, _SECRET_TIME))
        secret.read_bytes()
        self.times_of_reading = secret.stat().st_atime_ns != _SECRET_TIME  # not where the disk is mounted without
        self._allowed = tuple(f"{self.root / name}{os.sep}" for name in ("case", "cache", "tmp"))
        self._primed: dict[str, tuple[int, int]] = {}
        self._around = self._neighbours()

    def environment(self) -> dict[str, str]:
        """Of a worker that lives here: nothing of the user's is found, and nothing is fetched."""
        home, cache = str(self.root / "home"), str(self.root / "cache")
        names = {"HOME": home, "XDG_CACHE_HOME": f"{cache}/xdg", "HF_HOME": f"{cache}/hf", "HEADSTART_CACHE": cache}
        names |= {"TMPDIR": str(self.root / "tmp"), "HF_HUB_OFFLINE": "1", "HEADSTART_DEVICE": "cpu"}
        return names | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "GOMP_SPINCOUNT": "30000"}

    def watch(self) -> None:
        """From now on, for the rest of the process; only between `begin` and `end` is anything noted."""
        sys.addaudithook(self._heard)

    def begin(self) -> None:
        secret = self.root / "canary" / "secret"
        if self.times_of_reading and secret.stat().st_atime_ns != _SECRET_TIME:
            os.utime(secret, ns=(_SECRET_TIME, _SECRET_TIME))
            self._around = self._neighbours()
        self.seen = []
        self.armed = True

    def end(self) -> list[tuple[str, str]]:
        """What was touched outside since `begin`, each with the place in the package that did it."""
        self.armed = False
        now = self._neighbours()
        changed = sorted({name for name, _ in self._around.items() ^ now.items()})
        self._around = now
        return [*self.seen, *((f"changed: {name}", "") for name in changed)]

    def prime(self) -> None:
        """Remember the cache as it is: `clean` brings it back to this."""
        shutil.rmtree(self.root / "primed", ignore_errors=True)
        shutil.copytree(self.root / "cache", self.root / "primed")
        self._primed = _files(self.root / "cache")

    def forget(self) -> None:
        """Remove the files of a case."""
        for name in ("case", "tmp"):
            for entry in os.scandir(self.root / name):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)

    def clean(self) -> None:
        """Nothing of a case is left: not its files, nor what it put into the cache."""
        self.forget()
        cache, now = self.root / "cache", _files(self.root / "cache")
        for name in now.keys() - self._primed.keys():
            (cache / name).unlink(missing_ok=True)
        for name in [name for name, state in self._primed.items() if now.get(name) != state]:
            (cache / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.root / "primed" / name, cache / name)

    def _neighbours(self) -> dict[str, tuple[int, int, int]]:
        """Everything around that a case must leave alone, and who read the secret."""
        found = {}
        for name in ("home", "canary", "cwd"):
            for folder, folders, files in os.walk(self.root / name):
                for file in (*folders, *files):
                    status = os.lstat(os.path.join(folder, file))
                    read = status.st_atime_ns if file == "secret" and self.times_of_reading else 0
                    found[os.path.join(folder, file)] = (status.st_size, status.st_mtime_ns, read)
        return found

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.armed:
            return
        if event == "open":
            path, mode, flags = arguments
            if (isinstance(flags, int) and flags & _WRITES) or (isinstance(mode, str) and set(mode) & set("wax+")):
                self._touched("opened to write", path)
        elif event in _CHANGES:
            for which, folder in _CHANGES[event]:
                self._touched(event, arguments[which], -1 if folder is None else arguments[folder])
        elif event in _STARTS or event in _REACHES:
            self._note(event, arguments[0] if event in _STARTS else arguments[-1])
        elif event in _RUNS and event == "pickle.find_class":
            self._note(event, ".".join(map(str, arguments)))

    def _touched(self, what: str, path: Any, below: int = -1) -> None:
        if isinstance(path, int):
            return
        name = os.path.join("" if below < 0 else f"/proc/self/fd/{below}", os.fsdecode(path))
        folder, last = os.path.split(os.path.abspath(name))
        real = os.path.realpath(name) if what == "opened to write" else os.path.join(os.path.realpath(folder), last)
        if not f"{real}{os.sep}".startswith((*self._allowed, *_HARMLESS)):
            self._note(what, real)

    def _note(self, what: str, about: Any) -> None:
        self.seen.append((f"{what}: {about!r}"[:300], frame_in_headstart(sys._getframe())))


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for root, _, files in os.walk(folder):
        for file in files:
            path = os.path.join(root, file)
            status = os.lstat(path)
            found[os.path.relpath(path, folder)] = (status.st_size, status.st_mtime_ns)
    return found

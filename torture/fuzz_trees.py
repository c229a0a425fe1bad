"""Folders of classes with strange names and strange things in them, and paths that nobody means."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import fuzz_bytes
import fuzz_photos
from fuzz_case import Case, Entry

_NAMES: tuple[bytes, ...] = (
    b"roses",
    b"tulips",
    b"a b",
    b" ",
    b".hidden",
    b"__MACOSX",
    b"-rf",
    b"--model",
    b"~",
    b"$HOME",
)
_NAMES += (
    b"a\nb",
    b"a\tb",
    b"\xff\xfe",
    b"caf\xe9",
    "caf\u00e9".encode(),
    "cafe\u0301".encode(),
    b"\xed\xa0\x80",
    b"a" * 255,
)
_NAMES += (
    b"*",
    b"[a]",
    b"%s",
    b"{x}",
    b"con",
    b"nul",
    b"a.",
    b"...",
    b"\x01",
    b"\x7f",
    b"\x1b[31m",
    b"\\",
    b"'",
    b'"',
    b"=",
)
_NAMES += (
    b"date=2026-01-01",
    "\u202egnp".encode(),
    "\U0001f600".encode(),
    b"<b>",
    b"&amp;",
    b"1",
    b"nan",
    b"None",
    b"null",
)
_PARTS: tuple[bytes, ...] = (b"train", b"test", b"val", b"validation", b"Train", b"TEST", b"dev", b"training")
_FILES: tuple[bytes, ...] = (
    b"1.jpg",
    b"2.png",
    b"x",
    b"a.txt",
    b"b.TXT",
    b"c.gif",
    b"Thumbs.db",
    b".DS_Store",
    b"d.jpeg",
)
_FILES += (b"headstart.json", b"train.csv", b"test.csv", b"labels.csv", b"x.parquet", b"e.JPG", b"f.jpg.part", b"g.zip")
_STRANGE = ("a pipe", "a socket", "a link", "a link", "a link", "a sparse file", "a folder")
_TO: tuple[bytes, ...] = (
    b".",
    b"..",
    b"../..",
    b"/dev/zero",
    b"/dev/null",
    b"/dev/full",
    b"nothing",
    b"1.jpg",
    b"/proc/self",
)
_TO += (b"../roses", b"../train", b"/proc/self/fd", b"/dev/stdin", b"a" * 200, b"/proc/self/mem", b"/sys/kernel")

_CSV = b"text,label\nfirst words,a\nsecond words,b\nthird words,a\nfourth ones,b\n"


def folder(rng: random.Random, photos: Sequence[bytes]) -> Case:
    """A folder `data` of one to five folders of classes, most of them sound, and what else a disk may hold."""
    texts = rng.random() < 0.25
    above = [b"train/", b"test/"] if rng.random() < 0.2 else [b""]
    if rng.random() < 0.1:
        above = [name + b"/" for name in rng.sample(_PARTS, rng.choice((1, 2, 3)))]
    classes = rng.sample(_NAMES, rng.choice((1, 2, 2, 2, 3, 5)))
    if rng.random() < 0.5:
        classes = [b"roses", b"tulips"]
    entries: list[Entry] = []
    for part in above:
        for name in classes:
            for number in range(rng.choice((0, 1, 2, 2, 3))):
                entries.append(_example(rng, b"data/" + part + name + b"/", number, photos, texts=texts))
    told = [f"{'texts' if texts else 'photos'} of {classes!r} below {above!r}"]
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        more, what = rng.choice(_MORE)(rng, [b"data/" + part + name + b"/" for part in above for name in classes])
        entries += more
        told.append(what)
    if not entries:
        entries = [Entry(b"data", "a folder")]
    return Case({}, "; ".join(told), tuple(entries))


def _example(rng: random.Random, where: bytes, number: int, photos: Sequence[bytes], *, texts: bool) -> Entry:
    if texts:
        words = rng.choice((b"some words ", b"\xff\xfe", b"", b"\0", b"\xef\xbb\xbf", b"more words here "))
        return Entry(where + b"%d.txt" % number, "a file", words + b"%d" % number)
    content = rng.choice(photos)
    if rng.random() < 0.3:
        content, _ = fuzz_bytes.mutated(rng, content, photos)
    return Entry(where + b"%d.png" % number, "a file", content)


def _strange(rng: random.Random, folders: list[bytes]) -> tuple[list[Entry], str]:
    kind = rng.choice(_STRANGE)
    where = rng.choice((*folders, b"data/"))
    name = where + rng.choice((*_FILES, *_NAMES))
    to = {"a link": rng.choice(_TO), "a sparse file": b"200000000000"}.get(kind, b"")
    return [Entry(name, kind, to)], f"{name!r} is {kind} {to!r}"


def _deep(rng: random.Random, folders: list[bytes]) -> tuple[list[Entry], str]:
    steps, name = rng.choice(((30, b"a"), (300, b"a"), (90, b"a" * 60), (20, b"a" * 250)))
    path = rng.choice((*folders, b"data/")) + (name + b"/") * steps + b"1.png"
    return [Entry(path, "a file", b"x")], f"{steps} folders in each other below {path[:30]!r}"


def _many(rng: random.Random, folders: list[bytes]) -> tuple[list[Entry], str]:
    where, n = rng.choice((*folders, b"data/")), rng.choice((50, 500))
    inside = rng.random() < 0.5
    names = [where + (b"%d/1.png" if inside else b"%d.png") % i for i in range(n)]
    return [Entry(name, "a file", b"x") for name in names], f"{n} {'folders' if inside else 'files'} below {where!r}"


def _file(rng: random.Random, folders: list[bytes]) -> tuple[list[Entry], str]:
    name = rng.choice((*folders, b"data/", b"data/")) + rng.choice((*_FILES, *_NAMES))
    body = rng.choice((_CSV, b"", b"\0" * 100, b"text,label\n", rng.randbytes(60), b'{"classes": null}'))
    return [Entry(name, "a file", body)], f"{name!r} holds {body[:20]!r}"


def _around(rng: random.Random, folders: list[bytes]) -> tuple[list[Entry], str]:
    """Links that go in circles, alone or by twos."""
    where = rng.choice(folders)
    there, back = where + b"there", where + b"back"
    return [Entry(there, "a link", b"back"), Entry(back, "a link", b"there")], f"links in a circle in {where!r}"


_MORE: tuple[Callable[[random.Random, list[bytes]], tuple[list[Entry], str]], ...] = (
    *(_strange, _strange, _strange, _deep, _many, _file, _file, _around),
)

_PATHS: tuple[str, ...] = (
    "",
    " ",
    "folder/.",
    "nothing/..",
    "~/.",
    "~",
    "~nobody/x",
    "~root/x",
    "~\0",
    "a\0b",
    "\0",
    "\ud800",
    "\udcff.csv",
)
_PATHS += (
    "a" * 256,
    "a" * 5000,
    "a/" * 3000,
    "/" * 5000,
    "a" * 300 + ".csv",
    "a" * 300 + ".json",
    "x" * 300 + ".onnx",
    "-",
    "--",
    "=",
)
_PATHS += (
    "https://x/y",
    "file:///etc/passwd",
    "FILE:///x",
    "s3://a",
    "a=b",
    "resnet18=",
    "=x.pth",
    "a=b=c",
    "date=2026-01-01/m",
)
_PATHS += (
    "/dev/zero",
    "/dev/stdin",
    "/dev/null",
    "/dev/full",
    "/dev/tty",
    "/proc/self/mem",
    "/proc/self",
    "/proc/self/fd/0",
    "/sys",
)
_PATHS += (
    "pipe",
    "loop",
    "socket",
    "folder",
    "sparse.csv",
    "sparse.json",
    "sparse.onnx",
    "sparse.safetensors",
    "sparse.pth",
    "sparse.h5",
)
_PATHS += (
    "pipe.csv",
    "pipe.json",
    "pipe.onnx",
    "pipe.safetensors",
    "pipe.h5",
    "pipe.pth",
    "pipe.parquet",
    "zero.csv",
    "zero.json",
    "zero.pth",
)
_PATHS += (
    "folder.csv",
    "folder.json",
    "folder.onnx",
    "folder.safetensors",
    "file/x",
    "file.csv/x.csv",
    "bert",
    "org/name",
    "./x",
    "/..x",
)
_PATHS += (
    "timm/../../x",
    "a//b",
    "org/name/more",
    "-x/y",
    "x y/z",
    "caf\u00e9",
    "\U0001f600",
    "auto",
    "models",
    "bert=folder",
    "\n",
    "a\nb",
)

DOORS = ("data", "questions", "text", "photo", "saved", "saved reader", "weights", "text weights", "reader weights")


def typed(rng: random.Random) -> tuple[Case, str, str]:
    """A folder with strange things in it, a path as somebody might type it, and the door that it is handed to."""
    kinds = [
        (b"pipe", "a pipe", b""),
        (b"loop", "a link", b"loop"),
        (b"socket", "a socket", b""),
        (b"folder", "a folder", b""),
    ]
    kinds += [(b"file", "a file", b"x"), (b"file.csv", "a file", _CSV)]
    for ending in (b".csv", b".json", b".onnx", b".safetensors", b".pth", b".h5", b".parquet"):
        kinds += [(b"sparse" + ending, "a sparse file", b"200000000000"), (b"pipe" + ending, "a pipe", b"")]
        kinds += [(b"folder" + ending, "a folder", b""), (b"zero" + ending, "a link", b"/dev/zero")]
    path, door = rng.choice(_PATHS), rng.choice(DOORS)
    if rng.random() < 0.3:
        path = rng.choice(("~/", "./", "/nowhere/", "x=", "data/")) + path
    if rng.random() < 0.2:
        path += rng.choice((".csv", ".json", ".parquet", "/", "/.", "\0", " ", "/config.json", ".headstart"))
    wanted = path.encode("utf-8", "surrogatepass").lstrip(b"./").split(b"/")[0].removeprefix(b"x=")
    entries = tuple(Entry(name, kind, to) for name, kind, to in kinds if name == wanted)
    shown = ascii(path) if len(path) < 60 else f"{path[:40]!a}... ({len(path)})"
    return Case({}, f"{door} of {shown}", entries), path, door


def photos() -> list[bytes]:
    """What the folders hold."""
    return fuzz_photos.few(8)

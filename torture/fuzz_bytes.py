"""Mutations of bytes, and of the frames that checksums and lengths are in: PNG, zip, safetensors."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import Literal

import fuzz_json

_EXTREMES: tuple[int, ...] = (
    0,
    1,
    2,
    7,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
)
_EXTREMES += (0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF)
_NAMES: tuple[bytes, ...] = (
    b"os\nsystem",
    b"posix\nsystem",
    b"builtins\neval",
    b"\x00",
    b"%s%n",
    b"../../x",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
)
_ORDERS: tuple[Literal["little", "big"], ...] = ("little", "big")
_HEAD = 128  # bytes at the start, where half of all changes are made

Mutation = Callable[[random.Random, bytearray, Sequence[bytes]], str]


def mutated(rng: random.Random, content: bytes, others: Sequence[bytes]) -> tuple[bytes, str]:
    """The content after one to four changes, and what they were. `others` are files to splice with."""
    data, told = bytearray(content), []
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        told.append(rng.choice(_ALL)(rng, data, others))
    return bytes(data), ", ".join(told)


def _place(rng: random.Random, data: bytearray) -> int:
    if not data:
        return 0
    return rng.randrange(min(len(data), _HEAD)) if rng.random() < 0.5 else rng.randrange(len(data))


def _flip(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> str:
    places = [_place(rng, data) for _ in range(rng.choice((1, 1, 2, 4, 16)))] if data else []
    for at in places:
        data[at] ^= 1 << rng.randrange(8)
    return f"bits flipped at {places[:4]}"


def _replace(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> str:
    at, n = _place(rng, data), rng.choice((1, 1, 2, 4, 8, 32))
    data[at : at + n] = rng.randbytes(n)
    return f"{n} random bytes at {at}"


def _cut(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> str:
    at = rng.randrange(len(data) + 1)
    del data[at:]
    return f"cut at {at}"


def _delete(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> str:
    at, n = _place(rng, data), rng.choice((1, 2, 4, 16, 256))
    del data[at : at + n]
    return f"{n} bytes deleted at {at}"


def _insert(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> str:
    at, n = _place(rng, data), rng.choice((1, 2, 4, 64, 4096))
    data[at:at] = rng.choice((rng.randbytes(n), bytes(n), rng.choice(_NAMES)))
    return f"bytes inserted at {at}"


def _repeat(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> str:
    at, n = _place(rng, data), rng.choice((4, 16, 256, 4096))
    times = rng.choice((1, 1, 3, 50))
    data[at:at] = bytes(data[at : at + n]) * times
    return f"{n} bytes at {at} repeated {times} times"


def _number(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> str:
    size = rng.choice((1, 2, 2, 4, 4, 4, 8))
    at, order = _place(rng, data), rng.choice(_ORDERS)
    value = rng.choice(_EXTREMES) & ((1 << (8 * size)) - 1)
    if rng.random() < 0.3:  # near what was there
        value = (int.from_bytes(data[at : at + size], order) + rng.choice((-1, 1, 8, 256))) & ((1 << (8 * size)) - 1)
    data[at : at + size] = value.to_bytes(size, order)
    return f"{value:#x} in {size} bytes ({order}) at {at}"


def _fill(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> str:
    at, n, value = _place(rng, data), rng.choice((2, 8, 64, 1024)), rng.choice((0, 255, 127))
    n = min(n, len(data) - at)
    data[at : at + n] = bytes([value]) * n
    return f"{n} bytes of {value} at {at}"


def _splice(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> str:
    other = rng.choice(others) if others else b""
    here = rng.randrange(len(data) + 1)
    there = here if rng.random() < 0.5 else rng.randrange(len(other) + 1)
    data[here:] = other[there:]
    return f"from {here} on another file's bytes from {there}"


_ALL: tuple[Mutation, ...] = (
    *(_flip, _flip, _flip, _replace, _replace, _cut, _delete, _insert, _repeat),
    *(_number, _number, _number, _number, _fill, _splice),
)


def png(content: bytes) -> bytes:
    """The same chunks with checksums that are right, as far as they can be followed."""
    out, at = bytearray(content[:8]), 8
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        if at + 12 + length > len(content):
            break
        body = content[at + 4 : at + 8 + length]
        out += content[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(out + content[at:])


def safetensors(rng: random.Random, content: bytes) -> tuple[bytes, str]:
    """The header's JSON mutated, with a length that is right (or, now and then, not)."""
    length = int.from_bytes(content[:8], "little")
    header, told = fuzz_json.mutated(rng, content[8 : 8 + length])
    header += b" " * (-len(header) % 8)
    said = len(header) if rng.random() < 0.9 else rng.choice((*_EXTREMES, len(header) + 8, max(0, len(header) - 1)))
    return said.to_bytes(8, "little") + header + content[8 + length :], f"header: {told}, its length said as {said}"


def zipped(rng: random.Random, content: bytes, others: Sequence[bytes]) -> tuple[bytes, str]:
    """One member of a zip mutated, renamed, repeated or left out, and all of it framed again."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    except Exception:  # changed before, and no zip any more
        return mutated(rng, content, others)
    if not members:
        return mutated(rng, content, others)
    small = [i for i, (name, _) in enumerate(members) if name.endswith((".pkl", "version", "byteorder"))]
    at = rng.choice(small if small and rng.random() < 0.8 else range(len(members)))
    name, body = members[at]
    what = rng.random()
    if what < 0.8:
        body, told = mutated(rng, body, others)
        members[at] = (name, body)
    elif what < 0.87:
        told = "renamed"
        members[at] = (rng.choice(("../../out.pkl", "x/" + name, name + "x", "", "archive/data.pkl")), body)
    elif what < 0.93:
        told = "left out"
        del members[at]
    else:
        told = "twice"
        members.append((name, mutated(rng, body, others)[0]))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as made:
        for name, body in members:
            made.writestr(zipfile.ZipInfo(name or "x"), body)
    return out.getvalue(), f"{members[min(at, len(members) - 1)][0] if members else ''}: {told}"

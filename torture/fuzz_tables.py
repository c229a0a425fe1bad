"""Small tables in every form that is read, and questions in those of SQuAD, to start from."""

from __future__ import annotations

import csv
import decimal
import io
import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import fuzz_bytes
import fuzz_photos
import pyarrow as pa
import pyarrow.parquet as pq

Seed = dict[str, bytes]  # files by name, the table first

_WORDS = (
    "where",
    "is",
    "my",
    "new",
    "card",
    "the",
    "rate",
    "of",
    "euros",
    "today",
    "pin",
    "lost",
    "it",
    "again",
    "why",
    "late",
)
_LABELS = ("card", "rate", "pin")
_COMPRESSIONS = ("none", "snappy", "gzip", "zstd", "brotli", "lz4")


def _rows(n: int = 24, seed: int = 0) -> list[tuple[str, str]]:
    rng = random.Random(seed)
    return [(" ".join(rng.choices(_WORDS, k=rng.randint(3, 9))) + f" {i}", rng.choice(_LABELS)) for i in range(n)]


def _delimited(delimiter: str, rows: list[tuple[Any, ...]], **options: Any) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n", **options).writerows(rows)
    return out.getvalue().encode()


def _csv() -> Iterator[Seed]:
    yield {"t.csv": _delimited(",", [("text", "label"), *_rows()])}
    yield {"t.csv": _delimited(",", [("id", "sentence", "class", "split"), *_parted()], quoting=csv.QUOTE_ALL)}
    yield {"t.csv": _delimited(";", [("text", "label"), *_rows()])}
    yield {"t.csv": _delimited(",", [(f"{label}, said", f'"{text}"\nand more') for text, label in _rows()])}
    rows = [("image", "label"), *((f"{i}.png", "ab"[i % 2]) for i in range(8))]
    yield {"t.csv": _delimited(",", rows), **{f"{i}.png": photo for i, photo in enumerate(fuzz_photos.few(6))}}
    yield {"t.csv": _delimited(",", [("question", "context", "answer", "answer_start"), *_asked()])}
    yield {"t.txt": _delimited(",", [("text", "label"), *_rows()])}


def _parted() -> list[tuple[Any, ...]]:
    parts = ("train", "val", "test")
    return [(i, text, label, parts[i % 3]) for i, (text, label) in enumerate(_rows(30))]


def _asked() -> list[tuple[Any, ...]]:
    return [(f"what is {i}?", text, text.split()[1], len(text.split()[0]) + 1) for i, (text, _) in enumerate(_rows())]


def _tsv() -> Iterator[Seed]:
    yield {"t.tsv": _delimited("\t", [("text", "label"), *_rows()])}
    yield {"t.tsv": "".join(f"{label}\t{text}\n" for text, label in _rows()).encode()}
    yield {"t.tsv": _delimited("\t", [("id", "question", "intent"), *((i, *row) for i, row in enumerate(_rows()))])}


def _label() -> Iterator[Seed]:
    yield {"t.label": "".join(f"{label.upper()}:detail {text}\n" for text, label in _rows()).encode()}
    yield {
        "train_5500.label": "".join(f"{label.upper()}:x caf\u00e9 {text}\n" for text, label in _rows()).encode(
            "latin-1"
        )
    }
    yield {"t.train": "".join(f"{label.upper()}:y {text}\n" for text, label in _rows()).encode()}


def _objects() -> list[dict[str, Any]]:
    return [{"text": text, "label": label, "n": i, "more": {"a": [i]}} for i, (text, label) in enumerate(_rows())]


def _questions() -> list[dict[str, Any]]:
    return [
        {
            "id": str(i),
            "title": f"t{i % 3}",
            "question": q,
            "context": text,
            "answers": {"text": [a], "answer_start": [s]},
        }
        for i, (q, text, a, s) in enumerate(_asked())
    ]


def _jsonl() -> Iterator[Seed]:
    yield {"t.jsonl": "".join(json.dumps(row) + "\n" for row in _objects()).encode()}
    yield {
        "t.jsonl": "".join(json.dumps({"text": t, "intent": i % 3}) + "\n" for i, (t, _) in enumerate(_rows())).encode()
    }
    yield {"t.jsonl": "".join(json.dumps(row) + "\n" for row in _questions()).encode()}
    yield {"t.ndjson": "".join(json.dumps(row) + "\n" for row in _objects()).encode()}


def _json() -> Iterator[Seed]:
    yield {"t.json": json.dumps(_objects()).encode()}
    yield {"t.json": json.dumps(_questions()).encode()}
    yield {"t.json": "".join(json.dumps(row) + "\n" for row in _objects()).encode()}
    yield {"t.json": json.dumps({"version": "x", "data": _questions()}).encode()}


def _squad() -> Iterator[Seed]:
    for second in (False, True):
        articles = []
        for title in range(4):
            paragraphs = []
            for text, _ in _rows(3, seed=title):
                first = text.split()[0]
                asked: dict[str, Any] = {"id": f"{title}-{text[:9]}", "question": "which word is the first?"}
                asked["answers"] = [{"text": first, "answer_start": 0}]
                if second:
                    asked["is_impossible"] = False
                none = {"id": f"none {title} {text}", "question": "why?", "answers": [], "is_impossible": True}
                paragraphs.append({"context": text, "qas": [asked, none] if second else [asked]})
            articles.append({"title": f"document {title}", "paragraphs": paragraphs})
        yield {"q.json": json.dumps({"version": "v2.0" if second else "1.1", "data": articles}).encode()}


def _parquet() -> Iterator[Seed]:
    texts, labels = (list(column) for column in zip(*_rows(), strict=True))
    plain = pa.table({"text": texts, "label": labels})
    for compression in _COMPRESSIONS:
        yield {"t.parquet": _written(plain, compression=compression)}
    coded = pa.table({"text": texts, "label": pa.array(labels).dictionary_encode()})
    yield {"t.parquet": _written(coded, row_group_size=7, write_page_index=True, write_page_checksum=True)}
    yield {"t.parquet": _written(plain, use_dictionary=False, data_page_version="2.0", data_page_size=64)}
    yield {"t.parquet": _written(pa.Table.from_pylist(_questions()))}
    photos = [{"image": {"bytes": one, "path": "1.png"}, "label": n % 3} for n, one in enumerate(fuzz_photos.few(12))]
    yield {"t.parquet": _written(pa.Table.from_pylist(photos))}
    packed: dict[str, Any] = {"column_encoding": {"n": "DELTA_BINARY_PACKED"}, "use_dictionary": False}
    yield {"t.parquet": _written(pa.Table.from_pylist(_objects()), **packed)}


def _written(table: pa.Table, *, compression: str = "snappy", **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, compression=compression, **options)
    return out.getvalue()


def strange_parquet(rng: random.Random) -> tuple[bytes, str]:
    """A whole table of columns that nobody expects under names that somebody does, and now and then damaged too."""
    n = rng.choice((0, 1, 2, 12, 12, 12, 40))
    columns, names = [], []
    for _ in range(rng.choice((1, 2, 2, 2, 3))):
        kind, make = rng.choice(_COLUMNS)
        columns.append(make(n, rng))
        names.append((rng.choice(_NAMES), kind))
    table = pa.Table.from_arrays(columns, names=[name for name, _ in names])
    if rng.random() < 0.2:
        table = table.replace_schema_metadata({b"pandas": b"{", b"huggingface": b"[" * 1000})
    content = _written(table, compression=rng.choice(_COMPRESSIONS), row_group_size=rng.choice((3, 1000)))
    told = f"{n} rows of {', '.join(f'{name!r}: {kind}' for name, kind in names)}"
    if rng.random() < 0.25:
        content, what = fuzz_bytes.mutated(rng, content, [])
        told = f"{told}; {what}"
    return content, told


_FLOATS = (0.0, float("nan"), float("inf"), 1e308, -0.0)


def _days(values: list[int]) -> pa.Array:
    return pa.array(values, pa.int64()).cast(pa.timestamp("us"))


def _halves(n: int) -> pa.Array:
    offsets = b"".join((2 * i).to_bytes(4, "little") for i in range(n + 1))
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(b"\xff\xfe" * n))


_NAMES = (
    "text",
    "label",
    "text",
    "label",
    "image",
    "split",
    "context",
    "question",
    "answers",
    "id",
    "",
    "x\ny",
    "\u202e",
)
_COLUMNS: tuple[tuple[str, Callable[[int, random.Random], pa.Array]], ...] = (
    ("words", lambda n, _: pa.array([f"some words {i}" for i in range(n)])),
    ("labels", lambda n, _: pa.array(["ab"[i % 2] for i in range(n)])),
    ("null", lambda n, _: pa.nulls(n)),
    ("integers", lambda n, rng: pa.array([rng.choice((0, 1, -(2**63), 2**63 - 1)) for _ in range(n)], pa.int64())),
    ("numbers", lambda n, rng: pa.array([rng.choice(_FLOATS) for _ in range(n)])),
    ("half numbers", lambda n, rng: pa.array([rng.random() for _ in range(n)], pa.float32()).cast(pa.float16())),
    ("truths", lambda n, rng: pa.array([rng.choice((True, False, None)) for _ in range(n)])),
    ("bytes", lambda n, rng: pa.array([rng.randbytes(5) for _ in range(n)])),
    ("strings that are no UTF-8", lambda n, _: _halves(n)),
    ("days far away", lambda n, rng: _days([rng.choice((0, 2**62, -(2**62))) for _ in range(n)])),
    ("moments", lambda n, _: pa.array([datetime(2020, 1, 1, tzinfo=UTC)] * n)),
    ("a zone that is none", lambda n, _: pa.array([0] * n, pa.timestamp("ns", tz="Nowhere/None"))),
    ("durations", lambda n, _: pa.array([2**62] * n, pa.duration("s"))),
    ("decimals", lambda n, _: pa.array([decimal.Decimal("1.50")] * n)),
    ("times", lambda n, _: pa.array([2**40] * n, pa.time64("ns"))),
    ("lists", lambda n, rng: pa.array([[1] * rng.randrange(3) for _ in range(n)], pa.list_(pa.int64()))),
    ("lists of lists", lambda n, _: pa.array([[[None], []]] * n, pa.list_(pa.list_(pa.string())))),
    ("structs", lambda n, _: pa.array([{"bytes": b"\x89PNG", "path": None}] * n)),
    ("answers", lambda n, rng: pa.array([{"text": ["a"], "answer_start": [rng.choice((0, -5))]} for _ in range(n)])),
    ("maps", lambda n, _: pa.array([[("a", 1), ("a", 2)]] * n, pa.map_(pa.string(), pa.int64()))),
    ("a dictionary", lambda n, _: pa.array(["a"] * n).dictionary_encode()),
    ("long words", lambda n, _: pa.array(["a" * 100_000] * n, pa.large_string())),
)  # fmt: skip


FORMS: dict[str, Callable[[], Iterator[Seed]]] = {  # target -> what makes its seeds
    "csv": _csv,
    "tsv": _tsv,
    "label": _label,
    "jsonl": _jsonl,
    "json": _json,
    "parquet": _parquet,
    "squad": _squad,
}


def seeds(target: str) -> list[Seed]:
    """The tables that a target starts from."""
    return list(FORMS[target]())

"""Mutations of JSON that keep it JSON (most of the time), and say at which place what was put."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

_DEEP = 100_000
_MARK = "\u0001raw%d\u0001"  # a string that stands for text that json.dumps would not write
_NUMBERS: tuple[Any, ...] = (0, 1, -1, 2, 7, 255, 2**15, 2**31 - 1, 2**31, 2**32, 2**63, 2**64, -(2**31), -(2**63))
_NUMBERS += (10**30, 0.5, -0.0, 1e-300, 1e308, -1e308, float("nan"), float("inf"), float("-inf"), 1e6, 3.7)
_TEXTS: tuple[str, ...] = ("", " ", "x", "\0", "a\0b", "\ud800", "\udcff", "\n", "é" * 3, "a" * 5000, "a" * 300_000)
_TEXTS += ("../../canary/secret", "/dev/zero", "/dev/stdin", "~nobody/x", "..", "/", "file:///etc/passwd", "None")
_TEXTS += ("1", "-1", "nan", "true", "null", "{}", "[]", "%s", "bert", "gpt2", "t5", "vit", "clip", "resnet50")
_TEXTS += ("eager", "sdpa", "flash_attention_2", "kernels-community/flash-attn", "float16", "bfloat16", "int8", "cuda")
_OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [None], [[]], [1, "a", None], {"a": 1}, {"": None}, [0] * 1000)
_KEYS: tuple[str, ...] = ("", "x", "\0", "\ud800", "__class__", "__proto__", "self", "name", "type", "data", "auto_map")
_KEYS += ("trust_remote_code", "checkpoint_path", "pretrained", "custom_load", "pretrained_cfg", "features_only")
_KEYS += ("quantization_config", "_name_or_path", "attn_implementation", "torch_dtype", "num_classes", "in_chans")
_KEYS += ("num_labels", "return_dict", "output_attentions", "is_decoder", "vocab_size", "pad_token_id", "id2label")
_RAW: tuple[str, ...] = (
    "[" * _DEEP + "]" * _DEEP,
    '{"a":' * _DEEP + "1" + "}" * _DEEP,
    "[" * _DEEP,
    "1" * 5000,
    "-",
    "01",
    "1e99999",
)
_RAW += ('{"a": 1, "a": 2, "a": null}', "undefined", "'x'", '"\\ud800"', '"\\u0000"', '"\t"', "/* x */ 1", "1,")


def mutated(rng: random.Random, content: bytes) -> tuple[bytes, str]:
    """A document after one to three changes, and what they were; bytes that are no JSON are changed as text."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return _as_text(rng, content)
    told, raw = [], dict[str, str]()
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        document, what = _change(rng, document, raw)
        told.append(what)
    text = json.dumps(document, ensure_ascii=rng.random() < 0.7)
    for mark, put in raw.items():
        text = text.replace(json.dumps(mark), put)
    encoding = "utf-8" if rng.random() < 0.96 else rng.choice(("utf-16", "utf-8-sig", "latin-1", "utf-32-be"))
    if encoding != "utf-8":
        told.append(f"as {encoding}")
    out = text.encode(encoding, "surrogatepass" if encoding.startswith("utf") else "replace")
    if rng.random() < 0.06:
        out, what = _as_text(rng, out)
        told.append(what)
    return out, "; ".join(told)


def value(rng: random.Random) -> Any:
    """Something that is seldom expected."""
    return rng.choice((rng.choice(_NUMBERS), rng.choice(_TEXTS), rng.choice(_OTHERS)))


def shown(found: Any) -> str:
    """A value for a report, cut short."""
    text = ascii(found)
    return text if len(text) <= 60 else f"{text[:50]}... ({len(text)})"


def _change(rng: random.Random, document: Any, raw: dict[str, str]) -> tuple[Any, str]:
    parent, key, place = _somewhere(rng, document)
    if parent is None:
        if rng.random() < 0.8 and isinstance(document, dict | list) and document:
            return document, "nothing"
        new = value(rng)
        return new, f"$ := {shown(new)}"
    old, what = parent[key], rng.random()
    if what < 0.15:
        del parent[key]
        return document, f"{place} deleted"
    if what < 0.22 and isinstance(parent, dict):
        name = rng.choice((*_KEYS, str(key) + "x", str(key).upper()))
        parent[name] = parent.pop(key)
        return document, f"{place} renamed {shown(name)}"
    if what < 0.32 and isinstance(parent, dict):
        name, put = rng.choice(_KEYS), value(rng)
        parent[name] = put
        return document, f"{place}/../{shown(name)} := {shown(put)}"
    if what < 0.40:
        mark, put = _MARK % len(raw), rng.choice(_RAW)
        raw[mark] = put
        parent[key] = mark
        return document, f"{place} := raw {put[:20]!r}... ({len(put)})"
    if what < 0.50:  # what stands elsewhere in the document
        there, other, from_where = _somewhere(rng, document)
        if there is not None:
            parent[key] = copy.deepcopy(there[other])
            return document, f"{place} := what {from_where} is"
    if what < 0.58 and isinstance(parent, list):
        parent[key:key] = [copy.deepcopy(old)] * rng.choice((1, 3, 100))
        return document, f"{place} repeated"
    put = _near(rng, old) if what < 0.75 else value(rng)
    parent[key] = put
    return document, f"{place} := {shown(put)}"


def _near(rng: random.Random, old: Any) -> Any:
    """Another value of the same type, or the same value in another type."""
    if isinstance(old, bool) or old is None:
        return rng.choice((not old, str(old), int(bool(old)), [old]))
    if isinstance(old, int | float):
        return rng.choice((old + 1, old - 1, -old, old * 2, old * 1000, old / 3, str(old), [old], float(old), 0))
    if isinstance(old, str):
        half = len(old) // 2
        return rng.choice((old[:half], old + "x", old.upper(), old * 2, [old], {"name": old}, " " + old, old + "\0"))
    if isinstance(old, list):
        return rng.choice((old[::-1], old + old, old[:1], dict(enumerate(old[:10])), str(old)[:1000], tuple(old[1:])))
    if isinstance(old, dict):
        return rng.choice((list(old.items())[:10], list(old)[:10], {}, dict(list(old.items())[1:]), [old]))
    return old


def _somewhere(rng: random.Random, document: Any) -> tuple[Any, Any, str]:
    """A container, a key in it, and the place; what lies near the root is as likely as what lies deep."""
    at, parent, key, place = document, None, None, "$"
    while isinstance(at, dict | list) and at and (parent is None or rng.random() < 0.65):
        parent = at
        key = rng.choice(list(at)) if isinstance(at, dict) else rng.randrange(len(at))
        place += f".{key}" if isinstance(at, dict) else f"[{key}]"
        at = at[key]
    return parent, key, place if len(place) < 200 else place[:200] + "..."


def _as_text(rng: random.Random, content: bytes) -> tuple[bytes, str]:
    at = rng.randrange(len(content) + 1)
    what = rng.randrange(6)
    if what == 0:
        return content[:at], f"cut at {at}"
    if what == 1:
        return content + rng.choice((b"}", b"x", b"\0", b"{}", b"\n\n[1]")), "something behind"
    if what == 2:
        return rng.choice((b"", b"\xef\xbb\xbf", b"null", b"\xff\xfe", b" ", b"[", b"\0" * 10)), "hardly anything"
    if what == 3:
        return b"\xef\xbb\xbf" + content, "a byte order mark before"
    put = rng.choice((b"\0", b"\xff", b"\xed\xa0\x80", b'"', b",", b"\\", b"\\ud800", b"\n"))
    return content[:at] + put + content[at + (what == 4) :], f"{put!r} at {at}"

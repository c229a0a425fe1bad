"""In which encoding a text file is written, where that can be told; a wrong guess looks like a text, and teaches noise.

UTF-8 and UTF-16 prove themselves. Of the others charset-normalizer says which come into question, and what they make of
the bytes must look like writing: words of one script, no capitals within them, characters that are in use.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from itertools import pairwise

from headstart.errors import DataError, shortened

OF_SEVERAL_BYTES = ("gb18030", "big5", "cp932", "euc_jp", "cp949")
_CANDIDATES = [
    *("cp1252", "cp1250", "iso8859_2", "cp1254", "cp1251", "koi8_r", "mac_cyrillic", "cp1253", "cp1255", "cp1256"),
    *OF_SEVERAL_BYTES,
]
_OF_OTHER_SYSTEMS = (
    "cp850",
    "cp437",
    "mac_roman",
    "cp852",
)  # Latin letters of DOS, as Excel still writes, and Macs
_NEVER_GUESSED = (*_OF_OTHER_SYSTEMS, "cp866", "iso8859_5", "iso8859_7", "mac_greek", "iso8859_8", "iso8859_6")
_CYRILLIC = ("cp1251", "koi8_r", "mac_cyrillic")
_LATIN = ("cp1252", "cp1250", "iso8859_2", "cp1254")
_MOST = 1 << 16  # bytes that are looked at: lines that are not ASCII
_FEW = 8  # characters that are not ASCII; fewer say nothing of a script
_CLOSE = 0.2  # by how much less of a text may look like a language than of another, for both to come into question
_CLOSE_IN_CASE = 0.05  # likewise, where the one has the small letters in place of the other's capitals
_KANA = 0.15  # share of a Japanese text's letters, at least
_USED = 0.85  # share of a Chinese text's characters, at least
_EAST = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL")
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins like UTF-16's
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WORD = re.compile(r"[^\W\d_]+")
_SYMBOL_WITHIN = re.compile(
    r"[^\W\d_][\u00a1-\u00bf\u2022\u2030\u2020\u2021][^\W\d_]|\b[\u00b2\u00b3\u00b9](?=[^\W\d_])"
)
_QUOTE = re.compile("[\u201a\u201c-\u201e\u02c6\u2039\u203a\u2122]")  # quotes and the like
_QUOTE_WITHIN = re.compile(rf"(?<=[^\W\d_])(?:[\u201a\u201e]|{_QUOTE.pattern}(?=[^\W\d_]))")  # where none opens or ends
_QUOTES_WITHIN = 0.3  # share of the quotes, at most
_SIGNS = ("So", "Sm", "Sc")  # categories of what mostly stands beside no letter: boxes, roots, currencies
_OF_LETTERS = {"\u00b0", "\u00ae", "\u00a9", "\u2122", "\u2116"}  # but these do: °C, №
_SIGMA_WITHIN = re.compile(r"\u03c2(?=[^\W\d_])")  # the one that ends Greek words
_SOFT = {"\u00b7", "\u00ad", "\u00aa", "\u00ba", "\u00bf", "\u00a1"}  # between letters: Catalan, hyphenation, 1ª, ¿qué
_RARE = "\u0178"  # of windows-1252; where a Mac has u umlaut
_BESIDE = re.compile(r"[^\W\d_]([^\w\s])|([^\w\s])(?=[^\W\d_])")  # letters and signs that touch
_CAPITALS = 0.9  # share of the letters, from which a text is one of capitals
_ISO_2022 = re.compile(rb"\x1b\$(?:[@B]|\([DO-Q]|(?P<korean>\)C)|(?P<chinese>\)[AGE]))")
_HZ = re.compile(rb"~\{(?:[!-w][!-~])+~\}")
_UTF_7 = re.compile(rb"\+[A-Za-z0-9+/]{3,}(?:-|(?![A-Za-z0-9+/]))")
_SEVERAL = 3  # places, at least, that tell an encoding which ASCII's letters are used for
_TWICE = 0.9  # share of the lines that are not ASCII
_NULS = 0.03  # share of the bytes, at least: of UTF-16, spaces and line ends have one in any script
_INVERTED = 0.1  # share of Latin words, at most, with a capital like Ž behind a small letter: é is it, of a Mac's text
_WITHIN = 0.02  # share of words, at most, that may look as none do


def wide_by_mark(head: bytes) -> str | None:
    """UTF-16 or UTF-32, with the order of its bytes, as a byte order mark says; None: there is none of these."""
    return next((name for mark, name in _MARKS if head.startswith(mark)), None)


def wide_encoding(head: bytes) -> str | None:
    """UTF-16 or UTF-32, with a byte order mark or by where the NULs stand; None: neither. `head` begins the file."""
    marked = wide_by_mark(head)
    if marked is not None:
        return marked.rpartition("-")[0]  # which reads over the mark
    even, odd = head[0:4096:2].count(0), head[1:4096:2].count(0)
    if even + odd < max(4, _NULS * len(head[:4096])) or min(even, odd) > _WITHIN * (even + odd):
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def refuse_escaped(content: bytes, *, where: str) -> None:
    """Raises DataError where what looks like ASCII is ISO-2022, HZ or UTF-7, whose letters are escapes and codes."""
    name = "iso2022_jp" if (shift := _ISO_2022.search(content)) else ""
    if shift and shift.lastgroup:
        name = "iso2022_kr" if shift.lastgroup == "korean" else ""
    if not shift and b"~{" in content and _all_letters(_HZ.findall(content), "hz"):
        name = "hz"
    if not shift and not name and b"+" in content and _all_letters(_UTF_7.findall(content), "utf_7"):
        name = "utf_7"
    if shift or name:
        fix = f"--encoding {name} reads it, if it is that; or save it as UTF-8" if name else "save it as UTF-8"
        raise DataError(f"it is not UTF-8 but {name or 'iso2022_cn'}, as it seems", where=where, fix=fix)


def _all_letters(found: list[bytes], encoding: str) -> bool:
    try:
        return len(found) >= _SEVERAL and all(
            c.isalpha() and not c.isascii() for one in found for c in one.decode(encoding)
        )
    except UnicodeDecodeError:
        return False


def encoded_twice(head: bytes) -> str:
    """What shows that a text in UTF-8 was encoded once more, as one of Windows: Ã© for é; empty: nothing does."""
    lines = [line for line in head.decode("utf-8", "ignore").splitlines()[:-1] if not line.isascii()]
    twice = list(filter(_read_as_windows, lines))
    if len(twice) < max(_SEVERAL, _TWICE * len(lines)):
        return ""
    return next(word for word in twice[0].split() if not word.isascii())


def _read_as_windows(line: str) -> bool:
    """Whether a line is UTF-8 whose bytes were read as windows-1252; what that has none for was kept, or lost."""
    try:
        return _mostly_utf_8(b"".join(c.encode("latin_1" if c < "\u00a0" else "cp1252") for c in line))
    except UnicodeEncodeError:
        return False


def encoding_among(lines: bytes, *, where: str, place: str = "") -> str:
    """The encoding of lines that are not UTF-8.

    Args:
        place: of the first byte that is not.

    Raises:
        DataError: several come into question, or none.
    """
    sample = lines[:_MOST]
    cut = len(lines) >= _MOST
    found = _plausible(sample, cut=cut)
    if len(found) == 1:
        return found[0]
    if _mostly_utf_8(sample):
        what = f"UTF-8 but for damaged bytes: {shortened(_damage(sample), 60)}"
        fix = "repair them; iconv -f utf-8 -t utf-8 -c FILE leaves them out; or --encoding NAME"
        raise DataError(what, where=where, fix=fix)
    found = found or _perhaps(sample, cut=cut)
    some = " or ".join(f"--encoding {name}" for name in found) or "--encoding NAME"
    what = f"not UTF-8{place and ': '}{place}, and its encoding cannot be told"
    raise DataError(what, where=where, fix=f"{some} says it, or save it as UTF-8")


def _perhaps(sample: bytes, *, cut: bool) -> list[str]:
    """The encodings by which these bytes look like writing, likely or not, each of another text."""
    once: dict[str, str] = {}
    for name in (*_LATIN, *_NEVER_GUESSED):
        text = _decoded(sample, name, cut=cut)
        if text is not None and _looks_written(text, name):
            once.setdefault(text, name)
    return list(once.values())


def known_encoding(name: str) -> str:
    """The encoding of this name as Python has it, a byte order mark at the start left out.

    Raises:
        DataError: there is none.
    """
    try:
        found = codecs.lookup(name).name
        "".encode(found)
    except (LookupError, ValueError, TypeError):
        fix = "for example utf-8, utf-16, cp1252, cp1251, gb18030, shift_jis"
        raise DataError(f"unknown encoding {name!r}", where="--encoding", fix=fix) from None
    return "utf-8-sig" if found == "utf-8" else found


def _plausible(sample: bytes, *, cut: bool) -> list[str]:
    """The encodings by which these bytes look like writing, each of another text."""
    from charset_normalizer import from_bytes

    if sum(byte > 127 for byte in sample) < _FEW:
        return ["cp1252"] if _looks_written(_decoded(sample, "cp1252", cut=cut), "cp1252") else []
    found: dict[str, tuple[str | None, float]] = {}
    for match in from_bytes(sample, cp_isolation=_CANDIDATES):
        for name in (match.encoding, *match.could_be_from_charset):
            text = _decoded(sample, name, cut=cut) if name in _CANDIDATES else None
            if _looks_written(text, name) and not _is_one_symbol(text or "", sample):
                found.setdefault(name, (text, match.coherence))
    western = found.get("cp1252")
    if western is not None:
        others = {name: found[name] for name in _LATIN[1:] if name in found and found[name][0] != western[0]}
        if "cp1254" in others and re.search("[þðýÞÐÝ]", western[0] or ""):
            return ["cp1252", "cp1254"]  # Icelandic or Turkish
        if all(coherence <= western[1] + 0.1 for _, coherence in others.values()):
            found = {name: one for name, one in found.items() if name not in _LATIN[1:]}
    small = {name: one for name, one in found.items() if name in _LATIN or not _capitals(one[0] or "")}
    of_large = max((found[name][1] for name in found.keys() - small.keys()), default=-1.0)
    if not any(name in _CYRILLIC and one[1] <= of_large + _CLOSE_IN_CASE for name, one in small.items()):
        found = small or found  # KOI8-R has the small letters where windows-1251 has the capitals
    most = max((coherence for _, coherence in found.values()), default=0.0)
    found = {name: one for name, one in found.items() if one[1] >= most - _CLOSE}
    once: dict[str | None, str] = {}
    for name, (text, _) in found.items():
        once.setdefault(text, name)
    return list(once.values())


def _decoded(content: bytes, encoding: str, *, cut: bool) -> str | None:
    """The text, but for a character that is cut at its end; None: it is not in this encoding."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(content, final=not cut)
    except UnicodeDecodeError:
        return None


def _looks_written(text: str | None, encoding: str) -> bool:
    """Whether words are of one script, and written as words are."""
    if text is None or any(unicodedata.category(c) in ("Cc", "Co", "Cn") and c not in "\r\n\t\x0c" for c in set(text)):
        return False
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    few = _WITHIN * max(1, len(words))
    if len(_QUOTE_WITHIN.findall(text)) > _QUOTES_WITHIN * len(_QUOTE.findall(text)):
        return False
    if encoding in (*_LATIN, *_OF_OTHER_SYSTEMS):
        within = sum(not _SOFT.intersection(found) for found in _SYMBOL_WITHIN.findall(text))
        inverted = sum(any(a.islower() and b.isupper() and not b.isascii() for a, b in pairwise(w)) for w in words)
        return sum(map(_no_latin_word, words)) + within <= few and inverted <= max(1, _INVERTED * len(words))
    if not words or sum(map(_no_word, words)) > few or not _one_script(text, words, encoding):
        return False
    signs = (before or behind for before, behind in _BESIDE.findall(text))
    odd = sum(unicodedata.category(sign) in _SIGNS and sign not in _OF_LETTERS for sign in signs)
    return odd + len(_SIGMA_WITHIN.findall(text)) <= few


def _capitals(text: str) -> bool:
    """Whether a text that is not ASCII is of capitals, but for some letters."""
    letters = [c for c in text if c.isalpha() and not c.isascii()]
    return sum(map(str.isupper, letters)) >= _CAPITALS * max(1, len(letters))


def _is_one_symbol(text: str, sample: bytes) -> bool:
    """Whether a text is that of windows-1252 but for one letter, for which that one has a symbol: pounds as \u0141."""
    western = sample.decode("cp1252", "replace")
    differing = {(a, b) for a, b in zip(text, western, strict=False) if a != b}
    return len(differing) == 1 and not any(b.isalpha() and b != _RARE for _, b in differing)


def _no_latin_word(word: str) -> bool:
    other = any(_script(c) != "LATIN" for c in word if not c.isascii())
    other = other or (_RARE in word and not word.isupper())
    return other or (len(word) > 3 and not re.search("[a-zA-Z]", word))


def _no_word(word: str) -> bool:
    """Whether a capital stands behind a small letter, or letters of an alphabet beside ASCII's."""
    inverted = any(a.islower() and b.isupper() for a, b in pairwise(word))
    return inverted or (_script(max(word)) not in _EAST and any(c.isascii() for c in word))


def _one_script(text: str, words: list[str], encoding: str) -> bool:
    """Whether letters are of one script, Chinese characters those in use: most in the first level of their standard."""
    scripts = Counter(map(_script, (c for word in words for c in word if not c.isascii())))
    total = sum(scripts.values())
    kana, chinese = scripts["HIRAGANA"] + scripts["KATAKANA"], scripts["CJK"]
    if encoding in ("cp932", "euc_jp"):
        return kana >= _KANA * total and kana + chinese >= (1 - _WITHIN) * total
    if max(scripts.values()) < (1 - _WITHIN) * total:
        return False
    if not chinese:
        return not scripts["LATIN"]
    codec, low, high = ("big5", 0xA4, 0xC6) if encoding == "big5" else ("gb2312", 0xB0, 0xD7)
    used = sum(low <= (c.encode(codec, "ignore") or b"\0")[0] <= high for c in text if _script(c) == "CJK")
    return used >= _USED * chinese


def _script(character: str) -> str:
    return unicodedata.name(character, "").split(" ")[0].split("-")[0]


def _mostly_utf_8(sample: bytes) -> bool:
    bad = sample.decode("utf-8", "replace").count("\ufffd")
    good = sum(not c.isascii() for c in sample.decode("utf-8", "ignore"))
    return good > 3 * bad


def _damage(sample: bytes) -> str:
    """The first line that is not UTF-8, as far as it is."""
    return next((t for t in sample.decode("utf-8", "replace").splitlines() if "\ufffd" in t), "").strip()

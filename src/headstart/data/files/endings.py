"""What a file holds, as its ending says: a photo, a text, a table, or what headstart does not read."""

from __future__ import annotations

import os
import re

# Of the formats that are decoded; HEIC where pillow-heif is installed.
PHOTOS = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".gif", ".bmp", ".dib", ".webp", ".tif", ".tiff", ".avif",
     ".heic", ".heif", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".psd", ".pcx", ".qoi", ".sgi", ".dds",
     ".ico", ".icns")
)  # fmt: skip
TEXTS = frozenset((".txt", ".text", ".md"))
JSON = (".jsonl", ".ndjson", ".json")
WORKBOOKS = (".xlsx", ".xlsm", ".xls")  # of others nobody can tell how large they are before they are in memory
ARROW = (".arrow", ".feather")
TABLES = frozenset((".csv", ".tsv", ".parquet", *ARROW, *JSON, *WORKBOOKS))
MOSTLY_OTHER = (".json", *WORKBOOKS)  # in which people keep more than tables of examples
READ_AS_TABLES = TABLES | {".txt", ".label", ".train", ".test"}  # the latter as lines, or as they look
# What else is often named in tables. Endings that texts have, too (.com, .net), are none.
_SOUNDS = (".wav", ".mp3", ".flac", ".ogg", ".m4a", ".aac", ".wma", ".opus")
_FILMS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg")
_DOCUMENTS = (".pdf", ".doc", ".docx", ".odt", ".rtf", ".ppt", ".pptx", ".html", ".htm", ".eml", ".epub", ".xml")
_DATA = (".json", ".csv", ".npy", ".npz", ".pt", ".h5", ".mat", ".pkl", ".zip", ".xlsb", ".ods")
_PICTURES = (".dcm", ".nii", ".svg", ".raw", ".dng")
OTHERS = frozenset((*_SOUNDS, *_FILMS, *_DOCUMENTS, *_DATA, *_PICTURES))

_SUBMISSION = re.compile(r"(sample|gender|example)?[_ -]?submission.*", re.IGNORECASE)


def ending_of(name: str) -> str:
    """The ending that says what a file holds: ".csv" of "table.CSV", and of "table.csv.gz"."""
    stem, ending = os.path.splitext(name)
    ending = ending.lower()
    return os.path.splitext(stem)[1].lower() if ending == ".gz" else ending


def is_photo(name: str) -> bool:
    """Whether it is called as a photo is, which nobody packs once more."""
    return os.path.splitext(name)[1].lower() in PHOTOS


def is_text(name: str) -> bool:
    """Whether it is called as a file with a text is."""
    return os.path.splitext(name)[1].lower() in TEXTS


def is_table(name: str) -> bool:
    """Whether it is called as a table is, packed or not."""
    return ending_of(name) in TABLES


def is_submission(name: str) -> bool:
    """Whether it is called as the tables of competitions are that show how to answer, with made-up labels."""
    return is_table(name) and _SUBMISSION.fullmatch(os.path.splitext(name)[0]) is not None

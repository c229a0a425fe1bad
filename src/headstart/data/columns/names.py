"""What columns are called that hold inputs, labels and parts, in the order in which names are preferred."""

from __future__ import annotations

import re

TEXTS = ("text", "sentence", "question", "review", "message", "content", "query", "utterance", "comment", "x")
IMAGES = ("image", "image_path", "path", "file", "filename", "file_name", "filepath", "img", "photo")
PAIRS = (
    ("sentence1", "sentence2"),
    ("sentence_1", "sentence_2"),
    ("sentence_a", "sentence_b"),
    ("text1", "text2"),
    ("text_1", "text_2"),
    ("text_a", "text_b"),
    ("question1", "question2"),
    ("premise", "hypothesis"),
    ("#1 string", "#2 string"),
)
TITLES = ("title", "subject", "headline", "heading")
BODIES = (*TEXTS, "body", "description", "article", "abstract")
LABELS = ("label", "labels", "class", "category", "target", "intent", "sentiment", "y", "tag", "topic", "score")
PARTS = ("split", "part", "fold", "subset")
# Last words of names: airline_sentiment, goldLabel.
LABEL_WORDS = frozenset(
    {"label", "labels", "class", "category", "target", "intent", "sentiment", "tag", "topic", "score", "rating",
     "stars", "choice", "choices", "emotion", "polarity", "stance", "verdict", "diagnosis", "species"}
)  # fmt: skip
# Words in names of columns that say something about an example, or about who labelled it, and are no labels.
ABOUT = frozenset(
    {"id", "ids", "idx", "index", "uuid", "guid", "key", "hash", "url", "uri", "link", "version", "name", "location",
     "annotator", "annotation", "author", "user", "username", "reviewer", "worker", "confidence", "count", "length",
     "date", "datetime", "time", "timestamp", "timezone", "created", "updated", "at", "lead"}
)  # fmt: skip
_PIECES = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_LONGEST_NAME = 200  # characters of a name, the last ones, that are looked at


def words_of(name: str) -> list[str]:
    """The words of a name, as people and programs put them together: airline_sentiment, ProductId, created-at."""
    return [piece.lower() for piece in _PIECES.findall(name[-_LONGEST_NAME:])]

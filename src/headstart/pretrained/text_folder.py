"""What lies beside the weights of a text model: its tokenizer, that one's settings, and how its states are pooled."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headstart.errors import ModelError, first_line, somebody_elses
from headstart.pretrained.description import TOKENIZER
from headstart.pretrained.foreign_files import copy_regular, json_object, text_of
from headstart.pretrained.schema import checked
from headstart.pretrained.sentence_files import SENTENCE_FILES
from headstart.pretrained.weights import TOKENIZERS
from headstart.storage.files import is_there, parse_json
from headstart.storage.places import as_json

_SLOW = (*TOKENIZERS, "special_tokens_map.json", "added_tokens.json")  # what an older tokenizer is made of
TEXT_FILES = (*("config.json", "tokenizer_config.json"), *SENTENCE_FILES, *_SLOW)  # all that says how texts are fed
_FIX = "save the tokenizer with the model; older SentencePiece files need: pip install sentencepiece protobuf"
_WORDS = "vocab.txt"
_CASED = 0.02  # of the words of a vocabulary: a third of BERT's cased one has capitals, and none of the uncased one
_MOST_GROWTH = 64  # times the characters of a text; those that are known put one or two for one
_proven: set[bytes] = set()  # hashes of tokenizers that were found good in this process


def settings(folder: Path) -> dict[str, Any]:
    """What tokenizer_config.json says, of what headstart knows.

    Raises:
        ModelError: it asks for code of its own, or is damaged.
    """
    file = folder / "tokenizer_config.json"
    config = _object(file)
    if config.get("auto_map"):
        raise own_code(file)
    found: dict[str, Any] = checked(config, TOKENIZER, str(file))
    return found


def own_code(file: Path) -> ModelError:
    return ModelError(
        "auto_map asks for code of the model's own, and headstart runs none",
        where=str(file),
        fix="take a model of an architecture that transformers itself has: headstart models",
    )


def tokenizer(folder: Path, model_type: str) -> str:
    """tokenizer.json, or what transformers makes of an older form (a vocabulary, a SentencePiece model).

    Raises:
        ModelError: there is none, or it cannot be opened.
    """
    file = folder / "tokenizer.json"
    found = text_of(file) if is_there(file) else _made(folder, model_type)
    with somebody_elses("tokenizers", where=str(file), fix="save the tokenizer again"):
        refuse_growth(parse_json(found))
        from tokenizers import Tokenizer

        Tokenizer.from_str(found).encode("a text")
    return found


def refuse_strange_ids(tokenizer: str, vocabulary: Any, where: Path) -> None:
    """Raises ModelError where a token's number has no vector in the model, or the text is no tokenizer's."""
    digest = hashlib.sha256(f"{vocabulary} {tokenizer}".encode("utf-8", "surrogatepass")).digest()
    if digest in _proven:
        return
    try:
        config = parse_json(tokenizer)
        words = config["model"]["vocab"]
        count = len(words)
        ids = [count - 1, *(words.values() if isinstance(words, dict) else ()), *_numbers(config)]
        highest, lowest, added = max(ids), min(ids), _added(config)
        refuse_growth(config)
        if not isinstance(vocabulary, int) or not all(type(number) is int for number in ids):
            raise TypeError("numbers of tokens that are none")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"not a tokenizer: {first_line(error)}", where=str(where), fix="save it again") from None
    if highest >= vocabulary or lowest < 0:
        count = len({*(words if isinstance(words, dict) else range(count)), *added})
        raise ModelError(
            f"the tokenizer has {max(count, highest + 1)} words, the model vectors for {vocabulary}",
            where=str(where.parent),
            fix="put the model's own tokenizer into the folder",
        )
    _proven.add(digest)


def refuse_growth(config: Any) -> None:
    """Raises ValueError where a tokenizer may make very long texts of short ones: each `Replace` puts so many
    characters in the place of what may be one, and they come one after the other."""
    growth = 1
    for replaced in _replacements([config.get(name) for name in ("normalizer", "pre_tokenizer")]):
        growth *= max(1, len(replaced))
        if growth > _MOST_GROWTH:
            raise ValueError("its normaliser makes texts many times longer")


def _replacements(config: Any) -> Iterator[str]:
    """What takes the place of something, at whatever depth."""
    if isinstance(config, list):
        for entry in config:
            yield from _replacements(entry)
    elif isinstance(config, dict):
        if config.get("type") == "Replace":
            yield str(config.get("content"))
        for entry in config.values():
            yield from _replacements(entry)


def _numbers(config: dict[str, Any]) -> Iterator[Any]:
    """The numbers of added tokens, and of those that are put around a text."""
    for token in config.get("added_tokens") or ():
        yield token["id"]
    yield from _in_template(config.get("post_processor"))


def _added(config: dict[str, Any]) -> set[str]:
    return {token["content"] for token in config.get("added_tokens") or ()}


def _in_template(config: Any) -> Iterator[Any]:
    """Of every form of post-processor: {"ids": [...]} of a template, ["[CLS]", 101] of BERT's and RoBERTa's."""
    if isinstance(config, list) and len(config) == 2 and isinstance(config[0], str):
        yield config[1]
    elif isinstance(config, list):
        for entry in config:
            yield from _in_template(entry)
    elif isinstance(config, dict):
        yield from config.get("ids") or ()
        for key, entry in config.items():
            if key not in ("ids", "tokens"):
                yield from _in_template(entry)


def _made(folder: Path, model_type: str) -> str:
    """Of the files that are known, in a folder of their own: nothing else that lies beside them is followed."""
    with tempfile.TemporaryDirectory() as name:
        alone = Path(name)
        for file in _SLOW:
            if is_there(folder / file):
                copy_regular(folder / file, alone / file)
        (alone / "config.json").write_text(as_json({"model_type": model_type}), encoding="utf-8")
        config = settings(folder)
        if config.get("do_lower_case") is None and is_there(alone / _WORDS) and not _lower_case(alone, folder):
            config["do_lower_case"] = False
        (alone / "tokenizer_config.json").write_text(as_json(config), encoding="utf-8")
        try:
            with somebody_elses("transformers"):
                return _by_transformers(alone)
        except ModelError as error:
            raise ModelError(
                f"no tokenizer.json, and none could be made: {error.what.removeprefix('transformers cannot use it: ')}",
                where=str(folder),
                fix=_FIX,
            ) from None


def _lower_case(folder: Path, where: Path) -> bool:
    """Whether a vocabulary is of small letters, where nothing is written of that: transformers takes it for granted.

    Raises:
        ModelError: a few words of it have capitals.
    """
    words = [word for word in text_of(folder / _WORDS).split("\n") if not re.fullmatch(r"\[.*\]|<.*>", word.strip())]
    share = sum(word != word.lower() for word in words) / max(1, len(words))
    if 0 < share < _CASED:
        raise ModelError(
            f"nothing says whether its texts are put into small letters, and {100 * share:.2g} % of its words have "
            "capitals",
            where=str(where),
            fix='write {"do_lower_case": false} (or true) into a file tokenizer_config.json beside vocab.txt',
        )
    return share == 0


def _by_transformers(folder: Path) -> str:
    from transformers import AutoTokenizer

    from headstart.pretrained.text_config import quiet

    with quiet():
        made = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if set(made.get_vocab()) <= set(made.all_special_tokens):  # made of nothing, and of no use
        raise ValueError("there is no vocabulary")
    return str(made.backend_tokenizer.to_str())


def _object(file: Path) -> dict[str, Any]:
    return json_object(file) if is_there(file) else {}

"""What sentence-transformers writes beside the weights of an encoder: how its states become one vector, and what stands
before every text.

The files may come from anybody: each field is checked, no path in them is followed, and what they ask for and headstart
does not do is refused by name, for features that are made another way are worse, and nothing would show it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headstart.backbone import TextPreparation
from headstart.errors import ModelError, somebody_elses
from headstart.pretrained.description import MOST_PREFIX, POOLINGS
from headstart.pretrained.foreign_files import json_list, json_object
from headstart.pretrained.schema import checked, either, flag, listing, mapping, maybe, record, text
from headstart.storage.files import is_there

SENTENCE_FILES = (
    *("modules.json", "1_Pooling/config.json", "sentence_bert_config.json", "config_sentence_transformers.json"),
)
_MODES = {  # of sentence-transformers; those that are None headstart does not have
    **{"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max"},
    **dict.fromkeys(("mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")),
}
_WORD = text(most=100)
_POOLING = record(
    {},
    {
        **{f"pooling_mode_{mode}": flag for mode in _MODES},
        "pooling_mode": either(_WORD, listing(_WORD, most=10)),
        "include_prompt": flag,
    },
)
_PROMPTS = record({}, {"prompts": maybe(mapping(text(most=100_000), most=1000)), "default_prompt_name": maybe(_WORD)})
_KNOWN = ("Transformer", "Pooling", "Normalize", "Dense", "Dropout")  # of a Dense, see below
_FIX = "take another model, or one without modules.json: headstart models"
_LEFT_FOR_A_TEXT = 8  # tokens that a prefix has to leave


@dataclass(frozen=True)
class SentenceForm:
    """How a text becomes one vector."""

    pooling: str = "mean"  # of description.POOLINGS
    normalise: bool = False
    prefix: str = ""  # what stands before every text
    tokens: int | None = None  # that it reads at most; None: as many as it has positions for


PLAIN = SentenceForm()


def sentence_length(folder: Path, usual: SentenceForm = PLAIN) -> Any:
    """The tokens that sentence-transformers cuts a text to, where it says so; else as many as is usual."""
    return _object(folder / "sentence_bert_config.json").get("max_seq_length", usual.tokens)


def sentence_form(folder: Path, usual: SentenceForm = PLAIN) -> SentenceForm:
    """As sentence-transformers wrote it down beside the weights, or as is usual for the model where it did not.

    A linear layer behind the pooling (`Dense`) is left out: what it makes is a sum of what is pooled, and so is what
    the head makes of that.

    Raises:
        ModelError: it asks for something else.
    """
    kinds = _steps(folder / "modules.json")
    pooling, includes_prompt = _pooling(folder / "1_Pooling" / "config.json")
    form = replace(usual, pooling=pooling or usual.pooling, normalise=usual.normalise or "Normalize" in kinds)
    prefix = _prompt(folder / "config_sentence_transformers.json")
    form = form if prefix is None else replace(form, prefix=prefix)
    if form.prefix and not includes_prompt:
        what = "its prompt is left out when texts are pooled, which headstart does not do"
        raise ModelError(what, where=str(folder / "1_Pooling" / "config.json"), fix=_FIX)
    return form


def _steps(file: Path) -> list[str]:
    """Kinds of the modules that a text goes through."""
    steps = json_list(file) if is_there(file) else []
    kinds = [str(step.get("type", "")).rpartition(".")[2] for step in steps if isinstance(step, dict)]
    strange = next((kind for kind in kinds if kind not in _KNOWN), None)
    if strange is not None:
        what = f"it asks for a module {strange[:60]!r}, which headstart does not have"
        raise ModelError(what, where=str(file), fix=_FIX)
    if kinds.count("Transformer") > 1 or kinds.count("Pooling") > 1:
        raise ModelError("several encoders, or several ways to pool, one after the other", where=str(file), fix=_FIX)
    return kinds


def _pooling(file: Path) -> tuple[str, bool]:
    """How it is pooled, empty where nothing is said; and whether a prompt is pooled with its text."""
    told = checked(_object(file), _POOLING, str(file))
    named = told.get("pooling_mode")
    modes = [named] if isinstance(named, str) else list(named or ())
    modes += [_MODES[mode] or mode for mode in _MODES if told.get(f"pooling_mode_{mode}")]
    if any(mode not in POOLINGS for mode in modes) or len(set(modes)) > 1:
        found = " and ".join(sorted({mode[:40] for mode in modes}))
        what = f"its texts are pooled by {found}: headstart has {', '.join(POOLINGS)}"
        raise ModelError(what, where=str(file), fix=_FIX)
    return (modes[0] if modes else ""), told.get("include_prompt", True)


def _prompt(file: Path) -> str | None:
    """What stands before a text of which nothing is said; None where the file has no prompts."""
    told = checked(_object(file), _PROMPTS, str(file))
    name, prompts = told.get("default_prompt_name"), told.get("prompts") or {}
    if name is None:
        return None
    if name not in prompts:
        raise ModelError(f"its default_prompt_name is {name!r}, and it has no such prompt", where=str(file), fix=_FIX)
    if len(prompts[name]) > MOST_PREFIX:
        raise ModelError(f"its prompt {name!r} has {len(prompts[name]):,} characters", where=str(file), fix=_FIX)
    return str(prompts[name])


def refuse_long_prefix(preparation: TextPreparation, where: Path) -> None:
    """Raises ModelError where what stands before a text leaves no room for it."""
    if not preparation.prefix:
        return
    from headstart.inputs.tokens import counting

    with somebody_elses("tokenizers", where=str(where)):
        count = len(counting(preparation).encode(preparation.prefix).ids)
    if count > preparation.max_length - _LEFT_FOR_A_TEXT:
        what = f"its prompt has {count} tokens, of {preparation.max_length} that the model reads"
        raise ModelError(what, where=str(where), fix=_FIX)


def _object(file: Path) -> dict[str, Any]:
    return json_object(file) if is_there(file) else {}

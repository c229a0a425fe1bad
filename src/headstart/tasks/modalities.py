"""What inputs may be: one row a modality, naming the functions of the rooms."""

from __future__ import annotations

from typing import Any

from headstart.data.duplicates import equal_pairs, near_pairs
from headstart.data.given import given_images, given_pairs, given_passages, given_texts
from headstart.data.grouping import as_they_are, by_document, by_shared_text, with_excerpts
from headstart.data.inspect import inspect_images, inspect_pairs, inspect_passages, inspect_texts
from headstart.encode.pairs import encode_inputs, encode_pairs
from headstart.encode.store import image_hashes
from headstart.inputs.modality import Modality
from headstart.pretrained.catalog import DEFAULT


def _trainable_images(*arguments: Any) -> Any:
    from headstart.adapt.trainable_images import trainable_images  # loads torch

    return trainable_images(*arguments)


def _trainable_texts(*arguments: Any) -> Any:
    from headstart.adapt.trainable_texts import trainable_texts  # loads torch

    return trainable_texts(*arguments)


def _trainable_pairs(*arguments: Any) -> Any:
    from headstart.adapt.trainable_pairs import trainable_pairs  # loads torch

    return trainable_pairs(*arguments)


def _never(*arguments: Any) -> Any:
    raise TypeError("these inputs are not encoded")


def _nothing() -> None:
    return None


IMAGE = Modality(
    name="image",
    kind="image",
    noun="photo",
    sample="'photo.jpg'",
    default_model=DEFAULT["image"],
    of_two=False,
    in_tables=False,
    inspect=inspect_images,
    near=near_pairs,
    groups=as_they_are,
    known=image_hashes,
    given=given_images,
    encode=encode_inputs,
    look_alikes=True,
    trains_beyond=False,
    per_second=100.0,
    trainable=_trainable_images,
)
TEXT = Modality(
    name="text",
    kind="text",
    noun="text",
    sample="'a text'",
    default_model=DEFAULT["text"],
    of_two=False,
    in_tables=True,
    inspect=inspect_texts,
    near=equal_pairs,
    groups=with_excerpts,
    known=_nothing,
    given=given_texts,
    encode=encode_inputs,
    look_alikes=False,
    trains_beyond=True,  # texts need not be encoded to be tuned on
    per_second=500.0,
    trainable=_trainable_texts,
)
PAIR = Modality(
    name="pair",
    kind="text",
    noun="pair",
    sample="('a text', 'another text')",
    default_model=DEFAULT["text"],
    of_two=True,
    in_tables=True,
    inspect=inspect_pairs,
    near=equal_pairs,
    groups=by_shared_text,
    known=_nothing,
    given=given_pairs,
    encode=encode_pairs,
    look_alikes=False,
    trains_beyond=False,
    per_second=250.0,
    trainable=_trainable_pairs,
)
PASSAGE = Modality(
    name="passage",
    kind="text",
    noun="question",
    sample="('a question', 'a text')",
    default_model=DEFAULT["text"],
    of_two=True,
    in_tables=True,
    inspect=inspect_passages,
    near=equal_pairs,
    groups=by_document,
    known=_nothing,
    given=given_passages,
    encode=_never,
    look_alikes=False,
    trains_beyond=False,
    per_second=500.0,
    trainable=_never,
)

"""What inputs may be: one row a modality, naming the functions of the rooms."""

from __future__ import annotations

from typing import Any

import numpy as np

from headstart.backbone import Backbone
from headstart.data.alike.duplicates import near_pairs
from headstart.data.alike.equal import equal_pairs
from headstart.data.alike.grouping import as_they_are, by_document, by_shared_text, texts_of_pairs, with_excerpts
from headstart.data.alike.sketches import equal_to_any, near_to_any, sketch_of_photos, sketch_of_texts
from headstart.data.given import given_images, given_pairs, given_passages, given_texts
from headstart.data.inspect_images import inspect_images
from headstart.data.inspect_texts import inspect_pairs, inspect_passages, inspect_texts
from headstart.data.photo_facts import photo_facts
from headstart.data.ready_photos import ready_photos
from headstart.data.text_facts import pair_facts, text_facts
from headstart.encode.coverage import remarks
from headstart.encode.encode import other_views
from headstart.encode.known_photos import known_photos
from headstart.encode.pairs import compare, encode_inputs, encode_pairs
from headstart.inputs.modality import Modality
from headstart.inputs.odd import odd_pairs, odd_photos, odd_texts
from headstart.inputs.shown import shown_pairs, shown_passages, shown_photos, shown_texts
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


def _photo_explainer(backbone: Backbone) -> Any:
    from headstart.explain.photos import PhotoExplainer  # loads torch

    return PhotoExplainer(backbone)


def _text_explainer(backbone: Backbone) -> Any:
    from headstart.explain.texts import TextExplainer  # loads torch

    return TextExplainer(backbone)


def _answer_explainer(backbone: Backbone) -> Any:
    from headstart.explain.answers import AnswerExplainer  # loads torch

    return AnswerExplainer(backbone)


def _never(*arguments: Any) -> Any:
    raise TypeError("these inputs are not encoded")


def _nothing() -> None:
    return None


def _pictures() -> list[np.ndarray]:
    """Upright, lying and square; smooth, and noise."""
    rng, shapes = np.random.default_rng(0), ((300, 400), (480, 360), (256, 256))
    smooth = [np.add.outer(np.arange(h), np.arange(w))[..., None] * (1, 2, 3) // 4 % 256 for h, w in shapes]
    noise = [rng.integers(0, 256, (*shape, 3)) for shape in shapes]
    return [picture.astype(np.uint8) for picture in (*smooth, *noise)]


def _texts() -> list[str]:
    few = ["Where is my card?", "The tower was built in 1931.", "Très bien, merci !", "No.", "12.50 €"]
    return [*few, " ".join(few * 60)]


def _pairs() -> list[tuple[str, str]]:
    return list(zip(_texts(), reversed(_texts()), strict=True))


IMAGE = Modality(
    name="image",
    kind="image",
    noun="photo",
    sample="'photo.jpg'",
    default_model=DEFAULT["image"],
    of_two=False,
    in_tables=False,
    inspect=inspect_images,
    facts=photo_facts,
    near=near_pairs,
    sketch=sketch_of_photos,
    near_to_any=near_to_any,
    groups=as_they_are,
    known=known_photos,
    given=given_images,
    ready=ready_photos,
    encode=encode_inputs,
    look_alikes=True,
    trains_beyond=False,
    encoding_share=0.25,
    per_second=100.0,
    made_up=_pictures,
    odd=odd_photos,
    trainable=_trainable_images,
    views=other_views,
    explainer=_photo_explainer,
    shown=shown_photos,
    most_shown=240,  # each is decoded, in about 3 ms
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
    facts=text_facts,
    near=equal_pairs,
    sketch=sketch_of_texts,
    near_to_any=equal_to_any,
    groups=with_excerpts,
    known=_nothing,
    given=given_texts,
    encode=encode_inputs,
    look_alikes=False,
    trains_beyond=True,  # texts need not be encoded to be tuned on
    encoding_share=0.1,
    per_second=500.0,
    made_up=_texts,
    odd=odd_texts,
    trainable=_trainable_texts,
    explainer=_text_explainer,
    shown=shown_texts,
    reads_names=True,
    windows=True,
    remarks=remarks,
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
    facts=pair_facts,
    near=equal_pairs,
    sketch=sketch_of_texts,
    near_to_any=equal_to_any,
    groups=by_shared_text,
    known=_nothing,
    given=given_pairs,
    encode=encode_pairs,
    compare=compare,
    texts=texts_of_pairs,
    look_alikes=False,
    trains_beyond=False,
    encoding_share=0.25,
    per_second=250.0,
    made_up=_pairs,
    odd=odd_pairs,
    trainable=_trainable_pairs,
    explainer=_text_explainer,
    shown=shown_pairs,
    remarks=remarks,
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
    facts=pair_facts,
    near=equal_pairs,
    sketch=sketch_of_texts,
    near_to_any=equal_to_any,
    groups=by_document,
    known=_nothing,
    given=given_passages,
    encode=_never,
    look_alikes=False,
    trains_beyond=False,
    encoding_share=0.0,
    per_second=500.0,
    made_up=_pairs,
    odd=odd_pairs,
    trainable=_never,
    explainer=_answer_explainer,
    shown=shown_passages,
)

"""What clients send: JSON by a schema, or a form with files; and the inputs in it as a model takes them.

A text is a text, whatever it looks like: nothing that a client sends is taken for the name of a file, and nothing is
fetched.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from headstart.errors import DataError, plain, shortened
from headstart.inputs.modality import Modality
from headstart.inputs.text import decoded
from headstart.serve.forms import File, Form
from headstart.serve.refused import RefusedError
from headstart.serve.settings import Limits
from headstart.storage.files import parse_json

MOST_TOP = 1000


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Photo(_Body):
    """A photo, as the bytes of its file."""

    image: str = Field(description="the bytes of an image file in base64")


class Pair(_Body):
    """Two texts."""

    text: str
    text2: str


class Question(_Body):
    """A question, and the text that the answer is looked for in."""

    question: str
    context: str


def _tag(value: Any) -> str | None:
    if isinstance(value, str):
        return "text"
    if not isinstance(value, dict):
        return None
    return next(
        (tag for key, tag in (("image", "photo"), ("text2", "pair"), ("question", "question")) if key in value), None
    )


Input = Annotated[
    Annotated[str, Tag("text")]
    | Annotated[Photo, Tag("photo")]
    | Annotated[Pair, Tag("pair")]
    | Annotated[Question, Tag("question")],
    Discriminator(_tag),
]
_TWO = '{"text", "text2"} or {"question", "context"}'
_ONE_OF = f'an input is a text, {{"image": base64}}, {_TWO}'
ModelName = Annotated[str | None, Field(description="the name of a model; without it, the first")]
Top = Annotated[int, Field(ge=1, le=MOST_TOP, description="classes, answers or neighbours that are listed")]
Share = Annotated[float | None, Field(gt=0, lt=1)]


class PredictBody(_Body):
    """What is predicted, by which model, and how sure it has to be."""

    inputs: list[Input] = Field(min_length=1)
    model: ModelName = None
    top: Top = 5
    abstain: Share = None
    coverage: Share = None


class AnswerBody(_Body):
    """A question about one text, or several."""

    question: str
    context: str | list[str]
    top: Top = 3
    model: ModelName = None


class ExplainBody(_Body):
    """Which prediction is explained, and for which class."""

    input: Input
    target: str | None = None
    top: Top = 5
    model: ModelName = None


class AnswerLabel(_Body):
    """The right answer to a question, and where in the text it begins."""

    answer: str
    start: int | None = Field(default=None, ge=0)


class FeedbackBody(_Body):
    """An example with what is right of it."""

    input: Input
    label: str | float | list[str] | AnswerLabel
    model: ModelName = None
    new: bool = Field(default=False, description="whether the label may be one that the model does not know")


@dataclass(frozen=True)
class Given:
    """The inputs of a request as a model takes them: photos as bytes, texts, pairs; or why one cannot be used."""

    values: list[Any]
    names: list[str]


B = TypeVar("B", bound=BaseModel)


def from_json(content: bytes, body: type[B]) -> B:
    """What a body of JSON says. Raises RefusedError where it is not JSON, nested too deep, or not by the schema."""
    try:
        return body.model_validate(parse_json(content))
    except ValidationError as error:
        raise _not_by_schema(error) from None
    except (ValueError, RecursionError) as error:
        what = plain(shortened(str(error), 160))
        raise RefusedError(
            400, f"not JSON that can be read: {what}", where="body", fix="send UTF-8, one object"
        ) from None


def from_form(form: Form, body: type[B], **inputs: Any) -> B:
    """What the fields of a form say, which are texts; files are beside them.

    Args:
        inputs: what stands for the inputs, which are files here.
    """
    values = {name: _as_written(name, value) for name, value in form.fields.items() if value}
    try:
        return body.model_validate(values | inputs)
    except ValidationError as error:
        raise _not_by_schema(error) from None


def _as_written(name: str, value: str) -> Any:
    """A field as JSON would have it: a number where it is one, and a text is meant nowhere."""
    if name in ("model", "target", "label"):
        return value
    if name == "new":
        return {"true": True, "false": False}.get(value.lower(), value)
    try:
        return int(value) if name == "top" else float(value)
    except ValueError:
        return value


def _not_by_schema(error: ValidationError) -> RefusedError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "body"
    unknown = first["type"].startswith("union_tag")
    return RefusedError(400, _ONE_OF if unknown else first["msg"], where=shortened(plain(where), 80), fix="see /docs")


def given_json(inputs: list[Any], modality: Modality, limits: Limits) -> Given:
    """The inputs of a body of JSON.

    Raises:
        RefusedError: they are too many, or not what the model takes.
    """
    _refuse_many(len(inputs), limits)
    takes, shape = _takes(modality)
    for number, each in enumerate(inputs, start=1):
        if not isinstance(each, takes):
            what = f"the model takes {modality.noun}s"
            raise RefusedError(422, what, where=f"input {number}", fix=f"send {shape}")
    _refuse_long(sum(len(text) for each in inputs for text in _texts(each)), limits)
    return Given(
        [_value(each) for each in inputs], [_name(each, number) for number, each in enumerate(inputs, start=1)]
    )


def given_files(files: list[File], modality: Modality, limits: Limits) -> Given:
    """The inputs in files of a form: photos, or texts.

    Raises:
        RefusedError: there are none, or too many, or the model takes pairs.
    """
    takes, shape = _takes(modality)
    if modality.of_two:
        raise RefusedError(
            422, f"the model takes {modality.noun}s, which no file is", where="files", fix=f"send {shape}"
        )
    if not files:
        raise RefusedError(400, "no files", where="files", fix="send at least one, in fields that are called files")
    _refuse_many(len(files), limits)
    values = [_text_in(file) if str in takes else file.content for file in files]
    _refuse_long(sum(len(value) for value in values if isinstance(value, str)), limits)
    return Given(values, [file.name or f"input {number}" for number, file in enumerate(files, start=1)])


def _takes(modality: Modality) -> tuple[tuple[type[Any], ...], str]:
    """What an input of the modality is in JSON, and its form in words."""
    if not modality.in_tables:
        return (Photo,), '{"image": base64}, or files in a form'
    return ((Pair, Question), _TWO) if modality.of_two else ((str,), "texts")


def _texts(given: Any) -> tuple[str, ...]:
    """The texts of an input, of which a photo has none."""
    if isinstance(given, str):
        return (given,)
    return () if isinstance(given, Photo) else tuple(given.model_dump().values())


def _value(given: Any) -> Any:
    if isinstance(given, Photo):
        try:
            return base64.b64decode(given.image, validate=True)
        except (binascii.Error, ValueError):
            return DataError("its image is not base64")
    return given if isinstance(given, str) else _texts(given)


def _text_in(file: File) -> Any:
    try:
        return decoded(file.content, where=file.name)[0]
    except DataError as error:
        return error


def _name(given: Any, number: int) -> str:
    if isinstance(given, str):
        return given
    if isinstance(given, Pair):
        return f"{given.text} | {given.text2}"
    return given.question if isinstance(given, Question) else f"input {number}"


def _refuse_many(n: int, limits: Limits) -> None:
    most = min(limits.inputs, limits.queue)
    if n > most:
        raise RefusedError(413, f"{n:,} inputs", where="inputs", fix=f"send at most {most:,} at a time")


def _refuse_long(characters: int, limits: Limits) -> None:
    if characters > limits.text:
        what = f"texts of {characters:,} characters, and {limits.text:,} are the most"
        raise RefusedError(413, what, where="inputs", fix="send fewer or shorter texts at a time")


def texts_to_search(context: str | list[str], limits: Limits) -> list[str]:
    """The texts that an answer is looked for in. Raises RefusedError where they are too many or too long."""
    texts = [context] if isinstance(context, str) else context
    if len(texts) > limits.contexts:
        fix = f"send at most {limits.contexts} at a time"
        raise RefusedError(413, f"{len(texts):,} texts", where="context", fix=fix)
    _refuse_long(sum(map(len, texts)), limits)
    return texts

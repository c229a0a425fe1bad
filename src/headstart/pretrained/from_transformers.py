"""Text encoders of transformers, with the pooling that they were trained with."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from headstart.backbone import TextPreparation, positions
from headstart.errors import ModelError, somebody_elses
from headstart.pretrained.checkpoint import unwrapped
from headstart.pretrained.heads import CLASSES, HEADS, NEW_SPANS, NO_HEAD, SPANS, OwnHead, own_head
from headstart.pretrained.sentence_files import (
    PLAIN,
    SentenceForm,
    refuse_long_prefix,
    sentence_form,
    sentence_length,
)
from headstart.pretrained.shards import index_in, join
from headstart.pretrained.text_config import encoder_config, quiet, refuse_unlike
from headstart.pretrained.text_folder import refuse_strange_ids, settings, tokenizer
from headstart.pretrained.text_modules import Logits, PooledEncoder, Spans
from headstart.pretrained.torchvision_operators import declare_missing
from headstart.pretrained.weights import open_torch_file, raw_tensors, save_tensors
from headstart.storage.files import is_there

declare_missing()
from transformers import (  # noqa: E402  (imports torchvision)
    MODEL_FOR_QUESTION_ANSWERING_MAPPING,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    MODEL_MAPPING,
)

_ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")  # as configs call it


@dataclass(frozen=True)
class _Asked:
    """A model that is to be described."""

    config: Any
    width: int  # of a layer
    depth: int
    preparation: TextPreparation
    folder: Path
    target: Path
    usual: SentenceForm  # what holds of it where its files do not say


@dataclass(frozen=True)
class _Built:
    """How a model with one of the heads is described and built."""

    models: Any  # transformers' classes of them, by the class of their configuration
    describe: Callable[[_Asked], dict[str, Any]]  # width, classes, configuration; the preparation, if it is another
    module: Callable[[Any, Any, dict[str, Any], str], nn.Module]  # (model, its configuration, description, where from)


def describe(
    folder: Path, described: dict[str, Any], *, target: Path, head: str, usual: SentenceForm = PLAIN
) -> dict[str, Any]:
    """How the model in a hub-style folder is built and fed.

    Args:
        folder: weights and tokenizer.
        described: what config.json there says.
        target: where head.safetensors is written, if a head is wanted and there; and the model itself, where its
            weights are a torch file.
        head: one of `heads.HEADS`. "classes": keep the sequence classifier that the weights came with; features are
            then its logits. "spans": keep its reader; features are then (n, t, 2) scores of first and last tokens.
            "new spans": the same with a head that has yet to be trained.
        usual: how sentences are read by it, where its files do not say.

    Raises:
        ModelError: no encoder of texts, no tokenizer.json, or a tokenizer with more words than the model has vectors.
    """
    config = encoder_config(described, str(folder / "config.json"))
    preparation, settings = _preparation(folder, config, usual)
    if not is_there(folder / "model.safetensors"):
        _convert(folder, target)
    with somebody_elses("transformers", where=str(folder / "config.json")):
        kept = {"transformers": config.to_dict(), "tokenizer": settings}
        width, depth = int(config.hidden_size), int(config.num_hidden_layers)
    asked = _Asked(config, width, depth, preparation, folder, target, usual)
    found = {"preparation": preparation, **_BUILT[HEADS[head]].describe(asked)}
    return {
        **found,
        "source": "transformers",
        "architecture": (config.architectures or ["AutoModel"])[0],
        "kind": "text",
        "weights": "model.safetensors",
        "preparation": found["preparation"].told,
        "config": {**kept, **found["config"]},
    }


def _describe_pooled(asked: _Asked) -> dict[str, Any]:
    form = sentence_form(asked.folder, asked.usual)
    layers = _layers(asked.depth)
    config = {"pooling": form.pooling, "normalise": form.normalise, "layers": layers}
    preparation = replace(asked.preparation, prefix=form.prefix)
    refuse_long_prefix(preparation, asked.folder)
    return {"classes": None, "width": asked.width * len(layers), "config": config, "preparation": preparation}


def _describe_classifier(asked: _Asked) -> dict[str, Any]:
    classes = _classes(asked.config)
    if classes:
        head = {"weight": torch.eye(len(classes)), "bias": torch.zeros(len(classes))}
        save_tensors(head, asked.target / "head.safetensors")
    return {"classes": classes, "width": len(classes or ()) or 1, "config": {"head": CLASSES.name}}


def _describe_reader(asked: _Asked, *, head: OwnHead) -> dict[str, Any]:
    inputs = _reading_inputs(asked.config, asked.folder, new=head.new)
    preparation = replace(asked.preparation, inputs=inputs)
    if head.new:  # what a sentence encoder was cut to says nothing about reading
        preparation = replace(preparation, max_length=positions(asked.config.to_dict()))
    config = {"head": head.name, "inputs": list(inputs)}
    return {"preparation": preparation, "classes": None, "width": 2, "config": config}


def _is_no_wrapper(names: Collection[str]) -> bool:
    return bool(names) and not all(name.startswith(("module.", "_orig_mod.")) for name in names)


def _convert(folder: Path, target: Path) -> None:
    """A torch file, or several files, as one of safetensors. Tied tensors are written once for each name."""
    index = None if is_there(folder / "pytorch_model.bin") else index_in(folder)
    if index is not None:
        return join(index, target / "model.safetensors")
    state = unwrapped(open_torch_file(folder / "pytorch_model.bin"), _is_no_wrapper, str(folder))
    save_tensors({name: tensor.clone().contiguous() for name, tensor in state.items()}, target / "model.safetensors")


def module(described: dict[str, Any], weights: Path) -> nn.Module:
    """The encoder with its pooling, or the whole classifier or reader; in eval mode.

    It is built from its description alone: nothing that lies beside the weights is looked at.

    Args:
        described: the description. weights: a safetensors file.

    Raises:
        ModelError: the description cannot be followed, or the weights are not the model's.
    """
    where, head = str(weights), own_head(described["config"])
    config = _config(described, head, where)
    model = _loaded(_class_for(config, head, where), config, weights, head=head)
    return _BUILT[head].module(model, config, described, where).eval()


def untrained(described: dict[str, Any]) -> nn.Module:
    """The model of a description with the random weights that transformers begins training with, in eval mode."""
    where, head = described["name"], own_head(described["config"])
    config = _config(described, head, where)
    with somebody_elses("transformers", where=where), quiet():
        model = _class_for(config, head, where)(config)
    return _BUILT[head].module(model, config, described, where).eval()


def _config(described: dict[str, Any], head: OwnHead, where: str) -> Any:
    """What a model of transformers is built from."""
    config = encoder_config(described["config"]["transformers"], where)
    if head.new:
        config.num_labels = 2  # first token, last token
    if head.finds_answers:
        for name in _ATTENTION_DROPOUT:  # with it, training holds all weights of attention: gigabytes for long windows
            if hasattr(config, name):
                setattr(config, name, 0.0)
    return config


def _pooled(model: nn.Module, config: Any, described: dict[str, Any], where: str) -> nn.Module:
    asked = described["config"]
    layers = asked["layers"]
    if max(layers) > config.num_hidden_layers:
        raise ModelError(
            f"damaged: layer {max(layers)} is asked for, of a model with {config.num_hidden_layers}", where=where
        )
    _refuse_width(described["width"], config.hidden_size * len(layers), where)
    return PooledEncoder(model, pooling=asked["pooling"], normalise=asked["normalise"], layers=layers)


def _classifier(model: nn.Module, config: Any, described: dict[str, Any], where: str) -> nn.Module:
    _refuse_width(described["width"], config.num_labels, where)
    return Logits(model)


def _reader(model: nn.Module, config: Any, described: dict[str, Any], where: str) -> nn.Module:
    return Spans(model, inputs=described["config"]["inputs"])


_BUILT = {
    NO_HEAD: _Built(MODEL_MAPPING, _describe_pooled, _pooled),
    CLASSES: _Built(MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, _describe_classifier, _classifier),
    SPANS: _Built(MODEL_FOR_QUESTION_ANSWERING_MAPPING, partial(_describe_reader, head=SPANS), _reader),
    NEW_SPANS: _Built(MODEL_FOR_QUESTION_ANSWERING_MAPPING, partial(_describe_reader, head=NEW_SPANS), _reader),
}


def _refuse_width(described: int, made: int, where: str) -> None:
    if described != made:
        raise ModelError(f"damaged: width is {described}, and the model gives {made} numbers", where=where)


def _class_for(config: Any, head: OwnHead, where: str) -> Any:
    source: Any = _BUILT[head].models.get(type(config), None)
    if isinstance(source, list | tuple):  # which of them, `architectures` says
        named = [one for one in source if one.__name__ in (config.architectures or ())]
        source = (named or source)[0]
    if source is None:
        raise ModelError(f"transformers has no {config.model_type!r} model with such a head", where=where)
    return source


def _loaded(source: Any, config: Any, weights: Path, *, head: OwnHead) -> Any:
    """The model with every number from the file; of what is not there transformers would make random ones."""
    where = str(weights)
    refuse_unlike(source, config, raw_tensors(weights), where)
    with somebody_elses("transformers", where=where, fix="fetch it again"), quiet():
        model, found = source.from_pretrained(
            None, config=config, state_dict=load_file(weights), output_loading_info=True, ignore_mismatched_sizes=True
        )
        total = len(model.state_dict())
        body = f"{model.base_model_prefix}."
    other = {str(entry[0] if isinstance(entry, tuple) else entry) for entry in found["mismatched_keys"]}
    lacking = sorted({*found["missing_keys"], *other})
    if head.new:
        lacking = [name for name in lacking if name.startswith(body)]
    if not head.through_pooler:
        lacking = [name for name in lacking if not name.removeprefix(body).startswith("pooler.")]
    if lacking and head.finds_answers and not any(name.startswith(body) for name in lacking):
        raise ModelError(
            f"not in its weights: {', '.join(lacking[:3])}", where=where, fix="take a model trained on SQuAD"
        )
    if lacking:
        how = "have another shape" if set(lacking) <= other else "are missing"
        raise ModelError(
            f"these weights are not the model's: {len(lacking)} of {total} tensors {how}, first {lacking[0]!r}",
            where=where,
            fix="fetch the model again: its config.json and its weights belong together",
        )
    return model


def _reading_inputs(config: Any, folder: Path, *, new: bool) -> tuple[str, ...]:
    """What a reader takes; types of tokens only where it tells two of them apart (RoBERTa's kin do not)."""
    source: Any = MODEL_FOR_QUESTION_ANSWERING_MAPPING.get(type(config), None)
    takes = inspect.signature(source.forward).parameters if source else {}
    if not {"input_ids", "attention_mask"} <= set(takes) or "bbox" in takes:
        raise ModelError(
            f"a {config.model_type!r} model of transformers, which headstart cannot ask",
            where=str(folder),
            fix="take one of BERT's kind: bert, roberta, distilbert, electra, albert, deberta-v2, mpnet, modernbert",
        )
    if not new and config.num_labels != 2:
        what = f"its head has {config.num_labels} outputs, and one that finds answers has 2: where they begin and end"
        raise ModelError(what, where=str(folder), fix="check num_labels and id2label in its config.json")
    types = "token_type_ids" in takes and getattr(config, "type_vocab_size", 0) > 1
    return ("input_ids", "attention_mask", *(("token_type_ids",) if types else ()))


def _preparation(folder: Path, config: Any, usual: SentenceForm) -> tuple[TextPreparation, dict[str, Any]]:
    """How texts become ids, and the tokenizer's settings."""
    described, found = settings(folder), tokenizer(folder, config.model_type)
    refuse_strange_ids(found, config.vocab_size, folder / "tokenizer.json")
    lengths = [described.get("model_max_length"), sentence_length(folder, usual)]
    longest = min([n for n in lengths if isinstance(n, int) and n > 0] + [positions(config.to_dict())])
    preparation = TextPreparation(
        tokenizer=found,
        max_length=longest,
        pad_id=config.pad_token_id or 0,
        inputs=("input_ids", "attention_mask"),
        # Under a sliding window (ModernBERT) a padding token further behind sees nothing, and attention to nothing is
        # NaN in OpenVINO.
        most_padding=getattr(config, "sliding_window", None),
    )
    return preparation, described


def _classes(config: Any) -> list[str] | None:
    """Names of a sequence classifier's classes; None where the weights have none."""
    classifier = any(name.endswith("ForSequenceClassification") for name in config.architectures or ())
    one_of_many = config.problem_type in (None, "single_label_classification") and config.num_labels > 1
    return [str(config.id2label[i]) for i in range(config.num_labels)] if classifier and one_of_many else None


def _layers(depth: int) -> list[int]:
    """The last layer, and the one two thirds of the way up."""
    middle = round(2 * depth / 3)
    return [depth, middle] if 0 < middle < depth else [depth]

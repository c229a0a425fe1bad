"""Text encoders of transformers, with the pooling that they were trained with."""

from __future__ import annotations

import inspect
import json
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from headstart.errors import ModelError
from headstart.kept import writing
from headstart.pretrained.torchvision_operators import declare_missing
from headstart.pretrained.weights import open_torch_file
from headstart.values import TextPreparation

declare_missing()
from transformers import (  # noqa: E402  (imports torchvision)
    MODEL_FOR_QUESTION_ANSWERING_MAPPING,
    AutoConfig,
    AutoModel,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)
from transformers.utils import logging  # noqa: E402


class PooledEncoder(nn.Module):
    """Token states to one vector a text: the last layer, pooled as the model was trained, and a middle layer's mean.

    The last layer of a sentence encoder says what a text is about; word order and form are clearer two thirds of the
    way up (Liu et al. 2019, Linguistic Knowledge and Transferability of Contextual Representations). Both are there
    after one forward pass, and a linear head takes what it needs (docs/accuracy.md has what that brings).
    """

    def __init__(self, encoder: nn.Module, *, pooling: str, normalise: bool, layers: list[int]) -> None:
        super().__init__()
        self.encoder, self.pooling, self.normalise, self.layers = encoder, pooling, normalise, layers

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """(n, t) int64 ids and mask -> (n, width) float32, the layers' vectors side by side."""
        out = self.encoder(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True)
        mask = attention_mask.unsqueeze(-1).to(out.last_hidden_state.dtype)  # (n, t, 1)

        def mean(states: torch.Tensor) -> torch.Tensor:
            return (states * mask).sum(1) / mask.sum(1).clamp(min=1e-9)

        last = out.last_hidden_state
        pooled = [last[:, 0] if self.pooling == "cls" else mean(last)]
        pooled += [mean(out.hidden_states[layer]) for layer in self.layers[1:]]
        return torch.cat([nn.functional.normalize(p, dim=-1) if self.normalise else p for p in pooled], dim=-1)


class Logits(nn.Module):
    """A model with its classifier: its logits are the features, and the head on them changes nothing."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """(n, t) int64 ids and mask -> (n, n_classes) float32."""
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


class Spans(nn.Module):
    """A reading model: for each token, is it the first of the answer, is it the last."""

    def __init__(self, model: nn.Module, *, inputs: Sequence[str]) -> None:
        super().__init__()
        self.model, self.inputs = model, tuple(inputs)

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        """(n, t) int64 each, in the order of `inputs` -> (n, t, 2) float32."""
        out = self.model(**dict(zip(self.inputs, tensors, strict=True)))
        return torch.stack([out.start_logits, out.end_logits], dim=-1)


_ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")  # as configs call it


def describe(folder: Path, *, target: Path, head: str) -> dict[str, Any]:
    """How the model in a hub-style folder is built and fed.

    Args:
        folder: config.json, weights and tokenizer.
        target: where head.safetensors is written, if a head is wanted and there; and the model itself, where its
            weights are a torch file.
        head: "classes": keep the sequence classifier that the weights came with; features are then its logits.
            "spans": keep its reader; features are then (n, t, 2) scores of first and last tokens. "new spans": the
            same with a head that has yet to be trained.

    Raises:
        ModelError: no encoder of texts, no tokenizer.json, or a tokenizer with more words than the model has vectors.
    """
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    preparation, settings = _preparation(folder, config)
    if not (folder / "model.safetensors").exists():
        _convert(folder, target)
    told = {"source": "transformers", "architecture": (config.architectures or ["AutoModel"])[0], "kind": "text"}
    told |= {"weights": "model.safetensors", "preparation": asdict(preparation)}
    kept = {"transformers": config.to_dict(), "tokenizer": settings}
    if head.endswith("spans"):
        inputs = _reading_inputs(config, folder, new=head != "spans")
        preparation = replace(preparation, inputs=inputs)
        if head != "spans":  # what a sentence encoder was cut to says nothing about reading
            preparation = replace(preparation, max_length=_positions(config))
        told |= {"preparation": asdict(preparation), "classes": None, "width": 2}
        return {**told, "config": {**kept, "head": head, "inputs": list(inputs)}}
    if head == "classes":
        classes = _classes(config)
        if classes:
            passed_on = {"weight": torch.eye(len(classes)), "bias": torch.zeros(len(classes))}
            with writing(target):
                save_file(passed_on, target / "head.safetensors")
        return {**told, "classes": classes, "width": len(classes or ()), "config": {**kept, "head": head}}
    pooling, normalise = _pooling(folder)
    layers = _layers(int(config.num_hidden_layers))
    pooled = {"pooling": pooling, "normalise": normalise, "layers": layers}
    return {
        **told,
        "classes": None,
        "width": int(config.hidden_size) * len(layers),
        "config": {**kept, **pooled},
    }


def _convert(folder: Path, target: Path) -> None:
    """A torch file as safetensors, beside a copy of its config. Tied tensors are written once for each name."""
    state = open_torch_file(folder / "pytorch_model.bin")
    tensors = {name: tensor.clone().contiguous() for name, tensor in state.items()}
    with writing(target):
        save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
        shutil.copyfile(folder / "config.json", target / "config.json")


def module(folder: Path, config: dict[str, Any]) -> nn.Module:
    """The encoder with its pooling, or the whole classifier or reader; in eval mode.

    Raises:
        ModelError: the weights of a reader's head are missing.
    """
    head = config.get("head")
    source = {
        "classes": AutoModelForSequenceClassification,
        "spans": AutoModelForQuestionAnswering,
        "new spans": AutoModelForQuestionAnswering,
    }.get(str(head), AutoModel)
    told = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if head == "new spans":
        told.num_labels = 2  # first token, last token
    if head in ("spans", "new spans"):
        for name in _ATTENTION_DROPOUT:  # with it, training holds all weights of attention: gigabytes for long windows
            if hasattr(told, name):
                setattr(told, name, 0.0)
    with _quiet():
        model, found = source.from_pretrained(
            folder,
            config=told,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    if head == "classes":
        return Logits(model).eval()
    if head in ("spans", "new spans"):
        inner = f"{model.base_model_prefix}."
        missing = sorted(k for k in found["missing_keys"] if head == "spans" or k.startswith(inner))
        if missing:  # they would be random numbers
            raise ModelError(
                f"not in its weights: {', '.join(missing[:3])}", where=str(folder), fix="take a model trained on SQuAD"
            )
        return Spans(model, inputs=config["inputs"]).eval()
    pooled = {name: config[name] for name in ("pooling", "normalise", "layers")}
    return PooledEncoder(model, **pooled).eval()


def _reading_inputs(config: Any, folder: Path, *, new: bool) -> tuple[str, ...]:
    """What a reader takes; types of tokens only where it tells two of them apart (RoBERTa's kin do not)."""
    source: Any = MODEL_FOR_QUESTION_ANSWERING_MAPPING.get(type(config), None)
    takes = inspect.signature(source.forward).parameters if source else {}
    if not {"input_ids", "attention_mask"} <= set(takes) or "bbox" in takes or not (new or config.num_labels == 2):
        raise ModelError(
            f"a {config.model_type!r} model of transformers, which headstart cannot ask",
            where=str(folder),
            fix="take one of BERT's kind: bert, roberta, distilbert, electra, albert, deberta-v2, mpnet, modernbert",
        )
    types = "token_type_ids" in takes and getattr(config, "type_vocab_size", 0) > 1
    return ("input_ids", "attention_mask", *(("token_type_ids",) if types else ()))


def _preparation(folder: Path, config: Any) -> tuple[TextPreparation, dict[str, Any]]:
    """How texts become ids, and the tokenizer's settings."""
    if not hasattr(config, "vocab_size"):
        raise ModelError(
            f"a {config.model_type!r} model of transformers, which is no encoder of texts",
            where=str(folder),
            fix="for images, take timm's version of it: headstart models",
        )
    tokenizer = _tokenizer(folder)
    settings = _json(folder / "tokenizer_config.json")
    vocabulary = _vocabulary_size(tokenizer)
    if vocabulary > config.vocab_size:
        raise ModelError(
            f"the tokenizer has {vocabulary} words, the model vectors for {config.vocab_size}",
            where=str(folder),
            fix="put the model's own tokenizer into the folder",
        )
    lengths = [settings.get("model_max_length"), _json(folder / "sentence_bert_config.json").get("max_seq_length")]
    longest = min([n for n in lengths if isinstance(n, int) and n > 0] + [_positions(config)])
    preparation = TextPreparation(
        tokenizer=tokenizer,
        max_length=longest,
        pad_id=config.pad_token_id or 0,
        inputs=("input_ids", "attention_mask"),
        # Under a sliding window (ModernBERT) a padding token further behind sees nothing, and attention to nothing is
        # NaN in OpenVINO.
        most_padding=getattr(config, "sliding_window", None),
    )
    return preparation, settings


def _tokenizer(folder: Path) -> str:
    """tokenizer.json, or what transformers makes of an older form (a vocabulary, a SentencePiece model)."""
    if (folder / "tokenizer.json").exists():
        return (folder / "tokenizer.json").read_text(encoding="utf-8")
    try:
        with _quiet():
            made = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if set(made.get_vocab()) <= set(made.all_special_tokens):  # made of nothing, and of no use
            raise ValueError("there is no vocabulary")
        return str(made.backend_tokenizer.to_str())
    except (OSError, ValueError, ImportError, AttributeError, KeyError, TypeError) as error:
        # transformers raises one or another, by what is missing
        reason = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"no tokenizer.json, and none could be made: {reason}",
            where=str(folder),
            fix="save the tokenizer with the model; older SentencePiece files need: pip install sentencepiece protobuf",
        ) from None


def _positions(config: Any) -> int:
    """Tokens that the model has positions for; RoBERTa's kin count them from behind the padding id."""
    positions = int(getattr(config, "max_position_embeddings", 512))
    offset = config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet")
    return positions - (config.pad_token_id or 0) - 1 if offset else positions


def _classes(config: Any) -> list[str] | None:
    """Names of a sequence classifier's classes; None where the weights have none."""
    classifier = any(name.endswith("ForSequenceClassification") for name in config.architectures or ())
    one_of_many = config.problem_type in (None, "single_label_classification") and config.num_labels > 1
    return [str(config.id2label[i]) for i in range(config.num_labels)] if classifier and one_of_many else None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' progress bar and notes to developers, which headstart's users can do nothing about."""
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logging.set_verbosity(level)
        logging.enable_progress_bar()


def _layers(depth: int) -> list[int]:
    """The last layer, and the one two thirds of the way up."""
    middle = round(2 * depth / 3)
    return [depth, middle] if 0 < middle < depth else [depth]


def _pooling(folder: Path) -> tuple[str, bool]:
    """As sentence-transformers wrote it down beside the weights; mean without length where nothing is written."""
    steps = [step.get("type", "") for step in _json(folder / "modules.json", default=[])]
    settings = _json(folder / "1_Pooling" / "config.json")
    cls = settings.get("pooling_mode_cls_token") is True or settings.get("pooling_mode") == "cls"
    return ("cls" if cls else "mean"), any(step.endswith("Normalize") for step in steps)


def _vocabulary_size(tokenizer: str) -> int:
    from tokenizers import Tokenizer

    return int(Tokenizer.from_str(tokenizer).get_vocab_size(with_added_tokens=True))


def _json(path: Path, *, default: Any = None) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else ({} if default is None else default)

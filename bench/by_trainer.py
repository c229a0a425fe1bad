"""The Trainer of transformers on a table of texts, or of pairs of texts, for the benches that compare with it."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "30000")  # as the command line does; for both

import numpy as np
import torch
from common import read

from headstart.encode.engines import device
from headstart.pretrained.torchvision_operators import declare_missing
from headstart.values import Dataset

declare_missing()  # or a CPU build of torch beside another torchvision has no Trainer


@dataclass(frozen=True)
class TrainerRecipe:
    """What is not said is the Trainer's default."""

    rate: float = 5e-5
    batch: int = 8
    epochs: float = 3
    steps: int = -1  # where not -1, so many instead of the epochs
    bf16: bool = False
    padded: bool = False  # to 128 tokens, as transformers' text-classification example does; else to a batch's longest
    by_length: bool = False  # texts of similar length come together


def both_read(train: str, test: str) -> tuple[Dataset, np.ndarray, np.ndarray]:
    """Two tables as a fit reads them, and the rows of each."""
    dataset = read(train, test)
    parts = np.array(dataset.parts)
    return dataset, np.flatnonzero(parts == "train"), np.flatnonzero(parts == "test")


def problem_of(y: np.ndarray) -> tuple[str, int]:
    """transformers' name of what such targets are, and how many outputs they need."""
    if y.ndim == 2:
        return "multi_label_classification", y.shape[1]
    if np.issubdtype(y.dtype, np.floating):
        return "regression", 1
    return "single_label_classification", int(y.max()) + 1


def by_trainer(
    folder: Path,
    texts: Sequence[Any],
    y: np.ndarray,
    asked: Sequence[Any],
    *,
    recipe: TrainerRecipe,
    seed: int = 0,
    on_step: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """(n_asked, n_outputs) outputs of the model in `folder`, trained on these texts or pairs of texts.

    Args:
        y: (n,) class indices; (n, n_labels) float of 0 and 1; or (n,) float numbers. The loss follows from that.
        on_step: called after each step.
    """
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        logging,
    )

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.manual_seed(seed)
    tokenizer, (problem, n_outputs) = AutoTokenizer.from_pretrained(folder), problem_of(y)

    examples = partial(_tokenised, tokenizer, padded=recipe.padded)

    class StopSignal(TrainerCallback):
        def on_step_end(self, *_: object, **__: object) -> None:
            on_step()

    with tempfile.TemporaryDirectory() as out:
        trainer = Trainer(
            AutoModelForSequenceClassification.from_pretrained(
                folder, num_labels=n_outputs, problem_type=problem, ignore_mismatched_sizes=True
            ),
            _arguments(out, recipe, seed),
            train_dataset=examples(texts, y),
            data_collator=DataCollatorWithPadding(tokenizer),
            callbacks=[StopSignal()],
        )
        trainer.train()
        if not len(asked):
            return np.empty((0, n_outputs), dtype=np.float32)
        trainer.args.train_sampling_strategy = "sequential"  # it sorts what it is asked by length too
        return trainer.predict(examples(asked, np.zeros((len(asked), *y.shape[1:]), dtype=y.dtype))).predictions


def _tokenised(
    tokenizer: Callable[..., Any], some: Sequence[Any], labels: np.ndarray, *, padded: bool
) -> list[dict[str, object]]:
    """Texts, or pairs of texts, as the Trainer takes examples."""
    paired = len(some) > 0 and not isinstance(some[0], str)
    columns = [list(column) for column in zip(*some, strict=True)] if paired else [list(some)]
    ids = tokenizer(*columns, truncation=True, max_length=128, padding="max_length" if padded else False)
    return [{**{k: v[i] for k, v in ids.items()}, "labels": label} for i, label in enumerate(labels.tolist())]


def _arguments(out: str, recipe: TrainerRecipe, seed: int) -> Any:
    from transformers import TrainingArguments

    return TrainingArguments(
        out,
        learning_rate=recipe.rate,
        per_device_train_batch_size=recipe.batch,
        num_train_epochs=recipe.epochs,
        max_steps=recipe.steps,
        bf16=recipe.bf16,
        train_sampling_strategy="group_by_length" if recipe.by_length else "random",
        seed=seed,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        use_cpu=device() == "cpu",
        disable_tqdm=True,
    )

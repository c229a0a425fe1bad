"""transformers' Trainer on a table of texts, for the benches that measure against it (`pip install accelerate`)."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

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


def by_trainer(
    folder: Path,
    texts: Sequence[str],
    y: np.ndarray,
    asked: Sequence[str],
    *,
    recipe: TrainerRecipe,
    seed: int = 0,
    on_step: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """(n_asked, n_classes) logits of the model in `folder`, trained on these texts.

    Args:
        y: (n,) class indices. on_step: called after each step.
    """
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
        logging,
    )

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.manual_seed(seed)
    tokenizer, n_classes = AutoTokenizer.from_pretrained(folder), int(y.max()) + 1

    def examples(some: Sequence[str], labels: np.ndarray) -> list[dict[str, object]]:
        ids = tokenizer(list(some), truncation=True, max_length=128, padding="max_length" if recipe.padded else False)
        return [{**{k: v[i] for k, v in ids.items()}, "labels": int(label)} for i, label in enumerate(labels)]

    class StopSignal(TrainerCallback):
        def on_step_end(self, *_: object, **__: object) -> None:
            on_step()

    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
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
        trainer = Trainer(
            AutoModelForSequenceClassification.from_pretrained(folder, num_labels=n_classes),
            arguments,
            train_dataset=examples(texts, y),
            data_collator=DataCollatorWithPadding(tokenizer),
            callbacks=[StopSignal()],
        )
        trainer.train()
        if not len(asked):
            return np.empty((0, n_classes), dtype=np.float32)
        trainer.args.train_sampling_strategy = "sequential"  # it sorts what it is asked by length too
        return trainer.predict(examples(asked, np.zeros(len(asked), dtype=int))).predictions

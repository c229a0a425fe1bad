"""Claim: from a few labels a class, a default fit is right at least as often as its peers, with the same weights.

    pip install headstart[bench]   (setfit, fastai, accelerate, scikit-learn)
    python bench/peers.py SET [--labels 5] [--draws 3] [--peers default probe setfit ...] [--steps 400]

SET is a folder or a table, or TRAIN:TEST, of photos or texts with one class each. So many labels of each class are
drawn from the training part, again and again; all learn from the same draw and are tested on the same part, each by its
defaults. Of texts: headstart (which learns from the classes' names too), its probe, SetFit, three epochs of
transformers' Trainer in batches of 16, scikit-learn's LogisticRegressionCV on headstart's features and on TF-IDF. Of
photos: headstart and its probe, fastai's `fine_tune`, LogisticRegressionCV. `--steps` bounds SetFit's training, which
the table says then: 5 labels of each of 77 classes are 9,144 steps by its defaults. Mean accuracy and its standard
deviation over draws; what headstart's default gains or loses, paired by draw; wall seconds of a process of its own for
each: libraries loaded, and nothing in the cache.
"""

import shutil
import tempfile
import warnings
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from common import arguments, asked, drawn, encoded, in_parts, installed, small_text_model, texts
from cuts import Cut, Way, alone, by_headstart, by_transformers, cut, in_rows

Measured = Callable[[Cut, str, int], tuple[float, float]]  # accuracy and seconds
SETFIT_BATCH = 16  # pairs, its default
FASTAI_WEIGHTS = "efficientnet_lite0"  # that its side of `against_fastai.py` has
OUR_DEFAULT = "default"


@dataclass(frozen=True)
class Peer:
    name: str
    kinds: tuple[str, ...]
    measured: Measured
    module: str = ""  # that it needs


def by_setfit(given: Cut, model: str, seed: int, *, steps: int | None) -> float:
    """SetFit's defaults: all pairs of labels for one epoch, then logistic regression on what was learned."""
    from headstart.pretrained.torchvision_operators import declare_missing

    declare_missing()  # or sentence-transformers does not load beside a CPU build of torch and another torchvision
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    from headstart.pretrained.find import find

    bound = bounded_steps(np.bincount(given.y), steps)
    with tempfile.TemporaryDirectory() as out:
        options = TrainingArguments(
            out, max_steps=bound or -1, seed=seed, report_to="none", save_strategy="no", show_progress_bar=False
        )
        learned = Dataset.from_dict({"text": given.inputs, "label": given.y.tolist()})
        fitted = SetFitModel.from_pretrained(str(find(model).path))
        Trainer(model=fitted, args=options, train_dataset=learned).train()
        said = fitted.predict(given.asked, use_labels=False, as_numpy=True)
    return float((np.asarray(said) == given.wanted).mean())


def default_steps(counts: np.ndarray) -> int:
    """That SetFit takes with so many labels of each class: pairs of one class come as often as those of two."""
    equal, n = int((counts * (counts + 1) // 2).sum()), int(counts.sum())
    return -(-2 * max(equal, n * (n + 1) // 2 - equal) // SETFIT_BATCH)


def bounded_steps(counts: np.ndarray, steps: int | None) -> int | None:
    """The bound where it is one; more steps than its own are not asked of it."""
    return steps if steps is not None and steps < default_steps(counts) else None


def by_logistic(given: Cut, model: str, seed: int) -> float:
    """On headstart's features."""
    dataset, learn, test = in_rows(given)
    matrix = encoded(dataset, model).matrix[:]
    return logistic(matrix[learn], dataset.y[learn], matrix[test], dataset.y[test])


def by_words(given: Cut, model: str, seed: int) -> float:
    """On TF-IDF: nothing pre-trained."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer()
    learned = words.fit_transform(given.inputs)
    return logistic(learned, given.y, words.transform(given.asked), given.wanted)


def logistic(learned: np.ndarray, y: np.ndarray, asked: np.ndarray, wanted: np.ndarray) -> float:
    """Accuracy by LogisticRegressionCV; with one label of a class there is nothing to cross-validate by."""
    from sklearn.linear_model import LogisticRegression, LogisticRegressionCV

    fewest = int(np.bincount(y)[np.unique(y)].min())
    made = LogisticRegressionCV(cv=min(5, fewest), max_iter=1000) if fewest > 1 else LogisticRegression(max_iter=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # its defaults will be others, not yet
        return float((made.fit(learned, y).predict(asked) == wanted).mean())


def with_fastai(given: Cut, model: str, seed: int, *, epochs: int) -> tuple[float, float]:
    """`fine_tune` as `against_fastai.py` has it, for more epochs; copying the photos is not counted."""
    from against_fastai import by_fastai

    with tempfile.TemporaryDirectory() as folder:
        for part, photos, y in (("train", given.inputs, given.y), ("test", given.asked, given.wanted)):
            for number, (photo, c) in enumerate(zip(photos, y, strict=True)):
                target = Path(folder, part, f"{c:04d}")
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy(photo, target / f"{number}{Path(photo).suffix}")
        seconds, accuracy = by_fastai(Path(folder), epochs=epochs, seed=seed)
    return accuracy, seconds


def in_a_process(way: Way) -> Measured:
    return partial(alone, way)


def peers(options: Namespace, counts: np.ndarray) -> dict[str, Peer]:
    """All of them, for labels of such numbers of each class."""
    bound, both = bounded_steps(counts, options.steps), ("text", "image")
    steps = f", {bound:,} of {default_steps(counts):,} steps" if bound else ""
    setfit, fastai = partial(by_setfit, steps=bound), partial(with_fastai, epochs=options.epochs)
    default, probe = partial(by_headstart, budget=options.budget), partial(by_headstart, how="probe")
    return {
        OUR_DEFAULT: Peer("headstart, default", both, in_a_process(default)),
        "probe": Peer("headstart, probe", both, in_a_process(probe)),
        "setfit": Peer(f"SetFit{steps}", ("text",), in_a_process(setfit), "setfit"),
        "fastai": Peer(f"fastai, fine_tune({options.epochs})", ("image",), fastai, "fastai"),
        "trainer": Peer("Trainer", ("text",), in_a_process(by_transformers), "accelerate"),
        "logistic": Peer("LogisticRegressionCV, same features", both, in_a_process(by_logistic), "sklearn"),
        "tfidf": Peer("LogisticRegressionCV, TF-IDF", ("text",), in_a_process(by_words), "sklearn"),
    }


NAMES = (OUR_DEFAULT, "probe", "setfit", "fastai", "trainer", "logistic", "tfidf")


def there(known: dict[str, Peer], asked_for: Sequence[str], kind: str, model: str) -> dict[str, Peer]:
    """Those that learn from such inputs and are installed; which are not, is told."""
    found = {}
    for key, peer in known.items():
        if key not in asked_for or kind not in peer.kinds:
            continue
        if key == "fastai" and model != FASTAI_WEIGHTS:
            print(f"left out: {peer.name} (it has the weights of {FASTAI_WEIGHTS}, not of {model})", flush=True)
        elif not peer.module or installed(peer.module, needed_for=peer.name):
            found[key] = peer
    return found


def compare(options: Namespace) -> None:
    from headstart.data.check import check
    from headstart.data.split import split

    dataset = check(in_parts(options.set))
    parts, model = split(dataset, seed=0), options.model or dataset.modality.default_model
    rows = [drawn(dataset, parts.train, options.labels, draw) for draw in range(options.draws)]
    draws = [cut(options.set, dataset, learn, parts.test) for learn in rows]
    first = draws[0]
    among = there(peers(options, np.bincount(first.y)), options.peers, first.kind, model)
    found: dict[str, list[tuple[float, float]]] = {key: [] for key in among}
    for number, given in enumerate(draws):
        for key, peer in among.items():
            accuracy, seconds = peer.measured(given, model, number)
            found[key].append((accuracy, seconds))
            print(f"draw {number}  {peer.name:40} accuracy {accuracy:.4f}  {seconds:7.1f} s", flush=True)
    print(f"\n{first.name}, {model}: {options.labels} labels of each of {len(first.classes)} classes, "
          f"{len(first.y)} to learn from, {len(first.asked)} to be tested on, {options.draws} draws\n")  # fmt: skip
    table(among, {key: np.array(runs) for key, runs in found.items()})


def table(among: dict[str, Peer], found: dict[str, np.ndarray]) -> None:
    """A row a peer, the best first."""
    print("| | accuracy | over draws | headstart's default is better by | seconds |\n|---|---|---|---|---|")
    for key in sorted(found, key=lambda key: -found[key][:, 0].mean()):
        accuracy, seconds = found[key].T
        better = "-" if key == OUR_DEFAULT or OUR_DEFAULT not in found else spread(found[OUR_DEFAULT][:, 0] - accuracy)
        deviation = f"± {accuracy.std(ddof=1):.4f}" if len(accuracy) > 1 else "-"
        print(f"| {among[key].name} | {accuracy.mean():.4f} | {deviation} | {better} | {seconds.mean():.1f} |")


def spread(values: np.ndarray) -> str:
    """Mean with its sign, and standard deviation where there are several."""
    return f"{round(values.mean(), 4) + 0:+.4f}" + (f" ± {values.std(ddof=1):.4f}" if len(values) > 1 else "")


def small(work: Path) -> list[object]:
    model = small_text_model(work / "bert")
    some = ["--draws", 2, "--budget", "6s", "--steps", 4, "--peers", OUR_DEFAULT, "setfit", "logistic", "tfidf"]
    return [texts(work / "texts.csv", 60), "--model", model, *some]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("set")
    parser.add_argument("--labels", type=int, default=5, help="of each class")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--peers", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--steps", type=int, help="of SetFit, at most")
    parser.add_argument("--epochs", type=int, default=10, help="of fastai's fine_tune")
    parser.add_argument("--budget", help="of headstart's default (what it has by itself)")
    parser.add_argument("--model", help="default: the starter for these data")
    with asked(parser, small) as options:
        compare(options)


if __name__ == "__main__":
    main()

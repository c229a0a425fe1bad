"""The functions of `import headstart as hs`: what they take, and what they promise."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart import pipeline
from headstart.choose.choose import licences_of, method_of
from headstart.clock import Budget, seconds_of
from headstart.cluster.on_ray import computed_on
from headstart.confidence.confidence import share_of
from headstart.data.from_names import names_of
from headstart.data.shards.sources import is_pattern, title
from headstart.doctor.examine import AUTO, examine
from headstart.encode.machine import using
from headstart.encode.precision import precision_named
from headstart.encode.store import features_in, store_at
from headstart.encode.works import kept_notes, lacking_notes, unfinished_notes
from headstart.errors import UserError
from headstart.inputs.paths import is_address
from headstart.model import Model
from headstart.progress import Follower, Progress, Silent, as_progress
from headstart.report.checked import Checked
from headstart.session import Session, open_session
from headstart.storage.files import resolved
from headstart.values import Columns, Decision, Request

if TYPE_CHECKING:
    from headstart.choose.ranking import Ranking
    from headstart.comparison.comparison import Comparison

_SHARE = 0.2  # of the examples, that is kept for the test


def fit(  # noqa: PLR0913 - the one public door: every option of the command line is a keyword here
    data: Any,
    labels: Any = None,
    *,
    groups: Any = None,
    task: str = "auto",
    kind: str | None = None,
    model: str | Path = "auto",
    licence: str = "free",
    precision: str = "auto",
    how: str = "auto",
    metric: str = "auto",
    threshold: float | str | None = None,
    recall: float | str | None = None,
    positive: str | None = None,
    budget: float | str | None = None,
    test: float | str | Path = _SHARE,
    seed: int = 0,
    out: str | Path | None = None,
    force: bool = False,
    allow_rejected: bool = False,
    final: bool = False,
    max_length: int | None = None,
    names: Any = None,
    unlabelled: Any = None,
    feedback: Any = None,
    classes: str | Sequence[str] | None = None,
    columns: Columns | None = None,
    device: str | None = None,
    threads: int | None = None,
    track: str | None = None,
    store: str | Path | None = None,
    on: str | None = None,
    progress: Progress | Follower | None = None,
) -> Model:
    """Adapt a pre-trained model to the user's examples, and say how good it is on examples held out.

    Args:
        data: a folder of class folders, a table file, a DataFrame, an Arrow table, a `datasets.Dataset`, or inputs
            (image paths, PIL images, uint8 arrays, texts) with `labels`; or questions with the texts that answer them:
            SQuAD's JSON, or a table with context, question and answer.
        labels: one a row, where `data` are inputs.
        groups: the same: whose each example is (a patient, a product, an author). Those of one group are kept on one
            side of the split and of folds; of a table, it is a column: `Columns(group=...)`.
        task: "classification", "multilabel", "regression" or "answering", where it cannot be seen.
        kind: "image", "text" or "pair", where it cannot be seen.
        model: a catalog name, a hub name or a folder; "auto" ranks the models at hand on a sample of the training part
            and takes the cheapest of those that are as good as the best.
        licence: which of them may be taken unasked: "free": none whose licence is non-commercial or gated; "any". A
            model that is named is taken whatever its licence says.
        precision: that features are made in: "float32"; "bfloat16", where the processor has it; "int8", of photos
            (needs nncf); "auto": bfloat16 where this model's answers were measured to be as good in it, else float32.
            The saved model keeps to it, but for int8.
        how: "probe": a linear head on frozen features, in seconds; or a model that finds answers, left as it is.
            "tune": go on from there and train the upper layers too; "full": all layers; "lora": small adapters of
            frozen layers, for large models (needs peft). "auto": tune if there is time, and keep the tuned model only
            if it is better on held-out training examples, beyond noise.
        metric: what all that is chosen by, on training examples that were held out: "auto" is log loss, or squared
            error of numbers; else a metric of the task, "accuracy" or "macro_f1", say. A wrong one lists them.
        threshold: of two classes: the probability from which on `positive` is answered, instead of the likelier class;
            kept in the model. recall: so much of it is to be found: the threshold is chosen for that, on training
            examples that were held out. positive: the class that both are of; None: the rarer one.
        budget: wall time from reading to saving, "90s", "2m", "1h" or seconds; None: two minutes. Ranking takes at most
            a quarter of it, or what the first model needs, and encoding a quarter, of texts a tenth, but for a probe:
            of more training examples a sample is encoded, at least 10,000. Tuning takes what is left, and learns from
            texts that were not encoded too. The probe is made in any case.
        test: share of each class (of questions: whole documents) that is kept for the test, or a path with the test
            examples. Official parts in the data come first.
        seed: another seed, another split.
        out: folder to save to; without it, data from a path are saved as NAME.headstart here, others are not saved.
        force: replace a folder that headstart saved before.
        allow_rejected: go on where more examples cannot be used than can.
        final: learn from the test part too, once it was scored, with the settings found: the score is that of the
            model before. A trained model is not trained again: then it is said that it is not final.
        max_length: tokens of a text that the model reads, up to as many as it has positions for; kept in the saved
            model. None: as many as it was made for.
        names: what the classes of texts are called: where labels are few, each name is learned from as an example of
            its class. None: their own names, in words ("card_arrival" as "card arrival"); "none": nothing; a mapping of
            classes to a text or several, or the path of such a JSON object or table (a class and a text a row).
        unlabelled: examples without labels: a folder, a table, or inputs. The labels that the probe is surest of are
            learned from; whatever is in the test part, or like it, is left out.
        feedback: corrected examples, as `serve` collects them, or any data: learned from and never tested on; where one
            of them is in the data with another label, it is right.
        classes: of texts of which none has a label: what they may be about, in words. Nothing is measured then, unless
            `test` is the path of labelled examples.
        columns: which columns of a table hold what.
        device: "cpu", "cuda" or "mps"; None: what HEADSTART_DEVICE says, else CUDA where there is a driver.
        threads: processor cores to use; None: all that the process may use.
        track: where the fit is written down too: "mlflow", "mlflow:URI", "tensorboard" or "tensorboard:FOLDER".
        store: a folder of features in place of the cache, as `encode_shard` fills it; "auto" takes the model of that.
        on: "ray": features are made by the nodes of a Ray cluster, that of RAY_ADDRESS or else this machine, and they
            are the same (needs ray); what takes long of training is done there. All else is done here.
        progress: told what goes on: a function of an `Update` (step, share, seconds_left), which ends the fit by
            returning False; what was done is kept.

    Raises:
        UserError: the data, the model, the place to save or to track cannot be used.

    Sources: Kumar et al., Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution, ICLR 2022
    (first the head, then the layers); Guo et al., On Calibration of Modern Neural Networks, ICML 2017 (temperature).

    Example:
        >>> model = hs.fit("questions.csv", model="all-MiniLM-L6-v2", how="probe", out="mine.headstart")
        >>> model.predict("Where is my new card?")[0].label
        'card arrival'
        >>> model.scores.n, model.scores.accuracy > 0.8
        (48, True)
    """
    request = Request(
        data=data, labels=labels, groups=groups, task=task, kind=kind, columns=columns, model=str(model),
        licence=licences_of(licence), precision=precision_named(precision), method=method_of(how), metric=metric,
        decision=_decision(threshold, recall, positive),
        test=_share_or_path(test) if classes is None or not isinstance(test, Real) else _no_share(test),
        seed=seed, out=_folder(data, out), force=force, allow_rejected=allow_rejected, final=final,
        max_length=max_length, names=names, unlabelled=unlabelled, feedback=feedback, classes=names_of(classes),
    )  # fmt: skip
    seconds, shown = seconds_of(budget), as_progress(progress)
    opened = open_session(request, seconds=seconds, track=track, progress=shown)
    there, nodes = None if store is None else store_at(store, data), computed_on(on, device=device, precision=precision)
    with using(device, threads), features_in(there), nodes, opened as session:
        session.say([*unfinished_notes(), *kept_notes()])
        fitted = pipeline.fit(request, session)
        session.say(lacking_notes(None if fitted.record is None else fitted.record.cached))
        return fitted


def rank(  # noqa: PLR0913 - as `fit`
    data: Any,
    labels: Any = None,
    *,
    groups: Any = None,
    models: Sequence[str] | None = None,
    licence: str = "free",
    task: str = "auto",
    kind: str | None = None,
    metric: str = "auto",
    budget: float | str | None = None,
    test: float | str | Path = 0.2,
    seed: int = 0,
    columns: Columns | None = None,
    device: str | None = None,
    threads: int | None = None,
    progress: Progress | Follower | None = None,
) -> Ranking:
    """Score pre-trained models on a sample of the examples that `fit` with the same seed would learn from.

    What is encoded is kept, so a `fit` afterwards has it.

    Args:
        data: as for `fit`, with `labels` and `groups` where they are inputs.
        models: catalog names, hub names or folders; None: those of the catalog that are at hand.
        licence: of those at hand, as for `fit`.
        task, kind, metric: as for `fit`; the order is by the metric.
        budget: wall time for the models, "90s", "2m", "1h" or seconds; None: two minutes. The first is tried
            in any case.
        test, seed: as for `fit`, whose test part is not looked at.
        columns: which columns of a table hold what.
        device, threads: as for `fit`.
        progress: told what goes on.

    Raises:
        UserError: the data or a model cannot be used, or the budget is not a time.

    Source: You et al., LogME: Practical Assessment of Pre-trained Models for Transfer Learning, ICML 2021 (`logme`).

    Example:
        >>> ranking = hs.rank("questions.csv", models=["all-MiniLM-L6-v2", "paraphrase-MiniLM-L3-v2"])
        >>> sorted(row.model for row in ranking.rows)
        ['all-MiniLM-L6-v2', 'paraphrase-MiniLM-L3-v2']
        >>> ranking.choice in [row.model for row in ranking.rows if row.tied]
        True
    """
    shown = as_progress(progress)
    request = Request(
        data,
        labels,
        groups,
        task,
        kind,
        columns,
        licence=licences_of(licence),
        metric=metric,
        test=_share_or_path(test),
        seed=seed,
        allow_rejected=True,
    )
    session = Session(Budget(seconds_of(budget)), shown or Silent(), download=shown)
    with using(device, threads):
        return pipeline.rank(request, session, models=models)


def check(  # noqa: PLR0913 - as `fit`
    data: Any,
    labels: Any = None,
    *,
    groups: Any = None,
    task: str = "auto",
    kind: str | None = None,
    test: float | str | Path = 0.2,
    seed: int = 0,
    model: str | Path | None = "auto",
    columns: Columns | None = None,
    progress: Progress | Follower | None = None,
) -> Checked:
    """Read the data, check and split them as `fit` would, and say what is odd about them: doubtful labels, outliers,
    duplicates, classes that are confused, shortcuts.

    Args:
        data, labels, groups, task, kind, test, seed, columns, progress: as for `fit`.
        model: whose features doubtful labels and outliers are found by: a catalog name, a hub name or a folder. "auto":
            the starter where it is at hand, or the smallest that is. None: what needs a model is left out.

    Returns:
        The examples that can be used, the rows of the training and the test part, counts, findings and notes; printed,
        a summary. What takes a look at each example is found when it is first asked for.

    Raises:
        UserError: the data cannot be used, or the model that was named cannot.

    Example:
        >>> found = hs.check("questions.csv", model="all-MiniLM-L6-v2")
        >>> sorted({finding.kind for finding in found.findings})
        ['doubtful-label', 'outlier']
        >>> print(found)
        questions: text-classification, 240 examples that can be used, 0 left out
        ...
    """
    request = Request(
        data, labels, groups, task, kind, columns, test=_share_or_path(test), seed=seed, allow_rejected=True
    )  # it says what is left out, and how much
    session = Session(Budget(seconds_of(None)), as_progress(progress) or Silent())
    dataset, parts = pipeline.prepare(request, session)
    named = None if model is None else str(model)
    look = partial(examine, dataset, parts, session, model=named, seed=seed)
    checked = Checked(dataset, parts, look, source=data, columns=columns)
    if named not in (None, AUTO):
        _ = checked.examined  # at once: it may not be there
    return checked


def compare(  # noqa: PLR0913 - as `fit`
    data: Any,
    labels: Any = None,
    *,
    groups: Any = None,
    task: str = "auto",
    kind: str | None = None,
    model: str | Path = "auto",
    budget: float | str | None = "5m",
    seeds: int = 3,
    test: float | str | Path = 0.2,
    seed: int = 0,
    out: str | Path | None = None,
    columns: Columns | None = None,
    device: str | None = None,
    threads: int | None = None,
    progress: Progress | Follower | None = None,
) -> Comparison:
    """Learn the same data with a head start and without: what a pre-trained model is worth in labels.

    From 1, 2, 5, 10, 25, 50 and 100 % of the labels of the training part: a probe on the pre-trained model, the model
    tuned, the same architecture trained from random weights, and what was done before there were such models (a colour
    histogram or TF-IDF, with a linear head). All are asked about the same test part.

    Args:
        data: as for `fit`, with `labels` and `groups` where they are inputs.
        task, kind: as for `fit`; answering cannot be compared.
        model: a catalog name, a hub name or a folder; "auto": the starter for such inputs.
        budget: wall time for all of it, "2m", "10m", "1h" or seconds. What takes seconds comes first; then training,
            from scratch first, as far as the time goes. What was made is kept: the same call goes on with the rest.
        seeds: orders in which labels are taken, and starts of training.
        test, seed: as for `fit`.
        out: folder to write, which must not be there yet: comparison.json, charts and report.html. Without it, data
            from a path are compared into NAME.compare here, others into no folder.
        columns: which columns of a table hold what.
        device, threads: as for `fit`.
        progress: told what goes on.

    Returns:
        A row for each model, and how many labels training from scratch would need; printed, a table.

    Raises:
        UserError: the data, the model or the folder cannot be used, or the task cannot be compared.

    Example:
        >>> compared = hs.compare("questions.csv", model="all-MiniLM-L6-v2", budget="10s", seeds=1, out="few.compare")
        >>> compared.labels[-1]  # all those of the training part
        192
        >>> compared.metric.key
        'accuracy'
    """
    if seeds < 1:
        raise UserError(f"{seeds} seeds compare nothing", where="--seeds", fix="1 or more; 3 say how far chance goes")
    request = Request(
        data,
        labels,
        groups,
        task,
        kind,
        columns,
        model=str(model),
        method="tune",  # of which no score is by folds
        test=_share_or_path(test),
        seed=seed,
        out=_folder(data, out, ending="compare"),
        allow_rejected=True,
    )
    seconds, shown = seconds_of(budget), as_progress(progress)
    with using(device, threads), open_session(request, seconds=seconds, progress=shown) as session:
        dataset, parts = pipeline.prepare(request, session)
        from headstart.comparison.run import compare as run  # loads torch
        from headstart.comparison.write import write

        return write(run(dataset, parts, request, session, seeds=seeds), session.place)


def _decision(threshold: Any, recall: Any, positive: str | None) -> Decision | None:
    """How two classes are to be told apart, where that was said; raises UserError where it was not said well."""
    if threshold is not None and recall is not None:
        raise UserError("the threshold is given, and to be chosen", where="--threshold", fix="leave one of them out")
    if threshold is None and recall is None:
        if positive is None:
            return None
        fix = "--recall 0.95 --positive CLASS, or --threshold 0.3 --positive CLASS"
        raise UserError("it says which class a threshold is of, and none is asked for", where="--positive", fix=fix)
    return Decision(share_of(threshold, "--threshold", "0.3"), share_of(recall, "--recall", "0.95"), positive)


def _no_share(test: Real) -> None:
    """That there is no test part; raises UserError where the user asks for a share of data without labels."""
    if float(test) != _SHARE:
        fix = "--test PATH measures it on labelled examples"
        raise UserError("there are no labels to keep a share of", where="--test", fix=fix)


def _share_or_path(test: Any) -> float | str | Path:
    """What is kept for the test; raises UserError where it is neither a share nor a path."""
    if isinstance(test, str | Path | Real) and not isinstance(test, bool):
        return test if isinstance(test, str | Path | float | int) else float(test)
    fix = "give a share or a path; of tables in memory, one with a column split that says train or test"
    raise UserError(f"a {type(test).__name__} is neither a share nor a path", where="test", fix=fix)


def _folder(data: Any, out: str | Path | None, *, ending: str = "headstart") -> Path | None:
    """Where the result is saved: as asked, or NAME.headstart here; None: nowhere.

    Raises:
        OSError: no path.
    """
    if out is not None:
        return Path(out)
    if isinstance(data, str | Path):
        if is_pattern(data) or is_address(data):
            return Path(f"{title(data)}.{ending}")
        path = resolved(data)
        return Path(f"{path.stem if path.is_file() else path.name}.{ending}")
    return None

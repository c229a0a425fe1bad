"""What the commands print for people: plain lines, from the same values that --json prints."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from headstart.choose.ranking import ordered_by
from headstart.errors import plain, short_name, some_of
from headstart.report import sureness
from headstart.report.html import amount
from headstart.report.worth import Line, beside, more, tested, unbalanced
from headstart.task import Metric

_WIDE = 80
_NAME = 19
_COUNTED = ("answer", "sentence")
_LAID_OUT = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece")  # what classifiers have lines for
_MEASURED = {  # what the size of a model's input is in, and what its work is for
    "image": ("pixels a side", "an image"),
    "text": ("tokens at most", "for 128 tokens"),
}


def plainly(told: Any) -> Any:
    """The same, what a terminal would obey in its texts escaped. The sentences of answers are left: their characters
    are counted, and `answers` puts each on one line."""
    if isinstance(told, str):
        return plain(told)
    if isinstance(told, list | tuple):
        return [plainly(entry) for entry in told]
    if isinstance(told, dict):
        return {key: entry if key in _COUNTED else plainly(entry) for key, entry in told.items()}
    return told


def fit(told: dict[str, Any], metrics: Sequence[Metric]) -> str:
    """What `fit` prints of a classifier."""
    return fitted_lines(told, scores(told, metrics), metrics)


def fitted_lines(told: dict[str, Any], figures: str, metrics: Sequence[Metric]) -> str:
    """What `fit` prints of a model with a linear head; figures: its scores, as lines."""
    chosen_from = [] if told.get("ranking") is None else [ranking(told["ranking"]), ""]
    made = f"{told['model']} ({told['how']}), {told['n_train']:,} examples to learn from, {tested(told)}"
    lines = [*chosen_from, made, *_why(told, 10)]
    if "metric" in told:
        by = next((metric.in_words for metric in metrics if metric.key == told["metric"]), told["metric"])
        lines.append(f"{'chosen by':10} {by}")
    if told["n_rejected"]:
        lines.append(f"left out   {told['n_rejected']} examples; see rejected.csv")
    if told.get("class_weights"):
        lines.append("weights    rare classes count more (inverse square root of their share)")
    sure = [_say(word, said) for word, said in sureness.lines(told)]
    return "\n".join([*lines, *_found(told, 10), figures, *_said(more(told, metrics), 10), *sure, *_ended(told, 10)])


def listed_figures(told: Mapping[str, Any], metrics: Sequence[Metric]) -> list[str]:
    """A line a metric, and how many examples they are of."""
    return [*_figures(told, metrics, 24), f"{'test examples':24} {told['n_test']:,}", *_said(beside(told), 24)]


def _figures(told: Mapping[str, Any], metrics: Sequence[Metric], width: int) -> list[str]:
    """A line a metric, with its interval; one that was saved earlier may lack some of today's."""
    lines = []
    for metric in metrics:
        if metric.key not in told:
            continue
        value, ends = told[metric.key], told.get(f"{metric.key}_interval")
        written = amount if metric.unit == "target" else "{:.3f}".format
        shown = "-" if value is None else written(value)
        interval = f"  (95 % interval {written(ends[0])} to {written(ends[1])})" if ends and None not in ends else ""
        lines.append(f"{metric.title:{width}} {shown}{interval}")
    return lines


def fit_answering(told: dict[str, Any], metrics: Sequence[Metric] = ()) -> str:
    made = (
        f"{told['model']} ({told['how']}), {told['n_train']:,} questions about {told['documents_train']:,} documents "
        f"to learn from, {tested(told)}"
    )
    lines = [filled(made), *_why(told, 12)]
    if told["n_rejected"]:
        lines.append(f"{'left out':12} {told['n_rejected']:,} questions; see rejected.csv")
    return "\n".join(
        [*lines, *_found(told, 12), *_answer_figures(told, metrics), *_said(more(told, metrics), 12), *_ended(told, 12)]
    )


def _why(told: dict[str, Any], width: int) -> list[str]:
    return [] if told["why_how"] == "asked for" else [_say("why", told["why_how"], width)]


def _found(told: dict[str, Any], width: int) -> list[str]:
    """What was found in the data that was not left out, by kind."""
    known = {"doubtful-label"}  # has a line of its own
    kinds = Counter(finding["kind"] for finding in told["findings"] if not finding["rejected"])
    return [f"{'found':{width}} {n:,} x {kind}" for kind, n in sorted(kinds.items()) if kind not in known]


def _ended(told: dict[str, Any], width: int) -> list[str]:
    known = f", {told['cached']:.0%} of the features known" if told.get("cached") else ""
    took = f"{'took':{width}} {told['seconds']['total']:.1f} s{known}"
    return [took, f"{'saved':{width}} {told['out']} (open report.html)"] if told["out"] else [took]


def _said(lines: Iterable[Line], width: int) -> list[str]:
    return [_say(word, text, width) for word, text in lines]


def _beyond(metrics: Sequence[Metric], laid_out: Sequence[str]) -> list[Metric]:
    """The metrics that have no place of their own in what is printed."""
    return [metric for metric in metrics if metric.key not in laid_out]


def scores(told: dict[str, Any], metrics: Sequence[Metric]) -> str:
    """What `evaluate` prints of a classifier."""
    low, high = told["accuracy_interval"]
    lines = [
        f"accuracy   {told['accuracy']:.3f}  (95 % interval {low:.3f} to {high:.3f}, {told['n_test']} examples)",
        f"majority   {told['majority_accuracy']:.3f}  (always answering {short_name(told['majority_class'])!r})",
        *_said(beside(told), 10),
        *_figures(told, [m for m in metrics if m.key == "balanced_accuracy" and unbalanced(told)], 10),
        f"macro F1   {told['macro_f1']:.3f}   log loss {told['log_loss']:.3f}   calibration error {told['ece']:.3f}",
        *_figures(told, _beyond(metrics, _LAID_OUT), 10),
    ]
    if told.get("missing_classes"):
        lines.append(f"missing    classes without an example: {some_of(told['missing_classes'])}")
    if told.get("extra_classes"):
        lines.append(f"extra      classes that the model does not know, left out: {some_of(told['extra_classes'])}")
    return "\n".join(lines)


def answers(told: dict[str, Any]) -> str:
    """Each answer in its sentence: in bold on a terminal, in double brackets elsewhere."""
    bold = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    before, after = ("\x1b[1m", "\x1b[0m") if bold else ("[[", "]]")
    several = len({row["context"] for row in told["answers"] if row["answer"]}) > 1
    lines = []
    for row in told["answers"]:
        if not row["answer"]:
            lines.append(f"no answer  {row['confidence']:.2f}")
            continue
        place = f"{row['context']}, " if several or told["answers"][0] is row else ""
        lines.append(
            f"{_line(row['answer'])}  {row['confidence']:.2f}  ({place}characters {row['start']}-{row['end']})"
        )
        sentence, at = row["sentence"], row["offset"]
        stop = at + len(row["answer"])
        marked = f"{_line(sentence[:at])}{before}{_line(sentence[at:stop])}{after}{_line(sentence[stop:])}"
        lines.append(filled(f"  {marked}", 2))
    return "\n".join(lines)


def _line(text: str) -> str:
    """On one line, and without what a terminal would obey."""
    return re.sub(" +", " ", "".join(c if c.isprintable() else " " for c in text))


def answer_scores(told: dict[str, Any], metrics: Sequence[Metric] = ()) -> str:
    lines = _answer_figures(told, metrics)
    if told["n_rejected"]:
        lines.append(f"{'left out':12} {told['n_rejected']:,} questions; --json lists them")
    return "\n".join(lines)


def _answer_figures(told: dict[str, Any], metrics: Sequence[Metric]) -> list[str]:
    def figure(name: str, key: str) -> str:
        low, high = told[f"{key}_interval"]
        return f"{name:12} {told[key]:.3f}  (95 % interval {low:.3f} to {high:.3f})"

    lines = [figure("exact match", "exact_match"), figure("F1", "f1")]
    lines += [*_figures(told, _beyond(metrics, ("exact_match", "f1")), 12), *_said(beside(told), 12)]
    if "baseline" in told:
        lines.append(f"{'baseline F1':12} {told['baseline']['f1']:.3f}  (taking the sentence most like the question)")
        if told["unanswerable"] is not None:
            share = told["unanswerable"]["n"] / told["n_test"]
            lines.append(f"{'':12} {share:.3f}  (always saying that there is no answer)")
    lines.append(
        f"{'questions':12} {told['n_test']:,} about {told['documents']:,} documents (the intervals are over these)"
    )
    for key, words in (("answerable", "with answer"), ("unanswerable", "without")):
        part = told[key]
        if part is not None and told["answerable"] is not None and told["unanswerable"] is not None:
            lines.append(f"{words:12} {part['n']:,}: exact match {part['exact_match']:.3f}, F1 {part['f1']:.3f}")
    if told["errors"]:
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in told["errors"].items())
        lines.append(_say("not exact", kinds, 12))
    return lines


def predictions(told: dict[str, Any], line: Callable[[dict[str, Any]], str]) -> str:
    """A line an input, whole where a program may read it; line: what the task says of one."""
    lines, most = [], 60 if sys.stdout.isatty() else sys.maxsize
    for row in told["predictions"]:
        name = row["input"] if len(row["input"]) <= most else row["input"][: most - 3] + "..."
        said = f"error: {row['error']}" if "error" in row else sureness.assured(row, line(row))
        lines.append(f"{name or '(blank)'}: {said}")
    return "\n".join(lines)


def predicted(told: dict[str, Any]) -> str:
    """What `predict --out` wrote."""
    odd = f", {told['n_errors']:,} of them with an error" if told["n_errors"] else ""
    return f"saved      {told['out']} ({told['n']:,} rows{odd})"


def class_line(row: dict[str, Any]) -> str:
    """The class that was answered, then other probable ones; the set, where one was asked for."""
    others = [c for c in row["top"] if c["label"] != row["label"]]
    listed = ", ".join(f"{short_name(c['label'])} {c['probability']:.2f}" for c in [row, *others][: len(row["top"])])
    return f"{listed}; one of: {', '.join(map(short_name, row['set']))}" if row.get("set") else listed


def answer_line(row: dict[str, Any]) -> str:
    """An answer, and how sure it is."""
    return f"{_line(row['answer']) if row['answer'] else 'no answer'} {row['confidence']:.2f}"


def exported(told: dict[str, Any]) -> str:
    """What `export` wrote, and how it was proved."""
    return "\n".join(
        [
            f"exported   {told['folder']} ({told['format']}: {', '.join(told['files'])})",
            f"compared   on {told['compared']} inputs, outputs differ by {told['difference']:.1e} at most",
        ]
    )


def models(told: dict[str, Any]) -> str:
    """A table by kind of data and by whether the weights are here; lines of at most 79 characters."""
    rows = told["models"]
    head = f"  {'':29} {'parameters':>10} {'GMACs':>6} {'input':>5} {'width':>5}  score"
    lines = []
    for kind in _MEASURED:
        for at_hand in (True, False):
            some = [row for row in rows if (row["kind"], row["at_hand"]) == (kind, at_hand)]
            if some:
                where = "on this machine" if at_hand else "to be fetched: headstart models NAME --pull"
                lines += [f"{kind}s, {where}", head, *map(_model_line, some), ""]
    return "\n".join(lines[:-1])


def _model_line(row: dict[str, Any]) -> str:
    name = row["name"] if len(row["name"]) <= 29 else row["name"][:28] + "…"
    score = f"{row['score']} {row['score_on'].split()[0]}" if row["score"] else ""
    size, work = f"{row['size']:>5} {row['width']:>5}", f"{row['parameters'] / 1e6:>8.1f} M {row['gmacs']:>6.1f}"
    return f"  {name:29} {work} {size}  {score}".rstrip()


def model(told: dict[str, Any]) -> str:
    """One entry in full."""
    sides, example = _MEASURED[told["kind"]]
    score = f"{told['score']} % {told['score_on']} ({told['score_source']})" if told["score"] else "none known"
    lines = {
        "for": f"{told['kind']}s",
        "built by": f"{told['source']}, architecture {told['architecture']}",
        "parameters": f"{told['parameters']:,}",
        "features": f"{told['width']:,}",
        "input": f"{told['size']} {sides}",
        "work": f"{told['gmacs']:g} billion multiply-adds {example}",
        "trained on": told["trained_on"],
        "score": score,
        "licence": told["licence"],
        "weights": told["weights"].replace(":", " ", 1),
        "sha256": told["sha256"] or "not pinned here; the hub's own is checked",
        "here": told["path"] or f"no: {told['install']}",
    }
    return "\n".join([told["name"], *(f"  {name:12}{value}" for name, value in lines.items())])


def cache(told: dict[str, Any]) -> str:
    lines = [f"{told['folder']}: {told['bytes'] / 1e6:.1f} MB"]
    for t in told["tables"]:
        in_use = ", in use" if t["in_use"] else ""
        lines.append(f"  {t['about']:40} {t['rows']:8} rows {t['bytes'] / 1e6:9.1f} MB{in_use}")
    for fit in told["fits"]:
        about = "a fit that goes on" if fit["in_use"] else fit["about"]
        lines.append(f"  {about:40} {'':13} {fit['bytes'] / 1e6:9.1f} MB")
    lines.append(f"  {'models ready to run, not counted':40} {'':13} {told['models_bytes'] / 1e6:9.1f} MB")
    lines += [f"  removed: {t['about']} ({t['bytes'] / 1e6:.1f} MB)" for t in told["removed"]]
    return "\n".join(lines)


def pairs(told: dict[str, Any]) -> str:
    return "\n".join(f"{key.replace('_', ' '):18} {value}" for key, value in told.items())


def ranking(told: dict[str, Any]) -> str:
    """The table of `headstart rank`, from what `as_json` makes."""
    by = ordered_by(told)
    shown = "log_loss" if by == "accuracy" else by  # beside the accuracy
    wide = max(8, len(shown))
    of_classes = told["measure"] == "Accuracy"
    right, loss = ("accuracy", "log loss") if of_classes else ("   right", told["loss"].partition(" (")[0])
    title = f"{loss if shown == 'log_loss' else shown.replace('_', ' '):>{wide}}"
    lines = [f"{'model':{_NAME}} {right}   95 % interval {title}  LogME  5-NN per s    size"]
    for row in told["rows"]:
        (low, high), name = row["accuracy_interval"], row["model"]
        if len(name) > _NAME:
            lines.append(name)
            name = ""
        figures = f"{row['accuracy']:8.3f}  {low:5.3f} to {high:5.3f} {row[shown]:{wide}.3f} {row['logme']:6.3f}"
        machine = f"{_count(row['per_second']):>5} {_size(row['parameters']):>7}"
        lines.append(f"{name:{_NAME}} {figures} {row['neighbours']:5.3f} {machine}")
    names = f", {told['classes']} {told['named']}" if told["classes"] else ""
    if not of_classes:
        lines.append(f"right: {told['measure'][0].lower()}{told['measure'][1:]}")
    lines.append(
        f"{told['n']:,} training examples{names}; always giving the same answer: {told['majority_accuracy']:.3f}"
    )
    lines.append(_say("take", _verdict(told)))
    for why in dict.fromkeys(untried["why"] for untried in told["untried"]):
        names = ", ".join(untried["model"] for untried in told["untried"] if untried["why"] == why)
        lines.append(_say("not tried", f"{names}: {why}"))
    lines += [_say("warning", warning) for warning in told["warnings"]]
    return "\n".join(lines)


def _verdict(told: dict[str, Any]) -> str:
    first, choice, by = told["rows"][0], told["choice"], ordered_by(told).replace("_", " ")
    if len(told["rows"]) == 1:
        return choice
    if choice == first["model"]:
        return f"{choice}, by {by} on examples held out"
    row = next(row for row in told["rows"] if row["model"] == choice)
    return (
        f"{choice}: as good as {first['model']} as far as this sample can tell ({by} {row['behind']:.3f} "
        f"{'higher' if by == 'log loss' else 'worse'}, give or take {row['behind_error']:.3f}), and cheaper"
    )


def _say(word: str, text: str, width: int = 10) -> str:
    return filled(f"{word:{width}} {text}", width + 1)


def filled(line: str, indented: int = 0) -> str:
    """A line as a terminal shows it: several where it is long. A file, or a program that reads it, gets it whole."""
    if not sys.stdout.isatty():
        return line
    return textwrap.fill(line, _WIDE, subsequent_indent=" " * indented, break_on_hyphens=False)


def _count(per_second: float | None) -> str:
    return "-" if per_second is None else f"{per_second:,.0f}"


def _size(parameters: int | None) -> str:
    return "-" if parameters is None else f"{parameters / 1e6:,.1f} M"

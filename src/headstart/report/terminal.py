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
from headstart.pretrained.licences import meaning
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
_NOT_MEASURED = "measured   nothing: no example has a label; headstart evaluate MODEL FILE measures it"


def plainly(result: Any) -> Any:
    """The same, what a terminal would obey in its texts escaped. The sentences of answers are left: their characters
    are counted, and `answers` puts each on one line."""
    if isinstance(result, str):
        return plain(result)
    if isinstance(result, list | tuple):
        return [plainly(entry) for entry in result]
    if isinstance(result, dict):
        return {key: entry if key in _COUNTED else plainly(entry) for key, entry in result.items()}
    return result


def fit(result: dict[str, Any], metrics: Sequence[Metric]) -> str:
    """What `fit` prints of a classifier."""
    return fitted_lines(result, scores(result, metrics) if result["n_test"] else _NOT_MEASURED, metrics)


def fitted_lines(result: dict[str, Any], figures: str, metrics: Sequence[Metric]) -> str:
    """What `fit` prints of a model with a linear head; figures: its scores, as lines."""
    chosen_from = [] if result.get("ranking") is None else [ranking(result["ranking"]), ""]
    made = f"{result['model']} ({result['how']}), {result['n_train']:,} examples to learn from, {tested(result)}"
    lines = [*chosen_from, made, *_why(result, 10)]
    if "metric" in result:
        by = next((metric.in_words for metric in metrics if metric.key == result["metric"]), result["metric"])
        lines.append(f"{'chosen by':10} {by}")
    if result["n_rejected"]:
        lines.append(f"left out   {result['n_rejected']} examples; see rejected.csv")
    if result.get("class_weights"):
        lines.append("weights    rare classes count more (inverse square root of their share)")
    sure = [_say(word, said) for word, said in sureness.lines(result)]
    return "\n".join(
        [*lines, *_found(result, 10), figures, *_said(more(result, metrics), 10), *sure, *_ended(result, 10)]
    )


def listed_figures(result: Mapping[str, Any], metrics: Sequence[Metric]) -> list[str]:
    """A line a metric, and how many examples they are of."""
    return [*_figures(result, metrics, 24), f"{'test examples':24} {result['n_test']:,}", *_said(beside(result), 24)]


def _figures(result: Mapping[str, Any], metrics: Sequence[Metric], width: int) -> list[str]:
    """A line a metric, with its interval; one that was saved earlier may lack some of today's."""
    lines = []
    for metric in metrics:
        if metric.key not in result:
            continue
        value, ends = result[metric.key], result.get(f"{metric.key}_interval")
        written = amount if metric.unit == "target" else "{:.3f}".format
        shown = "-" if value is None else written(value)
        interval = f"  (95 % interval {written(ends[0])} to {written(ends[1])})" if ends and None not in ends else ""
        lines.append(f"{metric.title:{width}} {shown}{interval}")
    return lines


def fit_answering(result: dict[str, Any], metrics: Sequence[Metric] = ()) -> str:
    made = (
        f"{result['model']} ({result['how']}), {result['n_train']:,} questions about "
        f"{result['documents_train']:,} documents to learn from, {tested(result)}"
    )
    lines = [filled(made), *_why(result, 12)]
    if result["n_rejected"]:
        lines.append(f"{'left out':12} {result['n_rejected']:,} questions; see rejected.csv")
    return "\n".join(
        [
            *lines,
            *_found(result, 12),
            *_answer_figures(result, metrics),
            *_said(more(result, metrics), 12),
            *_ended(result, 12),
        ]
    )


def _why(result: dict[str, Any], width: int) -> list[str]:
    """Why it was made as it was, and what its weights allow where that is not all."""
    why = [] if result["why_how"] == "asked for" else [_say("why", result["why_how"], width)]
    return [*why, *_licence(result.get("licence"), width)]


def _licence(licence: Mapping[str, str] | None, width: int) -> list[str]:
    if licence is None or licence["class"] == "free":
        return []
    named = f"{licence['text']}, " if licence["text"] else ""
    said = f"{named}{licence['class']}: {meaning(licence['class'])}"
    return [_say("licence", said, width)]


def _found(result: dict[str, Any], width: int) -> list[str]:
    """What was found in the data that was not left out, by kind."""
    known = {"doubtful-label"}  # has a line of its own
    kinds = Counter(finding["kind"] for finding in result["findings"] if not finding["rejected"])
    return [f"{'found':{width}} {n:,} x {kind}" for kind, n in sorted(kinds.items()) if kind not in known]


def _ended(result: dict[str, Any], width: int) -> list[str]:
    known = f", {result['cached']:.0%} of the features known" if result.get("cached") else ""
    took = f"{'took':{width}} {result['seconds']['total']:.1f} s{known}"
    return [took, f"{'saved':{width}} {result['out']} (open report.html)"] if result["out"] else [took]


def _said(lines: Iterable[Line], width: int) -> list[str]:
    return [_say(word, text, width) for word, text in lines]


def _beyond(metrics: Sequence[Metric], laid_out: Sequence[str]) -> list[Metric]:
    """The metrics that have no place of their own in what is printed."""
    return [metric for metric in metrics if metric.key not in laid_out]


def scores(result: dict[str, Any], metrics: Sequence[Metric]) -> str:
    """What `evaluate` prints of a classifier."""
    low, high = result["accuracy_interval"]
    lines = [
        f"accuracy   {result['accuracy']:.3f}  (95 % interval {low:.3f} to {high:.3f}, {result['n_test']} examples)",
        f"majority   {result['majority_accuracy']:.3f}  (always answering {short_name(result['majority_class'])!r})",
        *_said(beside(result), 10),
        *_figures(result, [m for m in metrics if m.key == "balanced_accuracy" and unbalanced(result)], 10),
        f"macro F1   {result['macro_f1']:.3f}   log loss {result['log_loss']:.3f}   "
        f"calibration error {result['ece']:.3f}",
        *_figures(result, _beyond(metrics, _LAID_OUT), 10),
    ]
    if result.get("missing_classes"):
        lines.append(f"missing    classes without an example: {some_of(result['missing_classes'])}")
    if result.get("extra_classes"):
        lines.append(f"extra      classes that the model does not know, left out: {some_of(result['extra_classes'])}")
    return "\n".join(lines)


def answers(result: dict[str, Any]) -> str:
    """Each answer in its sentence: in bold on a terminal, in double brackets elsewhere."""
    bold = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    before, after = ("\x1b[1m", "\x1b[0m") if bold else ("[[", "]]")
    several = len({row["context"] for row in result["answers"] if row["answer"]}) > 1
    lines = []
    for row in result["answers"]:
        if not row["answer"]:
            lines.append(f"no answer  {row['confidence']:.2f}")
            continue
        place = f"{row['context']}, " if several or result["answers"][0] is row else ""
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


def answer_scores(result: dict[str, Any], metrics: Sequence[Metric] = ()) -> str:
    lines = _answer_figures(result, metrics)
    if result["n_rejected"]:
        lines.append(f"{'left out':12} {result['n_rejected']:,} questions; --json lists them")
    return "\n".join(lines)


def _answer_figures(result: dict[str, Any], metrics: Sequence[Metric]) -> list[str]:
    def figure(name: str, key: str) -> str:
        low, high = result[f"{key}_interval"]
        return f"{name:12} {result[key]:.3f}  (95 % interval {low:.3f} to {high:.3f})"

    lines = [figure("exact match", "exact_match"), figure("F1", "f1")]
    lines += [*_figures(result, _beyond(metrics, ("exact_match", "f1")), 12), *_said(beside(result), 12)]
    if "baseline" in result:
        lines.append(f"{'baseline F1':12} {result['baseline']['f1']:.3f}  (taking the sentence most like the question)")
        if result["unanswerable"] is not None:
            share = result["unanswerable"]["n"] / result["n_test"]
            lines.append(f"{'':12} {share:.3f}  (always saying that there is no answer)")
    lines.append(
        f"{'questions':12} {result['n_test']:,} about {result['documents']:,} documents (the intervals are over these)"
    )
    for key, words in (("answerable", "with answer"), ("unanswerable", "without")):
        part = result[key]
        if part is not None and result["answerable"] is not None and result["unanswerable"] is not None:
            lines.append(f"{words:12} {part['n']:,}: exact match {part['exact_match']:.3f}, F1 {part['f1']:.3f}")
    if result["errors"]:
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in result["errors"].items())
        lines.append(_say("not exact", kinds, 12))
    return lines


def predictions(result: dict[str, Any], line: Callable[[dict[str, Any]], str]) -> str:
    """A line an input, whole where a program may read it; line: what the task says of one."""
    lines, most = [], 60 if sys.stdout.isatty() else sys.maxsize
    for row in result["predictions"]:
        name = row["input"] if len(row["input"]) <= most else row["input"][: most - 3] + "..."
        said = f"error: {row['error']}" if "error" in row else sureness.assured(row, line(row))
        lines.append(f"{name or '(blank)'}: {said}")
    return "\n".join(lines)


def predicted(result: dict[str, Any]) -> str:
    """What `predict --out` wrote."""
    odd = f", {result['n_errors']:,} of them with an error" if result["n_errors"] else ""
    return f"saved      {result['out']} ({result['n']:,} rows{odd})"


def class_line(row: dict[str, Any]) -> str:
    """The class that was answered, then other probable ones; the set, where one was asked for."""
    others = [c for c in row["top"] if c["label"] != row["label"]]
    listed = ", ".join(f"{short_name(c['label'])} {c['probability']:.2f}" for c in [row, *others][: len(row["top"])])
    return f"{listed}; one of: {', '.join(map(short_name, row['set']))}" if row.get("set") else listed


def answer_line(row: dict[str, Any]) -> str:
    """An answer, and how sure it is."""
    return f"{_line(row['answer']) if row['answer'] else 'no answer'} {row['confidence']:.2f}"


def exported(result: dict[str, Any]) -> str:
    """What `export` wrote, and how it was proved."""
    proof, files = result["proof"], ", ".join(result["files"])
    lines = [f"exported   {result['folder']} ({result['format']}: {files})"]
    apart = f"outputs differ by {proof['largest_difference']:.1e} at most"
    lines.append(f"compared   on {proof['n']:,} inputs, {proof['same_top1']:,} with the same answer; {apart}")
    if "metric" in result:
        before, after, n = result["accuracy_before"], result["accuracy_after"], f"{result['n_held_out']:,} examples"
        lines.append(f"int8       {result['metric']} {before:.4g} in float32, {after:.4g} in int8, on {n} held out")
    return "\n".join([*lines, f"run it     python {result['folder']}/predict.py ..."])


def models(result: dict[str, Any]) -> str:
    """A table by kind of data and by whether the weights are here; lines of at most 79 characters."""
    rows = result["models"]
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


def model(result: dict[str, Any]) -> str:
    """One entry in full."""
    sides, example = _MEASURED[result["kind"]]
    score = f"{result['score']} % {result['score_on']} ({result['score_source']})" if result["score"] else "none known"
    lines = {
        "for": f"{result['kind']}s",
        "built by": f"{result['source']}, architecture {result['architecture']}",
        "parameters": f"{result['parameters']:,}",
        "features": f"{result['width']:,}",
        "input": f"{result['size']} {sides}",
        "work": f"{result['gmacs']:g} billion multiply-adds {example}",
        "trained on": result["trained_on"],
        "score": score,
        "licence": f"{result['licence']} ({result['licence_class']}; {result['licence_source']})",
        "weights": result["weights"].replace(":", " ", 1),
        "sha256": result["sha256"] or "not pinned here; the hub's own is checked",
        "here": result["path"] or f"no: {result['install']}",
    }
    return "\n".join([result["name"], *(f"  {name:12}{value}" for name, value in lines.items())])


def cache(result: dict[str, Any]) -> str:
    lines = [f"{result['folder']}: {result['bytes'] / 1e6:.1f} MB"]
    for t in result["tables"]:
        in_use = ", in use" if t["in_use"] else ""
        lines.append(f"  {t['about']:40} {t['rows']:8} rows {t['bytes'] / 1e6:9.1f} MB{in_use}")
    for fit in result["fits"]:
        about = "a fit that goes on" if fit["in_use"] else fit["about"]
        lines.append(f"  {about:40} {'':13} {fit['bytes'] / 1e6:9.1f} MB")
    for data in result["fetched"]:
        in_use = ", in use" if data["in_use"] else ""
        lines.append(f"  {data['about']:40} {'':13} {data['bytes'] / 1e6:9.1f} MB{in_use}")
    lines.append(f"  {'models ready to run, not counted':40} {'':13} {result['models_bytes'] / 1e6:9.1f} MB")
    if result["beside_bytes"]:
        lines.append(f"  {'fonts, marks of processes, not counted':40} {'':13} {result['beside_bytes'] / 1e6:9.1f} MB")
    lines += [f"  removed: {t['about']} ({t['bytes'] / 1e6:.1f} MB)" for t in result["removed"]]
    return "\n".join(lines)


def pairs(result: dict[str, Any]) -> str:
    return "\n".join(f"{key.replace('_', ' '):18} {value}" for key, value in result.items())


def ranking(result: dict[str, Any]) -> str:
    """The table of `headstart rank`, from what `as_json` makes."""
    by = ordered_by(result)
    shown = "log_loss" if by == "accuracy" else by  # beside the accuracy
    wide = max(8, len(shown))
    of_classes = result["measure"] == "Accuracy"
    right, loss = ("accuracy", "log loss") if of_classes else ("   right", result["loss"].partition(" (")[0])
    title = f"{loss if shown == 'log_loss' else shown.replace('_', ' '):>{wide}}"
    lines = [f"{'model':{_NAME}} {right}   95 % interval {title}  LogME  5-NN per s    size"]
    for row in result["rows"]:
        (low, high), name = row["accuracy_interval"], row["model"]
        if len(name) > _NAME:
            lines.append(name)
            name = ""
        figures = f"{row['accuracy']:8.3f}  {low:5.3f} to {high:5.3f} {row[shown]:{wide}.3f} {row['logme']:6.3f}"
        machine = f"{_count(row['per_second']):>5} {_size(row['parameters']):>7}"
        lines.append(f"{name:{_NAME}} {figures} {row['neighbours']:5.3f} {machine}")
    names = f", {result['classes']} {result['named']}" if result["classes"] else ""
    if not of_classes:
        lines.append(f"right: {result['measure'][0].lower()}{result['measure'][1:]}")
    lines.append(
        f"{result['n']:,} training examples{names}; always giving the same answer: {result['majority_accuracy']:.3f}"
    )
    lines.append(_say("take", _verdict(result)))
    for why in dict.fromkeys(untried["why"] for untried in result["untried"]):
        names = ", ".join(untried["model"] for untried in result["untried"] if untried["why"] == why)
        lines.append(_say("not tried", f"{names}: {why}"))
    lines += [_say("warning", warning) for warning in result["warnings"]]
    return "\n".join(lines)


def _verdict(result: dict[str, Any]) -> str:
    first, choice, by = result["rows"][0], result["choice"], ordered_by(result).replace("_", " ")
    if len(result["rows"]) == 1:
        return choice
    if choice == first["model"]:
        return f"{choice}, by {by} on examples held out"
    row = next(row for row in result["rows"] if row["model"] == choice)
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

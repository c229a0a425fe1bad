"""The page's last section: how the model came about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headstart.choose.ranking import ordered_by
from headstart.report.beside import beside_labels
from headstart.report.charts import stacked_bar
from headstart.report.document import Section
from headstart.report.html import bar, decimals, table, text

if TYPE_CHECKING:
    from headstart.record import Record
    from headstart.task import Metric


def how_made(p: Record) -> Section:
    """The section, closed: the figures come first."""
    facts = [
        ("Pre-trained model", text(p.model)),
        ("Adapted by", text(p.method)),
        *([("Why this way", text(p.why_method))] if p.why_method else []),
        *([("Chosen by", text(p.chosen_by.title))] if p.chosen_by else []),
        ("Training examples", f"{p.n_train:,}"),
        ("Test examples", f"{p.n_test:,}"),
        ("Left out", f"{p.n_rejected:,}"),
        *([("Beside labels", text("; ".join(beside)))] if (beside := list(beside_labels(p))) else []),
        *((text(name), text(value)) for name, value in p.task.words.how_made(p)),
    ]
    body = '<dl class="facts">' + "".join(f"<div><dt>{a}</dt><dd>{b}</dd></div>" for a, b in facts) + "</dl>"
    steps = [(step, seconds) for step, seconds in p.seconds.items() if step != "total" and seconds > 0]
    if steps:
        total = p.seconds.get("total", sum(seconds for _, seconds in steps))
        drawn = stacked_bar(steps, title="Seconds by step", figure="{:,.2f} s".format)
        body += f"<h3>{total:,.1f} seconds</h3>{drawn}"
    if p.notes:
        body += "<h3>Notes</h3><ul>" + "".join(f"<li>{text(note)}</li>" for note in p.notes) + "</ul>"
    if p.tuning:
        body += "".join(_tuning(p, p.tuning))
    if p.ranking:
        body += _chosen_from(p.ranking)
    tried = p.facts.get("cross_validation")
    if tried:
        tried = [_figured(p, row) for row in tried]
        names = list(tried[0])
        rows = (
            "".join(f'<td class="n">{decimals(row[k], ".4g")}</td>' if k in row else "<td></td>" for k in names)
            for row in tried
        )
        titles = [text(name.replace("_", " ").capitalize()) for name in names]
        numbers = tuple(range(len(names)))
        body += "<h3>Cross-validation</h3>" + table(titles, rows, label="Cross-validation", numbers=numbers)
    weights = p.facts.get("class_weights")
    if weights:
        rows = (f'<td>{text(k)}</td><td class="n">{w:.3g}</td>' for k, w in weights.items())
        body += "<h3>Class weights</h3>" + table(("Class", "Weight"), rows, label="Class weights", numbers=(1,))
    leaked = any(finding.kind == "leak" for finding in p.findings)
    apart = ", but for what of it is in the training part, too" if leaked else ""
    chosen = f"The test part took no part in any choice below{apart}."
    if p.out_of_fold:
        chosen = (
            "The settings below are of all examples; the score is of probes that were made without what they scored."
        )
    return Section("How it was made", body, chosen, folded=True)


def _chosen_from(ranking: Mapping[str, Any]) -> str:
    """From what `choose.ranking.as_json` makes."""
    by = ordered_by(ranking)
    name = ranking.get("loss", "log loss") if by == "log_loss" else by.replace("_", " ")
    rows = (
        f"<td>{text(r['model'])}{' (taken)' if r['model'] == ranking['choice'] else ''}</td>"
        f"<td>{bar(r['accuracy'])}</td>"
        f'<td class="n">{decimals(r[by], ".3f")}</td><td class="n">{decimals(r["logme"], ".3f")}</td>'
        f"<td>{bar(r['neighbours'])}</td>"
        for r in ranking["rows"]
    )
    head = (
        "Pre-trained model",
        text(ranking.get("measure", "Accuracy")),
        text(name.capitalize()),
        "LogME",
        "Nearest neighbours",
    )
    note = (
        f"Cross-validated on {ranking['n']:,} training examples. The cheapest was taken of those whose {text(name)} "
        f"is within one standard error of the {'lowest' if by == 'log_loss' else 'best'}."
    )
    others = [f"not tried: {text(u['model'])} ({text(u['why'])})" for u in ranking["untried"]]
    said = "".join(f"<li>{line}</li>" for line in (*map(text, ranking["warnings"]), *others))
    body = table(head, rows, label="Pre-trained models", numbers=(2, 3))
    return f'<h3>Chosen from</h3><p class="small">{note}</p>{body}' + (f"<ul>{said}</ul>" if said else "")


def _tuning(p: Record, tuning: Mapping[str, Any]) -> Iterator[str]:
    """What was tried on a validation part of the training part, and the verdict."""
    v, recipe = tuning["verdict"], tuning["recipe"]
    yield "<h3>Fine-tuning</h3>"
    if tuning["trials"]:
        yield '<p class="small">Short runs, judged on training examples that they did not learn from.</p>'
        yield _trials(tuning["trials"], p.task.words.right, p.chosen_by)
    yield (
        f'<p class="small">Taken: {recipe["depth"]} groups of layers, learning rate {recipe["rate"]:.1e}, '
        f"{recipe['steps']:,} steps of {recipe['batch']} examples{_kept(tuning)}.</p>"
    )
    by, head = p.chosen_by if "cost_errors" in v else None, ["Way", text(p.task.words.right), "Log loss"]
    rows = [
        f"<td>{text(name)}</td><td>{bar(v[f'{key}_accuracy'])}</td>"
        f'<td class="n">{decimals(v[f"{key}_log_loss"], ".3f")}</td>'
        for name, key in ((p.task.words.before, "untuned"), ("Tuned", "tuned"))
    ]
    fell = (
        f"the {p.task.words.loss} fell by {decimals(v['gain_errors'], '.1f')} standard errors, "
        f"“{text(p.task.words.right)}” rose by {decimals(v['right_errors'], '.1f')}"
    )
    if by is not None:
        figures = [decimals(_figure(by, v[f"{key}_cost"]), ".3f") for key in ("untuned", "tuned")]
        rows = [f'{row}<td class="n">{figure}</td>' for row, figure in zip(rows, figures, strict=True)]
        head.append(text(by.title))
        fell = (
            f"by {text(by.in_words)} the tuned model is better by {decimals(v['cost_errors'], '.1f')} standard errors, "
            "what one example can do not counted"
        )
    yield table(head, rows, label="Before tuning and after", numbers=tuple(range(2, len(head))))
    said = f"On {v['n']:,} held-out training examples, pairwise: {fell}. Above {v['noise']} is beyond noise."
    yield f'<p class="small">{said}</p>'


def _figured(p: Record, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the cross-validation, with the metric that was chosen by in place of its cost."""
    if p.chosen_by is None or "cost" not in row:
        return dict(row)
    return {k: v for k, v in row.items() if k != "cost"} | {p.chosen_by.key: _figure(p.chosen_by, row["cost"])}


def _figure(by: Metric, cost: float | None) -> float | None:
    return None if cost is None else by.figure(cost)


def _kept(tuning: Mapping[str, Any]) -> str:
    if tuning["averaged_runs"] > 1:
        return f"; kept are the mean weights of {tuning['averaged_runs']} such runs"
    return "" if tuning["share"] == 1 else f"; kept are the weights {tuning['share']:.0%} of the way there"


def _trials(trials: Sequence[dict[str, Any]], right: str, by: Metric | None) -> str:
    """A row a trial. Ways of varying the examples have a column where one of them was tried."""
    columns: list[tuple[str, Callable[[dict[str, Any]], str]]] = [
        ("Groups trained", lambda t: f"{t['depth']}"),
        ("Learning rate", lambda t: f"{t['rate']:.1e}"),
        ("Steps", lambda t: f"{t['steps']}"),
    ]
    varied = {
        "varied": ("Other views", lambda t: "yes" if t.get("varied") else "no"),
        "mixup": ("Mixup", lambda t: f"{t.get('mixup', 0):g}"),
        "smoothing": ("Smoothing", lambda t: f"{t.get('smoothing', 0):g}"),
    }
    columns += [column for key, column in varied.items() if any(t.get(key) for t in trials)]
    columns.append(("Log loss", lambda t: "diverged" if t["log_loss"] is None else f"{t['log_loss']:.3f}"))
    if by is not None:
        columns.append((text(by.title), lambda t: decimals(_figure(by, t.get("cost")), ".3f")))
    rows = (
        "".join(f'<td class="n">{shown(trial)}</td>' for _, shown in columns) + f"<td>{bar(trial['accuracy'])}</td>"
        for trial in trials
    )
    head = [*(name for name, _ in columns), text(right)]
    return table(head, rows, label="Recipes tried", numbers=tuple(range(len(columns))))

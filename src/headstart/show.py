"""What the commands print for people: plain lines, from the same values that --json prints."""

from __future__ import annotations

from typing import Any


def fit(told: dict[str, Any]) -> str:
    seconds = told["seconds"]["total"]
    made = f"{told['model']} ({told['how']}), {told['n_train']} examples to learn from, {told['n_test']} held out"
    lines = [made]
    if told["n_rejected"]:
        lines.append(f"left out   {told['n_rejected']} examples; see rejected.csv")
    if told["class_weights"]:
        lines.append("weights    rare classes count more (inverse square root of their share)")
    warnings: dict[str, int] = {}
    for finding in told["findings"]:
        if not finding["rejected"]:
            warnings[finding["kind"]] = warnings.get(finding["kind"], 0) + 1
    lines += [f"found      {n} x {kind}" for kind, n in sorted(warnings.items())]
    lines.append(scores(told))
    cached = f", {told['cached']:.0%} of the features known" if told["cached"] else ""
    lines.append(f"took       {seconds:.1f} s{cached}")
    if told["out"]:
        lines.append(f"saved      {told['out']} (open report.html)")
    return "\n".join(lines)


def scores(told: dict[str, Any]) -> str:
    low, high = told["accuracy_interval"]
    lines = [
        f"accuracy   {told['accuracy']:.3f}  (95 % interval {low:.3f} to {high:.3f}, {told['n_test']} examples)",
        f"majority   {told['majority_accuracy']:.3f}  (always answering {told['majority_class']!r})",
        f"macro F1   {told['macro_f1']:.3f}   log loss {told['log_loss']:.3f}   calibration error {told['ece']:.3f}",
    ]
    if told.get("missing_classes"):
        lines.append(f"missing    classes without an example: {', '.join(told['missing_classes'])}")
    if told.get("extra_classes"):
        lines.append(f"extra      classes that the model does not know, left out: {', '.join(told['extra_classes'])}")
    return "\n".join(lines)


def predictions(told: dict[str, Any]) -> str:
    lines = []
    for row in told["predictions"]:
        name = row["input"] if len(row["input"]) <= 60 else row["input"][:57] + "..."
        if "error" in row:
            lines.append(f"{name}: error: {row['error']}")
        else:
            lines.append(f"{name}: " + ", ".join(f"{c['label']} {c['probability']:.2f}" for c in row["top"]))
    return "\n".join(lines)


def models(told: dict[str, Any]) -> str:
    """A table by kind of data and by whether the weights are here; lines of at most 79 characters."""
    rows = told["models"]
    if not rows:
        return f"no model of that name{told['hint']}"
    head = f"  {'':29} {'parameters':>10} {'GMACs':>6} {'input':>5} {'width':>5}  score"
    lines = []
    for kind in ("image", "text"):
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
    image = told["kind"] == "image"
    score = f"{told['score']} % {told['score_on']} ({told['score_source']})" if told["score"] else "none known"
    lines = {
        "for": f"{told['kind']}s",
        "built by": f"{told['source']}, architecture {told['architecture']}",
        "parameters": f"{told['parameters']:,}",
        "features": f"{told['width']:,}",
        "input": f"{told['size']} " + ("pixels a side" if image else "tokens at most"),
        "work": f"{told['gmacs']:g} billion multiply-adds " + ("an image" if image else "for 128 tokens"),
        "trained on": told["trained_on"],
        "score": score,
        "licence": told["licence"],
        "weights": told["weights"].replace(":", " ", 1),
        "sha256": told["sha256"] or "not pinned here; the hub's own is checked",
        "here": told["path"] or f"no: {told['install']}",
    }
    return "\n".join([told["name"], *(f"  {name:12}{value}" for name, value in lines.items())])


def cache(told: dict[str, Any]) -> str:
    lines = [f"{told['folder']}: {told['bytes'] / 1e6:.1f} MB of features"]
    lines += [f"  {t['about']:40} {t['rows']:8} rows {t['bytes'] / 1e6:9.1f} MB" for t in told["tables"]]
    lines += [f"  removed: {t['about']} ({t['bytes'] / 1e6:.1f} MB)" for t in told["removed"]]
    return "\n".join(lines)


def pairs(told: dict[str, Any]) -> str:
    return "\n".join(f"{key.replace('_', ' '):18} {value}" for key, value in told.items())

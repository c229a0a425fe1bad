"""Which pre-trained model suits the data: the order, the warnings, the budget, and what a fit makes of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.neighbors import KNeighborsClassifier

import headstart as hs
from conftest import PROBE
from fits import ended, finished, started
from headstart.choose.candidates import at_hand
from headstart.choose.rank import Candidate, rank_models
from headstart.choose.transferability import logme, neighbours, separation
from headstart.clock import Budget, seconds_of
from headstart.data.check import check
from headstart.data.sampling import sample
from headstart.data.split import split
from headstart.encode.encode import unknown
from headstart.errors import UserError
from headstart.pretrained import catalog
from headstart.pretrained.load import load
from headstart.tasks.modalities import IMAGE
from own_clock import Looks, by_looks
from reading import read
from small_models import small_text_model
from test_catalog import in_the_hub_cache

LITE0, LITE1, V2 = "efficientnet_lite0", "efficientnet_lite1", "mobilenetv2_deep_sort"


@pytest.fixture(autouse=True)
def _time_for_every_model():
    with by_looks():
        yield


@pytest.fixture
def untrained(tmp_path):
    """An EfficientNet-Lite0 with random weights, as a folder that timm would open."""
    import torch
    from safetensors.torch import save_file

    from headstart.pretrained import from_timm

    torch.manual_seed(0)
    folder = tmp_path / "untrained"
    folder.mkdir()
    model = from_timm.timm.create_model("tf_efficientnet_lite0", pretrained=False)
    save_file(model.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"architecture": "tf_efficientnet_lite0"}))
    return str(folder)


def noise(n):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (48, 48, 3), dtype=np.uint8) for _ in range(n)]


def pieces(dataset):
    return sample(dataset, split(dataset).train)


def test_an_untrained_model_ranks_last(photos, untrained):
    ranking = hs.rank(photos, models=[untrained, LITE1, LITE0])
    first, *_, last = ranking.rows
    assert last.model == untrained
    assert not last.tied
    assert ranking.choice != untrained
    assert ranking.n == 32
    assert ranking.majority_accuracy == 0.5
    assert ranking.warnings == ()
    assert first.behind == 0 < last.behind
    assert [row.log_loss for row in ranking.rows] == sorted(row.log_loss for row in ranking.rows)
    for row in ranking.rows:
        assert row.accuracy_interval.low <= row.accuracy <= row.accuracy_interval.high
        assert row.width == 1280
    assert first.logme > last.logme
    assert first.neighbours > last.neighbours


def test_the_choice_is_the_cheapest_of_those_that_are_as_good(photos, untrained):
    ranking = hs.rank(photos, models=[LITE1, LITE0, untrained])
    tied = [row for row in ranking.rows if row.tied]
    assert ranking.choice == min(tied, key=lambda row: row.parameters).model


def test_cheap_is_what_computes_little(tmp_path, monkeypatch):
    """A small transformer has about as many weights as EfficientNet-Lite1, and uses each of them more often."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for name in ("vit_tiny_patch16_224", "mobilenetv3_large_100"):
        in_the_hub_cache(tmp_path, catalog.find(name).repo, "config.json", "model.safetensors", "tokenizer.json")
    candidates = at_hand(IMAGE, lambda name: load(name, kind="image"))
    cheap = ["mobilenetv3_large_100", V2, LITE1, "efficientnet_lite2", "vit_tiny_patch16_224"]
    assert [candidate.name for candidate in candidates] == [LITE0, *cheap]  # the starter first
    costs = [candidate.cost for candidate in candidates[1:]]
    assert costs == sorted(costs)


def test_noise_and_shuffled_labels_are_said(textile):
    files = [str(f) for name in ("global", "nominal") for f in sorted((textile / name).glob("*.jpg"))[:40]]
    labels = np.array(["a"] * 40 + ["b"] * 40)
    real = hs.rank(files, labels, models=[LITE0])
    assert real.warnings == ()
    assert real.rows[0].separation > 2
    shuffled = hs.rank(files, np.random.default_rng(1).permutation(labels), models=[LITE0])
    nothing = hs.rank(noise(60), ["a", "b"] * 30, models=[LITE0])
    for ranking in (shuffled, nothing):
        assert any("hardly better than chance" in warning for warning in ranking.warnings)
        assert any("looks unrelated" in warning for warning in ranking.warnings)


def test_a_fit_reuses_the_sample_and_ranking_never_saw_the_test_part(photos, fit_json, own_cache):
    assert hs.rank(photos, models=[LITE0]).rows[0].cached == 0
    again = hs.rank(photos, models=[LITE0]).rows[0]
    assert again.cached == 32
    assert again.per_second is None
    assert fit_json(photos)["cached"] == 32 / 40  # what is new are the 8 test photos


@pytest.mark.check
def test_fit_ranks_what_is_at_hand(photos, tmp_path):
    told = finished(started("fit", photos, *PROBE, "--json", folder=tmp_path))
    ranking = told["ranking"]
    assert {row["model"] for row in ranking["rows"]} == {LITE0, V2, LITE1, "efficientnet_lite2"}
    assert told["model"] == ranking["choice"]
    assert told["model"] in [row["model"] for row in ranking["rows"] if row["tied"]]
    assert ranking["n"] == told["n_train"]
    assert "Chosen from" in (tmp_path / "photos.headstart" / "report.html").read_text()
    again = started("fit", photos, *PROBE, "--force", folder=tmp_path)  # all is known by now
    out, _ = ended(again)
    assert again.returncode == 0
    for row in ranking["rows"]:
        assert row["model"] in out
    run = (
        f"import sys, headstart as hs; hs.fit({str(photos)!r}, out={str(tmp_path / 'third')!r}, how='probe');"
        "loaded = {'torch', 'timm', 'transformers'} & set(sys.modules); sys.exit(str(loaded) if loaded else 0)"
    )
    subprocess.run([sys.executable, "-c", run], check=True)


def test_nothing_is_ranked_where_there_is_no_choice(photos, questions, fit_json):
    assert fit_json(photos)["ranking"] is None
    texts, labels = [text for text, _ in questions], [label for _, label in questions]
    assert hs.fit(texts, labels, model="all-MiniLM-L6-v2", test=0.3).summary["ranking"] is None
    ranking = hs.rank(texts, labels)
    assert {row.model for row in ranking.rows} == {"all-MiniLM-L6-v2", "paraphrase-MiniLM-L3-v2"}
    assert ranking.rows[0].accuracy > ranking.majority_accuracy


def test_table_of_the_command(photos, untrained, command):
    ranks = started("rank", photos, "--models", f"{LITE0},{untrained}")
    out, err = ended(ranks)
    assert ranks.returncode == 0, err
    assert untrained in out  # too long for its column, and still in full
    assert max(len(line) for line in out.splitlines() if line != untrained) <= 80
    code, out, _ = command("rank", photos, "--models", LITE0, "--json")
    told = json.loads(out)
    assert code == 0
    assert told["rows"][0]["accuracy_interval"][0] <= told["rows"][0]["accuracy"]
    assert told["choice"] == LITE0


def test_names_that_are_not_known_end_it_before_work_begins(photos, command, own_cache):
    code, out, err = command("rank", photos, "--models", f"{LITE0},efficientnet_lite9")
    assert (code, out) == (2, "")
    assert "did you mean efficientnet_lite" in err
    assert not list(own_cache.glob("features/*/about.json")) or "efficientnet" not in str(
        [file.read_text() for file in own_cache.glob("features/*/about.json")]
    )


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("2m", 120), ("1h", 3600), (" 45 ", 45), (1.5, 1.5)])
def test_budgets(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "2 weeks", "0", "-3s", "nan", "inf", "m", "1e400h"])
def test_budgets_that_are_none(text, photos):
    with pytest.raises(UserError, match="for example 90s, 2m or 1h"):
        hs.fit(photos, budget=text)


def test_without_time_only_the_starter_is_tried(photos):
    ranking = hs.rank(photos, budget=1e-9)
    assert [row.model for row in ranking.rows] == [LITE0]
    assert {skipped.model for skipped in ranking.untried} == {V2, LITE1, "efficientnet_lite2"}
    assert ranking.choice == LITE0


class Glass(Budget):
    """Sand that runs out after so many looks."""

    looks = 3

    @property
    def left(self):
        object.__setattr__(self, "looks", self.looks - 1)
        return float(self.looks)


def test_what_takes_too_long_is_stopped_and_kept(textile, untrained):
    """A model of unknown cost cannot be predicted: it is stopped while it encodes, and goes on from there."""
    files = [str(f) for name in ("global", "nominal") for f in sorted((textile / name).glob("*.jpg"))[:30]]
    some = pieces(check(read((files, ["a"] * 30 + ["b"] * 30))))
    slow = load(untrained, kind="image")
    candidates = [
        Candidate(LITE0, 1.0, None, lambda: load(LITE0, kind="image")),
        Candidate("slow", float("inf"), None, lambda: slow),
    ]
    ranking = rank_models(some, candidates, budget=Glass(1.0))
    (skipped,) = ranking.untried
    assert skipped.model == "slow"
    assert "stopped after" in skipped.why
    assert 0 < unknown(some.digests, slow).sum() < len(some)
    assert len(rank_models(some, candidates, budget=Budget(100, Looks())).rows) == 2


def test_what_would_take_too_long_is_not_begun(textile, untrained, own_cache):
    files = [str(f) for name in ("global", "nominal") for f in sorted((textile / name).glob("*.jpg"))[30:40]]
    some = pieces(check(read((files, ["a"] * 10 + ["b"] * 10))))
    slow = load(untrained, kind="image")
    candidates = [
        Candidate(LITE0, 1.0, None, lambda: load(LITE0, kind="image")),
        Candidate("slow", 1e6, None, lambda: slow),
    ]
    ranking = rank_models(some, candidates, budget=Budget(60, Looks()))
    assert "would take about" in ranking.untried[0].why
    assert unknown(some.digests, slow).sum() == len(some)


def test_a_damaged_model_is_left_out_and_said(photos, tmp_path):
    some = pieces(check(read(photos)))
    broken = Candidate("broken", 2.0, None, lambda: load(str(tmp_path), kind="image"))
    good = Candidate(LITE0, 1.0, None, lambda: load(LITE0, kind="image"))
    ranking = rank_models(some, [good, broken], budget=Budget(60, Looks()))
    assert [(u.model, "no config.json" in u.why) for u in ranking.untried] == [("broken", True)]
    with pytest.raises(UserError, match=r"no config\.json"):
        rank_models(some, [broken], budget=Budget(60, Looks()))


def test_samples(tmp_path):
    """Stratified, whole groups, and the same whatever the order of the rows and the seed of the split."""
    texts = [f"{'red' if i % 4 else 'blue'} number {i}" for i in range(2000)] + [f"rare {i}" for i in range(6)]
    labels = ["red" if i % 4 else "blue" for i in range(2000)] + ["rare"] * 6
    dataset = check(read((texts, labels)))
    everything = np.arange(len(dataset))
    some = sample(dataset, everything, most=400)
    counts = {name: list(some.targets).count(name) for name in some.classes}
    assert counts == {"blue": 100, "rare": 5, "red": 299}
    order = np.random.default_rng(0).permutation(len(dataset))
    assert set(sample(dataset.take(order), everything, most=400).inputs) == set(some.inputs)
    others = [set(sample(dataset, split(dataset, seed=seed).train, most=400).inputs) for seed in (0, 1)]
    assert len(others[0] & others[1]) > 0.5 * 400  # so that another split finds most of them encoded
    few = split(dataset).train[:50]
    assert list(sample(dataset, few, most=400).inputs) == [dataset.inputs[row] for row in few]


def test_a_sample_keeps_duplicates_together(photos):
    for file in sorted((photos / "global").glob("*.jpg"))[:10]:
        shutil.copy(file, file.with_name(f"again_{file.name}"))
    dataset = check(read(photos))
    some = sample(dataset, np.arange(len(dataset)), most=30)
    twins = [some.groups.tolist().count(group) for group in some.groups]
    assert twins.count(1) - len([g for g in some.groups if dataset.groups.tolist().count(g) == 1]) <= 1  # the last one


def dense_evidence(x, y, alpha, beta):
    """Equation 2 of the LogME paper as it stands there."""
    n, d = x.shape
    a = alpha * np.eye(d) + beta * x.T @ x
    m = beta * np.linalg.solve(a, x.T @ y)
    found = n / 2 * np.log(beta) + d / 2 * np.log(alpha) - n / 2 * np.log(2 * np.pi)
    return found - beta / 2 * np.sum((x @ m - y) ** 2) - alpha / 2 * m @ m - np.linalg.slogdet(a)[1] / 2


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.integers(8, 40), st.integers(2, 30), st.integers(2, 3))
@example(865, 8, 8, 2)  # two maxima, the greater one far out
def test_logme_is_the_greatest_evidence(seed, n, d, n_classes):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % n_classes)
    x = rng.normal(size=(n, d)) + 0.7 * rng.normal(size=(n_classes, d))[y]
    best = []
    for c in range(n_classes):
        target = (y == c).astype(float)

        def badness(p, target=target):
            return -dense_evidence(x, target, *np.exp(np.clip(p, -16, 16)))

        starts = [min(((a, b) for a in range(-14, 15)), key=badness) for b in range(-2, 15)]  # for several maxima
        options = {"xatol": 1e-5, "fatol": 1e-8}
        found = [minimize(badness, start, method="Nelder-Mead", options=options).fun for start in starts]
        best.append(-min(found) / n)
    assert logme(x, y, n_classes=n_classes) == pytest.approx(np.mean(best), abs=1e-3)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(12, 60))
def test_neighbours_equal_scikit_learn(seed, n):
    rng = np.random.default_rng(seed)
    x, y, groups = rng.normal(size=(n, 6)), rng.integers(0, 3, n), rng.integers(0, n // 2, n)
    right = []
    for row in range(n):
        others = groups != groups[row]
        theirs = KNeighborsClassifier(n_neighbors=5, metric="cosine").fit(x[others], y[others])
        right.append(theirs.predict(x[row : row + 1])[0] == y[row])
    assert neighbours(x, y, groups, n_classes=3) == pytest.approx(np.mean(right))


def test_separation_is_blind_to_duplicates_and_silent_about_few():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 20)), rng.integers(0, 2, 60)
    groups = np.arange(60)
    alone = separation(x, y, groups)
    assert alone < 1
    many = separation(np.repeat(x, 5, axis=0), np.repeat(y, 5), np.repeat(groups, 5))
    assert many == pytest.approx(alone, rel=1e-4)
    assert separation(x + 3 * y[:, None], y, groups) > 3
    assert np.isnan(separation(x[:20], y[:20], groups[:20]))


def test_ranking_of_numbers_is_held_against_always_giving_the_mean(command, tmp_path, own_cache):
    """Targets that the texts say nothing of: no model is better than the mean, and that is said in words of numbers."""
    rng = np.random.default_rng(1)
    table = tmp_path / "noise.csv"
    words = ["lamp", "chair", "table", "shelf", "clock", "mirror"]
    rows = [f"a {words[i % 6]} of lot {i},{rng.normal():.4f}\n" for i in range(120)]
    table.write_text("text,value\n" + "".join(rows))
    code, out, err = command("rank", table, "--models", "all-MiniLM-L6-v2")
    assert code == 0, err
    assert "right: within a quarter of a deviation" in out
    assert "classes" not in out.split("warning")[0]
    assert "always giving the same answer" in out
    assert "hardly better than chance" in out


@pytest.fixture
def readers(tmp_path):
    """A small text model, and the same one that takes every word for the same."""
    import torch
    from safetensors.torch import load_file, save_file

    small_text_model("bert", tmp_path / "sees")
    shutil.copytree(tmp_path / "sees", tmp_path / "blind")
    weights = load_file(tmp_path / "blind" / "model.safetensors")
    weights = {name: torch.zeros_like(w) if "word_embeddings" in name else w for name, w in weights.items()}
    save_file(weights, tmp_path / "blind" / "model.safetensors", {"format": "pt"})
    names = ("sees", "blind")
    opened = {name: load(str(tmp_path / name), kind="text") for name in names}
    return {name: Candidate(name, 1.0, None, lambda name=name: opened[name]) for name in names}


def told_apart(n):
    """Texts of two kinds, each of one word and others that are in both."""
    rng = np.random.default_rng(0)
    kinds = ["lost", "new"]
    texts = [" ".join([kinds[i % 2], *rng.choice(["my", "the", "card", "rate"], 4), str(i)]) for i in range(n)]
    return pieces(check(read((texts, [kinds[i % 2] for i in range(n)]))))


def test_a_race_ends_for_a_model_that_is_clearly_behind(readers, own_cache):
    some, blind = told_apart(420), readers["blind"].load()
    ranking = rank_models(some, [readers["sees"], readers["blind"]], budget=Budget(60, Looks()), race=True)
    assert ([row.model for row in ranking.rows], ranking.choice) == (["sees"], "sees")
    (left,) = ranking.untried
    assert left.model == "blind"
    assert left.why.startswith("clearly behind on the first 150 examples: log loss 0.")
    assert unknown(some.checked_digests, blind).sum() == len(some) - 150
    assert len(rank_models(some, list(readers.values()), budget=Budget(60, Looks())).rows) == 2  # `rank` tells of all


def test_who_runs_ahead_is_tried_on_all(readers, own_cache):
    some, told = told_apart(420), []
    candidates = [readers["blind"], readers["sees"]]
    ranking = rank_models(some, candidates, budget=Budget(60, Looks()), race=True, advance=told.append)
    assert ([row.model for row in ranking.rows], ranking.untried) == (["sees", "blind"], ())
    assert sum(told) == 2 * len(some)


def test_few_examples_are_no_race(readers, own_cache):
    some = told_apart(200)
    ranking = rank_models(some, [readers["sees"], readers["blind"]], budget=Budget(60, Looks()), race=True)
    assert len(ranking.rows) == 2

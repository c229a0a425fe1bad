"""Real files for the tests, and one cache for the whole run (so that each backbone is prepared once)."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from canary import make_home, nothing_else_touched

# As the command line does; and one thread a process, since two of them share two cores: threads that wait for each
# other beside another busy process make training four times slower.
os.environ.setdefault("GOMP_SPINCOUNT", "30000")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# An example may take as long as the machine needs for it.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory):
    os.environ["HEADSTART_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def own_cache(tmp_path, monkeypatch) -> Path:
    """A cache that is empty, as on a fresh machine."""
    folder = tmp_path / "own_cache"
    folder.mkdir()
    monkeypatch.setenv("HEADSTART_CACHE", str(folder))
    return folder


@pytest.fixture
def on_a_cpu(monkeypatch) -> None:
    """Also where there is a GPU."""
    monkeypatch.setenv("HEADSTART_DEVICE", "cpu")


@pytest.fixture(scope="session")
def textile() -> Path:
    spec = importlib.util.find_spec("conformal_clip_data")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "data" / "textile_images" / "simulated"


@pytest.fixture
def photos(tmp_path, textile) -> Path:
    """Two classes of 20 real photos each."""
    folder = tmp_path / "photos"
    for name in ("global", "nominal"):
        (folder / name).mkdir(parents=True)
        for photo in sorted((textile / name).glob("*.jpg"))[:20]:
            shutil.copy(photo, folder / name)
    return folder


QUESTIONS = {
    "card": "Where is my new card? My card has not arrived yet. When will the card be delivered? I am waiting for it. "
    "Has my bank card been posted? The card is late. Track the delivery of my card. My debit card never came.",
    "exchange": "What is the exchange rate today? How do you set the exchange rate? Is the rate for euros good? "
    "Why is the exchange rate so bad? Convert dollars to pounds. Which rate do I get? The currency rate is wrong. "
    "Do you use the interbank rate?",
    "pin": "I forgot my PIN. How can I change my PIN? My passcode is blocked. Unblock the PIN please. "
    "The pin number does not work. Set a new PIN. Reset the passcode. I entered the wrong pin three times.",
}


@pytest.fixture
def questions() -> list[tuple[str, str]]:
    """24 (text, label) pairs of three intents."""
    return [
        (s.strip() + ".", label) for label, t in QUESTIONS.items() for s in t.replace("?", ".").split(".") if s.strip()
    ]


@pytest.fixture
def few_texts(questions, tmp_path) -> tuple[Path, Path]:
    """A table of the 24 questions and a small random BERT."""
    from small_models import small_text_model

    small_text_model("bert", tmp_path / "bert")
    table = tmp_path / "questions.csv"
    table.write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in questions))
    return table, tmp_path / "bert"


@pytest.fixture(scope="session")
def made(tmp_path_factory, years, textile):
    """Saved models, for an attacker to change."""
    from hostile import make

    return make(tmp_path_factory.mktemp("hostile"), years, textile)


@pytest.fixture(scope="session")
def years(tmp_path_factory) -> Path:
    """A reading model that finds years."""
    from small_models import model_that_finds_years

    folder = tmp_path_factory.mktemp("years") / "finds-years"
    folder.mkdir()
    model_that_finds_years(folder)
    return folder


_HOME = os.environ.get("HOME")


@pytest.fixture(scope="session")
def home(tmp_path_factory) -> Path:
    """The home of all commands: what lies there is looked at before and after each."""
    return make_home(tmp_path_factory.mktemp("home"))


@pytest.fixture
def command(tmp_path, home):
    """Run the installed command in a process of its own; gives (exit code, stdout, stderr).

    Fails where it touches anything but its output and the cache: in its home, in its folder, in what it was given.
    """

    def run(*args: object, stdin: str = "", **env: str) -> tuple[int, str, str]:
        at_home = {"HOME": str(home)} if os.environ.get("HOME") == _HOME else {}  # a test may have set another
        around = {**os.environ, **at_home, **env}
        with nothing_else_touched(args, here=tmp_path, env=around, around=(tmp_path, home)):
            done = subprocess.run(
                [sys.executable, "-m", "headstart", *map(str, args)],
                capture_output=True,
                text=True,
                input=stdin,
                cwd=tmp_path,
                env=around,
                check=False,
            )
        return done.returncode, done.stdout, done.stderr

    return run


PROBE = ("--how", "probe")  # where data are many enough to be tuned on, and that is not what is tested
STARTER = ("--model", "efficientnet_lite0", *PROBE)  # where the choice of a model is not what is tested either


@pytest.fixture
def fit_json(command):
    """Photos in folders are fitted with the starter, unless the arguments say otherwise."""

    def run(data: Path, *args: object) -> dict:
        model = STARTER if data.is_dir() and "--model" not in args else ()
        code, out, err = command("fit", data, *args, *model, "--json")
        assert code == 0, err
        return json.loads(out)

    return run


@pytest.fixture(scope="session")
def to_serve(tmp_path_factory, textile) -> dict[str, Path]:
    """A saved model of each task, by name."""
    from servers import make_models

    return make_models(tmp_path_factory.mktemp("to_serve"), textile)

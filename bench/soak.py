"""Claim: a server under mixed load, with broken requests among it, answers nothing wrong and keeps its memory.

    python bench/soak.py PHOTO_MODEL PHOTOS_FOLDER TEXT_MODEL TEXTS.txt [--minutes 10] [--clients 8]

Clients send photos (one or several) and texts at random to one server with both models. One request in a hundred is
malformed, one comes slowly, and of one the client hangs up in the middle. Each answer is compared with what
`model.predict` says of the same input in this process: the label, and the probability to 0.002 (batches round
otherwise). Told are requests by kind and status, wrong answers, failures in the log, and the resident memory of the
server after each tenth of the time: it grows until all that is kept of the models and the allocator is there.
"""

import asyncio
import base64
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from common import arguments, asked, photos, small_photo_model
from over_http import free_port, wait_until_ready

import headstart as hs

NEAR = 0.002
BROKEN = (b"{", b'{"inputs": 3}', b"\xff\xfe", b'{"inputs": [{"image": "?"}]}', b'{"inputs": []}', b"[" * 5000)


@dataclass
class Told:
    """What came of the load."""

    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Known:
    """Inputs with what the model says of each: its label and how probable it is."""

    model: str
    inputs: list[Any]  # as JSON has them
    answers: list[tuple[str, float]]

    def body(self, rows: list[int]) -> bytes:
        return json.dumps({"model": self.model, "inputs": [self.inputs[row] for row in rows]}).encode()

    def check(self, rows: list[int], predictions: list[dict[str, Any]], told: Told) -> None:
        for row, found in zip(rows, predictions, strict=True):
            label, probability = self.answers[row]
            near = abs(found["probability"] - probability) <= NEAR
            if not near or (found["label"] != label and probability > 0.5 + NEAR):
                told.wrong.append(f"{self.model} {row}: {found['label']} {found['probability']}, {label} {probability}")


def small(work: Path) -> list[object]:
    folder, network = photos(work / "photos", 12), small_photo_model(work / "model" / "model.onnx")
    hs.fit(folder, model=str(network), how="probe", out=work / "saved")
    (work / "texts.txt").write_text("where is my card\nwhat is the rate\n")
    texts, labels = ["where is my card", "the rate of today"] * 8, ["card", "rate"] * 8
    texts = [f"{text} {number}" for number, text in enumerate(texts)]
    hs.fit(texts, labels, how="probe", model="all-MiniLM-L6-v2", out=work / "about")
    return [work / "saved", folder, work / "about", work / "texts.txt", "--minutes", 0.05, "--clients", 3]


def known(folder: Path, given: list[Any], as_json: list[Any]) -> Known:
    model = hs.load(folder)
    answers = [(p.label, p.probability) for one in given for p in model.predict([one])]
    return Known(folder.name.removesuffix(".headstart"), as_json, answers)


async def answered(port: int, body: bytes, *, slowly: bool = False) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
            + f"Content-Length: {len(body)}\r\n\r\n".encode()
        )
        pieces = [body[start : start + len(body) // 8 + 1] for start in range(0, len(body), len(body) // 8 + 1)]
        for piece in pieces if slowly else [body]:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.2 if slowly else 0)
        whole = await reader.read()
    finally:
        writer.close()
    return int(whole.split(b" ", 2)[1]), whole.partition(b"\r\n\r\n")[2]


async def hung_up(port: int, body: bytes) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + body[:1000])
    await writer.drain()
    writer.close()


async def client(port: int, both: list[Known], until: float, told: Told, rng: random.Random) -> None:
    while time.monotonic() < until:
        what, chance = rng.choice(both), rng.random()
        rows = [rng.randrange(len(what.inputs)) for _ in range(rng.choice((1, 1, 1, 2, 5)))]
        if chance < 0.01:
            status, _ = await answered(port, rng.choice(BROKEN))
            told.statuses[f"malformed {status}"] += 1
        elif chance < 0.02:
            await hung_up(port, what.body(rows))
            told.statuses["hung up"] += 1
        else:
            kind = "slow" if chance < 0.03 else "whole"
            status, body = await answered(port, what.body(rows), slowly=kind == "slow")
            told.statuses[f"{kind} {status}"] += 1
            if status == 200:
                what.check(rows, json.loads(body)["predictions"], told)


async def soak(port: int, pid: int, both: list[Known], seconds: float, clients: int) -> tuple[Told, list[int]]:
    """What came of it, and the server's megabytes after each tenth of the time."""
    told, until = Told(), time.monotonic() + seconds
    tasks = [asyncio.create_task(client(port, both, until, told, random.Random(n))) for n in range(clients)]
    memory = []
    for _ in range(10):
        await asyncio.sleep(seconds / 10)
        memory.append(psutil.Process(pid).memory_info().rss // 2**20)
    await asyncio.gather(*tasks)
    return told, memory


def main() -> None:
    parser = arguments(__doc__)
    for name in ("photo_model", "photos", "text_model", "texts"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=8)
    with asked(parser, small) as options, tempfile.TemporaryFile() as log:
        files = sorted(map(str, options.photos.rglob("*.jpg")))[:200]
        pictures = [{"image": base64.b64encode(Path(file).read_bytes()).decode()} for file in files]
        texts = options.texts.read_text().splitlines()[:500]
        both = [known(options.photo_model, files, pictures), known(options.text_model, texts, texts)]
        port = free_port()
        command = [sys.executable, "-m", "headstart", "serve", options.photo_model, options.text_model]
        server = subprocess.Popen([*map(str, command), "--port", str(port)], stdout=log, stderr=log)
        try:
            wait_until_ready(server, port)
            told, memory = asyncio.run(soak(port, server.pid, both, 60 * options.minutes, options.clients))
        finally:
            server.terminate()
            code = server.wait(60)
        log.seek(0)
        failed = len(re.findall(rb"please report|Traceback", log.read()))
        print(f"{sum(told.statuses.values())} requests: {dict(sorted(told.statuses.items()))}")
        print(f"wrong answers {len(told.wrong)} {told.wrong[:3]}; failures in the log {failed}; exit code {code}")
        half = memory[len(memory) // 2 - 1]
        print(f"megabytes after each tenth: {memory}; {memory[-1] / half - 1:+.1%} in the second half")


if __name__ == "__main__":
    main()

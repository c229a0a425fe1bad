"""Claim: `headstart serve` answers photos over HTTP nearly as fast as its engine can compute them.

    python bench/over_http.py MODEL PHOTOS_FOLDER [--clients 32] [--photos 400]

MODEL is a saved folder for photos. Measured on the same photos, all from bytes in memory, decoding included: one at a
time by the bare engine, by `model.predict` and by one client of the server; then as many as go by the bare engine
(threads decode ahead of it) and by so many clients at once; and the 99th percentile at half of that load. Beside it the
same for a plain FastAPI handler, and LitServe with four workers where it is installed, both with timm and torch, of the
same architecture (random weights: they take as long).

The clients share the cores with the server. What they use of them is measured and taken off the wall clock: "alone".
Seconds of processors say the same on a busy machine, where the wall clock says what others do.
"""

import asyncio
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from common import arguments, asked, installed, photos, small_photo_model

import headstart as hs

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
BOUNDARY = b"boundary-of-the-bench"
WARM = 24  # requests before anything is measured


@dataclass(frozen=True)
class Load:
    """What came of some requests."""

    seconds: list[float]  # of each
    wall: float
    cpu: float  # seconds of processors that the clients used

    @property
    def rate(self) -> float:
        """A second."""
        return len(self.seconds) / self.wall

    @property
    def alone(self) -> float:
        """A second, without the share of the machine that the clients used."""
        return len(self.seconds) / (self.wall - self.cpu / CORES)

    def share(self, of: float) -> float:
        """Milliseconds within which so many were answered."""
        return 1000 * sorted(self.seconds)[min(len(self.seconds) - 1, int(of * len(self.seconds)))]


def small(work: Path) -> list[object]:
    network = small_photo_model(work / "small" / "model.onnx")
    hs.fit(photos(work / "photos", 6), model=str(network), how="probe", out=work / "m.headstart")
    return [work / "m.headstart", work / "photos", "--photos", 8, "--clients", 4]


def timed(ask: Callable[[bytes], object], contents: Sequence[bytes]) -> list[float]:
    """Seconds of each call, one after the other."""
    for content in contents[:WARM]:
        ask(content)
    taken = []
    for content in contents:
        start = time.perf_counter()
        ask(content)
        taken.append(time.perf_counter() - start)
    return taken


def bare(model: hs.Model) -> tuple[Callable[[bytes], Any], Callable[[Any], Any]]:
    """Decoding, and the forward pass of one photo, with nothing around them."""
    import numpy as np

    from headstart.encode.engines import run_ready
    from headstart.encode.precision import choose_precision
    from headstart.inputs.image import open_image, prepare, wanted_side

    preparation = model.backbone.images

    def decode(content: bytes) -> Any:
        return prepare(open_image(content, near=wanted_side(preparation)), preparation)[None]

    one = np.arange(1)
    blank = np.zeros((1, *preparation.size, 3), np.uint8)
    precision = choose_precision(model.backbone, [(one, (blank,))])
    return decode, lambda pixels: run_ready(model.backbone, precision, [(one, (pixels,))])


def bare_rate(decode: Callable[[bytes], Any], run: Callable[[Any], Any], contents: Sequence[bytes]) -> Load:
    """Threads decode ahead of the engine."""
    with ThreadPoolExecutor(CORES) as pool:
        cpu, start = used(), time.perf_counter()
        for pixels in pool.map(decode, contents):
            run(pixels)
        return Load([0.0] * len(contents), time.perf_counter() - start, used() - cpu)


def used(process: int | None = None) -> float:
    """Seconds of processors that a process has used, this one or another."""
    times = psutil.Process(process).cpu_times()
    return times.user + times.system


def requested(content: bytes) -> bytes:
    """A request with a photo in a form."""
    head = b'\r\nContent-Disposition: form-data; name="files"; filename="photo.jpg"\r\n\r\n'
    body = b"--" + BOUNDARY + head + content + b"\r\n--" + BOUNDARY + b"--\r\n"
    kind = b"Content-Type: multipart/form-data; boundary=" + BOUNDARY
    length = f"Content-Length: {len(body)}".encode()
    return b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\n" + kind + b"\r\n" + length + b"\r\n\r\n" + body


async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(int(re.search(rb"(?i)content-length: (\d+)", head)[1]))
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"not answered: {head[:40]!r} {body[:200]!r}")


async def closed(port: int, requests: Sequence[bytes], clients: int) -> list[float]:
    """Each client asks again as soon as it is answered."""
    waiting, taken = iter(requests), []

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in waiting:
            start = time.perf_counter()
            await one(reader, writer, request)
            taken.append(time.perf_counter() - start)
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return taken


async def opened(port: int, requests: Sequence[bytes], rate: float, *, at_random: bool) -> list[float]:
    """So many requests a second, one after the other or at random, whether or not those before are answered.

    Where they come at random, even one queue that takes exactly so long for each has a 99th percentile of four times
    that at half load (M/D/1).
    """
    rng, taken, idle = random.Random(0), [], []

    async def ask(request: bytes, due: float) -> None:
        stream = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port)
        try:
            await one(*stream, request)
        except (asyncio.IncompleteReadError, ConnectionError):  # the server had closed it, as it was idle
            stream = await asyncio.open_connection("127.0.0.1", port)
            await one(*stream, request)
        taken.append(time.perf_counter() - due)
        idle.append(stream)

    due, tasks = time.perf_counter(), []
    for request in requests:
        due += rng.expovariate(rate) if at_random else 1 / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(ask(request, due)))
    await asyncio.gather(*tasks)
    for _, writer in idle:
        writer.close()
    return taken


def load(asking: Any) -> Load:
    cpu, start = used(), time.perf_counter()
    taken = asyncio.run(asking)
    return Load(taken, time.perf_counter() - start, used() - cpu)


@contextmanager
def process(command: list[str], port: int) -> Iterator[int]:
    """A server in a process of its own, once it answers."""
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        wait_until_ready(server, port)
        yield server.pid
    finally:
        server.terminate()
        server.wait(60)


def wait_until_ready(server: subprocess.Popen[bytes], port: int) -> None:
    """Return once the server answers that it is ready. Raises SystemExit where it ends, or is not ready in minutes."""
    said = " ".join(map(str, server.args))
    for _ in range(1200):
        if server.poll() is not None:
            raise SystemExit(f"it ended: {said}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                client.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                if client.recv(100).startswith(b"HTTP/1.1 200"):
                    return
        except OSError:
            pass  # it does not listen yet
        time.sleep(0.1)
    raise SystemExit(f"it does not get ready: {said}")


def free_port() -> int:
    with socket.socket() as any_one:
        any_one.bind(("127.0.0.1", 0))
        return any_one.getsockname()[1]


def measured(name: str, port: int, pid: int, requests: list[bytes], clients: int) -> tuple[Load, float]:
    """One client, so many at once, and half of that load. Gives what came of many, and the server's time a photo."""
    load(closed(port, requests[:WARM], 2))
    alone, before = load(closed(port, requests, 1)), used(pid)
    full = load(closed(port, requests * 3, clients))
    cpu = (used(pid) - before) / len(full.seconds)
    print(f"{name}: one client        {alone.share(0.5):7.1f} ms (p99 {alone.share(0.99):.1f})")
    print(
        f"{name}: {clients} clients {full.rate:12.1f} a second, alone {full.alone:.1f}  (p99 {full.share(0.99):.0f} ms)"
    )
    for how, at_random in (("evenly", False), ("at random", True)):
        half = load(opened(port, requests * 2, full.rate / 2, at_random=at_random))
        ratio = half.share(0.99) / alone.share(0.5)
        said = f"{half.share(0.5):7.1f} ms, p99 {half.share(0.99):.1f} ms: {ratio:.1f} x one client"
        print(f"{name}: half of that, {how:9} {said}")
    print(f"{name}: processors        {1000 * cpu:7.1f} ms a photo")
    return full, cpu


def by_timm() -> Callable[[bytes], dict[str, list[float]]]:
    """A photo's bytes to probabilities, as people write it by hand."""
    import io

    import torch
    from PIL import Image

    from headstart.pretrained.from_timm import timm

    model = timm.create_model("efficientnet_lite0", pretrained=False, num_classes=5).eval()
    prepare = timm.data.create_transform(**timm.data.resolve_model_data_config(model))

    def answer(content: bytes) -> dict[str, list[float]]:
        with torch.inference_mode(), Image.open(io.BytesIO(content)) as photo:
            probabilities = model(prepare(photo.convert("RGB"))[None]).softmax(1)[0]
        return {"probabilities": [round(float(p), 6) for p in probabilities]}

    return answer


def plain() -> Any:
    """FastAPI with a handler."""
    from fastapi import FastAPI, UploadFile

    app, answer = FastAPI(), by_timm()

    @app.get("/readyz")
    def ready() -> dict[str, bool]:
        return {"ready": True}

    @app.post("/v1/predict")
    def predict(files: UploadFile) -> dict[str, list[float]]:
        return answer(files.file.read())

    return app


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("model")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--photos", type=int, default=400, dest="n")
    with asked(parser, small) as options:
        files = sorted(options.photos.rglob("*.jpg"))
        random.Random(0).shuffle(files)
        contents = [file.read_bytes() for file in files[: options.n]]
        model = hs.load(options.model)
        decode, run = bare(model)
        once = timed(lambda content: run(decode(content)), contents)
        predicted = timed(lambda content: model.predict([content]), contents)
        ratio = statistics.median(predicted) / statistics.median(once)
        rate = bare_rate(decode, run, contents)
        print(f"{len(contents)} photos, {CORES} cores")
        print(f"bare engine: one at a time {1000 * statistics.median(once):8.1f} ms")
        print(f"model.predict: one at a time {1000 * statistics.median(predicted):6.1f} ms: {ratio:.2f} x the engine")
        print(f"bare engine: as many as go {rate.rate:7.1f} a second")
        print(f"bare engine: processors        {1000 * rate.cpu / len(contents):7.1f} ms a photo")
        requests, port = [requested(content) for content in contents], free_port()
        command = [sys.executable, "-m", "headstart", "serve", str(options.model), "--port", str(port)]
        with process(command, port) as pid:
            full, cpu = measured("headstart serve", port, pid, requests, options.clients)
        by_cpu = rate.cpu / len(contents) / cpu
        print(f"headstart serve: {full.alone / rate.rate:.2f} of the bare engine, by processors {by_cpu:.2f}")
        port = free_port()
        with process([sys.executable, __file__, "--plain", str(port)], port) as pid:
            measured("plain FastAPI", port, pid, requests, options.clients)
        if installed("litserve", needed_for="LitServe"):
            port = free_port()
            with process([sys.executable, str(Path(__file__).with_name("by_litserve.py")), str(port)], port) as pid:
                measured("LitServe", port, pid, requests, options.clients)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--plain"]:
        import uvicorn

        uvicorn.run(plain(), port=int(sys.argv[2]), log_level="error")
    else:
        main()

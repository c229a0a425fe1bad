"""Claim: an export answers as the model does, as fast as its runtime can, and in int8 at a small loss.

    python bench/exports.py PHOTOS... [--model efficientnet_lite0] [--splits 5] [--formats openvino onnx]

For each data set and each of some splits a probe is fitted and exported, in float32 and in int8: the largest difference
of any probability on the test photos, from their files on, and the accuracy of both on them. Then the graphs are run on
photos of 224 pixels, all cores on one: images a second in float32, in bfloat16 where the processor has it (OpenVINO),
and in int8; the median of some runs, each in turn, so that a busy moment meets all of them.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import arguments, asked, photos, small_photo_model

import headstart as hs

RUNS = 30


def small(work: Path) -> list[object]:
    model = small_photo_model(work / "model" / "model.onnx")
    return [photos(work / "photos", 120), "--model", model, "--splits", 1, "--formats", "openvino", "--most-lost", 1]


def exported(model: hs.Model, folder: Path, format: str, most_lost: float, **options: str) -> dict[str, object]:
    made = model.export(folder, format=format, most_lost=most_lost, **options)
    return made.to_json()


def runner(folder: Path, format: str, hint: str) -> Callable[[np.ndarray], object]:
    if format == "onnx":
        import headstart.no_telemetry  # noqa: F401, I001 - before ONNX Runtime
        import onnxruntime

        session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
        return lambda pixels: session.run(None, {"pixels": pixels})
    import openvino

    compiled = openvino.compile_model(folder / "model.xml", "CPU", {"INFERENCE_PRECISION_HINT": hint})
    return lambda pixels: compiled({"pixels": pixels})


def speeds(runners: dict[str, Callable[[np.ndarray], object]]) -> dict[str, float]:
    """Images a second of each."""
    pixels = np.random.default_rng(0).integers(0, 255, (1, 224, 224, 3), dtype=np.uint8)
    taken: dict[str, list[float]] = {name: [] for name in runners}
    for run in range(RUNS + 3):
        for name, runs in runners.items():
            start = time.perf_counter()
            runs(pixels)
            if run >= 3:
                taken[name].append(time.perf_counter() - start)
    return {name: 1 / statistics.median(each) for name, each in taken.items()}


def bench(data: Path, options: object, work: Path) -> None:
    for format in options.formats:
        before, after, apart = [], [], []
        for seed in range(options.splits):
            model = hs.fit(data, model=options.model, how="probe", seed=seed, out=work / f"{format}-{seed}")
            plain, low = work / f"{format}-{seed}-f32", work / f"{format}-{seed}-i8"
            apart.append(exported(model, plain, format, 1.0, data=data)["proof"]["largest_difference"])
            cost = exported(model, low, format, options.most_lost, quantize="int8", data=data)
            before.append(cost["accuracy_before"])
            after.append(cost["accuracy_after"])
        lost = np.array(before) - np.array(after)
        spread = 2 * lost.std(ddof=1) / np.sqrt(len(lost)) if len(lost) > 1 else float("nan")
        runners = {"float32": runner(plain, format, "f32"), "int8": runner(low, format, "f32")}
        runners |= {"bfloat16": runner(plain, format, "bf16")} if format == "openvino" else {}
        rates, (large, little) = speeds(runners), (size_of(plain), size_of(low))
        shown = ", ".join(f"{name} {rate:.0f}" for name, rate in rates.items())
        moved = f"{np.mean(before):.4f} in float32, {np.mean(after):.4f} in int8: {-lost.mean():+.4f} (+- {spread:.4f})"
        faster, smaller = rates["int8"] / rates["float32"], little / large
        print(f"{data.name}, {format}: largest difference {max(apart):.1e}; {options.splits} splits")
        print(f"  accuracy {moved}")
        print(f"  images a second: {shown}; int8 {faster:.2f} times float32, {smaller:.2f} of its size", flush=True)


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("model.*"))


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--formats", nargs="+", default=["openvino", "onnx"])
    parser.add_argument("--most-lost", type=float, default=1.0)
    with asked(parser, small) as options:
        for data in options.data:
            with tempfile.TemporaryDirectory() as work:
                bench(data, options, Path(work))


if __name__ == "__main__":
    main()

"""Does what an explanation marks matter to the model? Photos in class folders, or tables of texts and labels.

Of test examples the tenth that is marked most is taken away, and the probability of the answer falls: the mean fall,
beside that of a tenth at random and, of photos, of the tenth in the middle, where photographers put what they mean.
A photo is taken away in cells of a grid, under the mean colour; a text in words. With the mean difference to the
marked tenth comes its standard error.
"""

import tempfile
from pathlib import Path

import numpy as np
from common import arguments, asked, in_parts, photos, small_photo_model, small_text_model, texts
from PIL import Image

import headstart as hs
from headstart.data.check import check
from headstart.data.split import split
from headstart.encode.engines import run_ready
from headstart.evaluate.metrics import softmax
from headstart.inputs.image import open_image, prepare
from headstart.model import Model

CELLS, SHARE, DRAWS = 14, 0.1, 8  # cells a side; what is taken away; draws of what is taken away at random


def fall_of_photo(model: Model, path: str, rng: np.random.Generator) -> dict[str, float]:
    """How far the answer's probability falls without each tenth."""
    preparation, found = model.backbone.images, model.explain(path)
    pixels = prepare(open_image(path), preparation)
    heat = np.asarray(Image.fromarray(found.evidence.heat.grid).resize((CELLS, CELLS), Image.Resampling.BILINEAR))
    y, x = np.mgrid[:CELLS, :CELLS] - (CELLS - 1) / 2
    ways = {"marked": heat, "centre": np.exp(-(x**2 + y**2) / (2 * (CELLS / 4) ** 2))}
    ways |= {f"random {draw}": rng.random((CELLS, CELLS)) for draw in range(DRAWS)}
    without = [pixels, *(_covered(pixels, values, preparation.mean) for values in ways.values())]
    batches = [(np.array([number]), (image[None],)) for number, image in enumerate(without)]
    features = np.concatenate([made.reshape(1, -1) for _, made in run_ready(model.backbone, "f32", batches)])
    probability = softmax(model.head.logits(features))[:, model.classes.index(found.target)]
    return _falls(probability, list(ways))


def _covered(pixels: np.ndarray, values: np.ndarray, mean: tuple[float, ...]) -> np.ndarray:
    """The image with the cells of the highest values under the mean colour."""
    height, width, _ = pixels.shape
    rows, columns = (np.linspace(0, side, CELLS + 1).round().astype(int) for side in (height, width))
    image = pixels.copy()
    for cell in np.argsort(-values.ravel(), kind="stable")[: round(SHARE * CELLS**2)].tolist():
        row, column = divmod(cell, CELLS)
        image[rows[row] : rows[row + 1], columns[column] : columns[column + 1]] = np.round(255 * np.array(mean))
    return image


def fall_of_text(model: Model, text: str, rng: np.random.Generator) -> dict[str, float]:
    found = model.explain([text])
    weights = np.array([word.weight for word in found.words])
    some = max(1, round(SHARE * len(weights)))
    ways = {"marked": np.argsort(-weights, kind="stable")[:some]}
    ways |= {f"random {draw}": rng.permutation(len(weights))[:some] for draw in range(DRAWS)}
    without = [text]
    for which in ways.values():
        left = text
        for word in sorted((found.words[at] for at in which.tolist()), key=lambda word: -word.start):
            left = left[: word.start] + left[word.end :]
        without.append(left if left.strip() else ".")
    return _falls(model.predict_proba(without)[:, model.classes.index(found.target)], list(ways))


def _falls(probability: np.ndarray, ways: list[str]) -> dict[str, float]:
    """From the whole input's probability and each way's; those at random as one."""
    falls = dict(zip(ways, (probability[0] - probability[1:]).tolist(), strict=True))
    random = [fall for way, fall in falls.items() if way.startswith("random")]
    return {way: fall for way, fall in falls.items() if not way.startswith("random")} | {
        "random": float(np.mean(random))
    }


def bench(data: str, name: str, count: int) -> None:
    train, _, test = data.partition(":")
    with tempfile.TemporaryDirectory() as folder:
        model = hs.fit(train, test=test or 0.2, how="probe", model=name, out=Path(folder) / "model")
        dataset, rng = check(in_parts(data)), np.random.default_rng(0)
        rows = np.sort(rng.permutation(split(dataset, seed=0).test)[:count])
        fall = fall_of_text if dataset.modality.in_tables else fall_of_photo
        falls = [fall(model, dataset.inputs[row], rng) for row in rows.tolist()]
    marked = np.array([each["marked"] for each in falls])
    print(f"{dataset.name} ({model.backbone.name}, {len(rows)} examples): without the marked tenth {marked.mean():.3f}")
    for way in [way for way in falls[0] if way != "marked"]:
        apart = marked - np.array([each[way] for each in falls])
        error = apart.std(ddof=1) / np.sqrt(len(apart))
        print(f"  {way:8} {(marked - apart).mean():.3f}, {apart.mean():+.3f} ± {error:.3f}", flush=True)


def small(work: Path) -> list[object]:
    model, table = small_photo_model(work / "model" / "model.onnx"), texts(work / "texts.csv", 60)
    return [photos(work / "photos", 6), table, "--models", model, small_text_model(work / "bert"), "--count", 2]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("data", nargs="+", help="each a path, or TRAIN:TEST")
    parser.add_argument("--models", nargs="+", default=["auto"], help="one for each of the data, or one for all")
    parser.add_argument("--count", type=int, default=100, help="test examples of each")
    with asked(parser, small) as options:
        models = options.models if len(options.models) > 1 else options.models * len(options.data)
        for data, name in zip(options.data, models, strict=True):
            bench(data, name, options.count)


if __name__ == "__main__":
    main()

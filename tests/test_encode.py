"""Features against the plain float32 torch path of the library that the backbone comes from."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
from PIL import Image

from headstart.encode.encode import encode
from headstart.encode.store import table, tables
from headstart.inputs.image import read_bytes
from headstart.pretrained.load import load


def digests(contents):
    return np.stack([np.frombuffer(hashlib.sha256(content).digest(), np.uint8) for content in contents])


def cosines(ours, theirs):
    return (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)


def test_images_equal_timm(textile, own_cache):
    import torch

    from headstart.pretrained import from_timm

    files = [f for name in ("global", "local", "nominal") for f in sorted((textile / name).glob("*.jpg"))[:11]]
    files = [*files, *_bundled_photos()]
    backbone = replace(load("efficientnet_lite0", kind="image"), precision="float32")
    sources = [str(f) if not isinstance(f, Image.Image) else f for f in files]
    ours = encode(sources, digests([read_bytes(source) for source in sources]), backbone)
    model = backbone.module()
    data = from_timm.timm.data.resolve_data_config({}, model=from_timm.timm.create_model("tf_efficientnet_lite0"))
    transform = from_timm.timm.data.create_transform(**data)
    pictures = [f if isinstance(f, Image.Image) else Image.open(f) for f in files]
    with torch.inference_mode():
        theirs = model(torch.stack([transform(p.convert("RGB")) for p in pictures])).numpy()
    assert ours.matrix.shape == (len(files), 1280)
    assert cosines(ours.matrix, theirs).min() > 0.9995


def _bundled_photos():
    """Two large colour photos that scikit-learn ships."""
    from sklearn.datasets import load_sample_images

    return [Image.fromarray(a) for a in load_sample_images().images]


def test_texts_equal_transformers_alone_and_padded(own_cache):
    import torch
    from transformers import AutoModel, AutoTokenizer

    from headstart.pretrained import catalog

    folder = catalog.find("all-MiniLM-L6-v2").path
    texts = ["Short.", "A somewhat longer question about the weather in spring, and more?", "word " * 400, "日本語 🎉"]
    texts += [f"number {i} " * (i + 1) for i in range(20)]
    backbone = load("all-MiniLM-L6-v2", kind="text")
    ours = encode(texts, digests([t.encode() for t in texts]), backbone).matrix
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    theirs = []
    with torch.inference_mode():
        for text in texts:  # one at a time: no padding at all
            tokens = tokenizer(text, truncation=True, max_length=backbone.preparation.max_length, return_tensors="pt")
            states = model(**tokens, output_hidden_states=True).hidden_states
            pooled = [torch.nn.functional.normalize(states[layer].mean(1), dim=-1)[0] for layer in (6, 4)]
            theirs.append(torch.cat(pooled).numpy())
    assert cosines(ours, np.stack(theirs)).min() > 0.9995


def test_store_survives_damage_and_is_shared(tmp_path, own_cache):
    keys, rows = digests([b"a", b"b", b"c"]), np.arange(12, dtype=np.float32).reshape(3, 4)
    table("f", width=4, about="numbers").add(keys[:2], rows[:2])
    table("f", width=4, about="numbers").add(keys[1:], rows[1:])
    found = table("f", width=4, about="numbers")
    np.testing.assert_array_equal(found.rows(found.find(keys)), rows)
    assert found.find(digests([b"other"])).tolist() == [-1]
    segment = sorted((tmp_path / "own_cache").rglob("*.rows"))[0]
    content = bytearray(segment.read_bytes())
    content[-1] ^= 1
    segment.write_bytes(content)
    damaged = table("f", width=4, about="numbers")
    assert (damaged.find(keys) >= 0).tolist() == [False, True, True]
    segment.write_bytes(content[:300])
    assert (table("f", width=4, about="numbers").find(keys) >= 0).tolist() == [False, True, True]
    assert [t.about for t in tables()] == ["numbers"]


def test_large_values_are_kept_exactly(own_cache):
    keys, rows = digests([b"a"]), np.array([[1e5, 1.0]], np.float32)
    table("big", width=2, about="big").add(keys, rows)
    found = table("big", width=2, about="big")
    np.testing.assert_array_equal(found.rows(found.find(keys)), rows)

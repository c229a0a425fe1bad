"""Models of the catalog in their smallest faithful form: the same code, random weights, fewer and narrower layers."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from headstart.backbone import ImagePreparation
from headstart.inputs.image import open_image, prepare
from headstart.pretrained.from_timm import timm

VIT = {"depth": 2, "embed_dim": 48, "num_heads": 3}
SMALL_IMAGES: list[tuple[str, dict[str, Any], int]] = [  # architecture, timm's arguments, pixels a side
    (r"vgg", {"mlp_ratio": 0.02}, 64),
    (r"(wide_)?resne(x)?t\d+", {"layers": [1, 1, 1, 1]}, 64),
    (r"xception", {}, 96),
    (r"inception", {}, 75),
    (r"densenet", {"block_config": [3, 2, 2, 2]}, 64),
    (r"convnext", {"depths": [1, 1, 1, 1], "dims": [16, 32, 64, 128]}, 64),
    (r"swin", {"depths": [1, 1, 1, 1], "embed_dim": 12, "num_heads": [1, 2, 4, 8], "img_size": 64}, 64),
    (r"beitv2", {**VIT, "img_size": 64}, 64),
    (r"eva.*patch14", {**VIT, "img_size": 56}, 56),
    (r"vit_pe", {**VIT, "img_size": 64}, 64),
    (r"tiny_vit", {}, 64),
    (r"vit.*patch14", {**VIT, "img_size": 56}, 56),
    (r"vit.*patch32", {**VIT, "img_size": 96}, 96),
    (r"vit|deit", {**VIT, "img_size": 64}, 64),
    (r".*", {}, 64),  # convolutions of 1 to 70 million weights, as they are
]
TINY: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 66,
}
SMALL_TEXTS: dict[str, dict[str, Any]] = {
    "distilbert": {"dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": 66},
    "albert": {**TINY, "embedding_size": 16},
    "electra": {**TINY, "embedding_size": 16},
    "modernbert": {**TINY, "global_attn_every_n_layers": 2, "local_attention": 8},
    "xlm": {"emb_dim": 32, "n_layers": 3, "n_heads": 4, "max_position_embeddings": 66},
}
ROBERTAS = ("roberta", "xlm-roberta", "mpnet")
WORDS = [
    "where",
    "is",
    "my",
    "card",
    "the",
    "rate",
    "pin",
    "new",
    "a",
    "of",
    "##s",
    "##ing",
    "?",
    ".",
    "i",
    "lost",
    "it",
]


def small_image_model(architecture: str, folder: Path, *, anywhere: bool = False) -> torch.nn.Module:
    """Write a hub-style folder of timm's with a classifier of seven classes; gives the model itself.

    Args:
        anywhere: the same weights to the bit on every processor; torch's own differ in the last digits.
    """
    arguments, size = next((a, s) for pattern, a, s in SMALL_IMAGES if re.match(pattern, architecture))
    torch.manual_seed(0)
    model = timm.create_model(architecture, pretrained=False, num_classes=7, **arguments).eval()
    for name, scale in model.named_parameters():  # layer scales start at 0.00001, where every picture looks the same
        if name.endswith("gamma"):
            torch.nn.init.constant_(scale, 0.5)
    if anywhere:
        _draw(model)
    else:
        _settle(model, size, 1 if "repvit" in architecture else 64)
    folder.mkdir()
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "model.safetensors")
    settings = {**model.pretrained_cfg, "input_size": [3, size, size], "label_names": [f"kind {i}" for i in range(7)]}
    config = {"architecture": architecture, "model_args": arguments, "pretrained_cfg": settings}
    (folder / "config.json").write_text(json.dumps(config, default=str))
    return model


def _draw(model: torch.nn.Module) -> None:
    """Weights of such a size that a signal neither dies out nor explodes, all by numpy and with nothing computed."""
    rng = np.random.default_rng(0)
    for name, value in sorted(model.state_dict().items()):
        if value.is_floating_point() and value.dim() > 1:
            widest = (3 / value[0].numel()) ** 0.5
            value.copy_(torch.from_numpy(rng.uniform(-widest, widest, tuple(value.shape)).astype(np.float32)))
        elif name.endswith("bias"):
            value.zero_()


def _settle(model: torch.nn.Module, size: int, larger: float) -> None:
    """Statistics as after training, so that a test can see them move or missing: by the size of what comes in.

    Otherwise a signal dies out in so many random blocks, or explodes, and all pictures look the same at the end. Where
    blocks add to what passes them by, a deviation is taken eight times too large, so that each adds a little: random
    blocks amplify rounding.
    """

    def follow(module: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        mean_square = inputs[0].square().mean()
        module.running_mean.uniform_(-0.1, 0.1).mul_(mean_square.sqrt())
        module.running_var.uniform_(0.8, 1.25).mul_(larger * mean_square)

    normalisers = [module for module in model.modules() if getattr(module, "running_mean", None) is not None]
    hooks = [module.register_forward_pre_hook(follow) for module in normalisers]
    told = {name: model.pretrained_cfg[name] for name in ("interpolation", "mean", "std", "crop_mode")}
    preparation = ImagePreparation((size, size), crop=model.pretrained_cfg["crop_pct"], **told)
    with torch.no_grad():
        model(prepared_pixels(pictures(), preparation)[1])
    for hook in hooks:
        hook.remove()


def small_text_model(model_type: str, folder: Path) -> torch.nn.Module:
    """Write a hub-style folder of transformers' with a classifier of three classes; gives the model itself."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    tokenizer = _tokenizer(roberta=model_type in ROBERTAS)
    ids = {name: tokenizer.token_to_id(name) for name in ("[PAD]", "[CLS]", "[SEP]")}
    config = AutoConfig.for_model(
        model_type,
        **SMALL_TEXTS.get(model_type, TINY),
        vocab_size=tokenizer.get_vocab_size(),
        pad_token_id=ids["[PAD]"],
        cls_token_id=ids["[CLS]"],
        bos_token_id=ids["[CLS]"],
        sep_token_id=ids["[SEP]"],
        eos_token_id=ids["[SEP]"],
        num_labels=3,
        id2label={0: "bad", 1: "fair", 2: "good"},
    )
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    for name, weight in model.named_parameters():  # the default deviation of 0.02 makes every text look the same
        if weight.ndim == 2 and "embedding" in name:
            torch.nn.init.normal_(weight, std=0.5)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 64}))
    return model


def _tokenizer(*, roberta: bool, words: Sequence[str] = WORDS) -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    special = ["[CLS]", "[PAD]", "[SEP]", "[UNK]"] if roberta else ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    special.append("[MASK]")
    tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate([*special, *words])}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pair = [(name, tokenizer.token_to_id(name)) for name in ("[SEP]", "[CLS]")]
    tokenizer.post_processor = processors.BertProcessing(*pair)
    return tokenizer


def pictures() -> list[Image.Image]:
    """Five that can be told apart."""
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 255, (9, 9, 3), np.uint8)).resize((80, 70), 2) for _ in range(5)]


def prepared_pixels(images: list[Image.Image], preparation: ImagePreparation) -> tuple[np.ndarray, torch.Tensor]:
    """What goes into our engines, (n, h, w, 3) uint8, and into the reference, (n, 3, h, w) float32."""
    prepared = np.stack([prepare(open_image(image), preparation) for image in images])
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (preparation.mean, preparation.std))
    return prepared, (torch.from_numpy(prepared).permute(0, 3, 1, 2).float() / 255 - mean) / std


def small_reading_model(model_type: str, folder: Path, *, words: Sequence[str] = WORDS) -> torch.nn.Module:
    """Write a hub-style folder of transformers' that answers questions, with random weights; gives the model itself."""
    from transformers import AutoConfig, AutoModelForQuestionAnswering

    tokenizer = _tokenizer(roberta=model_type in ROBERTAS, words=words)
    ids = {name: tokenizer.token_to_id(name) for name in ("[PAD]", "[CLS]", "[SEP]")}
    config = AutoConfig.for_model(
        model_type,
        **{**SMALL_TEXTS.get(model_type, TINY), "max_position_embeddings": 514},
        vocab_size=tokenizer.get_vocab_size(),
        pad_token_id=ids["[PAD]"],
        cls_token_id=ids["[CLS]"],
        bos_token_id=ids["[CLS]"],
        sep_token_id=ids["[SEP]"],
        eos_token_id=ids["[SEP]"],
        num_labels=2,
    )
    torch.manual_seed(0)
    model = AutoModelForQuestionAnswering.from_config(config).eval()
    for name, weight in model.named_parameters():  # few spans are likely, as after training
        if weight.ndim == 2 and ("embedding" in name or "qa_outputs" in name or "classifier" in name):
            torch.nn.init.normal_(weight, std=3.0 if "embedding" not in name else 0.5)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 512}))
    return model


FILLING = [
    *("the", "tower", "house", "bridge", "was", "built", "by", "a", "king", "in"),
    *("and", "old", "river", "city", "of", "people", "who", "came", "from", "north"),
]
YEARS = [str(year) for year in range(1900, 2000)]
QUESTION = "when was it built?"  # what a text with a year in it is asked


def text_with_a_year(rng: random.Random, words: int, *, year: bool = True) -> tuple[str, tuple[tuple[str, int], ...]]:
    """Random words with a year among them, and the answer to the question when something was built."""
    some = [rng.choice(FILLING) for _ in range(words)]
    if not year:
        return " ".join(some), ()
    at = rng.randrange(words)
    some[at] = rng.choice(YEARS)
    return " ".join(some), ((some[at], len(" ".join(some[:at])) + (at > 0)),)


def model_that_finds_years(folder: Path) -> None:
    """Write a reading model whose weights are set by hand: a year is the answer, and without one there is none.

    Nothing is added to the residual stream, so each token's state is its normalised vector: one for years, one for the
    first special token, one for the rest.
    """
    model = small_reading_model("bert", folder, words=[*FILLING, *YEARS, "when", "it", "?", "."])
    ids = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if not name.endswith("LayerNorm.weight"):
                weight.zero_()
        words = model.bert.embeddings.word_embeddings.weight
        words[:, 0] = 1
        for number, tokens in ((1, YEARS), (2, ["[CLS]"])):
            for token in tokens:
                words[ids[token]] = torch.eye(words.shape[1])[number]
        model.qa_outputs.weight[:, 1], model.qa_outputs.weight[:, 2] = 2.0, 1.2
    model.save_pretrained(folder)

"""What goes from a folder's config.json into timm: names that are known here, with values of a bounded size.

timm passes what it is given on, and some of it names files to open (`checkpoint_path`), addresses to fetch from or
functions to call. An argument that is not known is refused, since the model would be another without it; an entry of
`pretrained_cfg` is left out, since all that is read of it is how images are prepared and what the head is called.
"""

from __future__ import annotations

from typing import Any

from headstart.pretrained.schema import Check, Wrong, either, flag, listing, maybe, number, one_of, record, text, whole

ARCHITECTURE = text(most=100, pattern=r"[A-Za-z0-9_]+(\.[A-Za-z0-9_-]+)?", said="a name of an architecture")
TENSORS = r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*"  # the beginning of tensors' names

_SIZES = """
attn_head_dim base_dim base_width bn_size cardinality channels depth depths dim dims embed_dim embed_dims first_stride
group_size groups growth_rate head_dim head_hidden_size heads hidden_size img_size in_chans init_channels kernel_size
kernel_sizes layers local_up_to_layer mlp_dim num_blocks num_classes num_features num_heads num_init_features
num_kv_heads num_reg_tokens output_stride patch_size patch_sizes pool_size pos_embed_grid_size ref_feat_shape reg_tokens
rel_pos_dim sr_ratios stem_chs stem_kernel_size stem_size stem_stride stem_width strides widths window_size window_sizes
block_config num_stages stages pretrained_window_sizes
""".split()  # noqa: SIM905 - a list a word a line would be longer than the rest
_SHARES = """
attn_drop_rate attn_mlp_ratio attn_ratio bottle_ratio channel_multiplier crop_scale depth_mult drop drop_block_rate
drop_path_rate drop_rate dropout expand_ratio expansion_ratio head_init_scale img_scale init_values
layer_scale_init_value layer_scale_init_values ls_init_value mlp_ratio mlp_ratios norm_eps patch_drop_rate pos_drop_rate
proj_drop_rate res_scale_init_values rope_temperature rope_theta se_ratio transformer_drop_path width_factor width_mult
window_ratio ffn_ratio
""".split()  # noqa: SIM905
_CHOICES = """
act_layer attn_type downsample_type fc_norm global_pool head_norm_first norm_layer pad_type pool_type pos_embed
rel_pos_type rope_type stem_type weight_init
""".split()  # noqa: SIM905
_SWITCHES = """
abs_win_pos_embed always_partition attn_bias avg_down block_reduce_first class_token conv_bias conv_mlp distilled
dynamic_img_pad dynamic_img_size embed_norm final_norm fix_stem head_bias legacy mlp_bias no_embed_class patch_norm
pool_include_prefix pre_norm proj_bias qk_norm qkv_bias qkv_fused replace_stem_pool rope_rotate_half se_from_exp
sep_pos_embed shared_rel_pos strict_img_size swiglu_mlp use_abs_pos use_abs_pos_emb use_fc_norm use_grn use_layer_scale
use_mlp_head use_pos_emb use_pos_embed use_rel_pos use_rel_pos_bias use_rope use_rot_pos_emb use_shared_rel_pos_bias
zero_init_last
""".split()  # noqa: SIM905

_LOOPED = ("depth", "layer", "block", "stage")  # a module is made for each
_MOST_LOOPED, _MOST_SIZE, _MOST_SHARE = 256, 65_536, 1e6
_MOST_ITEMS = 64


def _one_or_several(item: Check) -> Check:
    """A value, a list of them, or a list of such lists."""
    several = listing(item, most=_MOST_ITEMS)
    return either(item, either(several, listing(either(item, several), most=_MOST_ITEMS)))


_SHORT = text(most=40, pattern=r"[A-Za-z0-9_]*", said="a short word")
_ARGUMENTS: dict[str, Check] = {
    **{name: _one_or_several(whole(-1, _MOST_SIZE)) for name in _SIZES},
    **{name: _one_or_several(whole(0, _MOST_LOOPED)) for name in _SIZES if any(word in name for word in _LOOPED)},
    **{name: _one_or_several(maybe(number(-_MOST_SHARE, _MOST_SHARE))) for name in _SHARES},
    **{name: either(flag, _SHORT) for name in _CHOICES},
    **{name: flag for name in _SWITCHES},
    "in_chans": one_of(3),
    "global_pool": either(flag, text(most=40, pattern=r"[a-z0-9_]+", said="a kind of pooling")),
}


def model_args(value: Any, name: str) -> dict[str, Any]:
    """Arguments for timm's builder of an architecture; those that are null count as not given."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Wrong(f"{name} is not an object")
    given = {key: entry for key, entry in value.items() if entry is not None}
    for key in given:
        if key not in _ARGUMENTS:
            raise Wrong(f"{name} has {key[:60]!r}, which headstart does not pass on to timm")
    return {key: _ARGUMENTS[key](entry, f"{name}.{key}") for key, entry in given.items()}


_SIDES = listing(whole(1, 4096), least=3, most=3)
_COLOURS = listing(number(-1000, 1000), least=3, most=3)
_TENSOR = text(most=200, pattern=TENSORS, said="the name of a layer")
CLASSIFIER = either(_TENSOR, listing(_TENSOR, least=1, most=16))  # or several that answer together
FILTERS = one_of("nearest", "bilinear", "bicubic", "lanczos", "hamming", "box", "random")
CROP_MODES = one_of("center", "squash", "border")
LABELS = listing(text(most=10_000), most=1_000_000)

PRETRAINED = record(
    {},
    {
        "architecture": maybe(text(most=100)),
        "tag": maybe(text(most=100)),
        "license": maybe(text(most=200)),
        "num_classes": maybe(whole(0, 1_000_000)),
        "label_names": maybe(LABELS),
        "input_size": maybe(_SIDES),
        "min_input_size": maybe(_SIDES),
        "test_input_size": maybe(_SIDES),
        "fixed_input_size": maybe(flag),
        "interpolation": maybe(FILTERS),
        "crop_pct": maybe(number(above=0, high=2)),
        "test_crop_pct": maybe(number(above=0, high=2)),
        "crop_mode": maybe(text(most=40)),  # of those that are not known, it is said later what is missing
        "mean": maybe(_COLOURS),
        "std": maybe(listing(number(above=0, high=1000), least=3, most=3)),
        "pool_size": maybe(listing(whole(1, 4096), most=2)),
        "first_conv": maybe(either(_TENSOR, listing(_TENSOR, most=16))),
        "classifier": maybe(CLASSIFIER),
    },
)

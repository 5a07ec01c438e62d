"""tiny_vlm: a small vision-language model with random weights, from a configuration alone."""

from typing import Any, Literal

import torch

from sklearn_sleep.staging.vlm.backbone import (
    VisionLanguageModel,
    import_transformers,
    without_videos,
)

_SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
# Turns as Qwen's chat template writes them.
_CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_PATCH_SIZE = 14
_N_HEADS = 4
# Standard deviation of the weights. That of large models, 0.02, is for thousands of features; with
# tens of them nothing would be told apart at first.
_INITIAL_SPREAD = 0.1


def tiny_vlm(
    architecture: Literal["qwen2_5_vl", "llava"] = "qwen2_5_vl",
    *,
    hidden_size: int = 64,
    n_layers: int = 2,
    image_size: int = 112,
    random_state: int = 0,
) -> VisionLanguageModel:
    """Build a model that knows nothing, for tests and to learn from scratch.

    It has the architecture of the large ones, some 300,000 parameters, and a tokenizer of bytes.

    Parameters
    ----------
    architecture : {"qwen2_5_vl", "llava"}, default="qwen2_5_vl"
        Of which family.
    hidden_size : int, default=64
        Width of the vision tower and of the language model; a multiple of 32.
    n_layers : int, default=2
        Layers of each.
    image_size : int, default=112
        To which LLaVA's processor scales images, in pixels; a multiple of 14. Qwen2.5-VL takes
        images as they are.
    random_state : int, default=0
        Seed of the weights.

    Returns
    -------
    VisionLanguageModel

    Raises
    ------
    ImportError
        If transformers is not installed.
    ValueError
        If the architecture is not known, or a size does not fit.

    Examples
    --------
    >>> tiny_vlm("llava", hidden_size=32)
    VisionLanguageModel(LlavaForConditionalGeneration, 84224 parameters)
    """
    transformers = import_transformers()
    makers = {"qwen2_5_vl": _qwen, "llava": _llava}
    if architecture not in makers:
        raise ValueError(f"architecture={architecture!r} must be 'qwen2_5_vl' or 'llava'.")
    if hidden_size % 32 or image_size % _PATCH_SIZE:
        raise ValueError(
            f"hidden_size={hidden_size} must be a multiple of 32, and image_size={image_size} one "
            f"of {_PATCH_SIZE}."
        )
    tokenizer = _tokenizer(transformers)
    with torch.random.fork_rng([]):
        torch.manual_seed(random_state)
        model, processor = makers[architecture](
            transformers, tokenizer, hidden_size, n_layers, image_size
        )
    return VisionLanguageModel(model.eval(), processor)


def _tokenizer(transformers: Any) -> Any:
    """Return a tokenizer whose tokens are bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    vocabulary = {byte: i for i, byte in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(_SPECIAL_TOKENS),
    )


def _text_options(tokenizer: Any, hidden_size: int, n_layers: int) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": hidden_size,
        "intermediate_size": 2 * hidden_size,
        "num_hidden_layers": n_layers,
        "num_attention_heads": _N_HEADS,
        "num_key_value_heads": _N_HEADS // 2,
        "max_position_embeddings": 8192,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": None,
        "initializer_range": _INITIAL_SPREAD,
    }


def _qwen(
    transformers: Any, tokenizer: Any, hidden_size: int, n_layers: int, image_size: int
) -> tuple[Any, Any]:
    from transformers.models.qwen2_vl import image_processing_pil_qwen2_vl

    ids = dict(zip(_SPECIAL_TOKENS, tokenizer.convert_tokens_to_ids(_SPECIAL_TOKENS), strict=True))
    pairs = hidden_size // _N_HEADS // 2
    # Of the pairs that are turned by position: in time, down the image, across it.
    sections = [pairs - 2 * (3 * pairs // 8), 3 * pairs // 8, 3 * pairs // 8]
    text = _text_options(tokenizer, hidden_size, n_layers)
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            **text,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": sections,
                "rope_theta": 10000.0,
            },
        },
        vision_config={
            "depth": n_layers,
            "hidden_size": hidden_size,
            "intermediate_size": 2 * hidden_size,
            "num_heads": _N_HEADS,
            "out_hidden_size": hidden_size,
            "patch_size": _PATCH_SIZE,
            "window_size": 4 * _PATCH_SIZE,
            "fullatt_block_indexes": list(range(n_layers)),
            "initializer_range": _INITIAL_SPREAD,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    images = image_processing_pil_qwen2_vl.Qwen2VLImageProcessorPil(
        size={"shortest_edge": 4 * _PATCH_SIZE**2, "longest_edge": 2**22}
    )
    template = _CHAT_TEMPLATE.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>")
    processor = without_videos(transformers.Qwen2_5_VLProcessor)(
        images, tokenizer, chat_template=template
    )
    return transformers.Qwen2_5_VLForConditionalGeneration(config), processor


def _llava(
    transformers: Any, tokenizer: Any, hidden_size: int, n_layers: int, image_size: int
) -> tuple[Any, Any]:
    from transformers.models.clip import image_processing_pil_clip

    image_token = "<|image_pad|>"
    config = transformers.LlavaConfig(
        text_config=transformers.LlamaConfig(**_text_options(tokenizer, hidden_size, n_layers)),
        vision_config=transformers.CLIPVisionConfig(
            hidden_size=hidden_size,
            intermediate_size=2 * hidden_size,
            num_hidden_layers=n_layers + 1,  # features are taken before the last one
            num_attention_heads=_N_HEADS,
            image_size=image_size,
            patch_size=_PATCH_SIZE,
            initializer_range=_INITIAL_SPREAD,
        ),
        image_token_id=tokenizer.convert_tokens_to_ids(image_token),
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
    )
    size = {"height": image_size, "width": image_size}
    images = image_processing_pil_clip.CLIPImageProcessorPil(size=size, do_center_crop=False)
    processor = transformers.LlavaProcessor(
        images,
        tokenizer,
        patch_size=_PATCH_SIZE,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token=image_token,
        chat_template=_CHAT_TEMPLATE.replace("IMAGE", image_token),
    )
    return transformers.LlavaForConditionalGeneration(config), processor

"""Vision-language models of Hugging Face, and what prepares text and images for them."""

import hashlib
import importlib
import inspect
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch


@dataclass
class VisionLanguageModel:
    """A model and its processor, in memory, as `tiny_vlm` makes them.

    `name` is where it can be loaded from again, a folder or a name on the hub; it is empty if its
    weights are nowhere else.
    """

    model: Any
    processor: Any
    name: str = ""

    @property
    def fingerprint(self) -> str:
        """A hash of the architecture and the weights, the same in each process."""
        digest = hashlib.sha256(self.model.config.to_json_string().encode())
        for name, value in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            # As bytes, since NumPy has no bfloat16.
            digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def __repr__(self) -> str:
        n = sum(parameter.numel() for parameter in self.model.parameters())
        return f"VisionLanguageModel({type(self.model).__name__}, {n} parameters)"


def import_transformers() -> Any:
    """Return transformers, or raise an ImportError that says how to install it and peft."""
    for package in ("transformers", "peft"):
        if find_spec(package) is None:
            raise ImportError(f"VLMStager needs {package}: pip install 'sklearn_sleep[vlm]'.")
    return importlib.import_module("transformers")


def load_backbone(
    name: str,
    *,
    revision: str | None = None,
    dtype: torch.dtype = torch.float32,
    quantization: str | None = None,
    device: str = "cpu",
) -> VisionLanguageModel:
    """Load a model and its processor by folder or hub name; nothing with them is executed."""
    transformers = import_transformers()
    options: dict[str, Any] = {"revision": revision, "trust_remote_code": False, "dtype": dtype}
    if quantization is not None:
        options["quantization_config"] = _four_bits(transformers, device)
        options["device_map"] = {"": device}
    model = transformers.AutoModelForImageTextToText.from_pretrained(
        name, use_safetensors=True, **options
    )
    if quantization is None:
        model = model.to(device)
    return VisionLanguageModel(model, load_processor(name, revision=revision), name)


def load_processor(name: str, *, revision: str | None = None) -> Any:
    """Load the processor of a model, by folder or hub name.

    Processors that take videos too need torchvision even for images; where it is not installed,
    theirs is left out.
    """
    transformers = import_transformers()
    options: dict[str, Any] = {"revision": revision, "trust_remote_code": False}
    if find_spec("torchvision") is None:
        mapping = importlib.import_module("transformers.models.auto.processing_auto")
        config = transformers.AutoConfig.from_pretrained(name, **options)
        kind = mapping.PROCESSOR_MAPPING_NAMES.get(config.model_type)
        if kind is not None:
            processor_type = getattr(transformers, kind)
            if "video_processor" in inspect.signature(processor_type.__init__).parameters:
                return without_videos(processor_type).from_pretrained(name, **options)
    return transformers.AutoProcessor.from_pretrained(name, **options)


def without_videos(processor_type: type) -> Any:
    """Return the processor of transformers for images and text alone."""

    class _ImageTextProcessor(processor_type):
        def __init__(
            self,
            image_processor: Any = None,
            tokenizer: Any = None,
            chat_template: Any = None,
            **kwargs: Any,
        ) -> None:
            super().__init__(image_processor, tokenizer, chat_template=chat_template, **kwargs)

        def __reduce__(self) -> Any:
            # The class has no name that pickle could find.
            return _unpickle, (processor_type, vars(self))

    _ImageTextProcessor.__name__ = processor_type.__name__
    return _ImageTextProcessor


def _unpickle(processor_type: type, state: dict[str, Any]) -> Any:
    kind = without_videos(processor_type)
    processor = kind.__new__(kind)
    vars(processor).update(state)
    return processor


def keep_whole_images(processor: Any) -> None:
    """Let a processor resize images, in place, instead of cutting off what does not fit.

    CLIP's, which LLaVA has, would show the middle of the epoch alone.
    """
    images = processor.image_processor
    if getattr(images, "do_center_crop", False):
        images.do_center_crop = False
        images.size = dict(images.crop_size)


def _four_bits(transformers: Any, device: str) -> Any:
    if not device.startswith("cuda") or not torch.cuda.is_available():
        raise ValueError(f"quantization='4bit' needs a GPU, but device={device!r}. Leave it out.")
    if find_spec("bitsandbytes") is None:
        raise ImportError("quantization='4bit' needs bitsandbytes: pip install bitsandbytes.")
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
    )

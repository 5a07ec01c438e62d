"""VisionLanguageModule: what is trained of a vision-language model."""

import inspect
import warnings
from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor, nn


class VisionLanguageModule(nn.Module):
    """A vision-language model, which is changed: with adapters or as it is.

    Adapters of low rank are those of Hu et al. 2021 (arXiv 2106.09685); `adapter_options`, of
    peft's ``LoraConfig``, are those of an adapter that is to be loaded. With
    `gradient_checkpointing` only the layers' inputs are kept in training.
    """

    def __init__(
        self,
        model: Any,
        *,
        tuning: Literal["lora", "full"],
        train_vision: bool,
        lora_rank: int,
        lora_alpha: int,
        lora_dropout: float,
        gradient_checkpointing: bool,
        adapter_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if getattr(model, "is_quantized", False):
            from peft import prepare_model_for_kbit_training

            model = prepare_model_for_kbit_training(
                model, use_gradient_checkpointing=gradient_checkpointing
            )
        if tuning == "lora":
            model = _add_adapters(
                model,
                {
                    "r": lora_rank,
                    "lora_alpha": lora_alpha,
                    "lora_dropout": lora_dropout,
                    "target_modules": _linear_layers(model, train_vision=train_vision),
                    **(adapter_options or {}),
                },
            )
        else:
            for name, parameter in model.named_parameters():
                parameter.requires_grad_(train_vision or not is_vision(name))
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        if gradient_checkpointing:
            _checkpoint(base)
        self.model = model
        self.keeps_logits = "logits_to_keep" in inspect.signature(base.forward).parameters

    def forward(self, n_logits: int, **inputs: Tensor) -> Tensor:
        """Return the logits of the last positions, (n_rows, n_logits, vocabulary)."""
        options = {"logits_to_keep": n_logits} if self.keeps_logits else {}
        return self.model(**inputs, use_cache=False, **options).logits[:, -n_logits:]

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """Return the weights that training changes; the others are the model's own."""
        state = super().state_dict(*args, **kwargs)
        trained = {name for name, p in self.named_parameters() if p.requires_grad}
        return {name: value for name, value in state.items() if name in trained}

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Load the weights that training changes; RuntimeError if they do not fit."""
        own = set(self.state_dict())
        missing, unexpected = sorted(own - set(state_dict)), sorted(set(state_dict) - own)
        if strict and (missing or unexpected):
            raise RuntimeError(
                f"The weights do not fit: missing {missing[:3]}, unexpected {unexpected[:3]}."
            )
        return super().load_state_dict(state_dict, strict=False, assign=assign)


def is_vision(name: str) -> bool:
    """Return whether a parameter or module belongs to the vision tower, by its name."""
    return any("vision" in part or "visual" in part for part in name.split("."))


def _linear_layers(model: nn.Module, *, train_vision: bool) -> list[str]:
    """Return what SleepVLM adapts: all linear layers but the last one."""
    return [
        name
        for name, part in model.named_modules()
        if isinstance(part, nn.Linear)
        and not name.endswith("lm_head")
        and (train_vision or not is_vision(name))
    ]


def _add_adapters(model: Any, options: Mapping[str, Any]) -> Any:
    from peft import LoraConfig, get_peft_model

    with warnings.catch_warnings():
        # peft asks transformers by a name that is to change.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated")
        adapted = get_peft_model(model, LoraConfig(**options))
    for name, parameter in adapted.named_parameters():
        # Adapters learn in full precision, whatever the model is kept in.
        if parameter.requires_grad and "lora_" in name:
            parameter.data = parameter.data.float()
    return adapted


def _checkpoint(base: Any) -> None:
    """Keep only the layers' inputs in training."""
    base.enable_input_require_grads()
    # The former name of the same, before transformers 5.
    enable = getattr(base, "activation_checkpointing_enable", None)
    (base.gradient_checkpointing_enable if enable is None else enable)({"use_reentrant": False})

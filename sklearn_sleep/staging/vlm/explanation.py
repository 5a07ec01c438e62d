"""Explanations: what a model says, checked, and where it looks."""

import json
import re
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sklearn_sleep.core.arrays import SampleArray
from sklearn_sleep.staging.vlm.prompts import RATIONALE_KEY, RULES_KEY, answer_text
from sklearn_sleep.staging.vlm.rules import check_rules

_CITED = re.compile(r'"([^"]*)"')
_RATIONALE = re.compile(rf'"{RATIONALE_KEY}":\s*"((?:[^"\\]|\\.)*)')


@dataclass(frozen=True)
class Explanation:
    """Why a model scores a stage: rules, what else it cites, and what it says.

    `is_complete` tells whether the answer ended where it should; else it is as far as it went.
    """

    rules: list[str]
    unknown_rules: list[str]
    rationale: str
    is_complete: bool


def begin_explanation(stage: str) -> str:
    """Return the beginning of an answer that goes on to say why."""
    return f'{answer_text(stage)[:-1]}, "{RULES_KEY}": ['


def parse_explanation(stage: str, said: str) -> Explanation:
    """Read what a model said after `begin_explanation`, complete or cut off."""
    try:
        answer = json.loads(begin_explanation(stage) + said)
    except json.JSONDecodeError:
        answer = None
    if isinstance(answer, dict) and isinstance(answer.get(RULES_KEY), list):
        cited = [str(rule) for rule in answer[RULES_KEY]]
        rationale = str(answer.get(RATIONALE_KEY, ""))
        return Explanation(*check_rules(cited), rationale, is_complete=True)
    listed, _, rest = said.partition("]")
    found = _RATIONALE.search(rest)
    rationale = found.group(1) if found else ""
    return Explanation(*check_rules(_CITED.findall(listed)), rationale, is_complete=False)


def saliency_of_images(
    inputs: dict[str, Tensor], gradient: Tensor, shape: tuple[int, int, int, int]
) -> SampleArray:
    """Return how much each pixel matters, float32, (n_rows, n_images, height, width).

    It is gradient times input, as large as it is, by patches where the model takes patches in
    Qwen's order, scaled to a greatest value of 1 in each row.
    """
    n_rows, n_images, height, width = shape
    weight = (gradient * inputs["pixel_values"].detach()).abs().float()
    if "image_grid_thw" in inputs and weight.ndim == 2:
        maps = _of_patches(weight.sum(dim=1), inputs["image_grid_thw"])
    elif weight.ndim == 4 and len(weight) == n_rows * n_images:
        maps = [image[None] for image in weight.sum(dim=1)]
    else:
        raise ValueError(f"How this model takes images is not known: {tuple(weight.shape)}.")
    scaled = torch.cat([interpolate(m[None], (height, width), mode="nearest")[0] for m in maps])
    result = scaled.reshape(shape)
    greatest = result.amax(dim=(1, 2, 3), keepdim=True)
    return (result / torch.where(greatest > 0, greatest, 1.0)).cpu().numpy()


def _of_patches(weight: Tensor, grids: Tensor) -> list[Tensor]:
    """Return a map of each image's patches, which come in squares of two by two."""
    maps, start = [], 0
    for frames, rows, columns in grids.tolist():
        n_patches = frames * rows * columns
        squares = weight[start : start + n_patches].reshape(frames, rows // 2, columns // 2, 2, 2)
        maps.append(squares.permute(0, 1, 3, 2, 4).reshape(frames, rows, columns).sum(dim=0)[None])
        start += n_patches
    return maps

"""What is asked of a vision-language model, and how it is to answer."""

import json
from collections.abc import Sequence

from sklearn_sleep.imaging import Montage
from sklearn_sleep.staging.vlm.rules import RULES

# The keys of SleepVLM's answers (Deng et al. 2026), the stage first: its probabilities are those
# of the tokens that follow its key.
STAGE_KEY = "sleep_stage"
RULES_KEY = "applicable_rules"
RATIONALE_KEY = "reasoning_text"


def stage_prompt(
    stages: Sequence[str], montage: Montage | None = None, *, with_rules: bool = False
) -> str:
    """Return the question for the stage of an epoch."""
    parts = [] if montage is None else [describe_images(montage)]
    if with_rules:
        rules = "\n".join(f"{rule.identifier}: {rule.text}" for rule in RULES.values())
        parts.append(f"Rules that may be cited:\n{rules}")
    listed = f"{', '.join(stages[:-1])} or {stages[-1]}"
    parts.append(f"Score the sleep stage of the epoch to score: {listed}.")
    return "\n".join(parts)


def perception_prompt(montage: Montage, values: Sequence[str], seconds: float) -> str:
    """Return the question for what waveforms measure in every stretch of `seconds`."""
    return (
        f"{describe_images(montage)}\nEstimate for each trace and every {seconds:g} s: "
        f"{', '.join(values)}. Answer in JSON, a list for each trace."
    )


def describe_images(montage: Montage) -> str:
    """Return what the traces of an image are."""
    traces = []
    for trace in montage.traces:
        scale = ""
        if trace.amplitude is not None:
            low, high = trace.amplitude
            scale = f", {low:g} to {high:g} {trace.unit}".rstrip()
        traces.append(f"{trace.label} ({trace.color}{scale})")
    return (
        f"Each image shows 30 s of a polysomnogram. From top to bottom: {'; '.join(traces)}. "
        "What exceeds a trace's range goes on into its neighbours."
    )


def image_captions(context: Sequence[int]) -> list[str]:
    """Return what is written before each image of a row, by its offset in epochs."""
    captions = []
    for offset in context:
        if offset == 0:
            captions.append("The epoch to score:")
            continue
        n = abs(offset)
        captions.append(f"{n} epoch{'s' * (n > 1)} {'before' if offset < 0 else 'after'}:")
    return captions


def answer_text(stage: str, rules: Sequence[str] = (), rationale: str = "") -> str:
    """Return how a model is to answer: a JSON object, the stage first."""
    answer: dict[str, object] = {STAGE_KEY: stage}
    if rules:
        answer[RULES_KEY] = list(rules)
    if rationale:
        answer[RATIONALE_KEY] = rationale
    return json.dumps(answer, ensure_ascii=False)

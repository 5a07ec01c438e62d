"""What is asked of a vision-language model, and how it is to answer."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sklearn_sleep.imaging import Montage
from sklearn_sleep.staging.vlm.rules import RULES

__all__ = ["answer_text", "describe_images", "image_captions", "perception_prompt", "stage_prompt"]

# The keys of SleepVLM's answers (Deng et al. 2026), the stage first: its probabilities are those
# of the tokens that follow its key.
STAGE_KEY = "sleep_stage"
RULES_KEY = "applicable_rules"
RATIONALE_KEY = "reasoning_text"


def stage_prompt(
    stages: Sequence[str], montage: Montage | None = None, *, with_rules: bool = False
) -> str:
    """Return the question for the stage of an epoch.

    Parameters
    ----------
    stages : sequence of str
        The answers to choose from.
    montage : Montage, optional
        With which the images were drawn.
    with_rules : bool, default=False
        Whether to list the rules that an explanation may cite.

    Returns
    -------
    str

    Examples
    --------
    >>> print(stage_prompt(["W", "N1", "N2", "N3", "R"]))
    Score the sleep stage of the epoch to score: W, N1, N2, N3 or R.
    """
    parts = [] if montage is None else [describe_images(montage)]
    if with_rules:
        rules = "\n".join(f"{rule.identifier}: {rule.text}" for rule in RULES.values())
        parts.append(f"Rules that may be cited:\n{rules}")
    listed = f"{', '.join(stages[:-1])} or {stages[-1]}"
    parts.append(f"Score the sleep stage of the epoch to score: {listed}.")
    return "\n".join(parts)


def perception_prompt(montage: Montage, values: Sequence[str], seconds: float) -> str:
    """Return the question for what waveforms measure.

    Parameters
    ----------
    montage : Montage
        With which the images were drawn.
    values : sequence of str
        What is asked for each stretch of time.
    seconds : float
        Its length.

    Returns
    -------
    str
    """
    return (
        f"{describe_images(montage)}\nEstimate for each trace and every {seconds:g} s: "
        f"{', '.join(values)}. Answer in JSON, a list for each trace."
    )


def describe_images(montage: Montage) -> str:
    """Return what the traces of an image are.

    Parameters
    ----------
    montage : Montage
        With which the images were drawn.

    Returns
    -------
    str
    """
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
    """Return what is written before each image of a row.

    Parameters
    ----------
    context : sequence of int
        Epochs, counted from the one to score.

    Returns
    -------
    list of str

    Examples
    --------
    >>> image_captions([-1, 0, 2])
    ['1 epoch before:', 'The epoch to score:', '2 epochs after:']
    """
    captions = []
    for offset in context:
        if offset == 0:
            captions.append("The epoch to score:")
            continue
        n = abs(offset)
        captions.append(f"{n} epoch{'s' * (n > 1)} {'before' if offset < 0 else 'after'}:")
    return captions


def answer_text(stage: str, rules: Sequence[str] = (), rationale: str = "") -> str:
    """Return how a model is to answer.

    Parameters
    ----------
    stage : str
        The stage.
    rules : sequence of str, optional
        Identifiers of the rules that lead to it.
    rationale : str, optional
        Why.

    Returns
    -------
    str
        A JSON object.

    Examples
    --------
    >>> answer_text("N2", ["N2.1"])
    '{"sleep_stage": "N2", "applicable_rules": ["N2.1"]}'
    """
    answer: dict[str, object] = {STAGE_KEY: stage}
    if rules:
        answer[RULES_KEY] = list(rules)
    if rationale:
        answer[RATIONALE_KEY] = rationale
    return json.dumps(answer, ensure_ascii=False)

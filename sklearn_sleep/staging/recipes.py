"""Recipes: network and training for a number of nights and the signals that are given."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from typing import Any

from sklearn_sleep.core.signals import INSTANTANEOUS_HEART_RATE, source_of
from sklearn_sleep.features.readings import DEFAULT_CHOICES, reading_of
from sklearn_sleep.training.augmentation import Augmentation
from sklearn_sleep.training.schedule import ValidationNights

# What docs/small-cohorts.md was measured on, and some way beyond.
_MOST_NIGHTS = 200
# Both tell of the heart.
_HEART = ("ECG", "PPG")
# Nights that a training on waveforms shows in all its passes, and one on front ends, which stages
# each from several subsets of its signals at a time.
_NIGHTS_SHOWN, _NIGHTS_SHOWN_BEHIND_FRONT_END = 1000, 720
_FEWEST_PASSES, _MOST_PASSES = 30, 100
_FEWEST_PASSES_BEHIND_FRONT_END, _MOST_PASSES_BEHIND_FRONT_END = 20, 80
# With fewer, the nights are worth more in training than what they tell about when to stop.
_SUBJECTS_TO_VALIDATE = 100


def recipe_for(n_nights: int, signals: Collection[str] = ()) -> dict[str, Any]:
    """Return the parameters of `Wav2SleepClassifier` for a number of training nights, by name.

    The published network and its schedule are for thousands of nights, and of waveforms they are
    the recipe above 200. For fewer, it is a network of half the width; a context of twenty minutes
    instead of hours, with which tens of nights are not learnt by heart; more dropout; time shifts,
    changes of speed and noise; signals that are masked less often, with probability 0.3 each;
    batches of two nights, for more steps; as many passes as show 1000 nights, at least 30 and at
    most 100; and no validation nights below 100 subjects. Of a single signal, and with the
    instantaneous heart rate among them, it is a network of a quarter of the width, with more
    dropout still.

    Behind a `FrontEnd`, what is read from a signal enters one encoder side by side, which ECG
    and PPG share; the sequence mixer is ``"state_space"``; a night is staged from four subsets of
    its signals at a time, half of them single ones, and in half of the passes its pieces change
    places. The figures come from the learning curves in
    ``docs/small-cohorts.md``, over 5 to 50 synthetic nights of two hours.
    """
    if any(reading_of(name) for name in signals):
        return _recipe_behind_front_end(n_nights, signals)
    if n_nights > _MOST_NIGHTS:
        return {}
    is_narrow = len(signals) == 1 or INSTANTANEOUS_HEART_RATE.name in signals
    width = 32 if is_narrow else 64
    return {
        "module__feature_dim": width,
        "module__initial_channels": 8,
        "module__max_channels": width,
        "module__mixer_heads": 4,
        "module__mixer_feedforward_dim": 128,
        "module__sequence_blocks": 1,
        "module__sequence_dilations": 3,
        "module__dropout": 0.4 if is_narrow else 0.2,
        "mask_probability": dict.fromkeys(("ECG", "PPG", "ABD", "THX"), 0.3),
        "batch_size": 2,
        "lr": 3e-3,
        "max_epochs": _passes(n_nights, _NIGHTS_SHOWN, _FEWEST_PASSES, _MOST_PASSES),
        "train_split": ValidationNights(minimum_subjects=_SUBJECTS_TO_VALIDATE),
        "augmentation": Augmentation(time_shift=0.5, speed_change=0.1, noise=0.2),
    }


def _recipe_behind_front_end(n_nights: int, signals: Collection[str]) -> dict[str, Any]:
    is_small = n_nights <= _MOST_NIGHTS
    width = 32 if is_small else 64
    sources = dict.fromkeys(map(source_of, signals))
    return {
        **group_by_reading(signals),
        "module__embed_signals": True,
        "module__feature_dim": width,
        "module__initial_channels": 16,
        "module__max_channels": width,
        "module__mixer_layers": 2,
        "module__mixer_heads": 4,
        "module__mixer_feedforward_dim": 2 * width,
        "module__sequence_mixer": "state_space",
        "module__sequence_blocks": 3,
        "module__dropout": 0.4 if is_small else 0.2,
        "mask_probability": {**dict.fromkeys(sources, 0.3), "ECG": 0.5},
        "subsets_per_night": 4,
        "single_signal_probability": 0.5,
        "optimizer__weight_decay": 1e-2,
        "batch_size": 1 if is_small else 4,
        "lr": 6e-3,
        "max_epochs": _passes(
            n_nights,
            _NIGHTS_SHOWN_BEHIND_FRONT_END,
            _FEWEST_PASSES_BEHIND_FRONT_END,
            _MOST_PASSES_BEHIND_FRONT_END,
        ),
        "train_split": ValidationNights(minimum_subjects=_SUBJECTS_TO_VALIDATE),
        "augmentation": Augmentation(
            time_shift=0.5, speed_change=0.1, gain=0.3, noise=0.5, reorder=0.5
        ),
    }


def group_by_reading(signals: Collection[str]) -> dict[str, Any]:
    """Return ``module__signal_groups`` and ``module__signal_map`` of signals behind a `FrontEnd`.

    What is read from a source is a group of its own, ``"heart(ECG)"``. Readings of the ECG share
    their encoders with those of the PPG, which tells of the same beats; belts, of which each sees
    another part of the body move, and waveforms have their own.
    """
    groups: dict[str, list[str]] = {}
    signal_map = {}
    for name in signals:
        reading, source = reading_of(name), source_of(name)
        if reading is None:
            signal_map[name] = name
            continue
        group = f"{reading}({source})"
        groups.setdefault(group, []).append(name)
        signal_map[group] = reading if source in _HEART else group
    return {"module__signal_groups": groups, "module__signal_map": signal_map}


def missing_front_ends(signals: Collection[str]) -> str | None:
    """Return what a front end would add to signals that come as waveforms; None if nothing."""
    waveforms = [name for name in signals if name in DEFAULT_CHOICES]
    if not waveforms:
        return None
    given = ", ".join(f"{' and '.join(DEFAULT_CHOICES[name])} from {name}" for name in waveforms)
    return f"FrontEnd() before Resampler() would read {given}, and train in less time."


def _passes(n_nights: int, n_shown: int, fewest: int, most: int) -> int:
    return min(max(round(n_shown / max(n_nights, 1)), fewest), most)


# Values of recipes that JSON has no types for.
_KINDS: dict[str, Callable[..., Any]] = {
    "Augmentation": Augmentation,
    "ValidationNights": ValidationNights,
}


def describe_recipe(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe in JSON's types."""
    return {name: _describe(value) for name, value in recipe.items()}


def _describe(value: Any) -> Any:
    if isinstance(value, Augmentation):
        return {"type": "Augmentation", "parameters": value.get_params()}
    if isinstance(value, ValidationNights):
        return {"type": "ValidationNights", "parameters": asdict(value)}
    return value


def read_recipe(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recipe that was described; only kinds that are known are made."""
    return {
        name: _KINDS[value["type"]](**value["parameters"])
        if isinstance(value, Mapping) and "type" in value
        else value
        for name, value in described.items()
    }

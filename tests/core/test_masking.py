"""Stochastic masking against its probabilities."""

import math

import numpy as np
import pytest

from sklearn_sleep.core.masking import check_mask_probability, draw_kept_signals

DRAWS = 4000
SIGNALS = ("ECG", "PPG", "ABD", "THX")


def draw_many(available, probability, backup=None, seed=0):
    rng = np.random.default_rng(seed)
    return [draw_kept_signals(available, probability, backup, rng) for _ in range(DRAWS)]


def fraction_with(draws, name):
    return sum(name in kept for kept in draws) / len(draws)


def test_each_signal_is_masked_with_its_own_probability():
    probability = {"ECG": 0.5, "PPG": 0.1, "THX": 0.7}
    draws = draw_many(SIGNALS, probability)
    assert fraction_with(draws, "ABD") == 1.0  # not named: never masked
    for name, masked in probability.items():
        five_sigma = 5 * math.sqrt(masked * (1 - masked) / DRAWS)
        assert fraction_with(draws, name) == pytest.approx(1 - masked, abs=five_sigma)
    # Independent of each other: both are masked with the product of the probabilities.
    both = sum("ECG" not in kept and "THX" not in kept for kept in draws) / DRAWS
    assert both == pytest.approx(0.35, abs=5 * math.sqrt(0.35 * 0.65 / DRAWS))


def test_order_of_the_signals_is_kept():
    for kept in draw_many(SIGNALS, dict.fromkeys(SIGNALS, 0.5))[:200]:
        assert list(kept) == sorted(kept, key=SIGNALS.index)


def test_one_signal_always_survives_all_alike_if_all_are_certain_to_be_masked():
    draws = draw_many(SIGNALS, dict.fromkeys(SIGNALS, 1.0))
    assert {len(kept) for kept in draws} == {1}
    for name in SIGNALS:
        assert fraction_with(draws, name) == pytest.approx(0.25, abs=0.04)


def test_a_less_masked_signal_survives_more_often():
    # Both are masked in 0.9 * 0.6 of the draws; there ECG stays with 0.1 / (0.1 + 0.4).
    draws = draw_many(("ECG", "PPG"), {"ECG": 0.9, "PPG": 0.6})
    assert fraction_with(draws, "ECG") == pytest.approx(0.1 + 0.54 * 0.2, abs=0.04)
    assert fraction_with(draws, "PPG") == pytest.approx(0.4 + 0.54 * 0.8, abs=0.04)


def test_backup_signals_limit_which_one_survives():
    certain = dict.fromkeys(SIGNALS, 1.0)
    draws = draw_many(SIGNALS, certain, backup=("ABD", "THX"))
    assert set(draws) == {("ABD",), ("THX",)}
    assert fraction_with(draws, "ABD") == pytest.approx(0.5, abs=0.04)
    # A night that has none of them keeps another.
    assert set(draw_many(("ECG", "PPG"), certain, backup=("ABD",))) == {("ECG",), ("PPG",)}


def test_backup_signals_are_masked_like_others_while_another_survives():
    draws = draw_many(("ECG", "ABD"), {"ABD": 1.0}, backup=("ABD",))
    assert set(draws) == {("ECG",)}


def test_the_only_signal_of_a_night_is_never_masked():
    assert set(draw_many(("PPG",), {"PPG": 1.0})) == {("PPG",)}


def test_draws_are_those_of_the_generator():
    probability = dict.fromkeys(SIGNALS, 0.5)
    assert draw_many(SIGNALS, probability, seed=3) == draw_many(SIGNALS, probability, seed=3)
    assert draw_many(SIGNALS, probability, seed=3) != draw_many(SIGNALS, probability, seed=4)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_refused_by_name(value):
    check_mask_probability({"ECG": 0, "PPG": 1.0})
    with pytest.raises(ValueError, match=r"mask_probability\['PPG'\].*between 0 and 1"):
        check_mask_probability({"ECG": 0.5, "PPG": value})

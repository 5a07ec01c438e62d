"""Paired statistics are those of scipy, and of the papers."""

import numpy as np
import pytest
from scipy import stats

from sklearn_sleep.evaluation.statistics import corrected_resampled_t_test, mean_difference


def test_without_test_rows_it_is_the_usual_test():
    differences = np.random.default_rng(0).normal(0.02, 0.03, 12)
    found = corrected_resampled_t_test(differences, [100] * 12, [0] * 12)
    expected = stats.ttest_1samp(differences, 0)
    assert found.t == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.degrees_of_freedom == 11
    assert found.difference == differences.mean()


def test_the_correction_of_nadeau_and_bengio():
    # Ten folds of a tenth each: the variance grows from 1/10 to 1/10 + 1/9 of that of folds.
    differences = np.random.default_rng(1).normal(0.02, 0.03, 10)
    plain = corrected_resampled_t_test(differences, [1] * 10, [0] * 10)
    found = corrected_resampled_t_test(differences, [900] * 10, [100] * 10)
    assert found.t == pytest.approx(plain.t * np.sqrt(0.1 / (0.1 + 1 / 9)))
    assert found.p_value > plain.p_value


def test_differences_that_do_not_vary():
    assert corrected_resampled_t_test([0.0] * 5, [4] * 5, [1] * 5).p_value == 1
    assert corrected_resampled_t_test([0.1] * 4, [4] * 4, [1] * 4).p_value == 0
    single = corrected_resampled_t_test([0.1], [4], [1])
    assert np.isnan(single.p_value)
    assert single.difference == 0.1


def test_interval_is_that_of_scipy():
    differences = np.random.default_rng(0).gamma(2, 0.05, 40)
    found = mean_difference(differences, np.arange(40), n_resamples=20_000, random_state=0)
    expected = stats.bootstrap(
        (differences,), np.mean, method="percentile", n_resamples=20_000, rng=0
    ).confidence_interval
    assert found.difference == pytest.approx(differences.mean())
    assert found.lower == pytest.approx(expected.low, abs=1e-3)
    assert found.upper == pytest.approx(expected.high, abs=1e-3)
    wider = mean_difference(differences, np.arange(40), confidence_level=0.99, random_state=0)
    assert wider.lower < found.lower < found.upper < wider.upper


def test_nights_of_the_same_subject_count_as_one():
    differences = np.random.default_rng(0).normal(size=30)
    once = mean_difference(differences, np.arange(30), random_state=0)
    twice = mean_difference(np.tile(differences, 2), np.tile(np.arange(30), 2), random_state=0)
    np.testing.assert_allclose(once, twice)
    alone = mean_difference([0.1, 0.3], ["a", "a"])
    assert alone.difference == pytest.approx(0.2)
    assert np.isnan(alone.lower)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = []
    for seed in range(200):
        # Two nights a subject, which are alike.
        differences = 0.1 + rng.normal(size=(60, 1)) + 0.2 * rng.normal(size=(60, 2))
        subjects = np.repeat(np.arange(60), 2)
        _, lower, upper = mean_difference(
            differences.ravel(), subjects, n_resamples=500, random_state=seed
        )
        covered.append(lower < 0.1 < upper)
    assert 0.9 < np.mean(covered) < 0.99

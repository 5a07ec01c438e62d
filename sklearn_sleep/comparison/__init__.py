"""Estimators on the same folds, and what can be said of their differences."""

from sklearn_sleep.comparison.compare_estimators import compare
from sklearn_sleep.comparison.comparison import Comparison
from sklearn_sleep.comparison.statistics import corrected_resampled_t_test, mean_difference

__all__ = ["Comparison", "compare", "corrected_resampled_t_test", "mean_difference"]

"""How well stages are told: metrics, comparisons, statistics and figures."""

from sklearn_sleep.evaluation.compare_estimators import compare
from sklearn_sleep.evaluation.comparison import Comparison
from sklearn_sleep.evaluation.metrics import recording_scorer, recording_scores, sleep_statistics
from sklearn_sleep.evaluation.statistics import corrected_resampled_t_test, mean_difference

__all__ = [
    "Comparison",
    "compare",
    "corrected_resampled_t_test",
    "mean_difference",
    "recording_scorer",
    "recording_scores",
    "sleep_statistics",
]

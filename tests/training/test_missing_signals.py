"""Wav2SleepClassifier takes nights, and epochs, that lack signals."""

import numpy as np
import pytest
from skorch.helper import SliceDict
from telling_nights import SIGNALS, as_x, make_arrays

from sklearn_sleep.exceptions import MissingSignalWarning


def test_four_spellings_of_a_missing_signal(fitted_classifier, cohort, fitted_pipeline):
    arrays, recording, _ = make_arrays(seed=1)
    lacking = as_x({name: arrays[name] for name in SIGNALS if name != "PPG"}, recording)
    missing = np.full_like(arrays["PPG"], np.nan)
    mask = np.ones((len(recording), 3), dtype=bool)
    mask[:, 1] = False
    expected = fitted_classifier.predict_proba(lacking)
    as_nan = fitted_classifier.predict_proba(as_x({**arrays, "PPG": missing}, recording))
    as_mask = fitted_classifier.predict_proba(as_x(arrays, recording, mask=mask))
    np.testing.assert_array_equal(as_nan, expected)
    np.testing.assert_array_equal(as_mask, expected)
    assert np.abs(fitted_classifier.predict_proba(as_x(arrays, recording)) - expected).max() > 1e-3

    # The table's column against the arrays of the same recordings without the signal.
    X = cohort.X.assign(ECG=False)
    steps, classifier = fitted_pipeline[:-1], fitted_pipeline[-1]
    by_table = fitted_pipeline.predict_proba(X)
    of_arrays = steps.transform(cohort.X).to_arrays()
    del of_arrays["ECG"]
    scored = cohort.recordings.set_index("path")
    paths = scored.index[scored["n_epochs"] == scored["scored_epochs"]]
    whole = cohort.X["recording"].isin(paths).to_numpy()
    assert whole.any()  # arrays hold only the rows: nights with unscored epochs differ
    by_arrays = classifier.predict_proba(SliceDict(**of_arrays))
    np.testing.assert_allclose(by_arrays[whole], by_table[whole], atol=1e-6)


def test_a_signal_lost_for_some_epochs_is_masked_there_and_nowhere_else(fitted_classifier):
    arrays, recording, _ = make_arrays(seed=1)
    lost = np.zeros(len(recording), dtype=bool)
    lost[5:9] = True
    with_nan = {**arrays, "ECG": np.where(lost[:, None], np.nan, arrays["ECG"])}
    with_nonsense = {**arrays, "ECG": np.where(lost[:, None], 1e6, arrays["ECG"])}
    mask = np.ones((len(recording), 3), dtype=bool)
    mask[lost, 0] = False
    as_nan = fitted_classifier.predict_proba(as_x(with_nan, recording))
    as_mask = fitted_classifier.predict_proba(as_x(with_nonsense, recording, mask=mask))
    np.testing.assert_array_equal(as_nan, as_mask)
    whole = fitted_classifier.predict_proba(as_x(arrays, recording))
    other_nights = recording != "night-0"
    np.testing.assert_array_equal(as_nan[other_nights], whole[other_nights])
    without = fitted_classifier.predict_proba(
        as_x({k: v for k, v in arrays.items() if k != "ECG"}, recording)
    )
    assert np.abs(as_nan - without)[~lost & ~other_nights].max() > 1e-4


def test_a_few_missing_samples_do_not_lose_the_epoch(fitted_classifier):
    arrays, recording, _ = make_arrays(seed=1)
    scratched = {**arrays, "ECG": arrays["ECG"].copy()}
    scratched["ECG"][4, :5] = np.nan
    silent = {**arrays, "ECG": np.nan_to_num(scratched["ECG"])}
    np.testing.assert_array_equal(
        fitted_classifier.predict_proba(as_x(scratched, recording)),
        fitted_classifier.predict_proba(as_x(silent, recording)),
    )


def test_night_without_signals_gets_the_prior_and_a_warning(fitted_classifier):
    arrays, recording, _ = make_arrays(seed=1)
    lost = recording == "night-2"
    gone = {name: np.where(lost[:, None], np.nan, a) for name, a in arrays.items()}
    with pytest.warns(MissingSignalWarning, match="night-2"):
        probabilities = fitted_classifier.predict_proba(as_x(gone, recording))
    prior = np.bincount(make_arrays()[2]) / len(make_arrays()[2])
    np.testing.assert_allclose(probabilities[lost], np.tile(prior, (lost.sum(), 1)))
    np.testing.assert_array_equal(
        probabilities[~lost], fitted_classifier.predict_proba(as_x(arrays, recording))[~lost]
    )


def test_night_alone_equals_night_among_others(fitted_classifier):
    arrays, recording, _ = make_arrays(seed=1)
    together = fitted_classifier.predict_proba(as_x(arrays, recording))
    for name in np.unique(recording):
        rows = recording == name
        alone = as_x({k: v[rows] for k, v in arrays.items()}, recording[rows])
        np.testing.assert_allclose(
            fitted_classifier.predict_proba(alone), together[rows], atol=1e-5
        )


def test_night_without_signals_does_not_stop_training(make_classifier):
    arrays, recording, y = make_arrays()
    lost = recording == "night-2"
    gone = {name: np.where(lost[:, None], np.nan, a) for name, a in arrays.items()}
    classifier = make_classifier(classes=None, batch_size=1, max_epochs=25, lr=5e-3)
    with pytest.warns(MissingSignalWarning, match="night-2"):
        classifier.fit(as_x(gone, recording), y)
    new, recording, y = make_arrays(seed=1)
    assert classifier.score(as_x(new, recording), y) > 0.9

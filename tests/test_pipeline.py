"""Pipelines from EDF files in scikit-learn's own tools, on nights of different length."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score, get_scorer, log_loss
from sklearn.model_selection import (
    GroupKFold,
    StratifiedGroupKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline

from sklearn_sleep import (
    cardiorespiratory_baseline,
    eeg_baseline,
    hrv_baseline,
    pretrained_pipeline,
    wav2sleep_pipeline,
)
from sklearn_sleep.core.signals import signal_definition
from sklearn_sleep.exceptions import EDFError, EDFWarning, SplitNightWarning

FOLDS = StratifiedGroupKFold(2, shuffle=True, random_state=0)


def folds_of(cohort):
    return list(FOLDS.split(cohort.X, cohort.y, cohort.groups))


def test_the_nights_are_ragged_and_differ_in_signals(cohort, make_pipeline_of):
    epochs = make_pipeline_of()[0].transform(cohort.X)
    assert len({recording.n_epochs for recording in epochs.recordings}) > 2
    assert len({tuple(recording.signals) for recording in epochs.recordings}) > 1


def test_scores_of_folds_are_those_by_hand(cohort, make_pipeline_of):
    scoring = ["accuracy", "balanced_accuracy", "f1_macro", "neg_log_loss"]
    pipeline = make_pipeline_of(max_epochs=1)
    scores = cross_validate(
        pipeline, cohort.X, cohort.y, groups=cohort.groups, cv=FOLDS, scoring=scoring
    )
    train, test = folds_of(cohort)[0]
    pipeline.fit(cohort.X.iloc[train], cohort.y[train])
    for name in scoring:
        of_folds = scores[f"test_{name}"]
        assert len(of_folds) == 2
        assert of_folds[0] == get_scorer(name)(pipeline, cohort.X.iloc[test], cohort.y[test])
        assert np.isfinite(of_folds).all()


def test_cross_val_predict(cohort, make_pipeline_of):
    pipeline = make_pipeline_of(max_epochs=1)
    arguments = {"groups": cohort.groups, "cv": FOLDS}
    predicted = cross_val_predict(pipeline, cohort.X, cohort.y, **arguments)
    probabilities = cross_val_predict(
        pipeline, cohort.X, cohort.y, method="predict_proba", **arguments
    )
    assert probabilities.shape == (len(cohort.X), len(np.unique(cohort.y)))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(np.unique(cohort.y)[probabilities.argmax(axis=1)], predicted)
    by_fold = cross_val_score(pipeline, cohort.X, cohort.y, scoring="neg_log_loss", **arguments)
    for (_, test), score in zip(folds_of(cohort), by_fold, strict=True):
        assert -log_loss(cohort.y[test], probabilities[test]) == pytest.approx(score)


def test_stacking_voting_and_calibration(cohort, make_pipeline_of):
    pair = [
        ("heart", make_pipeline_of(["ECG"], max_epochs=1)),
        ("breath", make_pipeline_of(["THX", "ABD"], max_epochs=1)),
    ]
    folds = folds_of(cohort)
    train, test = folds[0]
    X_train, y_train = cohort.X.iloc[train], cohort.y[train]
    inner = list(GroupKFold(2).split(X_train, y_train, cohort.groups.iloc[train]))
    for ensemble in (
        StackingClassifier(pair, final_estimator=LogisticRegression(), cv=inner),
        VotingClassifier(pair, voting="soft"),
        CalibratedClassifierCV(pair[0][1], cv=inner),
    ):
        ensemble.fit(X_train, y_train)
        probabilities = ensemble.predict_proba(cohort.X.iloc[test])
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        assert ensemble.score(cohort.X.iloc[test], cohort.y[test]) == accuracy_score(
            cohort.y[test], ensemble.predict(cohort.X.iloc[test])
        )


def test_voting_is_the_mean_of_its_members(cohort, make_pipeline_of):
    members = [
        ("heart", make_pipeline_of(["ECG"], max_epochs=1)),
        ("breath", make_pipeline_of(["THX"], max_epochs=1)),
    ]
    voting = VotingClassifier(members, voting="soft").fit(cohort.X, cohort.y)
    alone = [pipeline.fit(cohort.X, cohort.y).predict_proba(cohort.X) for _, pipeline in members]
    np.testing.assert_allclose(voting.predict_proba(cohort.X), np.mean(alone, axis=0))


def test_confusion_matrix_display(cohort, fitted_pipeline):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    display = ConfusionMatrixDisplay.from_estimator(fitted_pipeline, cohort.X, cohort.y)
    predicted = fitted_pipeline.predict(cohort.X)
    for i, scored in enumerate(fitted_pipeline.classes_):
        for j, stage in enumerate(fitted_pipeline.classes_):
            both = (cohort.y == scored) & (predicted == stage)
            assert display.confusion_matrix[i, j] == both.sum()


def test_shuffled_and_partial_rows_give_the_same_stage_per_row(cohort, fitted_pipeline):
    expected = fitted_pipeline.predict_proba(cohort.X)
    order = np.random.default_rng(0).permutation(len(cohort.X))
    np.testing.assert_array_equal(
        fitted_pipeline.predict_proba(cohort.X.iloc[order]), expected[order]
    )
    np.testing.assert_array_equal(
        fitted_pipeline.predict_proba(cohort.X.iloc[order[:7]]), expected[order[:7]]
    )


def test_a_path_gives_every_epoch_in_order(cohort, fitted_pipeline):
    path = cohort.recordings["path"][0]
    predicted = fitted_pipeline.predict(path)
    assert len(predicted) == cohort.recordings["n_epochs"][0]
    rows = cohort.X["recording"] == path
    np.testing.assert_array_equal(
        predicted[cohort.X["epoch"][rows]], fitted_pipeline.predict(cohort.X[rows])
    )


def test_part_of_a_night_in_fit_warns_by_name(cohort, make_pipeline_of):
    half = cohort.X["epoch"] < 20
    with pytest.warns(SplitNightWarning, match=r"visit\d-\d+\.edf.*groups="):
        make_pipeline_of(max_epochs=1).fit(cohort.X[half], cohort.y[half])


def test_same_seed_same_result_and_other_seed_another(cohort, make_pipeline_of, fitted_pipeline):
    expected = fitted_pipeline.predict_proba(cohort.X)
    again = make_pipeline_of().fit(cohort.X, cohort.y)
    np.testing.assert_array_equal(again.predict_proba(cohort.X), expected)
    other = make_pipeline_of().set_params(wav2sleepclassifier__random_state=1)
    assert np.abs(other.fit(cohort.X, cohort.y).predict_proba(cohort.X) - expected).max() > 1e-3


def test_string_stages(cohort, make_pipeline_of):
    names = np.array(["wake", "light", "deep", "REM"])[cohort.y]
    pipeline = make_pipeline_of(classes=None, max_epochs=1).fit(cohort.X, names)
    assert list(pipeline.classes_) == sorted(set(names))
    assert set(pipeline.predict(cohort.X)) <= set(names)


def make_published(**options):
    folder = Path(__file__).parent / "data" / "golden" / "wav2sleep-cardio-small"
    return pretrained_pipeline(folder, **options)


MAKERS = {
    "hrv": hrv_baseline,
    "cardiorespiratory": cardiorespiratory_baseline,
    "EEG": partial(eeg_baseline, signals=["EEG", "EMG"]),
    "wav2sleep": partial(wav2sleep_pipeline, max_epochs=1, random_state=0),
    "published": make_published,
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_all_pipelines_read_files_as_their_reader_is_told(make, write_edf, tmp_path):
    reader = make()[0]
    assert (reader.on_error, reader.channels, reader.units) == ("raise", None, None)
    first, second = reader.get_feature_names_out()[:2]
    night = write_edf(
        "night.edf",
        ("Draht", np.tile([0.0, 0.5], 1500), 100, "mV", (-1, 1)),
        ("Gurt", np.tile([0.0, 0.5], 1500), 100, "", (-1, 1)),
    )
    broken = tmp_path / "broken.edf"
    broken.write_bytes(b"nothing of the kind")
    X = pd.DataFrame({"recording": [str(night), str(broken)], "epoch": 0})
    channels = {first: "Draht", second: ["Leiter", "Gurt"]}
    unit = signal_definition(first).unit
    told = make(channels=channels, units={first: unit} if unit else None, on_error="warn")[0]
    with pytest.warns(EDFWarning) as warned:
        second_night, first_night = told.fit_transform(X).recordings
    assert any("broken.edf" in str(warning.message) for warning in warned)
    assert set(first_night.signals) == {first, second}
    assert not second_night.signals
    with pytest.raises(EDFError, match=r"broken\.edf"):
        make(channels=channels)[0].fit_transform(X.iloc[1:])


def test_an_unknown_unit_loses_its_channel_and_never_the_night(write_edf):
    pulse = np.sin(np.arange(6000) * 2 * np.pi / 100) ** 3
    night = write_edf(
        "night.edf", ("ECG", pulse, 100, "bpm", (-1, 1)), ("Pleth", pulse, 100, "", (-1, 1))
    )
    reader, staging = hrv_baseline()
    features = make_pipeline(reader, staging.estimator[0])
    with pytest.warns(EDFWarning, match="found 'bpm'.*Without another channel for ECG, it is miss"):
        of_pulse = features.fit_transform(str(night))
    assert of_pulse.filter(like="meanNN").notna().any(axis=None)

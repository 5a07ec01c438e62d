"""TrainingDisplay and AttentionDisplay draw what they are given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_sleep.evaluation.displays.attention import AttentionDisplay
from sklearn_sleep.evaluation.displays.training import TrainingDisplay
from sklearn_sleep.staging.diagnostics import epoch_attention, history_frame


def test_losses_of_a_training(fitted_pipeline, tmp_path):
    classifier = fitted_pipeline[-1]
    display = TrainingDisplay.from_estimator(classifier, title="cohort")
    losses, rate, norm = display.axes_
    training, validation, lowest = losses.lines
    np.testing.assert_array_equal(training.get_ydata(), classifier.history[:, "train_loss"])
    np.testing.assert_array_equal(validation.get_ydata(), classifier.history[:, "valid_loss"])
    assert list(training.get_xdata()) == [1, 2]
    assert lowest.get_xdata()[0] == 1 + np.argmin(classifier.history[:, "valid_loss"])
    np.testing.assert_array_equal(rate.lines[0].get_ydata(), classifier.history[:, "learning_rate"])
    np.testing.assert_array_equal(norm.lines[0].get_ydata(), classifier.history[:, "gradient_norm"])
    assert losses.get_title() == "cohort"
    display.save(tmp_path / "training.png")
    assert (tmp_path / "training.png").stat().st_size > 1000


def test_training_without_validation():
    history = pd.DataFrame({"train_loss": [2.0, 1.0]}, index=pd.Index([1, 2], name="pass"))
    (axes,) = TrainingDisplay(history).plot().axes_
    assert [line.get_label() for line in axes.lines] == ["training"]


def areas(axes):
    """The height of each area at each epoch, read back from its outline."""
    found = {}
    for area in axes.collections:
        (path,) = area.get_paths()
        corners = pd.DataFrame(path.vertices, columns=["hour", "y"]).round(9)
        heights = corners.groupby("hour")["y"].agg(lambda y: y.max() - y.min())
        found[area.get_label()] = heights.to_numpy()
    return found


def test_attention_over_a_night(fitted_pipeline, cohort, tmp_path):
    steps, classifier = fitted_pipeline[:-1], fitted_pipeline[-1]
    path = cohort.X["recording"].iloc[0]
    X = cohort.X[cohort.X["recording"] == path]
    epochs = steps.transform(X.iloc[::-1])
    display = AttentionDisplay.from_estimator(classifier, epochs, title="night")
    stages, attention = display.axes_
    expected = epoch_attention(classifier, steps.transform(X))
    named = X["epoch"].to_numpy()
    for name, heights in areas(attention).items():
        assert len(heights) == named.max() + 1
        np.testing.assert_allclose(heights[named], expected[name].fillna(0), atol=1e-6)
    drawn = {}
    for lines in stages.collections:
        for (start, stage), _ in lines.get_segments():
            drawn[round(start * 120)] = int(stage)
    predicted = classifier.predict(steps.transform(X))
    assert drawn == dict(zip(named.tolist(), predicted.tolist(), strict=True))
    assert [label.get_text() for label in stages.get_yticklabels()] == ["W", "Light", "Deep", "REM"]
    assert stages.get_title() == "night"
    display.save(tmp_path / "attention.png")
    assert (tmp_path / "attention.png").stat().st_size > 1000
    of_pipeline = AttentionDisplay.from_estimator(fitted_pipeline, X)
    np.testing.assert_array_equal(of_pipeline.hypnogram, display.hypnogram[::-1])
    assert TrainingDisplay.from_estimator(fitted_pipeline).history.equals(history_frame(classifier))


def test_nets_are_found_in_pipelines_and_searches(cohort, fitted_pipeline):
    classifier = fitted_pipeline[-1]
    path = cohort.X["recording"].iloc[0]
    steps = fitted_pipeline[:-1]
    search = GridSearchCV(fitted_pipeline, {})
    search.best_estimator_ = fitted_pipeline
    expected = AttentionDisplay.from_estimator(classifier, steps.transform(path)).attention
    for estimator, X in [
        (make_pipeline(classifier), steps.transform(path)),
        (make_pipeline(steps, make_pipeline(classifier)), path),
        (make_pipeline(*steps, fitted_pipeline[-1:]), path),
        (search, path),
    ]:
        history = TrainingDisplay.from_estimator(estimator).history
        pd.testing.assert_frame_equal(history, history_frame(classifier))
        drawn = AttentionDisplay.from_estimator(estimator, X).attention
        pd.testing.assert_frame_equal(drawn, expected)


def test_attention_shows_one_night():
    index = pd.MultiIndex.from_product([["a", "b"], [0]], names=["recording", "epoch"])
    attention = pd.DataFrame({"CLS": [1.0, 1.0]}, index=index)
    with pytest.raises(ValueError, match="2 recordings"):
        AttentionDisplay(attention, [0, 0], ("W",)).plot()

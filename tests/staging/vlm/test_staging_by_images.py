"""A tiny model that starts from nothing learns to stage synthetic nights from their images."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline

from sklearn_sleep import EDFReader, VLMStager, WaveformImageRenderer, make_cohort, tiny_vlm
from sklearn_sleep.imaging import Montage, Trace

MONTAGE = Montage(
    [
        Trace("EEG", "#ffff00", (-100, 100)),
        Trace("EOG-L", "#00ffff", (-100, 100)),
        Trace("EMG", "#4040ff", (-40, 40)),
    ],
    width=112,
    height=56,
)


@pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.MissingSignalWarning")
def test_held_out_subjects(tmp_path):
    X, y, groups = make_cohort(
        tmp_path,
        n_subjects=10,
        hours=1.0,
        second_visit_probability=0.0,
        random_state=3,
        return_X_y_groups=True,
    )
    stager = VLMStager(
        tiny_vlm(),
        classes=range(5),
        prompt="Stage?",
        tuning="full",
        train_vision=True,
        lr=2e-3,
        max_epochs=3,
        batch_size=16,
        random_state=0,
    )
    renderer = WaveformImageRenderer(MONTAGE, context=[0])
    pipeline = make_pipeline(EDFReader(MONTAGE), renderer, stager)
    splitter = GroupShuffleSplit(1, test_size=4, random_state=1)
    train, test = next(splitter.split(X, y, groups))
    pipeline.fit(X.iloc[train], y[train])
    predicted = pipeline.predict(X.iloc[test])
    assert cohen_kappa_score(y[test], predicted) > 0.5
    assert len(np.unique(predicted)) == 5

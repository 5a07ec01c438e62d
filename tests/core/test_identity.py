"""What an estimator is known by."""

import numpy as np
import pytest
from sklearn.base import clone
from skorch.callbacks import EarlyStopping
from telling_nights import as_x, make_arrays

from sklearn_sleep.core.identity import digest
from sklearn_sleep.training.callbacks.failure_signs import WarnOfFailureSigns
from sklearn_sleep.training.callbacks.resumable import ResumableCheckpoint
from sklearn_sleep.training.callbacks.weight_average import WeightAverage
from sklearn_sleep.training.schedule import ValidationNights


@pytest.fixture(scope="module")
def nights():
    arrays, recording, y = make_arrays((6, 5))
    return as_x(arrays, recording), y


def test_a_fitted_net_is_known_as_before_and_as_its_clone(make_classifier, nights, tmp_path):
    net = make_classifier(
        classes=None,
        max_epochs=1,
        mask_probability={"PPG": 0.5},
        train_split=ValidationNights(0.5, minimum_subjects=2),
        callbacks=[
            ("average", WeightAverage(0.9)),
            WarnOfFailureSigns(),
            EarlyStopping(load_best=True),
            ResumableCheckpoint(tmp_path),
        ],
    )
    before = digest(net)
    net.fit(*nights)
    assert digest(net) == digest(clone(net)) == before
    assert not [name for name in net.get_params() if "___" in name]
    net.set_params(callbacks__average__decay=0.8)
    assert digest(net) == digest(clone(net)) != before


def test_callbacks_are_told_apart_by_their_parameters():
    assert digest(WeightAverage(0.9)) == digest(WeightAverage(0.9)) != digest(WeightAverage(0.8))
    assert digest(WeightAverage(0.9)) != digest(ResumableCheckpoint("a"))


def test_a_generator_of_random_numbers_is_known_as_its_clone(make_classifier, nights):
    net = make_classifier(classes=None, max_epochs=1, random_state=np.random.RandomState(0))
    before = digest(net)
    net.fit(*nights)
    # It has been drawn from, and the next training will be another one.
    assert digest(net) == digest(clone(net)) != before

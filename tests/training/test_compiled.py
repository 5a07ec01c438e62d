"""compile=True and gradient checkpointing change no result."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from skorch.helper import SliceDict

from sklearn_sleep.staging.wav2sleep import Wav2SleepClassifier

N_EPOCHS = (12, 9)


@pytest.fixture(scope="module")
def nights():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, sum(N_EPOCHS))
    X = SliceDict(
        ECG=(rng.normal(size=(len(y), 16)) * (0.3 + y[:, None])).astype(np.float32),
        recording=np.repeat([f"night-{i}" for i in range(len(N_EPOCHS))], N_EPOCHS).astype(object),
    )
    return X, y


@pytest.fixture(scope="module")
def plain(make_classifier, nights):
    classifier = make_classifier(classes=None, batch_size=1, train_split=None)
    return classifier.set_params(module__dropout=0.0).fit(*nights)


@pytest.fixture(scope="module")
def compiled(plain, nights):
    # The backend that traces and differentiates, and leaves out minutes of code generation.
    return clone(plain).set_params(compile=True, compile__backend="aot_eager").fit(*nights)


def test_compiled_network_gives_the_same(plain, compiled, nights):
    X, _ = nights
    assert compiled.module_.signal_encoders.encoders["ECG"].cnn._compiled_call_impl is not None
    np.testing.assert_allclose(compiled.predict_proba(X), plain.predict_proba(X), atol=1e-4)
    np.testing.assert_allclose(
        compiled.history[:, "train_loss"], plain.history[:, "train_loss"], rtol=1e-4
    )


def test_compiled_network_is_saved_like_any(compiled, nights, tmp_path):
    X, _ = nights
    compiled.save_pretrained(tmp_path)
    expected = compiled.predict_proba(X)
    loaded = Wav2SleepClassifier.from_pretrained(tmp_path)
    pickled = pickle.loads(pickle.dumps(compiled))  # noqa: S301
    for copy in (loaded, pickled):
        np.testing.assert_allclose(copy.predict_proba(X), expected, atol=1e-5)


def test_gradient_checkpointing_trains_the_same(plain, nights):
    X, y = nights
    frugal = clone(plain).set_params(module__gradient_checkpointing=True).fit(X, y)
    np.testing.assert_allclose(frugal.predict_proba(X), plain.predict_proba(X), atol=1e-4)

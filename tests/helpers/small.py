"""Networks, pipelines and baselines that cost little."""

import numpy as np
from skorch.helper import SliceDict

from sklearn_sleep import Wav2SleepClassifier, wav2sleep_pipeline

SMALL_NETWORK = {
    "module__feature_dim": 8,
    "module__initial_channels": 2,
    "module__max_channels": 4,
    "module__mixer_heads": 2,
    "module__mixer_feedforward_dim": 16,
}
FEW_LAYERS = {"module__mixer_layers": 1, "module__sequence_blocks": 1}
SMALL_RATES = {"ECG": 256, "PPG": 256, "ABD": 64, "THX": 64}


def make_small_pipeline(*signals, **parameters):
    """That of the commands, with a network and rates that cost little."""
    pipeline = wav2sleep_pipeline(*signals, **parameters)
    pipeline["resampler"].set_params(
        samples_per_epoch={
            name: n // 4 for name, n in SMALL_RATES.items() if name in pipeline[0].signals
        }
    )
    pipeline[-1].set_params(**SMALL_NETWORK, **FEW_LAYERS)
    return pipeline


def make_quick(baseline):
    """A baseline of few trees, and of features in one window."""

    def make(**parameters):
        pipeline = baseline(**parameters)
        pipeline[-1].set_params(n_copies=1).estimator[-1].set_params(max_iter=15, learning_rate=0.2)
        windows = [name for name in pipeline.get_params() if name.endswith("__windows")]
        return pipeline.set_params(**{name: [(15, 45)] for name in windows})

    return make


def belt_nights():
    """Noise of a belt in four nights, and stages that have nothing to do with it."""
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(80, 16)).astype("float32")
    return SliceDict(THX=samples, recording=np.repeat(range(4), 20)), rng.integers(0, 4, size=80)


def make_classifier_with(sequence_mixer):
    """A classifier that trains in two passes with a sequence mixer."""
    return Wav2SleepClassifier(
        **SMALL_NETWORK,
        module__sequence_mixer=sequence_mixer,
        max_epochs=2,
        train_split=None,
        random_state=0,
    )

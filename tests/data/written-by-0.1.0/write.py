"""Write the fixtures beside this file, as sklearn_sleep 0.1.0 writes them.

It was run once, with version 0.1.0 (commit e596065), before the package was reorganised, so that
later versions can be tested on what an earlier one has left on people's disks: caches, stores,
comparisons, trainings that were cut off, and models. It is kept to say how each was made, and is
never run again: with another version it refuses to. Names of the package are imported where they
are used, since later versions may have them elsewhere.
"""

import contextlib
import os
import shutil
import sys
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
# Where the recordings lay, since keys of caches hold the place and the time of a file.
PLACE = Path("/tmp/written-by-0.1.0")  # noqa: S108
MODIFIED = 1_700_000_000_000_000_000
NIGHT = FOLDER.parent / "golden" / "preprocess-shhs-like" / "night.edf"

SMALL = {
    "module__feature_dim": 8,
    "module__initial_channels": 2,
    "module__max_channels": 4,
    "module__mixer_layers": 1,
    "module__mixer_heads": 2,
    "module__mixer_feedforward_dim": 16,
    "module__sequence_blocks": 1,
    "module__sequence_dilations": 2,
}


def write_cache(folder):
    from sklearn.pipeline import make_pipeline

    from sklearn_sleep import EDFReader, Epocher, Normalizer, RecordingCache, Resampler

    pipeline = make_pipeline(
        EDFReader(["ABD"]), Resampler(), Normalizer(), Epocher(), RecordingCache(folder)
    )
    epochs = pipeline.fit_transform("night.edf")
    assert epochs.recordings[0].signals["ABD"].data.shape == (12, 256)


def write_stores(folder):
    from sklearn.pipeline import make_pipeline

    from sklearn_sleep import EDFReader, Epocher, Normalizer, Resampler, ingest, make_cohort

    make_cohort("cohort", n_subjects=1, hours=0.5, second_visit_probability=0.0, random_state=0)
    for path in Path("cohort").rglob("*.edf"):
        os.utime(path, ns=(MODIFIED, MODIFIED))
    pipeline = make_pipeline(EDFReader(["ABD"]), Resampler({"ABD": 64}), Normalizer(), Epocher())
    ingest("cohort", folder / "store", pipeline=pipeline)
    ingest("cohort", folder / "store-parquet", pipeline=pipeline, format="parquet")


def make_comparison(folder):
    import pandas as pd
    from sklearn.dummy import DummyClassifier

    from sklearn_sleep import SequenceSmoother, compare

    recording = np.repeat([f"night {number}" for number in range(4)], 20)
    X = pd.DataFrame({"recording": recording, "epoch": np.tile(np.arange(20), 4)})
    y = X["epoch"] // 7
    at_random = DummyClassifier(strategy="stratified", random_state=0)
    estimators = {
        "most frequent": DummyClassifier(),
        "at random": at_random,
        "smoothed": SequenceSmoother(at_random),
    }
    return compare(
        estimators,
        X,
        y,
        cv=2,
        scoring="accuracy",
        folder=folder,
        keep_probabilities=True,
        error_score="raise",
        verbose=False,
    )


def write_comparison(folder):
    comparison = make_comparison(folder / "comparison")
    comparison.scores.to_csv(folder / "comparison-expected.csv", index=False)


def make_training_rows():
    from skorch.helper import SliceDict

    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, size=8 * 15)
    samples = (rng.normal(size=(len(y), 16)) * (0.3 + y[:, None])).astype(np.float32)
    return SliceDict(THX=samples, recording=np.repeat(np.arange(8).astype(str), 15)), y


def make_training(*callbacks):
    """Make the classifier whose training was cut off after two of three passes."""
    from sklearn_sleep.classifiers import WeightAverage

    from sklearn_sleep import Wav2SleepClassifier

    return Wav2SleepClassifier(
        **SMALL,
        module__dropout=0.3,
        max_epochs=3,
        batch_size=1,
        target_batch_size=2,
        lr=0.05,
        callbacks=list(callbacks),
        callbacks__weight_average=WeightAverage(0.6, start=1),
        random_state=0,
    )


def write_training(folder):
    from sklearn_sleep.classifiers import ResumableCheckpoint
    from skorch.callbacks import Callback

    class PowerCutError(RuntimeError):
        pass

    class PowerCut(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 3:
                raise PowerCutError

    X, y = make_training_rows()
    with contextlib.suppress(PowerCutError):
        make_training(PowerCut(), ResumableCheckpoint(folder / "training")).fit(X, y)
    uninterrupted = make_training().fit(X, y)
    np.savez_compressed(
        folder / "training-expected.npz",
        train_loss=uninterrupted.history[:, "train_loss"],
        valid_loss=uninterrupted.history[:, "valid_loss"],
        probability=uninterrupted.predict_proba(X),
    )


def write_models(folder):
    from sklearn.pipeline import make_pipeline

    from sklearn_sleep import (
        EDFReader,
        Epocher,
        Normalizer,
        Resampler,
        Wav2SleepClassifier,
        save_pretrained,
    )

    classifier = Wav2SleepClassifier(
        **SMALL, classes=np.arange(4), max_epochs=1, train_split=None, random_state=0
    )
    pipeline = make_pipeline(
        EDFReader(["ECG", "ABD"]), Resampler(), Normalizer(), Epocher(), classifier
    )
    pipeline.fit("night.edf", np.repeat(np.arange(4), [1, 2, 4, 5]))
    save_pretrained(pipeline, folder / "model")
    probability = pipeline.predict_proba("night.edf")
    np.savez_compressed(folder / "model-expected.npz", probability=probability)
    classifier.save_pretrained(folder / "model-published", format="wav2sleep")
    published = Wav2SleepClassifier.from_pretrained(folder / "model-published")
    np.savez_compressed(
        folder / "model-published-expected.npz",
        probability=published.predict_proba(pipeline[:-1].transform("night.edf")),
    )


def make_images():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 1, 56, 56, 3), dtype=np.uint8)
    return images, np.array(["W", "N1", "N2", "N3", "R", "W"])


def write_model_in_place(folder):
    """Write the model that the stager's adapter belongs to, and return a sum that tells it."""
    from sklearn_sleep import tiny_vlm

    vlm = tiny_vlm(hidden_size=32, n_layers=1)
    vlm.model.save_pretrained(folder)
    vlm.processor.save_pretrained(folder)
    return sum(float(weights.abs().sum()) for weights in vlm.model.state_dict().values())


def write_stager(folder):
    from sklearn_sleep import VLMStager

    # Not in memory, since the model would then be saved with the stager, and is large.
    model_sum = write_model_in_place("tiny-vlm")
    images, y = make_images()
    stager = VLMStager(
        "tiny-vlm",
        prompt="Stage?",
        lora_rank=2,
        lora_alpha=4,
        max_epochs=5,
        lr=5e-2,
        random_state=0,
    )
    stager.fit(images, y).save_pretrained(folder / "vlm-stager")
    np.savez_compressed(
        folder / "vlm-stager-expected.npz",
        probability=stager.predict_proba(images),
        model_sum=model_sum,
    )


def main():
    import sklearn_sleep

    if sklearn_sleep.__version__ != "0.1.0" or (FOLDER / "cache").exists():
        sys.exit("These fixtures were written by version 0.1.0 and are never written again.")
    PLACE.mkdir()
    shutil.copyfile(NIGHT, PLACE / "night.edf")
    os.utime(PLACE / "night.edf", ns=(MODIFIED, MODIFIED))
    os.chdir(PLACE)
    write_cache(FOLDER / "cache")
    write_stores(FOLDER)
    write_comparison(FOLDER)
    write_training(FOLDER)
    write_models(FOLDER)
    write_stager(FOLDER)


if __name__ == "__main__":
    main()

"""Silence after the end of recordings."""

import numpy as np
import pytest

from sklearn_sleep.preprocessing import EDFReader, Epocher, Normalizer, Padder, Resampler


@pytest.fixture
def night(data_folder):
    return data_folder / "golden" / "preprocess-shhs-like" / "night.edf"


def prepare(path, *steps):
    epochs = EDFReader(["THX"]).fit_transform(str(path))
    for step in steps:
        epochs = step.fit_transform(epochs)
    return epochs


def test_one_hour_as_the_published_pipeline_pads_it(night, data_folder):
    with np.load(data_folder / "golden" / "preprocess-shhs-like" / "expected.npz") as expected:
        epochs = prepare(
            night, Padder(hours=1), Resampler(method="linear"), Normalizer(), Epocher()
        )
        samples = epochs.recordings[0].signals["THX"].data
        np.testing.assert_allclose(samples[:12].ravel(), expected["zscore_THX"].ravel(), atol=1e-5)
    assert samples.shape == (120, 256)
    # All of the padding is the same number: minus the mean, by the standard deviation.
    assert np.ptp(samples[12:]) == 0
    np.testing.assert_allclose(samples.mean(dtype=float), 0, atol=1e-6)


def test_rows_stay_what_they_are(night):
    epochs = prepare(night, Padder(hours=1), Resampler(method="linear"), Epocher())
    assert len(epochs) == epochs.recordings[0].n_epochs == 12
    arrays = epochs.to_arrays()
    plain = prepare(night, Resampler(method="linear"), Epocher()).to_arrays()
    np.testing.assert_array_equal(arrays["THX"], plain["THX"])


def test_longer_recordings_are_left_as_they_are(night):
    epochs = prepare(night, Padder(hours=0.05), Resampler(method="linear"), Epocher())
    assert epochs.recordings[0].signals["THX"].data.shape == (12, 256)


def test_padding_is_missing_where_nothing_fills_it(night):
    epochs = prepare(night, Padder(hours=1), Resampler(), Epocher())
    samples = epochs.recordings[0].signals["THX"].data
    assert np.isnan(samples[13:]).all()
    assert not np.isnan(samples[:12]).any()


def test_mask_of_a_row_reaches_into_the_padding(night):
    epochs = prepare(night, Padder(hours=1), Resampler(method="linear"), Epocher())
    masked = type(epochs)(
        epochs.table.assign(THX=np.arange(12) < 11), epochs.recordings, epochs.recording_index
    )
    (only,) = masked.nights()
    np.testing.assert_array_equal(only.may_use("THX"), np.arange(120) < 11)


@pytest.mark.parametrize("hours", [0, -1.0, "ten"])
def test_parameters_are_checked(night, hours):
    with pytest.raises(ValueError, match="hours"):
        prepare(night, Padder(hours=hours))


def test_epochs_that_are_cut_cannot_be_padded(night):
    with pytest.raises(ValueError, match=r"before Epocher\(\)"):
        prepare(night, Resampler(method="linear"), Epocher(), Padder())

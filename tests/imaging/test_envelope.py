"""read_envelope finds the minimum and maximum of each column again."""

import numpy as np
import pytest

from sklearn_sleep.core.signals import SignalDefinition
from sklearn_sleep.imaging import MONTAGES, Grid, Montage, Trace, draw_epochs, read_envelope


def envelope_of(samples, columns):
    """Return the extremes of the line through samples in each column."""
    place = np.linspace(0, columns, len(samples))
    fine = np.unique(np.concatenate([place, np.arange(columns + 1)]))
    line = np.interp(fine, place, samples)
    lowest, highest = np.empty(columns), np.empty(columns)
    for column in range(columns):
        values = line[(fine >= column) & (fine <= column + 1)]
        lowest[column], highest[column] = values.min(), values.max()
    return lowest, highest


def waves(rng, n_samples, fastest, amplitude):
    time = np.linspace(0, 30, n_samples)
    rates, phases = rng.uniform(0.1, fastest, 6), rng.uniform(0, 2 * np.pi, 6)
    samples = np.sin(2 * np.pi * rates[:, None] * time + phases[:, None]).sum(axis=0)
    return samples / np.abs(samples).max() * amplitude


@pytest.mark.parametrize(
    ("n_samples", "fastest", "first"), [(300, 40, 0), (3000, 0.5, 1), (7680, 12, 2)]
)
@pytest.mark.parametrize("montage", ["sleepvlm", "clinical"])
def test_extremes_agree_to_one_pixel(montage, n_samples, fastest, first):
    rng = np.random.default_rng(n_samples)
    page = MONTAGES[montage]
    samples, amplitudes = {}, {}
    for trace in page.traces:
        low, high = amplitudes[trace.name] = trace.amplitude or (-1.0, 1.0)
        # Within its band, so that no other trace covers it.
        wave = waves(rng, n_samples, fastest, 0.42 * (high - low)) + (low + high) / 2
        samples[trace.name] = wave[None]
    image = draw_epochs(samples, page, amplitudes=amplitudes)[0]
    # The clinical page is large: each of its traces is read from one of the images.
    for trace in page.traces[first::3] if montage == "clinical" else page.traces:
        low, high = amplitudes[trace.name]
        pixel = (high - low) / page.band_height
        lowest, highest = read_envelope(image, page, trace.name, amplitude=(low, high))
        lower, upper = envelope_of(samples[trace.name][0], page.columns)
        error = np.abs([lowest - lower, highest - upper])
        assert error.max() < pixel
        assert error.mean() < 0.2 * pixel


def test_a_trace_of_its_own_colour_is_found_beyond_its_band():
    traces = [
        Trace(SignalDefinition("a", 100, "uV"), "#ff0000", (-10, 10)),
        Trace(SignalDefinition("b", 100, "uV"), "#00ff00", (-10, 10)),
    ]
    montage = Montage(traces, width=200, height=100, grid=Grid("#404040", over_traces=True))
    slow = 25 * np.sin(np.linspace(0, 3, 1000)) + 3
    image = draw_epochs({"a": [slow]}, montage)[0]
    lowest, highest = read_envelope(image, montage, "a")
    seen = ~np.isnan(highest)
    expected = envelope_of(slow, 200)[1]
    assert seen[expected < 9].all()
    assert not seen[expected > 12].any()  # above the image
    np.testing.assert_allclose(highest[expected < 9], expected[expected < 9], atol=0.4)
    assert (lowest[seen] <= highest[seen]).all()


def test_gaps_are_missing():
    samples = np.zeros((1, 3000))
    samples[0, 1500:] = np.nan
    lowest, highest = read_envelope(draw_epochs({"C4": samples})[0], "sleepvlm", "C4")
    np.testing.assert_array_equal(
        np.isnan(highest[[100, 222, 226, 400]]), [False, False, True, True]
    )
    np.testing.assert_allclose(highest[:220], 0, atol=1.4)
    np.testing.assert_array_equal(np.isnan(lowest), np.isnan(highest))
    for edge in read_envelope(draw_epochs({"C4": samples})[0], "sleepvlm", "O2"):
        assert np.isnan(edge).all()


def test_wrong_input():
    image = draw_epochs({"C4": np.zeros((1, 10))})[0]
    with pytest.raises(ValueError, match=r"shape \(224, 448, 3\), but those of the montage"):
        read_envelope(image, "clinical", "C4")
    with pytest.raises(ValueError, match="The montage has no 'ECG'"):
        read_envelope(image, "sleepvlm", "ECG")
    montage = Montage([Trace("THX", "#ffffff", None)])
    with pytest.raises(ValueError, match="give the one it was drawn with"):
        read_envelope(image, montage, "THX")

"""draw_epochs draws what SleepVLM and matplotlib draw, and covers as much as geometry says."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from skimage.metrics import structural_similarity

from sklearn_sleep.core.signals import SignalDefinition
from sklearn_sleep.imaging import MONTAGES, Grid, Montage, Trace, draw_epochs

NAMES = [definition.name for definition in MONTAGES["sleepvlm"]]


def similarity(one, other):
    return structural_similarity(one, other, channel_axis=2)


@pytest.fixture(scope="module")
def golden(data_folder):
    folder = data_folder / "golden" / "waveform-images"
    signals = np.load(folder / "signals_uV.npz")["signals"]
    pages = [np.asarray(Image.open(folder / f"{i}.png").convert("RGB")) for i in range(2)]
    return dict(zip(NAMES, np.moveaxis(signals, 2, 0), strict=True)), pages


def eeg_like(rng, n_epochs, n_samples, amplitude):
    """Noise that is the weaker the faster, with bursts."""
    white = rng.normal(size=(n_epochs, n_samples))
    spectrum = np.fft.rfft(white) / np.maximum(np.arange(n_samples // 2 + 1), 8)
    samples = np.fft.irfft(spectrum, n=n_samples)
    samples *= amplitude / 3 / samples.std(axis=1, keepdims=True)
    samples[:, n_samples // 3 : n_samples // 2] *= 2
    return samples


def drawn_by_matplotlib(samples, montage, dpi=100):
    """Draw an epoch with matplotlib, its lines in points of 1/72 inch."""
    figure = Figure((montage.width / dpi, montage.height / dpi), dpi=dpi)
    figure.patch.set_facecolor(montage.background)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.set(xlim=(0, 30), ylim=(len(montage), 0))
    points = 72 / dpi

    def draw_grid(z):
        grid = montage.grid
        for second in range(1, 30):
            major = second % grid.major_seconds == 0
            axes.axvline(
                second,
                color=grid.color,
                alpha=grid.major_alpha if major else grid.minor_alpha,
                linewidth=(grid.major_width if major else grid.minor_width) * points,
                zorder=z,
            )
        for border in range(1, len(montage)):
            axes.axhline(
                border,
                color=grid.color,
                alpha=grid.major_alpha,
                linewidth=grid.major_width * points,
                zorder=z,
            )

    if montage.grid is not None:
        draw_grid(1 + 10 * montage.grid.over_traces)
    for position, trace in enumerate(montage.traces):
        values = samples[trace.name]
        low, high = trace.amplitude
        place = position + 0.5 - (values - (low + high) / 2) / (high - low)
        time = np.linspace(0, 30, len(values))
        axes.plot(time, place, color=trace.color, linewidth=montage.line_width * points, zorder=5)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def test_images_are_those_of_sleepvlm(golden):
    signals, pages = golden
    drawn = draw_epochs(signals)
    assert drawn.shape == (2, 224, 448, 3)
    assert drawn.dtype == np.uint8
    for ours, theirs in zip(drawn, pages, strict=True):
        assert similarity(ours, theirs) > 0.95
        assert np.abs(ours.astype(int) - theirs).mean() < 8


def test_images_are_those_of_matplotlib():
    rng = np.random.default_rng(0)
    definitions = [SignalDefinition(name, 3000, "uV") for name in "abc"]
    montage = Montage(
        [
            Trace(definitions[0], "#1a1a1a", (-50, 50)),
            Trace(definitions[1], "#a01818", (-20, 60)),
            Trace(definitions[2], "#1f4e9c", (-100, 100)),
        ],
        width=600,
        height=300,
        background="#ffffff",
        grid=Grid("#90b090", minor_alpha=0.3, major_alpha=0.7, minor_width=1.0, major_width=1.5),
    )
    for over_traces in (False, True):
        page = replace(montage, grid=replace(montage.grid, over_traces=over_traces))
        samples = {
            "a": eeg_like(rng, 3, 3000, 50),
            "b": eeg_like(rng, 3, 960, 40) + 20,
            "c": eeg_like(rng, 3, 7680, 100),
        }
        for epoch, ours in enumerate(draw_epochs(samples, page)):
            theirs = drawn_by_matplotlib({k: v[epoch] for k, v in samples.items()}, page)
            assert similarity(ours, theirs) > 0.93


@pytest.mark.parametrize("seed", range(3))
def test_other_epochs_of_sleepvlm(seed):
    rng = np.random.default_rng(seed)
    samples = {name: eeg_like(rng, 1, 3000, 30 + 20 * seed) for name in NAMES}
    theirs = drawn_by_matplotlib({k: v[0] for k, v in samples.items()}, MONTAGES["sleepvlm"])
    assert similarity(draw_epochs(samples)[0], theirs) > 0.95


def plain(**parameters):
    trace = Trace(SignalDefinition("x", 3000, "uV"), "#ffffff", (0, 100))
    return Montage([trace], width=300, height=100, **parameters)


@pytest.mark.parametrize("width", [0.5, 1.0, 2.5])
@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0])
def test_covered_area_of_straight_lines(width, slope):
    n_samples = 200
    heights = 50.3 + slope * np.linspace(-40, 40, n_samples)
    image = draw_epochs({"x": [heights]}, plain(line_width=width))[0]
    covered = image[..., 0].sum(axis=0)[10:-10].mean() / 255
    # What it rises in a column, and its width.
    assert covered == pytest.approx(slope * 80 / 300 + width, abs=0.01)
    if not slope:
        rows = np.flatnonzero(image[:, 150, 0])
        edges = [rows.min() + 1 - image[rows.min(), 150, 0] / 255, rows.max()]
        edges[1] += image[rows.max(), 150, 0] / 255
        expected = 49.7 - width / 2, 49.7 + width / 2
        if len(rows) > 1:  # in a single row only its thickness shows
            np.testing.assert_allclose(edges, expected, atol=0.02)


def test_a_spike_of_one_sample_is_drawn_to_its_tip():
    samples = np.full((1, 3000), 20.0)
    samples[0, 1234] = 90.0
    image = draw_epochs({"x": samples}, plain())[0]
    column = int(1234 / 2999 * 300)
    rows = np.flatnonzero(image[:, column, 0] > 20)
    assert rows.min() == pytest.approx(100 - 90, abs=1)
    assert rows.max() == pytest.approx(100 - 20, abs=1)
    assert len(rows) == rows.max() - rows.min() + 1


@pytest.mark.parametrize("n_samples", [2, 30, 256, 3000, 15360])
def test_epochs_alone_and_together_are_the_same(n_samples):
    rng = np.random.default_rng(1)
    samples = {"F4": eeg_like(rng, 37, n_samples, 60), "EMG": eeg_like(rng, 37, 3000, 60)}
    together = draw_epochs(samples)
    for epoch in (0, 16, 36):
        alone = draw_epochs({name: values[[epoch]] for name, values in samples.items()})
        np.testing.assert_array_equal(alone[0], together[epoch])


def test_missing_samples_leave_a_gap():
    samples = np.zeros((2, 3000)) + 50
    samples[0, 1000:2000] = np.nan
    with_gap, whole = draw_epochs({"x": samples}, plain())[..., 0]
    np.testing.assert_array_equal(with_gap[:, :99], whole[:, :99])
    np.testing.assert_array_equal(with_gap[:, 201:], whole[:, 201:])
    assert not with_gap[:, 101:199].any()


def test_missing_signals_leave_their_band_empty_and_written_on(golden):
    signals, _ = golden
    without = {name: values for name, values in signals.items() if name != "EMG"}
    full, empty = draw_epochs(signals), draw_epochs(without)
    nan = draw_epochs({**without, "EMG": np.full((2, 3000), np.nan)})
    np.testing.assert_array_equal(empty, nan)
    band = slice(190, 224)
    is_blue = (full[:, band] - full[:, band].min(axis=3, keepdims=True))[..., 2] > 60
    assert is_blue.mean() > 0.05
    found = empty[:, band]
    # What is written is grey, and so is the grid; the trace above reaches in.
    is_colored = found.max(axis=3) - found.min(axis=3) > 12
    assert is_colored[:, 8:].mean() < 0.01
    assert (found > 150).any()
    # One epoch that lacks it, one that does not.
    half = np.array(signals["EMG"], dtype=float)
    half[1] = np.nan
    mixed = draw_epochs({**without, "EMG": half})
    np.testing.assert_array_equal(mixed[0], full[0])
    np.testing.assert_array_equal(mixed[1], empty[1])


def test_nothing_to_draw():
    assert draw_epochs({}).shape == (0, 224, 448, 3)
    assert draw_epochs({"F4": np.empty((0, 100))}).shape == (0, 224, 448, 3)


def test_clipping():
    trace = [Trace(SignalDefinition(name, 100, "uV"), "#ff0000", (-10, 10)) for name in "abc"]
    samples = {"b": [40 * np.sin(np.linspace(0, 20, 500))]}
    page = Montage(trace, width=200, height=150)
    beyond = draw_epochs(samples, page)[0, ..., 0] > draw_epochs(samples, page)[0, ..., 1]
    assert beyond[:45].any()
    assert beyond[105:].any()
    page = replace(page, clip=True)
    within = draw_epochs(samples, page)[0, ..., 0] > draw_epochs(samples, page)[0, ..., 1]
    np.testing.assert_array_equal(within[51:99], beyond[51:99])
    assert not within[:50].any()
    assert not within[100:].any()


def test_labels_and_calibration():
    trace = Trace(SignalDefinition("x", 3000, "uV"), "#000000", (-50, 50), label="Cz")
    page = Montage(
        [trace], width=300, height=80, background="#ffffff", margin=50, text_color="#000000"
    )
    flat = {"x": np.zeros((1, 100))}
    marked = replace(page, labels=True, calibration=True)
    bare, marked = (draw_epochs(flat, montage)[0, ..., 0] for montage in (page, marked))
    np.testing.assert_array_equal(bare[:, 50:], marked[:, 50:])
    assert (bare[:, :50] == 255).all()
    # Half of the amplitude is 40 of 80 pixels.
    assert (marked[:, 47] == 0).sum() == 41
    assert (marked[20:38, :40] < 128).any()
    assert (marked[42:60, :40] < 128).any()


def test_amplitudes_that_are_given():
    trace = Trace("THX", "#ffffff", None)
    page = Montage([trace], width=100, height=100)
    samples = {"THX": [np.linspace(0, 2, 50)]}
    with pytest.raises(ValueError, match=r"traces of \['THX'\] have no amplitude"):
        draw_epochs(samples, page)
    given = draw_epochs(samples, page, amplitudes={"THX": (0, 2)})
    own = draw_epochs(samples, Montage([replace(trace, amplitude=(0, 2))], width=100, height=100))
    np.testing.assert_array_equal(given, own)


def test_wrong_input():
    with pytest.raises(ValueError, match="montage='psg' is none of sleepvlm, clinical"):
        draw_epochs({}, "psg")
    with pytest.raises(ValueError, match="The montage has no 'ECG'; its signals are"):
        draw_epochs({"ECG": np.zeros((1, 10))})
    with pytest.raises(ValueError, match=r"two samples or more, but has \(10,\)"):
        draw_epochs({"F4": np.zeros(10)})
    with pytest.raises(ValueError, match=r"but have \{'F4': 1, 'C4': 2\}"):
        draw_epochs({"F4": np.zeros((1, 10)), "C4": np.zeros((2, 10))})

"""WaveformImageRenderer gives each row its images, drawn when they are asked for."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sklearn_sleep import EDFReader, Epocher, Filter, Normalizer, Resampler, epoch_table
from sklearn_sleep.core.sources import Signal
from sklearn_sleep.exceptions import EDFWarning, SignalQualityWarning
from sklearn_sleep.imaging import (
    Montage,
    Trace,
    WaveformImageRenderer,
    WaveformImages,
    draw_epochs,
    read_envelope,
    waveform_images,
)
from sklearn_sleep.preprocessing import RecordingTransformer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn_sleep.exceptions.MissingSignalWarning")

MONTAGE = Montage(
    [
        Trace("EEG", "#ffff00", (-75, 75)),
        Trace("EMG", "#0000ff", (-40, 40)),
        Trace("ECG", "#ff0000", (-1, 1.5)),
        Trace("THX", "#00ffff", None),
    ],
    width=150,
    height=96,
)


@pytest.fixture(scope="module")
def epochs(cohort):
    return EDFReader(MONTAGE).fit_transform(cohort.X)


@pytest.fixture(scope="module")
def images(epochs):
    return WaveformImageRenderer(MONTAGE).fit_transform(epochs)


@pytest.fixture
def drawn(monkeypatch):
    """Count the epochs that are drawn."""
    counts = []
    draw = waveform_images.draw_pages

    def counted(samples, amplitudes, montage, n_epochs):
        counts.append(n_epochs)
        return draw(samples, amplitudes, montage, n_epochs)

    monkeypatch.setattr(waveform_images, "draw_pages", counted)
    return counts


@pytest.fixture
def read(monkeypatch):
    """Count the signals that are read."""
    names = []
    data = Signal.data

    def counted(signal):
        names.append(signal.name)
        return data.fget(signal)

    monkeypatch.setattr(Signal, "data", property(counted))
    return names


def position_of(epochs, night, epoch):
    """Return the row of an epoch of the recording at a position."""
    return np.flatnonzero((epochs.recording_index == night) & (epochs.table["epoch"] == epoch))[0]


def test_a_row_has_the_epochs_around_it(epochs, images):
    assert isinstance(images, WaveformImages)
    assert (len(images), images.shape, images.image_shape) == (
        len(epochs),
        (len(epochs),),
        (3, 96, 150, 3),
    )
    arrays = {}
    signals = epochs.recordings[0].signals
    for name in ("EEG", "EMG", "ECG", "THX"):
        if name in signals:
            arrays[name] = Epocher().transform_signal(signals[name]).data
    breath = tuple(float(edge) for edge in np.nanpercentile(arrays["THX"], [1, 99]))
    expected = draw_epochs(arrays, MONTAGE, amplitudes={"THX": breath})
    row = position_of(epochs, 0, 7)
    np.testing.assert_array_equal(images[row], expected[6:9])
    np.testing.assert_array_equal(images[int(row) - len(images)], expected[6:9])
    panel = WaveformImageRenderer(MONTAGE, layout="panel").fit_transform(epochs)[row]
    np.testing.assert_array_equal(panel, np.concatenate(list(expected[6:9]), axis=1))
    alone = WaveformImageRenderer(MONTAGE, context=[0]).fit_transform(epochs)[row]
    np.testing.assert_array_equal(alone, expected[[7]])
    later = WaveformImageRenderer(MONTAGE, context=[5, 0]).fit_transform(epochs)[row]
    np.testing.assert_array_equal(later, expected[[12, 7]])


def test_beyond_the_night_pages_are_empty(epochs):
    empty = draw_epochs({"EEG": np.full((1, 9), np.nan)}, MONTAGE)[0]
    steps = make_pipeline(EDFReader(MONTAGE), WaveformImageRenderer(MONTAGE))
    whole = steps.fit_transform(epochs.recordings[1].path)
    np.testing.assert_array_equal(whole[0][0], empty)
    np.testing.assert_array_equal(whole[-1][2], empty)
    assert (whole[0][1] != empty).any()
    assert (whole[-1][1] != empty).any()


def test_all_ways_to_ask_give_the_same(images):
    rows = np.random.default_rng(0).permutation(len(images))[:90]
    some = images[rows]
    assert isinstance(some, WaveformImages)
    arrays = np.asarray(some)
    assert arrays.shape == (90, 3, 96, 150, 3)
    assert arrays.dtype == np.uint8
    for one, array in zip(some, arrays, strict=True):
        np.testing.assert_array_equal(one, array)
    np.testing.assert_array_equal(images[rows[40]], arrays[40])
    np.testing.assert_array_equal(np.asarray(some[10:30:3]), arrays[10:30:3])
    mask = np.arange(90) % 7 == 0
    np.testing.assert_array_equal(np.asarray(some[mask], dtype=float), arrays[mask])
    np.testing.assert_array_equal(np.asarray(some[pd.Series([4, 2])]), arrays[[4, 2]])
    assert len(images[:0]) == 0
    with pytest.raises(IndexError, match="There is no row 90; there are 90"):
        some[90]
    with pytest.raises(ValueError, match="needs a copy"):
        np.array(some, copy=False)


def test_nothing_is_drawn_or_read_before_it_is_asked_for(epochs, drawn, read):
    images = WaveformImageRenderer(MONTAGE).fit_transform(epochs)
    some = images[10:50]
    assert not drawn
    assert not read
    some[3]
    assert sum(drawn) == 3
    n_read = len(read)
    assert 0 < n_read <= len(MONTAGE)
    some[4]
    images[12]
    assert len(read) == n_read
    drawn.clear()
    night = images[epochs.recording_index == 0]
    np.asarray(night)
    # Neighbours share their context.
    assert sum(drawn) < 1.2 * len(night)


def test_nights_are_kept_up_to_a_number_of_bytes(epochs, read):
    rows = np.flatnonzero(np.diff(epochs.recording_index, prepend=-1))[:2]
    for kept_bytes, times in ((0, 2), (2**30, 1)):
        read.clear()
        images = WaveformImageRenderer(MONTAGE, kept_bytes=kept_bytes).fit_transform(epochs)
        for _ in range(2):
            for row in rows:
                images[row]
        per_night = [len(epochs.recordings[epochs.recording_index[row]].signals) for row in rows]
        assert len(read) == times * sum(per_night)


def test_masked_rows_miss_the_signal(cohort, epochs, images):
    row = position_of(epochs, 0, 10)
    X = cohort.X.assign(EMG=cohort.X["epoch"] != 10)
    masked = WaveformImageRenderer(MONTAGE).fit_transform(EDFReader(MONTAGE).fit_transform(X))
    without = WaveformImageRenderer(MONTAGE).fit_transform(
        EDFReader(MONTAGE).fit_transform(cohort.X.assign(EMG=False))
    )
    np.testing.assert_array_equal(masked[row][[0, 2]], images[row][[0, 2]])
    np.testing.assert_array_equal(masked[row][1], without[row][1])
    assert (masked[row][1] != images[row][1]).any()
    # As the context of the next one it is masked too, of whichever rows that is asked.
    np.testing.assert_array_equal(masked[row + 1][0], without[row][1])
    np.testing.assert_array_equal(masked[[row + 1]][0], masked[row + 1])
    np.testing.assert_array_equal(np.asarray(masked[row : row + 2])[1], masked[row + 1])
    reader = EDFReader([definition for definition in MONTAGE if definition.name != "EMG"])
    lacking = WaveformImageRenderer(MONTAGE).fit_transform(reader.fit_transform(cohort.X))
    np.testing.assert_array_equal(lacking[row], without[row])


def test_a_night_without_any_signal_is_empty(cohort, tmp_path):
    X = cohort.X.assign(EEG=False, EMG=False, ECG=False, THX=False)
    images = WaveformImageRenderer(MONTAGE).fit_transform(EDFReader(MONTAGE).fit_transform(X))
    np.testing.assert_array_equal(images[5][0], images[60][2])
    lost = EDFReader(MONTAGE, on_error="warn")
    X = X.iloc[:9].assign(recording=str(tmp_path / "lost.edf"))
    with pytest.warns(EDFWarning, match="lost"):
        epochs = lost.fit_transform(pd.concat([cohort.X.iloc[:9], X], ignore_index=True))
    lacking = WaveformImageRenderer(MONTAGE).fit_transform(epochs)
    np.testing.assert_array_equal(lacking[12], images[5])


def test_images_after_other_steps(epochs, images):
    row = position_of(epochs, 0, 3)
    cut = make_pipeline(Resampler(), Epocher(), WaveformImageRenderer(MONTAGE))
    envelopes = [
        read_envelope(found[row][1], MONTAGE, "EEG")[1]
        for found in (cut.fit_transform(epochs), images)
    ]
    np.testing.assert_allclose(*envelopes, atol=12)
    # 31.25 samples a second are 937.5 an epoch.
    odd = make_pipeline(Resampler({"ECG": 1125, "EEG": 1875}), Filter())
    odd_images = make_pipeline(odd, WaveformImageRenderer(MONTAGE)).fit_transform(epochs)
    assert odd_images[row].shape == images[row].shape


def test_samples_that_are_not_whole_per_epoch(write_edf):
    samples = 50 * np.sin(2 * np.pi * 0.5 * np.arange(31.25 * 120) / 31.25)
    path = write_edf("night.edf", ("EEG", samples, 31.25, "uV", (-100, 100)))
    montage = Montage([MONTAGE.traces[0]], width=150, height=96)
    steps = make_pipeline(EDFReader(montage), WaveformImageRenderer(montage, context=[0]))
    images = steps.fit_transform(str(path))
    _, highest = read_envelope(images[2][0], montage, "EEG")
    assert highest.max() == pytest.approx(50, abs=2)
    time = (np.arange(150) + 0.5) / 5
    assert np.corrcoef(highest, np.sin(2 * np.pi * 0.5 * time))[0, 1] > 0.95


def test_pictures_and_pickles(images):
    pictures = images.to_pil(3)
    assert [picture.size for picture in pictures] == [(150, 96)] * 3
    np.testing.assert_array_equal(np.asarray(pictures[1]), images[3][1])
    panel = WaveformImageRenderer(MONTAGE, layout="panel").fit_transform(images.epochs)
    assert [picture.size for picture in panel.to_pil(3)] == [(450, 96)]
    pickled = pickle.dumps(images)
    assert len(pickled) < 100_000
    copy = pickle.loads(pickled)  # noqa: S301  our own bytes
    np.testing.assert_array_equal(copy[3], images[3])
    assert "3 images of 150 x 96 pixels each" in repr(images)


def test_processes_write_the_files_that_one_process_writes(images, tmp_path):
    some = images[np.r_[5:20, 60:70]]
    one, two = (some.save(tmp_path / str(n), n_jobs=n) for n in (1, 2))
    assert one.read_text() == two.read_text()
    files = sorted(path.relative_to(one.parent) for path in one.parent.glob("*/*.png"))
    assert len(files) > 20
    for file in files:
        assert (one.parent / file).read_bytes() == (two.parent / file).read_bytes()


def test_folder_of_images(epochs, images, drawn, tmp_path, monkeypatch):
    rows = np.r_[5:40, 60:70]
    some = images[rows]
    write, written = waveform_images._write_png, []

    def cut_off(image, path):
        if len(written) == 20:
            raise KeyboardInterrupt
        written.append(path)
        write(image, path)

    monkeypatch.setattr(waveform_images, "_write_png", cut_off)
    with pytest.raises(KeyboardInterrupt):
        some.save(tmp_path)
    assert not (tmp_path / "index.csv").exists()
    monkeypatch.setattr(waveform_images, "_write_png", write)
    drawn.clear()
    path = some.save(tmp_path)
    n_files = len(list(tmp_path.glob("*/*.png")))
    assert sum(drawn) == n_files - 20
    assert not list(tmp_path.rglob("*.partial"))
    index = pd.read_csv(path, keep_default_na=False)
    assert list(index.columns) == ["recording", "epoch", "image-1", "image", "image+1"]
    assert index["recording"].tolist() == epochs.table["recording"].iloc[rows].astype(str).tolist()
    assert index["epoch"].tolist() == epochs.table["epoch"].iloc[rows].tolist()
    for row in (0, 17, 40):
        files = index.loc[row, ["image-1", "image", "image+1"]]
        for file, expected in zip(files, some[row], strict=True):
            if file:
                np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / file)), expected)
    # Each epoch once, whichever rows show it.
    assert n_files == len(set(index[["image-1", "image", "image+1"]].to_numpy().ravel()) - {""})
    drawn.clear()
    some.save(tmp_path)
    assert not drawn
    # Other images have other files.
    brighter = replace(MONTAGE, line_width=2.0)
    WaveformImageRenderer(brighter).fit_transform(epochs)[rows[:2]].save(tmp_path)
    assert len(list(tmp_path.glob("*/*.png"))) == n_files + 4


def test_files_tell_masked_signals_apart(cohort, tmp_path):
    X = cohort.X.iloc[:4].assign(EMG=[True, False, False, True])
    renderer = WaveformImageRenderer(MONTAGE, context=[0])
    renderer.fit_transform(EDFReader(MONTAGE).fit_transform(X)).save(tmp_path)
    names = pd.read_csv(tmp_path / "index.csv")["image"].str.split("/").str[1].tolist()
    assert names == ["00000.png", "00001-without-EMG.png", "00002-without-EMG.png", "00003.png"]


def test_units_are_checked(cohort, epochs):
    with pytest.raises(ValueError, match=r"EEG has no unit, but its trace is in uV. Leave out the"):
        make_pipeline(Normalizer(), WaveformImageRenderer(MONTAGE)).fit_transform(epochs)
    volts = EDFReader(MONTAGE, units={"EEG": "V"}).fit_transform(cohort.X)
    images = [WaveformImageRenderer(MONTAGE).fit_transform(some)[3] for some in (volts, epochs)]
    np.testing.assert_allclose(*images, atol=2)


def test_wrong_input(cohort, epochs):
    with pytest.raises(TypeError, match="Put EDFReader"):
        WaveformImageRenderer(MONTAGE).fit(cohort.X)
    with pytest.raises(ValueError, match="montage='psg' is none of"):
        WaveformImageRenderer("psg").fit(epochs)
    with pytest.raises(ValueError, match=r"context=\[\] must be a list"):
        WaveformImageRenderer(context=[]).fit(epochs)
    with pytest.raises(ValueError, match=r"context=\[0\.5\] must be a list"):
        WaveformImageRenderer(context=[0.5]).fit(epochs)
    with pytest.raises(ValueError, match="The 'layout' parameter"):
        WaveformImageRenderer(layout="film").fit(epochs)
    other = EDFReader(["PPG"]).fit_transform(cohort.X)
    with pytest.raises(ValueError, match=r"None of the recordings has a signal of the montage"):
        WaveformImageRenderer(MONTAGE).fit_transform(other)


def test_it_is_a_transformer(epochs, images):
    step = clone(WaveformImageRenderer(MONTAGE)).set_params(context=[0], layout="panel")
    step = pickle.loads(pickle.dumps(step)).set_output(transform="pandas")  # noqa: S301  our own
    np.testing.assert_array_equal(step.fit_transform(epochs)[4], images[4][1])
    assert list(step.get_feature_names_out()) == ["image"]


def test_a_path_is_enough(cohort):
    path = str(cohort.nights[0].recording)
    images = make_pipeline(EDFReader(MONTAGE), WaveformImageRenderer(MONTAGE)).fit_transform(path)
    assert len(images) == len(epoch_table([path]))


def test_infinite_samples_are_drawn_as_missing(write_edf):
    eeg = np.random.default_rng(0).normal(scale=20.0, size=60 * 64)
    path = write_edf("night.edf", ("EEG C4-M1", eeg, 64, "uV", (-200, 200)))

    class Spoiler(RecordingTransformer):
        def __init__(self, value=np.nan):
            self.value = value

        def transform_signal(self, signal):
            def spoil(samples):
                samples = samples.copy()
                samples[700:900] = self.value
                return samples

            return signal.map(spoil)

    montage = Montage([Trace("EEG", "#ffff00", (-100, 100))], width=112, height=56)
    epochs = EDFReader(["EEG"]).fit_transform(path)
    lacking, spoiled = (
        WaveformImageRenderer(montage).fit_transform(Spoiler(value).fit_transform(epochs))
        for value in (np.nan, np.inf)
    )
    with pytest.warns(SignalQualityWarning, match="EEG of .*night.edf has 200 infinite samples"):
        drawn = np.asarray(spoiled[:])
    np.testing.assert_array_equal(drawn, np.asarray(lacking[:]))

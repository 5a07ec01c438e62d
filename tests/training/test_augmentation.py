"""Augmented nights are what they are said to be."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from skorch.helper import SliceDict

from sklearn_sleep.training.augmentation import Augmentation

N_EPOCHS, WIDTH = 200, 64


@pytest.fixture
def ramp():
    """Samples whose values tell where they were."""
    return {
        "ECG": torch.arange(float(N_EPOCHS * WIDTH)).reshape(N_EPOCHS, WIDTH),
        "THX": torch.arange(float(N_EPOCHS * WIDTH // 4)).reshape(N_EPOCHS, WIDTH // 4),
    }


@pytest.fixture
def sine():
    return {"THX": torch.sin(torch.arange(float(N_EPOCHS * WIDTH))).reshape(N_EPOCHS, WIDTH)}


def shift_of(changed, original):
    """Samples by which the middle of a ramp comes later."""
    middle = slice(N_EPOCHS // 2, N_EPOCHS // 2 + 10)
    difference = (original[middle] - changed[middle]).unique()
    assert len(difference) == 1
    return int(difference)


def test_time_shift(ramp):
    rng = np.random.default_rng(0)
    shifts = []
    for _ in range(300):
        changed = Augmentation(time_shift=0.5).apply(ramp, rng)
        shift = shift_of(changed["ECG"], ramp["ECG"])
        # All signals by the same time, to the sample.
        assert abs(shift_of(changed["THX"], ramp["THX"]) - shift / 4) <= 0.75
        # Nothing from elsewhere: at the ends the night is mirrored.
        flat = changed["ECG"].flatten()
        if shift > 0:
            assert flat[:shift].tolist() == list(range(shift))[::-1]
        elif shift < 0:
            n = N_EPOCHS * WIDTH
            assert flat[shift:].tolist() == list(range(n + shift, n))[::-1]
        shifts.append(shift)
    # Uniform over one epoch.
    assert min(shifts) >= -WIDTH // 2
    assert max(shifts) <= WIDTH // 2
    assert np.std(shifts) == pytest.approx(WIDTH / np.sqrt(12), rel=0.1)
    assert abs(np.mean(shifts)) < 3


def test_speed_change():
    """A sine is heard at another pitch, in each epoch around its middle, mirrored at the ends."""
    cycles_per_epoch = 3.0
    time = torch.arange(N_EPOCHS * WIDTH, dtype=torch.float64)
    night = torch.sin(2 * np.pi * cycles_per_epoch * time / WIDTH).reshape(N_EPOCHS, WIDTH)
    ramp = time.reshape(N_EPOCHS, WIDTH)
    rng = np.random.default_rng(0)
    logarithms = []
    for _ in range(300):
        changed = Augmentation(time_shift=0, speed_change=0.5).apply(
            {"ECG": night, "THX": ramp}, rng
        )
        played = changed["THX"][1:-1]
        speed = float((played[50, -1] - played[50, 0]) / (WIDTH - 1))
        np.testing.assert_allclose(played.mean(dim=1), ramp[1:-1].mean(dim=1), atol=1e-6)
        # The other signal at the same speed, to what linear interpolation leaves.
        expected = torch.sin(2 * np.pi * cycles_per_epoch * played / WIDTH)
        np.testing.assert_allclose(changed["ECG"][1:-1], expected, atol=0.02)
        earliest = (1 - speed) * (WIDTH - 1) / 2
        assert changed["THX"][0, 0] == pytest.approx(max(abs(earliest + 0.5) - 0.5, 0))
        assert changed["THX"].min() >= 0
        assert changed["THX"].max() <= N_EPOCHS * WIDTH - 1
        logarithms.append(np.log(speed))
    # Uniform in the logarithm.
    assert max(np.abs(logarithms)) <= np.log(1.5)
    assert np.std(logarithms) == pytest.approx(2 * np.log(1.5) / np.sqrt(12), rel=0.1)
    assert abs(np.mean(logarithms)) < 0.05


def test_amplitude(sine):
    constant = {"THX": torch.ones(N_EPOCHS, WIDTH)}
    rng = np.random.default_rng(0)
    logarithms = []
    for _ in range(300):
        changed = Augmentation(time_shift=0, amplitude=0.3).apply(constant, rng)["THX"]
        # One gain in an epoch, and nearly the same in the next.
        assert (changed == changed[:, :1]).all()
        logarithm = changed[:, 0].log().numpy()
        assert np.abs(np.diff(logarithm)).max() < 0.3 * 6 / 20
        logarithms.append(logarithm)
    logarithms = np.array(logarithms)
    assert np.std(logarithms.mean(axis=1)) == pytest.approx(0.3, rel=0.2)
    assert np.std(logarithms[:, 0]) == pytest.approx(0.3 * np.sqrt(2), rel=0.2)


def test_noise(sine):
    rng = np.random.default_rng(0)
    scale = float(sine["THX"].std())
    ratios = [
        float((Augmentation(time_shift=0, noise=0.4).apply(sine, rng)["THX"] - sine["THX"]).std())
        / scale
        for _ in range(200)
    ]
    assert max(ratios) < 0.41
    assert np.mean(ratios) == pytest.approx(0.2, rel=0.1)


def test_reordered_nights_are_whole_and_in_few_pieces():
    augmentation = Augmentation(time_shift=0.0, reorder=0.5)
    rng = np.random.default_rng(0)
    orders = [augmentation.draw_order(N_EPOCHS, rng) for _ in range(400)]
    changed = [order.numpy() for order in orders if order is not None]
    assert len(changed) == pytest.approx(200, abs=40)
    for order in changed:
        assert sorted(order) == list(range(N_EPOCHS))
        bounds = np.flatnonzero(np.diff(order) != 1) + 1
        assert len(bounds) < 4
        lengths = np.diff([0, *bounds, N_EPOCHS])
        assert lengths.min() >= 10
    # Cuts fall anywhere.
    starts = np.array([order[0] for order in changed])
    assert len(np.unique(starts)) > 50


def test_short_nights_stay_in_order():
    augmentation = Augmentation(reorder=1.0)
    assert augmentation.draw_order(19, np.random.default_rng(0)) is None
    order = augmentation.draw_order(20, np.random.default_rng(2))
    assert sorted(order.tolist()) == list(range(20))


def test_logits_of_a_reordered_night_are_in_its_own_order(make_classifier):
    rng = np.random.default_rng(0)
    X = SliceDict(
        THX=rng.normal(size=(60, 16)).astype(np.float32), recording=np.repeat("night", 60)
    )
    y = rng.integers(4, size=60)

    class FirstLogits(Callback):
        def on_batch_end(self, net, batch=None, training=None, y_pred=None, **kwargs):
            self.logits = y_pred[0].numpy()

    def first_logits(reorder):
        first = FirstLogits()
        make_classifier(
            # No epoch sees the others.
            module__sequence_mixer=lambda options: torch.nn.Identity(),
            module__encoder_norm="layer",
            module__dropout=0.0,
            mask_probability={},
            max_epochs=1,
            augmentation=Augmentation(time_shift=0.0, reorder=reorder),
            callbacks=[("first", first)],
        ).fit(X, y)
        return first.logits

    moved, still = first_logits(1.0), first_logits(0.0)
    differs = np.abs(moved - still).max(axis=1) > 1e-4 * np.abs(still).max()
    # The encoder looks a little beyond an epoch, which is another one at the ends of pieces.
    assert 0 < differs.sum() <= 4 * 2


def test_nothing_changes_nothing(ramp):
    changed = Augmentation(time_shift=0).apply(ramp, np.random.default_rng(0))
    for name, samples in ramp.items():
        assert changed[name] is samples


def test_originals_stay(ramp):
    before = {name: samples.clone() for name, samples in ramp.items()}
    Augmentation(speed_change=0.5, amplitude=0.5, noise=0.5).apply(ramp, np.random.default_rng(0))
    for name, samples in ramp.items():
        assert torch.equal(samples, before[name])


@pytest.mark.parametrize(
    "parameters",
    [
        {"time_shift": 0.6},
        {"time_shift": -0.1},
        {"speed_change": -0.1},
        {"speed_change": 1.5},
        {"amplitude": -1.0},
        {"noise": -0.1},
        {"reorder": 1.5},
    ],
)
def test_parameters_are_checked(make_classifier, parameters):
    (name,) = parameters
    X = SliceDict(ECG=np.zeros((4, 64), np.float32), recording=np.array(["a"] * 4, dtype=object))
    with pytest.raises(ValueError, match=f"{name}="):
        make_classifier(augmentation=Augmentation(**parameters)).fit(X, [0, 1, 2, 3])


def test_training_sees_shifted_nights(make_classifier):
    """A network that is to tell where in an epoch a pulse lies cannot learn it from them."""
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 60)
    samples = rng.normal(scale=0.01, size=(120, WIDTH)).astype(np.float32)
    # Wake has a pulse in the first half of each epoch, sleep in the second.
    samples[np.arange(120), 8 + 32 * y] = 5.0
    X = SliceDict(ECG=samples, recording=np.repeat(np.array(["a", "b", "c"], dtype=object), 40))
    scores = {}
    for shift in (0.0, 0.5):
        classifier = make_classifier(
            classes=None,
            module__feature_dim=16,
            module__max_channels=16,
            augmentation=Augmentation(time_shift=shift),
            batch_size=1,
            max_epochs=15,
            lr=1e-2,
        )
        classifier.set_params(augmentation__noise=0.01)
        scores[shift] = classifier.fit(X, y).history[-1, "train_loss"]
    assert scores[0.0] < 0.1
    assert scores[0.5] > 3 * scores[0.0]

"""The network without the code for CPUs is the network with it."""

import pytest
import torch

from sklearn_sleep.networks import make_wav2sleep
from sklearn_sleep.networks.cpu import choice, night_norm, streaming
from sklearn_sleep.networks.layers import Convolution


@pytest.fixture
def calls(monkeypatch):
    """Count what the code for CPUs computes."""
    calls = []
    for module, name in ((streaming, "_compute"), (night_norm, "_moments")):
        original = getattr(module, name)

        def counted(*arguments, original=original, name=name):
            calls.append(name)
            return original(*arguments)

        monkeypatch.setattr(module, name, counted)
    return calls


@pytest.mark.parametrize("streamed_values", [0, 2**40])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"gradient_checkpointing": True}, {"encoder_norm": "auto", "sequence_norm": "instance"}],
)
def test_outputs_and_gradients_with_and_without(monkeypatch, calls, streamed_values, parameters):
    monkeypatch.setattr(choice, "STREAMED_VALUES", streamed_values)
    torch.manual_seed(0)
    small = {"feature_dim": 16, "initial_channels": 4, "mixer_heads": 2, "sequence_dilations": 2}
    network = make_wav2sleep({"ECG": 64, "THX": 16}, 4, **small, **parameters).eval()
    x = {"ECG": torch.randn(2, 12, 64), "THX": torch.randn(2, 12, 16)}
    weights = list(network.parameters())

    def run():
        logits = network(x)
        return logits, torch.autograd.grad(logits.logsumexp(-1).sum(), weights)

    logits, gradients = run()
    is_streamed = streamed_values == 0 and "encoder_norm" not in parameters
    assert set(calls) == {"_compute" if is_streamed else "_moments"}
    calls.clear()
    monkeypatch.setattr(choice, "CPU_CODE", False)
    expected, expected_gradients = run()
    assert calls == []
    torch.testing.assert_close(logits, expected, atol=2e-5, rtol=0)
    for found, wanted in zip(gradients, expected_gradients, strict=True):
        scale = max(float(wanted.abs().max()), 1e-3)
        torch.testing.assert_close(found, wanted, atol=1e-4 * scale, rtol=0)


def test_what_decides(monkeypatch):
    x = torch.zeros(1, 2, 8)
    monkeypatch.setattr(choice, "STREAMED_VALUES", 64)
    assert [choice.streams_nights(x, n) for n in (3, 4)] == [False, True]
    assert choice.normalizes_nights(x)
    assert not choice.normalizes_nights(x.bfloat16())
    for elsewhere in (x.to("meta"),):
        assert not choice.streams_nights(elsewhere, 4)
        assert not choice.normalizes_nights(elsewhere)
    long = torch.zeros(1, 2, 1, choice.TILE_LENGTH // 2 + 1)
    assert choice.tiles_convolutions(long)
    assert not choice.tiles_convolutions(long[..., 1:])
    with torch.no_grad():
        assert not choice.tiles_convolutions(long)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert not choice.streams_nights(x, 4)
    assert not choice.normalizes_nights(x)
    assert not choice.tiles_convolutions(long)


@pytest.mark.parametrize("length", [257, 512, 2048, 2561])
@pytest.mark.parametrize(
    "options", [{}, {"stride": 2}, {"causal": True}, {"stride": 2, "bias": True}]
)
def test_convolutions_in_tiles(monkeypatch, length, options):
    """Outputs and gradients are those of the whole night."""
    torch.manual_seed(0)
    convolution = Convolution(3, 5, 7, **options).double()
    x = torch.randn(2, 3, 1, length, dtype=torch.float64, requires_grad=True)
    inputs = (x, *convolution.parameters())

    def run():
        y = convolution(x)
        return y, torch.autograd.grad(y.square().sum(), inputs)

    y, gradients = run()
    monkeypatch.setattr(choice, "CPU_CODE", False)
    expected, expected_gradients = run()
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(gradients, expected_gradients)

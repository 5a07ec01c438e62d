"""Blocks in pieces against the same block in plain torch operations."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import torch
from torch.nn import functional

from sklearn_sleep.networks import make_wav2sleep
from sklearn_sleep.networks.cpu import choice, streaming
from sklearn_sleep.networks.cpu.pieces import share_pieces

EPSILON = 1e-2


def make_case(length, n_in, n_out, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    x = draw(length, n_in)
    weights = [draw(n_out, n, 3) / (3 * n) ** 0.5 for n in (n_in, n_out, n_out)]
    return x, weights, draw(n_out, n_in, 1)


def plain_block(x, weights, downsample):
    """The block as Carter & Tarassenko describe it, channels first."""
    x = x.T[None]
    y = x
    for weight, stride in zip(weights, (1, 1, 2), strict=True):
        y = functional.conv1d(y, weight, padding=1, stride=stride)
        y = functional.gelu(functional.instance_norm(y, eps=EPSILON))
    return functional.gelu(y + functional.conv1d(x, downsample, stride=2))[0].T


def run(block, case, upstream=None):
    x, weights, downsample = case
    leaves = [t.clone().requires_grad_() for t in (x, *weights, downsample)]
    out = block(leaves[0], leaves[1:4], leaves[4])
    if upstream is None:
        upstream = torch.cos(torch.arange(out.numel(), dtype=torch.float64)).view(out.shape)
    return out.detach(), torch.autograd.grad(out, leaves, upstream.to(out.dtype))


def stream(x, weights, downsample, **options):
    return streaming.stream_block(x, tuple(weights), downsample, EPSILON, **options)


def as_double(case):
    x, weights, downsample = case
    return x.double(), [w.double() for w in weights], downsample.double()


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("piece_values", [32, 257, 2**18])
@pytest.mark.parametrize(("length", "n_in", "n_out"), [(256, 1, 4), (250, 4, 4), (130, 4, 8)])
def test_output_and_gradients(monkeypatch, piece_values, length, n_in, n_out, recompute):
    monkeypatch.setattr(streaming, "PIECE_VALUES", piece_values)
    case = make_case(length, n_in, n_out)
    out, gradients = run(partial(stream, recompute=recompute), case)
    expected, expected_gradients = run(plain_block, as_double(case))
    torch.testing.assert_close(out.double(), expected, atol=1e-5, rtol=1e-5)
    for found, wanted in zip(gradients, expected_gradients, strict=True):
        assert found.shape == wanted.shape
        scale = float(wanted.abs().max())
        torch.testing.assert_close(found.double(), wanted, atol=2e-5 * scale, rtol=0)


def test_bfloat16():
    """Results agree to what eight bits of mantissa can say."""
    case = make_case(512, 4, 8)
    x, weights, downsample = case

    def stream_16(x, weights, downsample):
        return streaming.stream_block(x, tuple(weights), downsample, EPSILON, torch.bfloat16)

    out, gradients = run(stream_16, case)
    expected, expected_gradients = run(plain_block, as_double(case))
    assert out.dtype == torch.bfloat16
    assert (out.double() - expected).norm() < 0.01 * expected.norm()
    for found, wanted in zip(gradients, expected_gradients, strict=True):
        assert found.dtype == torch.float32
        assert (found.double() - wanted).norm() < 0.03 * wanted.norm()
    assert not torch.equal(out, stream(x, weights, downsample).bfloat16())


def test_far_from_zero_and_flat(monkeypatch):
    """The variance is not lost against a large mean, and a flat signal does not blow up."""
    monkeypatch.setattr(streaming, "PIECE_VALUES", 64)
    x, weights, downsample = make_case(400, 1, 4)
    for shifted in (x + 1000, torch.full_like(x, 3.0)):
        out, _ = run(stream, (shifted, weights, downsample))
        expected, _ = run(plain_block, as_double((shifted, weights, downsample)))
        assert torch.isfinite(out).all()
        torch.testing.assert_close(out.double(), expected, atol=2e-3, rtol=1e-3)


def test_the_input_may_need_no_gradient():
    x, weights, downsample = make_case(64, 1, 4)
    weights = [w.requires_grad_() for w in weights]
    stream(x, weights, downsample).sum().backward()
    assert x.grad is None
    assert all(torch.isfinite(w.grad).all() for w in weights)


def test_threads_do_not_change_a_bit(monkeypatch):
    monkeypatch.setattr(streaming, "PIECE_VALUES", 200)
    case = make_case(1000, 4, 8)
    alone = run(stream, case)
    for n_threads in (2, 5):
        with (
            ThreadPoolExecutor(n_threads) as pool,
            ThreadPoolExecutor(1, initializer=share_pieces, initargs=(pool,)) as alone_in_pool,
        ):
            shared = alone_in_pool.submit(run, stream, case).result()
        assert torch.equal(alone[0], shared[0])
        for found, wanted in zip(shared[1], alone[1], strict=True):
            assert torch.equal(found, wanted)


@pytest.mark.parametrize(("recompute", "per_input"), [(False, 2.5), (True, 1.0)])
def test_what_is_kept_for_the_gradient(recompute, per_input):
    """Its input, and the outputs of two convolutions, of which the last is half as long."""
    x, weights, downsample = make_case(2048, 8, 8)
    kept = []
    leaves = [w.requires_grad_() for w in weights]
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        streaming.stream_block(x, tuple(leaves), downsample, EPSILON, recompute=recompute)
    assert sum(t.numel() for t in kept if t.shape[0] >= 1024) == 2048 * 8 * per_input


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_encoder_in_pieces_equals_encoder_in_layers(monkeypatch, precision):
    torch.manual_seed(0)
    network = make_wav2sleep(
        {"ECG": 64}, 4, feature_dim=16, initial_channels=4, mixer_heads=2
    ).eval()
    x = {"ECG": torch.randn(2, 12, 64)}
    results = []
    for values in (2**40, 0):
        monkeypatch.setattr(choice, "STREAMED_VALUES", values)
        enabled = precision == torch.bfloat16
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            results.append(network(x).float())
    tolerance = 1e-5 if precision == torch.float32 else 0.1
    torch.testing.assert_close(results[0], results[1], atol=tolerance, rtol=0)
    assert not torch.equal(results[0], results[1])


@pytest.mark.parametrize("streamed_values", [0, 2**40])
@pytest.mark.parametrize("norm", ["instance", "layer"])
def test_gradient_checkpointing_changes_no_gradient(monkeypatch, streamed_values, norm):
    monkeypatch.setattr(choice, "STREAMED_VALUES", streamed_values)
    x = {"ECG": torch.randn(2, 12, 64), "THX": torch.randn(2, 12, 16)}
    gradients, kept = [], []
    for gradient_checkpointing in (False, True):
        torch.manual_seed(0)
        network = make_wav2sleep(
            {"ECG": 64, "THX": 16},
            4,
            feature_dim=16,
            initial_channels=4,
            mixer_heads=2,
            dropout=0.0,
            encoder_norm=norm,
            gradient_checkpointing=gradient_checkpointing,
        )
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, sizes=sizes: sizes.append(t.numel()) or t, lambda t: t
        ):
            loss = network(x).logsumexp(-1).sum()
        gradients.append(torch.autograd.grad(loss, list(network.parameters())))
        kept.append(sum(sizes))
    assert kept[1] < kept[0]
    for found, expected in zip(*reversed(gradients), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_batch_norm_is_not_computed_twice():
    with pytest.raises(ValueError, match="running statistics"):
        make_wav2sleep({"ECG": 64}, 4, encoder_norm="batch", gradient_checkpointing=True)

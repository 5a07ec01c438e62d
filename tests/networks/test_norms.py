"""Norms with the channels last in memory, against torch's own on contiguous memory."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from sklearn_sleep.networks.layers import Convolution
from sklearn_sleep.networks.norms import NORMS, GroupNorm, InstanceNorm, RMSNorm


def channels_last(batch, channels, length):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 1, length, channels, generator=generator).permute(0, 3, 1, 2) + 0.5


@pytest.mark.parametrize("length", [1, 2, 7, 5_000, 600_000])
def test_instance_norm_is_exact_however_long_the_night(length):
    x = channels_last(1, 4, length)
    expected = functional.instance_norm(x.double(), eps=1e-2) if length > 1 else 0 * x.double()
    # torch's batch norm of the same night is off by some 1e-3.
    torch.testing.assert_close(InstanceNorm(4, 1e-2)(x).double(), expected, atol=1e-5, rtol=0)


def test_instance_norm_of_each_night_and_its_gradient():
    x = channels_last(3, 4, 5_000).requires_grad_()
    weight = torch.randn(3, 4, 1, 5_000, generator=torch.Generator().manual_seed(1))
    expected = functional.instance_norm(x, eps=1e-2)
    y = InstanceNorm(4, 1e-2)(x)
    torch.testing.assert_close(y, expected, atol=1e-5, rtol=0)
    (gradient,) = torch.autograd.grad((y * weight).sum(), x)
    (of_expected,) = torch.autograd.grad((expected * weight).sum(), x)
    torch.testing.assert_close(gradient, of_expected, atol=1e-5, rtol=0)


def test_group_norm_is_exact_however_long_the_night():
    x = channels_last(1, 16, 200_000)
    expected = functional.group_norm(x.double(), 8, eps=1e-5)
    torch.testing.assert_close(GroupNorm(16)(x).double(), expected, atol=1e-5, rtol=0)


def test_rms_norm_is_torchs_over_channels():
    x = channels_last(2, 6, 50)
    norm = RMSNorm(6)
    nn.init.uniform_(norm.weight)
    expected = nn.RMSNorm(6, eps=1e-5)
    expected.load_state_dict({"weight": norm.weight.flatten()})
    torch.testing.assert_close(norm(x), expected(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))


def test_unknown_norm():
    with pytest.raises(ValueError, match="'bach' is not known; use one of 'instance', 'layer'"):
        NORMS.make("bach", 4)
    with pytest.raises(ValueError, match="12 channels"):
        GroupNorm(12)


@pytest.mark.parametrize(
    ("kernel_size", "stride", "dilation", "channels"),
    [(3, 1, 1, 1), (3, 2, 1, 1), (3, 2, 1, 5), (7, 1, 4, 5), (1, 2, 1, 5), (3, 1, 2, 1)],
)
@pytest.mark.parametrize("bias", [False, True])
def test_convolution_is_torchs(kernel_size, stride, dilation, channels, bias):
    ours = Convolution(
        channels, 6, kernel_size, stride=stride, dilation=dilation, bias=bias, weight_norm=True
    )
    padding = dilation * (kernel_size - 1) // 2
    torchs = nn.utils.parametrizations.weight_norm(
        nn.Conv1d(
            channels,
            6,
            kernel_size,
            stride=stride,
            dilation=dilation,
            padding=padding,
            bias=bias,
        )
    )
    nn.init.uniform_(ours.parametrizations["weight"].original0)
    torchs.load_state_dict(ours.state_dict())
    x = channels_last(2, channels, 40)
    torch.testing.assert_close(ours(x).squeeze(2), torchs(x.squeeze(2)), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("kernel_size", "dilation"), [(3, 1), (4, 3), (1, 1)])
def test_causal_convolution_pads_the_past(kernel_size, dilation):
    ours = Convolution(5, 6, kernel_size, dilation=dilation, causal=True)
    x = channels_last(2, 5, 40)
    padded = functional.pad(x.squeeze(2), (dilation * (kernel_size - 1), 0))
    expected = functional.conv1d(padded, ours.weight, dilation=dilation)
    torch.testing.assert_close(ours(x).squeeze(2), expected, atol=1e-5, rtol=0)


def test_even_kernel_has_no_middle():
    with pytest.raises(ValueError, match="kernel_size=4 has no middle"):
        Convolution(5, 6, 4)

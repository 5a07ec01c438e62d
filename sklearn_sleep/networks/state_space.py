"""Linear recurrences over the epochs of a night, computed as one convolution."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from sklearn_sleep.networks.layers import ACTIVATIONS, Dropout
from sklearn_sleep.networks.parts import SequenceMixerOptions

# Complex states of each feature and direction.
_N_STATES = 16

# In epochs, after which a state has forgotten all but 1/e: from half a minute to four hours.
_SHORTEST_MEMORY, _LONGEST_MEMORY = 1.0, 480.0

# By which states turn in an epoch at most (Orvieto et al. 2023, section 3.4).
_FASTEST_TURN = math.pi / 10

# Powers are products of one of so many low ones and one of the multiples.
_N_LOW_POWERS = 32


class DiagonalRecurrence(nn.Module):
    """Impulse responses of stable linear recurrences with states of each feature's own.

    From input u, state n is h(t) = λ h(t - 1) + sqrt(1 - |λ|²) u(t) with λ = exp(-exp(decay) + i
    turn), and the output is the real part of the sum of readout × h.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        shape = (width, _N_STATES)
        longest, shortest = math.log(_LONGEST_MEMORY), math.log(_SHORTEST_MEMORY)
        self.decay = nn.Parameter(torch.empty(shape).uniform_(-longest, -shortest))
        self.turn = nn.Parameter(torch.empty(shape).uniform_(0, _FASTEST_TURN))
        # Real and imaginary, since files of weights hold real numbers.
        self.readout = nn.Parameter(torch.randn(*shape, 2) / math.sqrt(2 * _N_STATES))

    def forward(self, epochs: int) -> Tensor:
        """Return what an impulse leaves in its epoch and in later ones, (width, epochs).

        In time and memory linear in `epochs`: λ^(32 a + b) is λ^(32 a) times λ^b.
        """
        rate = self.decay.exp()
        log_power = torch.complex(-rate, self.turn)[..., None]
        scale = (-torch.expm1(-2 * rate)).sqrt()
        readout = torch.view_as_complex(self.readout) * scale
        low = torch.arange(_N_LOW_POWERS, device=rate.device)
        high = torch.arange(0, epochs, _N_LOW_POWERS, device=rate.device)
        multiples = readout[..., None] * (log_power * high).exp()
        responses = multiples.transpose(1, 2) @ (log_power * low).exp()
        return responses.real.flatten(1)[:, :epochs]


class StateSpaceLayer(nn.Module):
    """Norm, recurrences in one or both directions, gated linear unit and residual connection."""

    def __init__(self, options: SequenceMixerOptions) -> None:
        super().__init__()
        width = options.feature_dim
        self.norm = nn.LayerNorm(width)
        self.forwards = DiagonalRecurrence(width)
        self.backwards = None if options.causal else DiagonalRecurrence(width)
        self.skip = nn.Parameter(torch.ones(width))
        self.activation = ACTIVATIONS.make(options.activation)
        self.linear = nn.Linear(width, 2 * width)
        self.dropout = Dropout(options.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, epochs, feature_dim)."""
        y = self.activation(self.read(self.norm(x)))
        return x + self.dropout(functional.glu(self.linear(self.dropout(y))))

    def read(self, x: Tensor) -> Tensor:
        """Return the recurrences' outputs and x times `skip`, (batch, epochs, feature_dim).

        Forwards an epoch is told of itself and those before, backwards of those after it.
        """
        epochs = x.shape[1]
        responses = self.forwards(epochs)
        if self.backwards is not None:
            # Negative lags, -1 last.
            responses = torch.cat([responses, self.backwards(epochs).flip(1)], dim=1)
        # Fourier transforms are of the weights' type, whatever an autocast made of x. At twice
        # the length nothing comes round from the other end of the night.
        x = x.to(self.skip.dtype).transpose(1, 2)
        spectrum = torch.fft.rfft(x, 2 * epochs) * torch.fft.rfft(responses, 2 * epochs)
        read = torch.fft.irfft(spectrum, 2 * epochs)[..., :epochs]
        return torch.addcmul(read, x, self.skip[:, None]).transpose(1, 2)

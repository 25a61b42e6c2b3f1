"""A training step as one would write it first: the peer of ``benchmarks/training.py``.

Gradients of the energy come from autograd with ``create_graph``, the loss is differentiated
through them, and problems are drawn and inverted one by one in NumPy. The network, the losses, the
negatives and the optimiser are those of `ired_interp.training`, written again from the formulas of
Du, Mao & Tenenbaum (ICML 2024) without our code, so that the two can be compared loss by loss.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["PlainBatch", "PlainEnergy", "draw_inverses", "plain_loss", "plain_steps"]

_NUM_LEVELS = 10


@dataclass(frozen=True)
class PlainBatch:
    """What one step sees: questions, answers, timesteps and the two noises."""

    x: Tensor
    y: Tensor
    t: Tensor
    noise: Tensor
    landscape_noise: Tensor


class PlainEnergy(nn.Module):
    """‖f(x, y, t)‖², layers named as in the released code."""

    def __init__(self, dim_x: int, dim_y: int, width: int = 512) -> None:
        super().__init__()
        self.time_mlp = nn.ModuleList([nn.Identity(), nn.Linear(128, 128), nn.GELU()])
        self.time_mlp.append(nn.Linear(128, 128))
        self.fc1 = nn.Linear(dim_x + dim_y, width)
        self.fc2, self.fc3 = nn.Linear(width, width), nn.Linear(width, width)
        self.fc4 = nn.Linear(width, dim_y)
        self.t_map_fc2, self.t_map_fc3 = nn.Linear(128, 2 * width), nn.Linear(128, 2 * width)

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """E at each row."""
        rates = torch.exp(torch.arange(64) * (-math.log(10_000) / 63)).to(y)
        angles = t[:, None].to(y) * rates
        e = torch.cat([angles.sin(), angles.cos()], dim=-1)
        for layer in self.time_mlp:
            e = layer(e)
        gain2, bias2 = self.t_map_fc2(e).chunk(2, dim=-1)
        gain3, bias3 = self.t_map_fc3(e).chunk(2, dim=-1)
        h = functional.silu(self.fc1(torch.cat([x, y], dim=-1)))
        h = functional.silu(self.fc2(h) * (1 + gain2) + bias2)
        h = functional.silu(self.fc3(h) * (1 + gain3) + bias3)
        out: Tensor = self.fc4(h)
        return out.square().sum(-1)

    def gradient(self, x: Tensor, y: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """E and ∇_yE, with the graph of both, as the released wrapper returns them."""
        y = y.detach().requires_grad_()
        with torch.enable_grad():
            energy = self(x, y, t)
            (gradient,) = torch.autograd.grad(energy.sum(), y, create_graph=True)
        return energy, gradient


def schedule() -> tuple[Tensor, Tensor, Tensor]:
    """s_t, σ_t and the inner step size of the ten timesteps, from the cosine schedule."""
    u = torch.linspace(0, _NUM_LEVELS, _NUM_LEVELS + 1, dtype=torch.float64) / _NUM_LEVELS
    f = torch.cos((u + 0.008) / 1.008 * math.pi / 2).square()
    beta = (1 - f[1:] / f[:-1]).clamp(0, 0.999)
    signal = torch.cumprod(1 - beta, dim=0)
    sigma = (1 - signal).sqrt()
    return signal.sqrt(), sigma, beta / sigma


def plain_loss(
    model: PlainEnergy, batch: PlainBatch, *, bound: float = 2.0
) -> tuple[Tensor, Tensor]:
    """The denoising and the contrastive loss of a batch."""
    signal, sigma, step = (table.to(batch.y)[batch.t][:, None] for table in schedule())
    noisy = signal * batch.y + sigma * batch.noise
    _, gradient = model.gradient(batch.x, noisy, batch.t)
    positive = signal * batch.y + sigma * batch.landscape_noise
    y = signal * batch.y + 3 * sigma * batch.landscape_noise
    for scale in (1.0, 2.0):
        energy, slope = model.gradient(batch.x, y, batch.t)
        trial = y - scale * step * slope
        trial = torch.maximum(torch.minimum(trial, bound * signal), -bound * signal)
        rises = model(batch.x, trial, batch.t) > energy
        y = torch.where(rises[:, None], y, trial).detach()
    negative = signal * (y / signal).clamp(-bound, bound) + sigma * batch.landscape_noise
    both = model(torch.cat([batch.x, batch.x]), torch.cat([positive, negative]), batch.t.repeat(2))
    low, high = both.chunk(2)
    return (gradient - batch.noise).square().mean(), functional.softplus(low - high).mean()


def draw_inverses(num: int, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Inversion problems, made one by one."""
    pairs = []
    for _ in range(num):
        factor = rng.uniform(-1, 1, (size, size))
        a = 2 * factor @ factor.T + 0.5 * np.eye(size)
        pairs.append((a.ravel(), np.linalg.inv(a).ravel()))
    xs, ys = (np.stack(column).astype(np.float32) for column in zip(*pairs, strict=True))
    return torch.from_numpy(xs), torch.from_numpy(ys)


def plain_steps(
    model: PlainEnergy, batches: Callable[[], PlainBatch], *, learning_rate: float = 1e-4
) -> Iterator[tuple[float, float]]:
    """Train without end; yields the two losses of each step."""
    optimiser = torch.optim.Adam(model.parameters(), lr=learning_rate, betas=(0.9, 0.99))
    average = {name: value.detach().clone() for name, value in model.named_parameters()}
    number = 0
    while True:
        number += 1
        denoising, contrastive = plain_loss(model, batches())
        optimiser.zero_grad()
        torch.autograd.backward(denoising + 0.5 * contrastive)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if (number - 1) % 10 == 0:
            _average(average, model, number)
        yield denoising.item(), contrastive.item()


def _average(average: Mapping[str, Tensor], model: PlainEnergy, number: int) -> None:
    past = number - 101
    decay = 0.0 if past < 0 else min(0.995, 1 - (1 + past) ** (-2 / 3))
    for name, value in model.named_parameters():
        average[name].mul_(decay).add_(value.detach(), alpha=1 - decay)

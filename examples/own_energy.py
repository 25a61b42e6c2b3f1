"""The curvature of an energy of your own, with an error for every eigenvalue.

The energy is the ideal landscape of a question with two answers, +a and -a, equally likely: at a
level with signal s and noise σ it is E(y) = |y|²/(2σ) - σ·log cosh(s·a·y/σ²). Its Hessian is known:
1/σ across a, and (1 - (s²/σ²)·|a|²/cosh²(s·a·y/σ²))/σ along a. Along a it is positive at an answer
and negative half way between the two: where you look decides the sign.
"""

import torch
from torch import Tensor

import ired_interp as ii

LEVEL = 6
ANSWER = (1.2, -1.6, 0.0)
TOLERANCE = 1e-12
# Points s·share·a, from the middle between the answers to an answer.
SHARES = {"between the answers": 0.0, "half way to +a": 0.5, "at +a": 1.0}


def main() -> None:
    """Print each eigenvalue beside its residual and the exact value."""
    schedule = ii.cosine_schedule()
    t = schedule.timestep(LEVEL)
    sigma, signal = float(schedule.sigma[t]), float(schedule.signal[t])

    def energy(a: Tensor, y: Tensor) -> Tensor:
        tilt = signal * (a * y).sum(-1) / sigma**2
        return y.square().sum(-1) / (2 * sigma) - sigma * torch.logaddexp(tilt, -tilt)

    a = torch.tensor([ANSWER] * len(SHARES), dtype=torch.float64)
    y = signal * torch.tensor(list(SHARES.values()), dtype=torch.float64)[:, None] * a
    land = ii.Landscape.of(energy, dim_y=a.shape[1], x=a)
    found = ii.curvature.spectrum(land, y)

    size = a.square().sum(-1)
    spread = size / torch.cosh(signal * (a * y).sum(-1) / sigma**2).square()
    truth = torch.full_like(y, 1 / sigma)
    truth[:, 0] -= signal**2 / sigma**3 * spread

    print(f"level {LEVEL} (t = {t}): sigma = {sigma:.4f}, signal = {signal:.4f}")
    for row, name in enumerate(SHARES):
        print(f"\n{name}\n  {'eigenvalue':>16} {'residual':>10} {'exact':>16} {'difference':>11}")
        for value, residual, exact in zip(
            found.eigenvalues[row].tolist(),
            found.residuals[row].tolist(),
            truth[row].tolist(),
            strict=True,
        ):
            print(f"  {value:16.12f} {residual:10.1e} {exact:16.12f} {value - exact:11.1e}")
    worst = float((found.eigenvalues - truth).abs().max())
    print(f"\nlargest difference from the exact spectrum: {worst:.1e}")
    if worst > TOLERANCE:
        raise SystemExit(f"expected a difference of at most {TOLERANCE:g}")


if __name__ == "__main__":
    main()

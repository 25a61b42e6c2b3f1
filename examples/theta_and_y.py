"""Two Hessians of one small model: of its loss in the weights θ, of its energy in the answer y.

The first is what Hessian libraries compute: how the training loss bends as the weights move, one
spectrum for the model and its data. The second is the surface that inference descends: one spectrum
for each question and level. Both come from one function of ired-interp; only the energy and the
variable differ. The Hessian in θ has 52 553 rows; with its work space it would need 62 GiB. It is
taken by Krylov spaces instead, within the memory that the caller allows.

    python examples/theta_and_y.py                  prints both
    python examples/theta_and_y.py --figure a.svg   draws them side by side, for light and dark
"""

import argparse
import io
import re
from pathlib import Path

import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import ired_interp as ii
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.points import locate

SIZE, WIDTH = 3, 32
NUM_STEPS, BATCH, POOL = 2500, 128, 20_000
TOP, BOTTOM, TOLERANCE = 12, 4, 1e-4
MAX_BYTES = 64 * 2**20
NUM_PROBLEMS = 20
LEVELS = tuple(range(1, 11))
# Ground, ink, muted, data; what takes their place where the reader prefers dark pages.
LIGHT = ("#ffffff", "#1f2328", "#6a737d", "#0072b2")
DARK = ("#0d1117", "#e4e7eb", "#8b949e", "#56b4e9")


class DenoisingLoss(nn.Module):
    """The mean of (∇_yE - ε)² over fixed noisy answers: what IRED's gradient is trained on."""

    def __init__(self, model: EnergyMLP, x: Tensor, y: Tensor, *, seed: int) -> None:
        super().__init__()
        self.model, self.x = model, x
        generator = torch.Generator().manual_seed(seed)
        self.t = torch.randint(model.schedule.num_levels, (len(x),), generator=generator)
        self.noise = torch.randn(y.shape, generator=generator, dtype=y.dtype)
        signal, sigma = model.schedule.signal[self.t], model.schedule.sigma[self.t]
        self.noisy = signal[:, None] * y + sigma[:, None] * self.noise

    def forward(self) -> Tensor:
        """The loss at the model's weights."""
        _, gradient = self.model.energy_and_gradient(self.x, self.noisy, self.t)
        return (gradient - self.noise).square().mean()


def train() -> EnergyMLP:
    """A small model of the inverse of a 3 × 3 matrix."""
    model = ii.untrained_model("inverse", size=SIZE, width=WIDTH, seed=0)
    model.requires_grad_(requires_grad=True)
    problems = ii.task("inverse", size=SIZE).sample(POOL, seed=1)
    generator = torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, NUM_STEPS)
    for step in range(NUM_STEPS):
        rows = torch.randint(POOL, (BATCH,), generator=generator)
        optimiser.zero_grad()
        DenoisingLoss(model, problems.x[rows], problems.y[rows], seed=step)().backward()
        optimiser.step()
        rate.step()
    model.requires_grad_(requires_grad=False)
    return model


def spectrum_in_theta(loss: DenoisingLoss) -> ii.curvature.Spectrum:
    """The ends of the loss's Hessian in all the weights: θ takes the place of y."""
    weights = dict(loss.named_parameters())
    theta = torch.cat([w.detach().flatten() for w in weights.values()])

    def loss_of(rows: Tensor) -> Tensor:
        values = []
        for row in rows:
            pieces = row.split([w.numel() for w in weights.values()])
            parts = zip(weights.items(), pieces, strict=True)
            named = {name: piece.view_as(w) for (name, w), piece in parts}
            values.append(torch.func.functional_call(loss, named, ()))
        return torch.stack(values)

    land = ii.Landscape.of(loss_of, dim_y=theta.numel(), max_bytes=MAX_BYTES)
    return ii.curvature.spectrum(land, theta[None], top=TOP, bottom=BOTTOM, tol=TOLERANCE)


def spectra_in_y(model: EnergyMLP, x: Tensor, y: Tensor) -> list[ii.curvature.Spectrum]:
    """All eigenvalues of the energy's Hessian in the answer, at typical points of each level."""
    points = locate("typical", model, x, y, LEVELS, seed=0).y
    return [
        ii.curvature.spectrum(ii.Landscape(model, x, level), points[:, row])
        for row, level in enumerate(LEVELS)
    ]


def draw(theta: ii.curvature.Spectrum, num_weights: int, scaled: Tensor) -> Figure:
    """Both side by side; ``scaled`` is σλ, a row a level."""
    ground, ink, muted, data = LIGHT
    figure = Figure(figsize=(9, 3.9), layout="constrained", facecolor=ground)
    left, right = figure.subplots(1, 2)
    for axes in (left, right):
        axes.set_facecolor(ground)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(muted)
        axes.axhline(0, color=muted, linewidth=0.8)
        axes.tick_params(colors=ink, labelsize=8)

    last = TOP + 5
    places = [*range(1, TOP + 1), *range(last + BOTTOM - 1, last - 1, -1)]
    left.plot(places, theta.eigenvalues[0].tolist(), "o", color=data, markersize=4)
    left.set_yscale("symlog", linthresh=1)
    left.set_xticks([1, TOP, last + BOTTOM - 1], ["1", str(TOP), f"{num_weights:,}"])
    between = f"{num_weights - TOP - BOTTOM:,}\nbetween"
    left.text((TOP + last) / 2, 1, between, ha="center", color=muted, fontsize=9)
    left.set_title("∇²_θ of the loss: one spectrum", fontsize=10, color=ink)
    left.set_xlabel("rank of the eigenvalue", color=ink)
    left.set_ylabel("λ, loss / θ²", color=ink)

    right.axhline(1, color=ink, linewidth=1)
    beside = right.get_yaxis_transform()
    right.text(1.01, 1, "ideal", transform=beside, va="center", color=ink, fontsize=9)
    spread = torch.linspace(-0.3, 0.3, scaled.shape[2])
    for row, level in enumerate(LEVELS):
        at = (level + spread).expand(scaled.shape[1:])
        points = (at.flatten().tolist(), scaled[row].flatten().tolist())
        right.plot(*points, "o", color=data, markersize=2.5, alpha=0.5, markeredgewidth=0)
    right.set_xticks(LEVELS)
    right.set_title("∇²_y of the energy: one a question and level", fontsize=10, color=ink)
    right.set_xlabel(f"level; {scaled.shape[2]} eigenvalues of {NUM_PROBLEMS} questions", color=ink)
    right.set_ylabel("σλ", color=ink)
    return figure


def write_svg(figure: Figure, path: Path) -> None:
    """As SVG that changes its colours with the reader's page."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "theta-and-y"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    rules = "".join(
        f'[style*="{what}: {old}"]{{{what}:{new} !important}}'
        for old, new in zip(LIGHT, DARK, strict=True)
        for what in ("fill", "stroke")
    )
    style = f"<style>@media (prefers-color-scheme: dark) {{{rules}}}</style>"
    text = text[text.index("<svg") :].replace("<defs>", f"{style}<defs>", 1)
    text = re.sub(r'([xy]="-?\d+\.\d\d)\d+"', r'\1"', text)
    path.write_text("\n".join(map(str.rstrip, text.splitlines())) + "\n", encoding="utf-8")


def main() -> None:
    """Print both spectra; draw them if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--figure", type=Path, help="an .svg file to write")
    figure = parser.parse_args().figure

    model = train()
    problems = ii.task("inverse", size=SIZE).sample(1000, seed=0)
    loss = DenoisingLoss(model, problems.x, problems.y, seed=0)
    num_weights = sum(w.numel() for w in model.parameters())
    print(f"{num_weights} weights, denoising loss {float(loss()):.4f} on fresh problems\n")

    theta = spectrum_in_theta(loss)
    print(f"∇²_θ of the loss, {theta.routes[0]}, {int(theta.num_products)} products:")
    print(f"{theta.reason}\n  {'eigenvalue':>12} {'within':>9}")
    for value, radius in zip(theta.eigenvalues[0], theta.cluster_radii[0], strict=True):
        print(f"  {float(value):12.6f} {float(radius):9.1e}")
    low, high = int(theta.index_low), int(theta.index_high)
    print(f"  negative: at least {low}, at most {high}\n")

    x, y = problems.x[:NUM_PROBLEMS], problems.y[:NUM_PROBLEMS]
    spectra = spectra_in_y(model, x, y)
    rows = []
    print(f"∇²_y of the energy at {NUM_PROBLEMS} questions, all {y.shape[1]} eigenvalues, σλ:")
    print("  level   lowest  highest  within  questions with a negative one")
    for level, found in zip(LEVELS, spectra, strict=True):
        sigma = float(model.schedule.sigma[model.schedule.timestep(level)])
        scaled, error = sigma * found.eigenvalues, sigma * float(found.cluster_radii.max())
        negative = int((found.index_low > 0).sum())
        print(f"  {level:5d} {scaled.min():8.3f} {scaled.max():8.3f} {error:7.0e} {negative:6d}")
        if not bool((found.index_low == found.index_high).all()):
            raise SystemExit("expected every Morse index to be certain")
        rows.append(scaled)
    if figure is not None:
        write_svg(draw(theta, num_weights, torch.stack(rows)), figure)


if __name__ == "__main__":
    main()

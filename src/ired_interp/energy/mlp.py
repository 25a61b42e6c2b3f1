"""IRED's energy network for the matrix tasks, with its derivatives in y in closed form.

Source of the network: Du, Mao & Tenenbaum (ICML 2024, arXiv 2406.11179) and its released code
(yilundu/ired_code_release at 3d74b85): z = (x, y) → 512 swish, twice 512 swish modulated by the
timestep, → f of dim_y entries, E = ‖f‖².

Derivatives. Let a_l be layer l's pre-activation after gain and bias, h_l = swish(a_l),
A_l = ∂a_l/∂y, δ_l = ∂E/∂h_l and J = ∂f/∂y. Then ∇E = A_1ᵀ(δ_1 ∘ swish′(a_1)) and
∇²E = 2·JᵀJ + Σ_l A_lᵀ·diag(δ_l ∘ swish″(a_l))·A_l: swish is the only non-linearity besides ‖·‖².
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from ired_interp.checks import Whole, whole, whole_numbers
from ired_interp.energy.mlp_conditioned import ConditionedMLP, Product
from ired_interp.energy.mlp_parts import layer_part_names
from ired_interp.energy.mlp_products import MLPProduct, columns_at_once
from ired_interp.errors import LevelError, ShapeError
from ired_interp.schedule import Schedule, cosine_schedule

__all__ = ["DEFAULT_WIDTH", "EnergyMLP"]

DEFAULT_WIDTH = 512
_TIME_DIM = 128
_MAX_PERIOD = 10_000.0


def _linear(num_in: int, num_out: int) -> nn.Linear:
    """A linear layer without values: nn.Linear would draw them from the global generator."""
    return nn.Linear(num_in, num_out, dtype=torch.float32, device="meta").to_empty(device="cpu")


class _SinusoidalFeatures(nn.Module):
    """128 features of an integer t: 64 sines, then 64 cosines, in float64."""

    def forward(self, t: Int[Tensor, " k"]) -> Float[Tensor, "k 128"]:
        half = _TIME_DIM // 2
        steps = torch.arange(half, dtype=torch.float64, device=t.device)
        frequencies = torch.exp(steps * (-math.log(_MAX_PERIOD) / (half - 1)))
        angles = t.to(torch.float64)[:, None] * frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=-1)


@dataclass(frozen=True, slots=True)
class _Pass:
    """One forward pass and its adjoints, n rows, w = width."""

    output: Float[Tensor, "n d"]
    pre: tuple[Float[Tensor, "n w"], ...]
    sigmoid: tuple[Float[Tensor, "n w"], ...]
    slope: tuple[Float[Tensor, "n w"], ...]
    adjoint: tuple[Float[Tensor, "n w"], ...]
    gain: tuple[Float[Tensor, "n w"], ...]

    def curvature(self, layer: int) -> Float[Tensor, "n w"]:
        """c_l = δ_l ∘ swish″(a_l)."""
        a, s = self.pre[layer], self.sigmoid[layer]
        return self.adjoint[layer] * s * (1 - s) * (2 + a * (1 - 2 * s))


class EnergyMLP(nn.Module):
    """E_θ(x, y, t) = ‖f_θ(x, y, t)‖².

    The weights are not initialised here: load a checkpoint, or call `initialise`. The timesteps'
    features are computed in float64 and cast to the weights' dtype.

    Args:
        dim_x: Entries of x.
        dim_y: Entries of y.
        width: Units of each hidden layer, 512 in the reference.
        schedule: The levels; the network itself only uses their number.

    Raises:
        ShapeError: A dimension below 1.
    """

    has_tested_derivatives: ClassVar[bool] = True

    def __init__(
        self,
        dim_x: Whole,
        dim_y: Whole,
        *,
        width: Whole = DEFAULT_WIDTH,
        schedule: Schedule | None = None,
    ) -> None:
        super().__init__()
        dim_x, dim_y, width = whole_numbers(dim_x=dim_x, dim_y=dim_y, width=width)
        if min(dim_x, dim_y, width) < 1:
            raise ShapeError(
                f"EnergyMLP: expected dim_x, dim_y and width ≥ 1, found {dim_x}, {dim_y}, {width}."
            )
        self.dim_x = dim_x
        self.dim_y = dim_y
        self.width = width
        self.schedule = cosine_schedule() if schedule is None else schedule
        self.time_mlp = nn.Sequential(
            _SinusoidalFeatures(),
            _linear(_TIME_DIM, _TIME_DIM),
            nn.GELU(),
            _linear(_TIME_DIM, _TIME_DIM),
        )
        self.fc1 = _linear(dim_x + dim_y, width)
        self.fc2 = _linear(width, width)
        self.fc3 = _linear(width, width)
        self.fc4 = _linear(width, dim_y)
        self.t_map_fc2 = _linear(_TIME_DIM, 2 * width)
        self.t_map_fc3 = _linear(_TIME_DIM, 2 * width)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator, *, gain: float = 1.0) -> "EnergyMLP":
        """Draw every weight and bias uniformly on ±gain/√fan_in and return the network.

        A gain of 1 is PyTorch's default initialisation of a linear layer, hence the reference's.
        """
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                bound = gain / math.sqrt(layer.in_features)
                for parameter in (layer.weight, layer.bias):
                    draw = torch.rand(
                        parameter.shape,
                        generator=generator,
                        dtype=torch.float64,
                        device=generator.device,
                    )
                    parameter.copy_((2 * draw - 1) * bound)
        return self

    def forward(
        self, x: Float[Tensor, "n dim_x"], y: Float[Tensor, "n d"], t: Int[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """`energy`."""
        return self.energy(x, y, t)

    def energy(
        self, x: Float[Tensor, "n dim_x"], y: Float[Tensor, "n d"], t: Int[Tensor, " n"] | Whole
    ) -> Float[Tensor, " n"]:
        """E at each row.

        Args:
            x: The questions, in the weights' dtype.
            y: The candidates, in the coordinates of timestep t.
            t: One timestep in 0 … K - 1, or one a row.

        Raises:
            LevelError: A timestep outside 0 … K - 1.
        """
        (gain2, bias2), (gain3, bias3) = self._modulation(t, y)
        h = functional.silu(self.fc1(torch.cat([x, y], dim=-1)))
        h = functional.silu(self.fc2(h) * gain2 + bias2)
        h = functional.silu(self.fc3(h) * gain3 + bias3)
        output: Tensor = self.fc4(h)
        return output.square().sum(-1)

    def energy_and_gradient(
        self, x: Float[Tensor, "n dim_x"], y: Float[Tensor, "n d"], t: Int[Tensor, " n"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n d"]]:
        """E and ∇_yE as ordinary tensor operations: differentiable once more in the weights."""
        run = self._pass(x, y, t)
        gradient = (run.adjoint[0] * run.slope[0]) @ self._input_weight()
        return run.output.square().sum(-1), gradient

    def condition(
        self,
        x: Float[Tensor, "n dim_x"],
        t: Int[Tensor, " n"],
        *,
        product: Product = torch.matmul,
    ) -> ConditionedMLP:
        """The network at these questions, for many candidate answers.

        Args:
            x: The questions, in the weights' dtype.
            t: A timestep a row.
            product: How matrices are multiplied; one of lower precision is for training.

        Raises:
            LevelError: A timestep outside 0 … K - 1.
        """
        (gain2, bias2), (gain3, bias3) = self._modulation(t, x)
        weight = self.fc1.weight
        return ConditionedMLP(
            first=product(x, weight[:, : self.dim_x].mT) + self.fc1.bias,
            gains=(gain2, gain3),
            shifts=(
                torch.addcmul(bias2, self.fc2.bias, gain2),
                torch.addcmul(bias3, self.fc3.bias, gain3),
            ),
            weights=(
                self._input_weight(),
                self.fc2.weight,
                self.fc3.weight,
                self.fc4.weight,
            ),
            bias=self.fc4.bias,
            product=product,
        )

    def hvp(
        self,
        x: Float[Tensor, "n dim_x"],
        y: Float[Tensor, "n d"],
        t: Int[Tensor, " n"],
        v: Float[Tensor, "n m d"],
    ) -> Float[Tensor, "n m d"]:
        """∇²_yE·v for m vectors a row: one tangent pass forward, one back; without a graph."""
        return self.product(x, y, t)(v)

    def hessian(
        self, x: Float[Tensor, "n dim_x"], y: Float[Tensor, "n d"], t: Int[Tensor, " n"]
    ) -> Float[Tensor, "n d d"]:
        """∇²_yE = 2·JᵀJ + Σ_l A_lᵀ·diag(c_l)·A_l, exactly symmetric and without a graph."""
        return self.product(x, y, t).hessian()

    @torch.no_grad()
    def product(
        self, x: Float[Tensor, "n dim_x"], y: Float[Tensor, "n d"], t: Int[Tensor, " n"]
    ) -> MLPProduct:
        """`hvp` and `hessian` at fixed points, for many calls: the forward pass is done here."""
        run = self._pass(x, y, t)
        slopes = tuple(g * s for g, s in zip(run.gain, run.slope, strict=True))
        curvatures = tuple(g.square() * run.curvature(i) for i, g in enumerate(run.gain))
        weights = (self._input_weight(), self.fc2.weight, self.fc3.weight, self.fc4.weight)
        return MLPProduct.of(weights, slopes, curvatures, run.output.square().sum(-1))

    def product_flops(self) -> int:
        """Operations of one product: six matrices of width² or width·d."""
        return 4 * self.dim_y * self.width + 10 * self.width**2

    def hessian_flops(self) -> int:
        """Operations of one assembled Hessian, symmetric products counted half."""
        d, w = self.dim_y, self.width
        return 4 * d * w * w + 2 * d * d * w + d * (d + 1) * (d + 3 * w)

    def hessian_bytes(self, num_rows: int) -> int:
        """Working memory of `hessian`, its result left out."""
        columns = columns_at_once(self.dim_y, self.fc1.weight.device)
        if columns:
            passes = num_rows * self.working_bytes(0)
            tangents = 8 * columns * (self.width + 2 * self.dim_y)
            return passes + tangents * int(self.fc1.weight.element_size())
        return num_rows * self.working_bytes(self.dim_y)

    def working_bytes(self, num_vectors: int) -> int:
        """An upper bound for one row, in the weights' dtype."""
        vectors = 6 * num_vectors * (self.width + self.dim_y) + 2 * num_vectors * self.dim_y
        rows = 24 * self.width + 4 * (self.dim_x + self.dim_y)
        return (vectors + rows) * int(self.fc1.weight.element_size())

    def _input_weight(self) -> Float[Tensor, "w d"]:
        weight: Tensor = self.fc1.weight
        return weight[:, self.dim_x :]

    def _modulation(
        self, t: Int[Tensor, " n"] | Whole, y: Float[Tensor, "n d"]
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """(gain + 1, bias) of layers 2 and 3 at each row, from the table of all K timesteps."""
        weight = self.t_map_fc2.weight
        steps = torch.arange(self.schedule.num_levels, device=weight.device)
        features: Tensor = self.time_mlp[0](steps).to(weight.dtype)
        for layer in list(self.time_mlp)[1:]:
            features = layer(features)
        if not isinstance(t, Tensor) or t.ndim == 0:
            t = whole("t", t, error=LevelError)
            t = torch.full(y.shape[:-1], t, dtype=torch.long, device=y.device)
        tables = [self.schedule.at(m(features), t) for m in (self.t_map_fc2, self.t_map_fc3)]
        (gain2, bias2), (gain3, bias3) = (table.chunk(2, dim=-1) for table in tables)
        return (gain2 + 1, bias2), (gain3 + 1, bias3)

    def _pass(
        self, x: Float[Tensor, "n dim_x"], y: Float[Tensor, "n d"], t: Int[Tensor, " n"]
    ) -> _Pass:
        (gain2, bias2), (gain3, bias3) = self._modulation(t, y)
        a1 = self.fc1(torch.cat([x, y], dim=-1))
        s1 = a1.sigmoid()
        a2 = self.fc2(a1 * s1) * gain2 + bias2
        s2 = a2.sigmoid()
        a3 = self.fc3(a2 * s2) * gain3 + bias3
        s3 = a3.sigmoid()
        output = self.fc4(a3 * s3)
        slope1, slope2, slope3 = (s * (1 + a * (1 - s)) for a, s in ((a1, s1), (a2, s2), (a3, s3)))
        adjoint3 = 2 * output @ self.fc4.weight
        adjoint2 = (adjoint3 * slope3 * gain3) @ self.fc3.weight
        adjoint1 = (adjoint2 * slope2 * gain2) @ self.fc2.weight
        return _Pass(
            output=output,
            pre=(a1, a2, a3),
            sigmoid=(s1, s2, s3),
            slope=(slope1, slope2, slope3),
            adjoint=(adjoint1, adjoint2, adjoint3),
            gain=(torch.ones_like(gain2), gain2, gain3),
        )

    @property
    def part_names(self) -> tuple[str, ...]:
        """The Gauss-Newton part 2·JᵀJ, then the residual part of each hidden layer."""
        return layer_part_names(3)

    def hessian_parts(
        self, x: Float[Tensor, "n dim_x"], y: Float[Tensor, "n d"], t: Int[Tensor, " n"]
    ) -> Float[Tensor, "n p d d"]:
        """2·JᵀJ and A_lᵀ·diag(c_l)·A_l of each layer, apart; without a graph."""
        return self.product(x, y, t).hessian_parts()

    def quadratic_parts(
        self,
        x: Float[Tensor, "n dim_x"],
        y: Float[Tensor, "n d"],
        t: Int[Tensor, " n"],
        v: Float[Tensor, "n m d"],
    ) -> Float[Tensor, "n p m"]:
        """vᵀ(part)v for m vectors a row: one tangent pass forward, none back; without a graph."""
        return self.product(x, y, t).quadratic_parts(v)

"""A number of a Hessian with its standard error, and the parts that every estimator needs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ired_interp.checks import Real, real
from ired_interp.draws import RowDraws
from ired_interp.errors import ConfigError
from ired_interp.landscape import Landscape
from ired_interp.verification import Verification

__all__ = [
    "Estimate",
    "Estimator",
    "Method",
    "Sample",
    "SpherePoints",
    "chunks",
    "hessian_blocks",
    "mean_and_error",
]

Estimator = Literal["exact", "hutchinson", "hutch++", "xtrace"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number at n points, each with its standard error and how it was had.

    Attributes:
        value: The number.
        standard_error: One standard deviation of ``value`` over draws of the probes, estimated
            from the probes themselves; 0 where ``exact``. Round-off is not in it.
        degrees_of_freedom: Of the t distribution that (value - truth)/standard_error is near;
            infinite where ``exact``.
        exact: Whether the value is exact to round-off.
        estimator: Which one was used.
        num_products: Hessian products spent, those of a pilot and of repetitions included.
        reason: One sentence on why this estimator.
        verification: How far the derivatives were held against the energy.
    """

    value: Float[Tensor, " n"]
    standard_error: Float[Tensor, " n"]
    degrees_of_freedom: Float[Tensor, " n"]
    exact: Bool[Tensor, " n"]
    estimator: tuple[Estimator, ...]
    num_products: Int[Tensor, " n"]
    reason: tuple[str, ...]
    verification: Verification

    def interval(self, coverage: Real = 0.95) -> Float[Tensor, "n 2"]:
        """Low and high end of the interval of Student's t with that coverage.

        Raises:
            ConfigError: ``coverage`` is not between 0 and 1.
        """
        coverage = real("coverage", coverage, error=ConfigError)
        if not 0 < coverage < 1:
            raise ConfigError(f"coverage: expected a number between 0 and 1, found {coverage}.")
        from scipy.special import stdtrit

        freedom = self.degrees_of_freedom.double().cpu().numpy()
        quantile = torch.from_numpy(np.asarray(stdtrit(freedom, (1 + coverage) / 2)))
        half = quantile.to(self.value) * self.standard_error
        return torch.stack([self.value - half, self.value + half], dim=-1)


@dataclass(frozen=True, slots=True)
class SpherePoints:
    """Probes z, uniform on the sphere of radius √d: mean 0 and covariance I.

    Probe j depends on the seed, the purpose and j alone. All points share the probes, so that a
    point's estimate depends neither on the other points nor on their order.
    """

    seed: int
    purpose: str

    def draw(self, first: int, num: int, like: Float[Tensor, "n d"]) -> Float[Tensor, "d m"]:
        """Probes first … first + num - 1, one a column, in the dtype and on the device of like."""
        d = like.shape[1]
        rows = RowDraws(num, seed=self.seed, purpose=self.purpose, first=first).normal(d)
        unit = rows / torch.linalg.vector_norm(rows, dim=1, keepdim=True)
        points: Tensor = unit.mT * d**0.5
        return points.to(like)


@dataclass(frozen=True, slots=True)
class Sample:
    """What a method found at n points, in float64."""

    value: Float[Tensor, " n"]
    standard_error: Float[Tensor, " n"]
    degrees_of_freedom: float
    num_products: int


@dataclass(frozen=True, slots=True)
class Method:
    """A way to a number from at most num_products products a point.

    Attributes:
        run: (landscape, points, num_products, probes) to a `Sample`.
        least: Fewest products that leave a standard error.
        can_gain: Whether the error may fall faster than 1/√num_products.
    """

    run: Callable[[Landscape, Tensor, int, SpherePoints], Sample]
    least: int
    can_gain: bool = False


def mean_and_error(
    samples: Float[Tensor, "n m *g"],
) -> tuple[Float[Tensor, "n *g"], Float[Tensor, "n *g"]]:
    """The mean of independent samples and its standard error s/√m."""
    num_samples = samples.shape[1]
    return samples.mean(dim=1), samples.std(dim=1) / num_samples**0.5


def chunks(total: int, bytes_each: int, max_bytes: int) -> Iterator[slice]:
    """Slices of 0 … total whose items stay within max_bytes; at least one item each."""
    step = max(1, max_bytes // max(bytes_each, 1))
    for start in range(0, total, step):
        yield slice(start, min(start + step, total))


def hessian_blocks(
    land: Landscape, y: Float[Tensor, "n d"]
) -> Iterator[tuple[slice, slice, Float[Tensor, "r d c"]]]:
    """Columns of the Hessians of some of the points at a time: (points, columns, block).

    Whole Hessians (in closed form, where there is one) if ``max_bytes`` holds one; otherwise
    products with unit vectors, so that no Hessian is ever held. They are not verified here.

    Cost: d products a point, or the closed form.
    """
    d, size = y.shape[1], y.element_size()
    if 3 * d * d * size <= land.max_bytes:
        for rows in chunks(y.shape[0], 3 * d * d * size, land.max_bytes):
            yield rows, slice(0, d), land.select(rows).hessian(y[rows], verify=False)
        return
    eye = torch.eye(d, dtype=y.dtype, device=y.device)
    for row in range(y.shape[0]):
        rows = slice(row, row + 1)
        part = land.select(rows)
        for columns in chunks(d, 4 * d * size, land.max_bytes):
            yield rows, columns, part.hvp(y[rows], eye[None, :, columns])

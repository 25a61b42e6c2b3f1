"""Which way to a spectrum is cheaper, from counted operations and pilot products.

A dense route costs the same on any spectrum; a Krylov route costs as many products as the spectrum
makes it need. So the number of products at which they cost the same is computed first, from shapes
and counted operations. Where a few pilot points converge within it, all points take the Krylov
route, which begins to test for convergence where the pilots did.

The weights below are ratios of rates, measured on one core (float32 and float64 gave the same
within a fifth); a unit is an operation in a large matrix product. They are not read from a clock.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ired_interp.curvature.lanczos import Product, grow_, random_start, ritz, start
from ired_interp.curvature.wanted import Wanted
from ired_interp.landscape import Landscape

__all__ = ["MATRICES_OF_FEW", "Plan", "Route", "capacity_of", "choose_route", "products"]

Route = Literal["dense", "dense, refined", "krylov", "krylov, refined"]

_ALL_PAIRS = 13.0  # d³ of a full eigendecomposition with its residuals
_SOME_PAIRS = 6.0  # d³ of a tridiagonal reduction, all values and a few vectors
_PRODUCT = 1.2  # products of few rows run below the rate of large ones
_ORTHOGONALISE = 8.0  # matrix-vector products are bound by memory
_LOOK = 40.0  # k³ of the Ritz values of k dimensions, and the vectors
_STEP = 4e7  # a step of the recurrence for however few points
_SLACK = 1.5  # points may need that many times the pilots' products before they are given up
MATRICES_OF_FEW = 3  # H, its reduction and a copy
_MOST_PILOTS = 2
_SHARE_OF_PILOTS = 48  # one pilot for so many points
_LOOK_AGAIN = 4  # dimensions between two looks at the pilots
_LOOK_BACK = 3
_BEFORE = 4  # a quarter of the budget may pass before the first pairs are expected,
_ENOUGH = 4  # and so many pairs must have been, to speak of a pace


@dataclass(frozen=True, slots=True)
class Plan:
    """How a spectrum will be computed.

    Attributes:
        krylov: Whether by Krylov spaces; else by dense matrices.
        reason: In one sentence.
        tol: That the pilots reached, as a share of ‖H‖.
        dense_fits: Whether matrices fit into memory.
        first_look: Dimension at which convergence is first tested.
        most_products: Products after which a point is given up.
    """

    krylov: bool
    reason: str
    tol: float
    dense_fits: bool
    first_look: int = 0
    most_products: int = 0


def choose_route(
    land: Landscape,
    y: Float[Tensor, "n d"],
    wanted: Wanted,
    tol: float,
    *,
    dense_share: float = 1.0,
    dense_products: int = 0,
) -> Plan:
    """Dense or Krylov, for all points alike.

    Args:
        land: The landscape.
        y: The points.
        wanted: Which pairs.
        tol: Their largest residual, as a share of ‖H‖.
        dense_share: Of the usual cost that dense matrices have: less in a lower precision.
        dense_products: That the dense route takes besides.

    Cost: up to 2 pilots of as many products as a dense Hessian is worth.
    """
    n, d = y.shape
    dense_bytes = MATRICES_OF_FEW * d * d * y.element_size()
    fits = dense_bytes <= land.max_bytes
    first = min(d, wanted.num_pairs + max(10, wanted.num_pairs // 2))
    if not fits:
        reason = f"a dense Hessian with its work space needs {dense_bytes / 2**20:.0f} MiB, more "
        reason += f"than max_bytes = {land.max_bytes / 2**20:.0f} MiB"
        return Plan(
            krylov=True,
            reason=reason,
            tol=tol,
            dense_fits=fits,
            first_look=first,
            most_products=_patience(d),
        )
    budget = _break_even(land, y, wanted, dense_share, dense_products)
    if budget <= first:
        reason = f"a dense Hessian costs less than the {first} products a Krylov space begins with"
        return Plan(krylov=False, reason=reason, tol=tol, dense_fits=fits)
    num_pilots = min(_MOST_PILOTS, 1 + n // _SHARE_OF_PILOTS)
    places = torch.linspace(0, n - 1, num_pilots, dtype=torch.float32, device="cpu").round().long()
    pilots = (y @ random_start(y[:1], "routes/pilots")[0]).argsort()[places]  # in any order of y
    trial = _try(land.select(pilots), y[pilots], wanted, tol, first, budget)
    if not trial.converged:
        reason = f"a pilot point had {trial.num_pairs} of {wanted.num_pairs} pairs after "
        reason += f"{trial.dimension} products, and a dense Hessian is worth {budget}"
    else:
        reason = f"{num_pilots} pilot points converged within {trial.dimension} products; a dense "
        reason += f"Hessian is worth {budget}"
    return Plan(
        krylov=trial.converged,
        reason=reason,
        tol=tol,
        dense_fits=fits,
        first_look=max(first, trial.dimension - _LOOK_BACK),
        most_products=int(_SLACK * budget),
    )


@dataclass(frozen=True, slots=True)
class _Trial:
    """How far the pilots came.

    Attributes:
        converged: Whether all of their wanted pairs did.
        num_pairs: How many did at the least successful pilot.
        dimension: Of their spaces at the end.
    """

    converged: bool
    num_pairs: int
    dimension: int


def _try(land: Landscape, y: Tensor, wanted: Wanted, tol: float, first: int, budget: int) -> _Trial:
    """Grow spaces at a few points until their pairs converge, or are too slow to within the budget.

    Pairs converge one after another, at a steady pace once they have begun. Where, after a quarter
    of the budget, there are less than half as many as a steady pace would need, the others will not
    be there at its end. Few pairs have no pace.
    """
    product = products(land, y)(torch.arange(y.shape[0], device="cpu"))
    space = start(random_start(y), budget)
    size = first
    while True:
        space = grow_(space, product, size)
        values, vectors = ritz(space)
        errors = space.remainder[:, None] * vectors[:, -1].abs()
        close = errors <= tol * values.abs().amax(dim=1, keepdim=True)
        num_pairs = int(close.gather(1, wanted.choose(values)).sum(dim=1).min())
        pace = wanted.num_pairs * size / budget
        hopeless = pace >= max(_ENOUGH, wanted.num_pairs / _BEFORE) and 2 * num_pairs < pace
        if num_pairs == wanted.num_pairs or hopeless or size == budget:
            return _Trial(num_pairs == wanted.num_pairs, num_pairs, size)
        size = min(size + _LOOK_AGAIN, budget)


def products(land: Landscape, y: Float[Tensor, "n d"]) -> Callable[[Int[Tensor, " k"]], Product]:
    """The product of one vector a point, at some of the points."""
    whole, everything = land.product(y), torch.arange(y.shape[0], device="cpu")

    def restrict(rows: Int[Tensor, " k"]) -> Product:
        product = whole if torch.equal(rows, everything) else whole.select(rows)
        return lambda v: product(v[:, None])[:, 0]

    return restrict


def capacity_of(land: Landscape, y: Float[Tensor, "n d"], wanted: Wanted) -> int:
    """Dimensions of a Krylov space that one point may hold within the landscape's memory."""
    d = y.shape[1]
    rows = land.max_bytes // (2 * d * y.element_size())
    least = 2 * wanted.num_pairs + 20
    return min(d, max(least, min(rows, _patience(d))))


def _patience(d: int) -> int:
    """Products after which a point without another route is given up."""
    return max(10 * d, 1000)


def _break_even(
    land: Landscape, y: Tensor, wanted: Wanted, dense_share: float, dense_products: int
) -> int:
    """Products of each of n points that cost as much as its dense route."""
    n, d = y.shape
    product, hessian = land.work(y)
    few = 4 * wanted.num_pairs <= d
    dense = dense_share * (hessian + (_SOME_PAIRS if few else _ALL_PAIRS) * d**3)
    dense += dense_products * product
    spent, steps = 0.0, 0
    while steps < d:
        steps += 1
        spent += _PRODUCT * product + 4 * _ORTHOGONALISE * steps * d + _STEP / n
        if spent + _LOOK * steps**3 > dense:
            return steps - 1
    return steps

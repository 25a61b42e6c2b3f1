"""Which way to a spectrum is cheaper, from counted operations and pilot products.

A dense route costs the same on any spectrum; a Krylov route costs as many products as the spectrum
makes it need. So the number of products at which they cost the same is computed first, from shapes
and counted operations. Where a few pilot points converge within it, all points take the Krylov
route, which begins to test for convergence where the pilots did.

The weights below are ratios of rates, measured on one core (float32 and float64 gave the same
within a fifth); a unit is an operation in a large matrix product. They are not read from a clock.
"""

from dataclasses import dataclass, replace
from typing import Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.curvature.ends import Ends
from ired_interp.curvature.lanczos import grow_, products, random_start, ritz, start
from ired_interp.errors import ConvergenceError
from ired_interp.landscape import Landscape

__all__ = ["MATRICES_OF_FEW", "Plan", "Route", "choose_route"]

Route = Literal["dense", "dense, refined", "krylov", "krylov, refined"]

MATRICES_OF_FEW = 3  # H, its reduction and a copy
_MATRICES_OF_ALL = 6  # H, its eigenvectors, LAPACK's work space, the residual's product
_ROOM = 1.3  # spaces are allocated that much larger than they were expected to grow
_COARSE = 2e-6  # residuals that float32 work reaches by itself, as a share of ‖H‖
_SHARE_OF_COARSE = 0.5  # of the tolerance, for the float32 residuals: rounding takes some
_ALL_PAIRS = 13.0  # d³ of a full eigendecomposition with its residuals
_SOME_PAIRS = 6.0  # d³ of a tridiagonal reduction, all values and a few vectors
_PRODUCT = 1.2  # products of few rows run below the rate of large ones
_ORTHOGONALISE = 8.0  # matrix-vector products are bound by memory
_RITZ = 40.0  # k³ of the Ritz values of k dimensions, and the vectors
_STEP = 4e7  # a step of the recurrence for however few points
_SLACK = 1.5  # points may need that many times the pilots' products before they are given up
_MOST_PILOTS = 2
_SHARE_OF_PILOTS = 48  # one pilot for so many points
_LOOK_AGAIN = 4  # dimensions between two looks at the pilots
_LOOK_BACK = 3
_BEFORE = 4  # a quarter of the budget may pass before the first pairs are expected,
_ENOUGH = 4  # and so many pairs must have been, to speak of a pace


@dataclass(frozen=True, slots=True)
class Plan:
    """A route, and what it needs to know; one for all points.

    Attributes:
        ends: Which pairs; None for all.
        tol: Their largest residual, as a share of ‖H‖.
        krylov: Whether by Krylov spaces; else by dense matrices.
        refined: Whether that is done in float32, and its pairs refined by products of y's dtype.
        reason: Why, in one sentence.
        dense_fits: Whether matrices fit into memory.
        first_look: Dimension of a Krylov space at which convergence is first tested.
        most_products: Products after which a point is given up.
    """

    ends: Ends | None
    tol: float
    krylov: bool
    reason: str
    refined: bool = False
    dense_fits: bool = True
    first_look: int = 0
    most_products: int = 0

    @property
    def route(self) -> Route:
        """Its name."""
        way = "krylov" if self.krylov else "dense"
        return cast("Route", f"{way}, refined" if self.refined else way)

    @property
    def space_tol(self) -> float:
        """To which Krylov spaces are grown."""
        return _SHARE_OF_COARSE * self.tol if self.refined else self.tol

    def for_missed(self, num_missed: int, num_points: int) -> "Plan":
        """The way for points whose pairs do not meet the tolerance, or whose space was given up.

        Raises:
            ConvergenceError: There is none: their matrices do not fit into memory.
        """
        if self.refined:
            return replace(self, refined=False)
        if not self.dense_fits:
            raise ConvergenceError(
                f"spectrum: expected convergence within {self.most_products} Hessian products, "
                f"found none at {num_missed} of {num_points} points, and {self.reason}. Ask for "
                "fewer pairs, a larger tol, or give the landscape a larger max_bytes."
            )
        return replace(self, krylov=False)

    def capacity(self, land: Landscape, y: Float[Tensor, "n d"]) -> int:
        """Dimensions of a Krylov space that one point may hold within the landscape's memory."""
        d = y.shape[1]
        rows = land.max_bytes // (2 * d * y.element_size())
        least = 2 * self._num_pairs(d) + 20
        return min(d, max(least, min(rows, _patience(d))))

    def chunks(self, land: Landscape, y: Float[Tensor, "n d"]) -> list[slice]:
        """Rows that are worked on together within the landscape's memory."""
        n, d = y.shape
        size = 4 if self.refined else y.element_size()
        pairs = self._num_pairs(d)
        if self.krylov:
            points = y.float() if self.refined else y
            dimensions = min(self.capacity(land, points), int(_ROOM * self.first_look) + 1)
            row_bytes = (2 * dimensions + 3 * pairs) * d * size + 8 * dimensions**2
            row_bytes += land.product_bytes(y)
        else:
            matrices = _MATRICES_OF_ALL if self.ends is None else MATRICES_OF_FEW
            row_bytes = matrices * d * d * size
        if self.refined:
            # Twice: a correction keeps the span so far while it takes products of as many vectors.
            row_bytes = max(row_bytes, land.product_bytes(y, 2 * pairs))
        step = max(1, land.max_bytes // row_bytes)
        return [slice(row, min(row + step, n)) for row in range(0, n, step)]

    def _num_pairs(self, d: int) -> int:
        return d if self.ends is None else self.ends.num_pairs


def choose_route(
    land: Landscape,
    rough: Landscape | None,
    y: Float[Tensor, "n d"],
    ends: Ends | None,
    tol: float,
) -> Plan:
    """Dense or Krylov, refined or not, for all points alike.

    Args:
        land: The landscape.
        rough: The same in float32, if work there with products in y's dtype after it may pay.
        y: The points.
        ends: Which pairs; None for all.
        tol: Their largest residual, as a share of ‖H‖.

    Cost: up to 2 pilots of as many products as a dense Hessian is worth.
    """
    if ends is None:
        return Plan(None, tol, krylov=False, reason="all eigenpairs were asked for")
    if rough is None:
        return _dense_or_krylov(land, y, ends, tol)
    if tol >= _COARSE:
        plan = _dense_or_krylov(rough, y.float(), ends, _SHARE_OF_COARSE * tol)
        return replace(plan, tol=tol, refined=True)
    # Krylov spaces would have to be float64; the dense route corrects float32 pairs.
    plan = _dense_or_krylov(land, y, ends, tol, dense_share=0.5, dense_products=2 * ends.num_pairs)
    return plan if plan.krylov else replace(plan, refined=True)


def _dense_or_krylov(
    land: Landscape,
    y: Float[Tensor, "n d"],
    ends: Ends,
    tol: float,
    *,
    dense_share: float = 1.0,
    dense_products: int = 0,
) -> Plan:
    """Which of the two costs less.

    Args:
        land: The landscape.
        y: The points.
        ends: Which pairs.
        tol: Their largest residual, as a share of ‖H‖.
        dense_share: Of the usual cost that dense matrices have: less in a lower precision.
        dense_products: That the dense route takes besides.
    """
    n, d = y.shape
    dense_bytes = MATRICES_OF_FEW * d * d * y.element_size()
    first = min(d, ends.num_pairs + max(10, ends.num_pairs // 2))
    if dense_bytes > land.max_bytes:
        reason = f"a dense Hessian with its work space needs {dense_bytes / 2**20:.0f} MiB, more "
        reason += f"than max_bytes = {land.max_bytes / 2**20:.0f} MiB"
        return Plan(
            ends,
            tol,
            krylov=True,
            reason=reason,
            dense_fits=False,
            first_look=first,
            most_products=_patience(d),
        )
    budget = _break_even(land, y, ends, dense_share, dense_products)
    if budget <= first:
        reason = f"a dense Hessian costs less than the {first} products a Krylov space begins with"
        return Plan(ends, tol, krylov=False, reason=reason)
    num_pilots = min(_MOST_PILOTS, 1 + n // _SHARE_OF_PILOTS)
    places = torch.linspace(0, n - 1, num_pilots, dtype=torch.float32, device="cpu").round().long()
    pilots = (y @ random_start(y[:1], "routes/pilots")[0]).argsort()[places]  # in any order of y
    trial = _try(land.select(pilots), y[pilots], ends, tol, first, budget)
    if not trial.converged:
        reason = f"a pilot point had {trial.num_pairs} of {ends.num_pairs} pairs after "
        reason += f"{trial.dimension} products, and a dense Hessian is worth {budget}"
    else:
        reason = f"{num_pilots} pilot points converged within {trial.dimension} products; a dense "
        reason += f"Hessian is worth {budget}"
    return Plan(
        ends,
        tol,
        krylov=trial.converged,
        reason=reason,
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


def _try(land: Landscape, y: Tensor, ends: Ends, tol: float, first: int, budget: int) -> _Trial:
    """Grow spaces at a few points until their pairs converge, or are too slow to within the budget.

    Pairs converge one after another, at a steady pace once they have begun. Where, after a quarter
    of the budget, there are less than half as many as a steady pace would need, the others will not
    be there at its end. Few pairs have no pace.
    """
    product = products(land.product(y))(torch.arange(y.shape[0], device="cpu"))
    space = start(random_start(y), budget)
    size = first
    while True:
        space = grow_(space, product, size)
        values, vectors = ritz(space)
        errors = space.remainder[:, None] * vectors[:, -1].abs()
        close = errors <= tol * values.abs().amax(dim=1, keepdim=True)
        num_pairs = int(close.gather(1, ends.choose(values)).sum(dim=1).min())
        pace = ends.num_pairs * size / budget
        hopeless = pace >= max(_ENOUGH, ends.num_pairs / _BEFORE) and 2 * num_pairs < pace
        if num_pairs == ends.num_pairs or hopeless or size == budget:
            return _Trial(num_pairs == ends.num_pairs, num_pairs, size)
        size = min(size + _LOOK_AGAIN, budget)


def _patience(d: int) -> int:
    """Products after which a point without another route is given up."""
    return max(10 * d, 1000)


def _break_even(
    land: Landscape, y: Tensor, ends: Ends, dense_share: float, dense_products: int
) -> int:
    """Products of each of n points that cost as much as its dense route."""
    n, d = y.shape
    product, hessian = land.work(y)
    few = 4 * ends.num_pairs <= d
    dense = dense_share * (hessian + (_SOME_PAIRS if few else _ALL_PAIRS) * d**3)
    dense += dense_products * product
    spent, steps = 0.0, 0
    while steps < d:
        steps += 1
        spent += _PRODUCT * product + 4 * _ORTHOGONALISE * steps * d + _STEP / n
        if spent + _RITZ * steps**3 > dense:
            return steps - 1
    return steps

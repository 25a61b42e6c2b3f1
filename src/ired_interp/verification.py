"""Whether the derivatives of an energy are those of the energy, at given points.

Along a random line through each point, E, ∇E and one Hessian product are held against one another
at seven equidistant places:

- the product against differences of the gradients, of sixth order;
- differences of E, odd and even, against integrals of the gradients' slopes, so that a part of E
  which its gradient does not see is found, also where that part's own gradient vanishes;
- the point itself against a second evaluation, and the last places against an evaluation in
  another company of rows.

Each comparison has its own error (`ired_interp.comparisons`). A derivative is refused only where
several steps and two lines agree on how wrong it is; what no step can tell is said to be not
verified.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ired_interp.comparisons import (
    COMPANY_ULPS,
    CURVATURE,
    NUM_COMPARISONS,
    PRODUCT,
    SAFETY,
    SLOPE,
    ULPS,
    Line,
    Look,
)
from ired_interp.energy.fields import Field, where_defined
from ired_interp.energy.roundoff import high_differences, magnitude
from ired_interp.errors import EnergyError
from ired_interp.judging import Verdict, other_steps

__all__ = ["Verification", "verify"]

_TELLS = 0.1  # an error above that share of the curvature verifies nothing
_STRETCH = 1.6180339887  # of the second line's steps: they are others than the first's
_WORDS = (
    (
        "Landscape: the Hessian is not that of the energy's gradient. Along a random direction "
        "their products differ by {size:.1e} (energy / y², at {rows} of the points, first: row "
        "{row}), which no step of the differences explains: the second derivative is missing or "
        "wrong in part."
    ),
    (
        "Landscape: the gradient does not belong to the energy. Along a random direction the "
        "curvature of E differs by {size:.1e} (energy / y², at {rows} of the points, first: row "
        "{row}) from that of its gradient: a part of E is not seen by the derivative."
    ),
    (
        "Landscape: the gradient is not that of the energy. Along a random direction the slope of "
        "E differs by {size:.1e} (energy / y, at {rows} of the points, first: row {row}) from it: "
        "a part of E is not seen by the derivative, or is seen wrongly."
    ),
)
_ADVICE = (
    " Look for detach(), .data, no_grad, rounding, a cache, once_differentiable, a custom backward "
    "or a closed form. verify=False leaves the comparison out."
)

VERIFIED = "verified"
TESTED = "closed form, held against autograd by the package's own tests"
NOT_ASKED = "not verified: verify=False"
ROUND_OFF = "not verified: the energy's round-off hides it"
KINK = "not verified: a kink, or structure finer than any step"


@dataclass(frozen=True, slots=True)
class Verification:
    """How far the derivatives at n points were held against the energy itself.

    Attributes:
        product_error: How far, in energy / y², the Hessian product along a random unit vector may
            be from that of the gradient's own change, in the 2-norm; infinite where it could not be
            told, and 0 for a closed form that this package tests.
        curvature_error: How far uᵀHu may be from the second difference of E along that vector u.
        gradient_error: How far, in energy / y, uᵀ∇E may be from the slope of E along it.
        outcomes: "verified", or why not, at each point.
    """

    product_error: Float[Tensor, " n"]
    curvature_error: Float[Tensor, " n"]
    gradient_error: Float[Tensor, " n"]
    outcomes: tuple[str, ...]

    @property
    def is_verified(self) -> tuple[bool, ...]:
        """Whether the derivatives are known to be the energy's, at each point."""
        return tuple(outcome in (VERIFIED, TESTED) for outcome in self.outcomes)

    @classmethod
    def without(cls, like: Float[Tensor, "n d"], outcome: str) -> "Verification":
        """Of points that were not looked at, because of what the outcome says."""
        error = like.new_full(like.shape[:1], 0.0 if outcome == TESTED else torch.inf)
        return cls(error, error, error, (outcome,) * like.shape[0])

    @classmethod
    def join(cls, parts: "list[Verification]") -> "Verification":
        """Of successive points."""
        columns = {name: torch.cat([getattr(part, name) for part in parts]) for name in _COLUMNS}
        return cls(**columns, outcomes=tuple(o for part in parts for o in part.outcomes))

    def select(self, rows: Tensor) -> "Verification":
        """Of some of the points: their numbers, or True where they are wanted."""
        places = torch.arange(len(self.outcomes), device=rows.device)[rows].tolist()
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in _COLUMNS}
        return Verification(**columns, outcomes=tuple(self.outcomes[i] for i in places))

    def with_rows(self, rows: Int[Tensor, " k"], other: "Verification") -> "Verification":
        """The same with some of the points taken from another."""
        columns: dict[str, Any] = {
            name: getattr(self, name).index_copy(
                0, rows.to(getattr(self, name).device), getattr(other, name)
            )
            for name in _COLUMNS
        }
        outcomes = list(self.outcomes)
        for row, outcome in zip(rows.tolist(), other.outcomes, strict=True):
            outcomes[row] = outcome
        return Verification(**columns, outcomes=tuple(outcomes))


_COLUMNS = tuple(f.name for f in fields(Verification) if f.name != "outcomes")


def verify(field: Field, y: Float[Tensor, "n d"]) -> Verification:
    """Hold the derivatives of an energy against the energy at each row of y.

    Raises:
        EnergyError: They are not its derivatives, by more than the comparison's own error; or the
            energy changes from call to call, or with the rows it is called with.

    Cost: 9 energies with gradients and one Hessian product; six times that where one step does not
    do.
    """
    if field.is_tested:
        return Verification.without(y, TESTED)
    energy, gradient = field.energy_and_gradient(y)
    finite = torch.isfinite(energy) & torch.isfinite(gradient).all(dim=1)
    if not bool(finite.all()):  # whoever asked names those rows
        rows, rest = finite.nonzero().flatten(), Verification.without(y, KINK)
        return rest.with_rows(rows, verify(field.select(rows), y[rows])) if len(rows) else rest
    line = Line.through(field, y, energy, gradient, "first", 1.0)
    first = line.look(1.0)
    told, reach = _check_again(field, y, line, first), 3 * first.step
    columns = [first.stated(which) for which in range(NUM_COMPARISONS)]
    columns[CURVATURE] = columns[CURVATURE] + told / reach.square()
    columns[SLOPE] = columns[SLOPE] + told / reach
    outcomes = [VERIFIED] * y.shape[0]
    waiting = (~first.is_close()).nonzero().flatten()
    if waiting.numel():
        tried, verdicts = other_steps(line.select(waiting).measured())
        refused = torch.stack([verdict.refused for verdict in verdicts])
        if bool(refused.any()):
            few = waiting[refused.any(dim=0)]
            verdicts = _second_line(field.select(few), y[few], few, refused, verdicts)
        for which, verdict in enumerate(verdicts):
            columns[which] = columns[which].index_copy(0, waiting, verdict.error)
        for row, outcome in zip(waiting.tolist(), _outcomes(tried, verdicts), strict=True):
            outcomes[row] = outcome
    product, curvature, slope = (column.to(y) for column in columns)
    return Verification(product, curvature, slope, tuple(outcomes))


def _outcomes(tried: list[Look], verdicts: list[Verdict]) -> list[str]:
    """Whether what is known of each point is enough, or why not."""
    scale = torch.stack([look.curvature() for look in tried]).nan_to_num(0, 0, 0).amin(dim=0)
    told = torch.isfinite(verdicts[SLOPE].error)
    for which in (PRODUCT, CURVATURE):
        error = verdicts[which].error
        told &= (error <= _TELLS * scale) | ((scale == 0) & torch.isfinite(error))
    best = torch.stack([look.comparison(PRODUCT).error for look in tried]).argmin(dim=0)
    torn = torch.stack([look.is_torn() for look in tried]).gather(0, best[None])[0]
    reasons = [KINK if there else ROUND_OFF for there in torn.tolist()]
    return [VERIFIED if ok else why for ok, why in zip(told.tolist(), reasons, strict=True)]


def _second_line(
    field: Field,
    y: Tensor,
    rows: Tensor,
    refused: Tensor,
    verdicts: list[Verdict],
) -> list[Verdict]:
    """What was refused along one line is looked at along another.

    Raises:
        EnergyError: It is refused there, too.
    """
    places = refused.any(dim=0).nonzero().flatten()
    energy, gradient = field.energy_and_gradient(y)
    line = Line.through(field, y, energy, gradient, "second", _STRETCH).measured()
    _, again = other_steps(line)
    for which in range(NUM_COMPARISONS):
        both = refused[which, places] & again[which].refused
        if bool(both.any()):
            at = int(both.nonzero()[0])
            size = verdicts[which].size[places[at]]
            raise EnergyError(
                _WORDS[which].format(size=float(size), rows=int(both.sum()), row=int(rows[at]))
                + _ADVICE
            )
    return [
        replace(verdict, error=torch.where(bad, torch.inf, verdict.error))
        for verdict, bad in zip(verdicts, refused, strict=True)
    ]


def _check_again(field: Field, y: Tensor, line: Line, look: Look) -> Float[Tensor, " n"]:
    """How far an energy may depend on what is not its row.

    The points are evaluated a second time, and the last places in another company of rows.

    Raises:
        EnergyError: The energies differ by more than round-off.
    """
    step, size = line.places(1.0)
    rough = torch.stack([part.abs() for part in high_differences(look.energies)]).amax(dim=0)
    steep = torch.linalg.vector_norm(look.gradients, dim=2).amax(dim=1) * size.double()
    level = look.energies.abs().amax(dim=1)
    allowed: Tensor = SAFETY * rough + COMPANY_ULPS * look.eps * (level + steep)
    again = field.energy(y).double()

    def differ(gap: Tensor, allowed: Tensor) -> Tensor:
        return (torch.isfinite(gap) & (gap > allowed)).nonzero().flatten()

    def hidden() -> float:  # behind large numbers on the way
        passed = magnitude(lambda: field.energy_and_gradient(y), y.dtype)
        return float(ULPS * look.eps * passed.largest)

    gap, same = (again - look.energies[:, 3]).abs(), ULPS * look.eps * level
    if differ(gap, same).numel() and (rows := differ(gap, same + hidden())).numel():
        raise EnergyError(
            "Landscape: the energy is not the same function from call to call: at the same y of "
            f"row {int(rows[0])} it changes by {float(gap[rows[0]]):.1e}. Expected no state and no "
            "randomness: call eval() on a module (dropout, spectral norm and batch norm change in "
            "training mode), and look for draws and caches inside fn; of a model with closed forms,"
            " that energy and energy_and_gradient give one energy."
        )
    places = y + 3 * step[:, None] * line.direction
    # Reversed, with one row more: a number of rows that nothing has been kept for.
    order = torch.arange(y.shape[0], device=y.device).flip(0)
    rows = torch.cat([order, order[:1]])
    energy, gradient = where_defined(field.select(rows), places[rows])
    energy, gradient = energy[:-1].flip(0).double(), gradient[:-1].flip(0).double()
    gap = (energy - look.energies[:, 6]).abs()
    turned = torch.linalg.vector_norm(gradient - look.gradients[:, 6], dim=1)
    # At a kink the last bit decides on which side of it a gradient is taken.
    products = look.comparison(PRODUCT)
    turned = torch.where(products.size <= products.error, turned, 0)
    room = look.gradient_noise() * COMPANY_ULPS
    if not torch.cat([differ(gap, allowed), differ(turned, room)]).numel():
        return allowed
    more = SAFETY * hidden()
    wrong = torch.cat([differ(gap, allowed + more), differ(turned, room + more)])
    if wrong.numel():
        row = int(wrong[0])
        raise EnergyError(
            "Landscape: the rows of the energy influence one another, or it remembers earlier "
            f"calls: with other rows beside it the energy of row {row} changes by "
            f"{float(gap[row]):.1e} and its gradient by {float(turned[row]):.1e}. Expected the "
            "energy of a row to depend on that row alone: look for a mean, a sum, a batch norm or "
            "a roll over the first axis, and for a cache inside fn."
        )
    return allowed + more

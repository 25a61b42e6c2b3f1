"""Whether the derivatives of an energy are those of the energy, at given points.

Along a random line through each point, E, ∇E and one Hessian product are held against one another
at seven equidistant places:

- the product against differences of the gradients, of sixth order;
- differences of E, odd and even, against integrals of the gradients' slopes, so that a part of E
  which its gradient does not see is found, also where that part's own gradient vanishes;
- the point itself against a second evaluation, and the last places against an evaluation in
  another company of rows.

Each comparison has its own error: what a rule of lower order would have changed, what the two sides
of the point differ by (a kink), and the noise that high differences show of E and ∇E, which is the
round-off of the energy and not a share of its size. A step that leaves too large an error gives way
to other steps. A derivative is refused only where several steps and two lines agree on how wrong it
is; what no step can tell is said to be not verified.

Sources: of the error of differences, Moré & Wild (2011), doi:10.1137/100786125.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ired_interp.draws import RowDraws
from ired_interp.energy.fields import Field, where_defined
from ired_interp.energy.magnitude import largest_number
from ired_interp.errors import EnergyError

__all__ = ["Verification", "verify"]

_SEED = 0
_SAFETY = 10.0
_ULPS = 8.0
_STEP = {torch.float64: 2e-3, torch.float32: 3e-2}  # of the size of y
_OTHER_STEPS = (1 / 8, 8.0, 1 / 64, 64.0, 1 / 512)  # times that, where it does not do
_CLOSE = {torch.float64: (1e-3, 1e-2), torch.float32: (3e-2, 1e-1)}
_AGREE = 0.5  # two steps' discrepancies are one if they differ by less than that share
_FLAT = 1e-3
_TELLS = 0.1  # an error above that share of the curvature verifies nothing
_PLACES = range(-3, 4)
# ∫ over 6 intervals: Newton and Cotes' rule of seven places, and 3/8 twice.
_FINE = (41 / 140, 216 / 140, 27 / 140, 272 / 140, 27 / 140, 216 / 140, 41 / 140)
_COARSE = (3 / 8, 9 / 8, 9 / 8, 6 / 8, 9 / 8, 9 / 8, 3 / 8)
# ∫₀³ of an odd function from its values at 1, 2 and 3: exact for s, s³ and s⁵; and 3/8.
_FINE_ODD = (27 / 32, 27 / 20, 51 / 160)
_COARSE_ODD = (9 / 8, 9 / 8, 3 / 8)

_COMPANY_ULPS = 64.0
_WITNESSES = 2  # other steps that must see the same difference
_FINER = 8.0
_NEGLIGIBLE = 20.0  # times √ε
_GOLDEN = (1 + 5**0.5) / 2
_WORDS = (
    "Landscape: the Hessian is not that of the energy's gradient. Along a random direction their "
    "products differ by {size:.1e} (energy / y², at {rows} of the points, first: row {row}), which "
    "no step of the differences explains: the second derivative is missing or wrong in part.",
    "Landscape: the gradient does not belong to the energy. Along a random direction the curvature "
    "of E differs by {size:.1e} (energy / y², at {rows} of the points, first: row {row}) from that "
    "of its gradient: a part of E is not seen by the derivative.",
    "Landscape: the gradient is not that of the energy. Along a random direction the slope of E "
    "differs by {size:.1e} (energy / y, at {rows} of the points, first: row {row}) from it: a part "
    "of E is not seen by the derivative, or is seen wrongly.",
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
            name: getattr(self, name).index_copy(0, rows, getattr(other, name)) for name in _COLUMNS
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
    if not bool((torch.isfinite(energy) & torch.isfinite(gradient).all(dim=1)).all()):
        return Verification.without(y, KINK)  # whoever asked names the rows
    line = _Line.through(field, y, energy, gradient, "first", 1.0)
    first = line.look(1.0)
    _check_again(field, y, line, first)
    columns = [first.error(which) for which in range(_NUM)]
    outcomes = [VERIFIED] * y.shape[0]
    waiting = (~first.is_close()).nonzero().flatten()
    if waiting.numel():
        tried, verdicts = _other_steps(line.select(waiting).measured())
        refused = torch.stack([verdict.refused for verdict in verdicts])
        if bool(refused.any()):
            few = waiting[refused.any(dim=0)]
            verdicts = _second_line(field.select(few), y[few], few, refused, verdicts)
        for which, verdict in enumerate(verdicts):
            columns[which] = columns[which].index_copy(0, waiting, verdict.error)
        for row, outcome in zip(waiting.tolist(), _outcomes(tried, verdicts), strict=True):
            outcomes[row] = outcome
    return Verification(*(column.to(y) for column in columns), outcomes=tuple(outcomes))


def _other_steps(line: "_Line") -> "tuple[list[_Look], list[_Verdict]]":
    """What several steps say; where they refuse the product, also one that could excuse it.

    A product that is much larger than all differences may be the slope of a structure finer than
    the steps, of about the size of what is not smooth in the gradients. A step that would show it
    is looked at, too. Where that is no longer a difference of two y, nothing is refused, unless the
    gradients are smooth to their last digits.
    """
    looks = [line.look(share) for share in (1.0, *_OTHER_STEPS)]
    verdicts = _judged(looks)
    if not bool(verdicts[_PRODUCT].refused.any()):
        return looks, verdicts
    rough = torch.stack([look.roughness() for look in looks])
    length = rough.gather(0, verdicts[_PRODUCT].best)[0] / verdicts[_PRODUCT].size / _FINER
    resolved = length >= _ULPS * looks[0].eps * looks[0].size
    usual, _ = line.places(1.0)
    share = torch.where(resolved & torch.isfinite(length), length.to(usual) / usual, 1.0)
    looks.append(line.look(share))
    verdicts = _judged(looks)
    smooth = torch.stack([look.is_smooth() for look in looks]).any(dim=0)
    excused = ~resolved & ~smooth
    return looks, [
        replace(
            verdict,
            refused=verdict.refused & ~excused,
            error=torch.where(verdict.refused & excused, torch.inf, verdict.error),
        )
        for verdict in verdicts
    ]


def _outcomes(tried: "list[_Look]", verdicts: "list[_Verdict]") -> list[str]:
    """Whether what is known of each point is enough, or why not."""
    scale = torch.stack([look.curvature() for look in tried]).nan_to_num(0, 0, 0).amin(dim=0)
    told = torch.isfinite(verdicts[_SLOPE].error)
    for which in (_PRODUCT, _CURVATURE):
        told &= verdicts[which].error <= _TELLS * scale
    noisy = torch.stack([look.noisy() for look in tried]).any(dim=0)
    reasons = [ROUND_OFF if drowned else KINK for drowned in noisy.tolist()]
    return [VERIFIED if ok else why for ok, why in zip(told.tolist(), reasons, strict=True)]


def _second_line(
    field: Field,
    y: Tensor,
    rows: Tensor,
    refused: Tensor,
    verdicts: "list[_Verdict]",
) -> "list[_Verdict]":
    """What was refused along one line is looked at along another.

    Raises:
        EnergyError: It is refused there, too.
    """
    places = refused.any(dim=0).nonzero().flatten()
    energy, gradient = field.energy_and_gradient(y)
    line = _Line.through(field, y, energy, gradient, "second", _GOLDEN).measured()
    _, again = _other_steps(line)
    for which in range(_NUM):
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


_PRODUCT, _CURVATURE, _SLOPE = range(3)
_NUM = 3


@dataclass(frozen=True, slots=True)
class _Comparison:
    """What two ways to one thing differ by, and by how much they may.

    Attributes:
        gap: The difference, a vector or a number a row.
        error: The largest that the comparison itself explains; infinite where it tells nothing.
    """

    gap: Float[Tensor, "n c"]
    error: Float[Tensor, " n"]

    @property
    def size(self) -> Float[Tensor, " n"]:
        """‖gap‖₂."""
        size: Tensor = torch.linalg.vector_norm(self.gap, dim=1)
        return size


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What several steps say together.

    Attributes:
        error: How far the two things may be from each other; infinite where that is not known.
        refused: Whether the steps agree on a difference that no error explains.
        size: Of that difference.
        best: The number of the step with the least error.
    """

    error: Float[Tensor, " n"]
    refused: Tensor
    size: Float[Tensor, " n"]
    best: Int[Tensor, "1 n"]


@dataclass(frozen=True, slots=True)
class _Look:
    """E, the gradient's slope and the gradient at the seven places of a line, in float64.

    Attributes:
        energies: E.
        gradients: ∇E.
        product: H·u at the point.
        direction: u, of unit length.
        step: h, from place to place.
        size: ‖y‖.
        eps: Of the energy's dtype.
        shaken: The round-off of the product, in its 2-norm, as it was measured; 0 if it was not.
        largest: The largest number that the computation passes through; 0 if not looked for.
    """

    energies: Float[Tensor, "n 7"]
    gradients: Float[Tensor, "n 7 d"]
    product: Float[Tensor, "n d"]
    direction: Float[Tensor, " d"]
    step: Float[Tensor, " n"]
    size: Float[Tensor, " n"]
    shaken: Float[Tensor, " n"]
    eps: float
    largest: float

    def select(self, rows: Int[Tensor, " k"]) -> "_Look":
        """At some of the points."""
        return _Look(
            self.energies[rows],
            self.gradients[rows],
            self.product[rows],
            self.direction,
            self.step[rows],
            self.size[rows],
            self.shaken[rows],
            self.eps,
            self.largest,
        )

    def comparison(self, which: int) -> _Comparison:
        """Of the products, of the curvatures, or of the slopes."""
        if which == _PRODUCT:
            return self._products()
        return self._energies(odd=which == _SLOPE)

    def error(self, which: int) -> Float[Tensor, " n"]:
        """Of one comparison."""
        return self.comparison(which).error

    def curvature(self) -> Float[Tensor, " n"]:
        """The size of H along the line, by the larger of its two ways.

        Where it is next to nothing, a share of what the slope would change over the size of y.
        """
        differences = torch.linalg.vector_norm(self._differences()[0], dim=1)
        larger = torch.maximum(torch.linalg.vector_norm(self.product, dim=1), differences)
        slope = torch.linalg.vector_norm(self.gradients[:, 3], dim=1)
        scale: Tensor = larger + _FLAT * slope / self.size
        return scale

    def is_close(self) -> Tensor:
        """Whether this step alone settles all three comparisons."""
        dtype = torch.float32 if self.eps > torch.finfo(torch.float64).eps else torch.float64
        product, energy = _CLOSE[dtype]
        slope = torch.linalg.vector_norm(self.gradients[:, 3], dim=1)
        curvature = self.curvature()
        limits = (
            product * curvature,
            energy * curvature,
            energy * (slope / self.direction.numel() ** 0.5 + 3 * self.step * curvature),
        )
        seen = [self.comparison(i) for i in range(_NUM)]
        settled = [
            (s.error <= limit) & (s.size <= s.error) for s, limit in zip(seen, limits, strict=True)
        ]
        return torch.stack(settled).all(dim=0)

    def roughness(self) -> Float[Tensor, " n"]:
        """What is not smooth in the gradients from place to place."""
        parts = [torch.linalg.vector_norm(part, dim=1) for part in _noise(self.gradients)]
        return torch.stack(parts).amax(dim=0)

    def is_smooth(self) -> Tensor:
        """Whether the gradients are smooth to their last digits."""
        size = torch.linalg.vector_norm(self.gradients, dim=2).amax(dim=1)
        return self.roughness() <= _COMPANY_ULPS * self.eps * size

    def noisy(self) -> Tensor:
        """Whether round-off limits the comparison of products, and not the length of the step."""
        _, changed, torn = self._differences()
        return _SAFETY * self._gradient_noise() / self.step >= changed + torn

    def _differences(self) -> tuple[Tensor, Tensor, Tensor]:
        """H·u from the gradients, what a lower order would change, and how the sides differ."""
        g, h = self.gradients, self.step[:, None]
        one, two, three = ((g[:, 3 + k] - g[:, 3 - k]) / (2 * k * h) for k in (1, 2, 3))
        fine = 1.5 * one - 0.6 * two + 0.1 * three
        coarse = (4 * one - two) / 3
        right = -11 / 6 * g[:, 3] + 3 * g[:, 4] - 1.5 * g[:, 5] + g[:, 6] / 3
        left = 11 / 6 * g[:, 3] - 3 * g[:, 2] + 1.5 * g[:, 1] - g[:, 0] / 3
        changed = torch.linalg.vector_norm(fine - coarse, dim=1)
        torn = torch.linalg.vector_norm((right - left) / h, dim=1)
        return fine, changed, torn

    def _gradient_noise(self) -> Float[Tensor, " n"]:
        size = torch.linalg.vector_norm(self.gradients, dim=2).amax(dim=1)
        curved = torch.linalg.vector_norm(self.product, dim=1) * self.size
        return self.roughness() + _ULPS / _SAFETY * self.eps * (size + curved)

    def _products(self) -> _Comparison:
        found, changed, torn = self._differences()
        gap = self.product - found
        error = _SAFETY * (changed + self._gradient_noise() / self.step + self.shaken) + torn
        same = (self.gradients == self.gradients[:, :1]).all(dim=2).all(dim=1)
        return self._informative(gap, error, same, self.step)

    def _energies(self, *, odd: bool) -> _Comparison:
        e, h = self.energies, self.step
        slopes = self.gradients @ self.direction
        if odd:
            change, unit, gain = e[:, 6] - e[:, 0], 6 * h, 2.0
            fine, coarse = (slopes @ slopes.new_tensor(w) * h for w in (_FINE, _COARSE))
        else:
            change, unit, gain = (e[:, 6] - e[:, 3]) + (e[:, 0] - e[:, 3]), 9 * h**2, 4.0
            pairs = torch.stack([slopes[:, 3 + k] - slopes[:, 3 - k] for k in (1, 2, 3)], dim=1)
            fine, coarse = (pairs @ slopes.new_tensor(w) * h for w in (_FINE_ODD, _COARSE_ODD))
        noise = torch.stack([part.abs() for part in _noise(e)]).amax(dim=0)
        steep = torch.linalg.vector_norm(self.gradients, dim=2).amax(dim=1)
        floor = _ULPS / _SAFETY * self.eps * (e.abs().amax(dim=1) + steep * self.size)
        error = gain * (noise + floor) + gain * self._gradient_noise() * h
        error = _SAFETY * (error + (fine - coarse).abs())
        same = (e == e[:, :1]).all(dim=1)
        return self._informative(((fine - change) / unit)[:, None], error / unit, same, unit)

    def _informative(self, gap: Tensor, error: Tensor, same: Tensor, unit: Tensor) -> _Comparison:
        """Places that are all alike to the last bit may hide behind large numbers on the way."""
        hidden = torch.full_like(error, torch.inf)
        if self.largest > 0:
            hidden = _SAFETY * _ULPS * self.eps * self.largest / unit
        alike = same & (gap != 0).any(dim=1)
        error = torch.where(alike, torch.maximum(error, hidden), error)
        unknown = ~torch.isfinite(gap).all(dim=1) | ~torch.isfinite(error)
        return _Comparison(
            torch.where(unknown[:, None], 0, gap), torch.where(unknown, torch.inf, error)
        )


def _noise(values: Tensor) -> tuple[Tensor, ...]:
    """The sixth and both fifth differences of seven places, as standard deviations of a noise."""
    sixth = values.new_tensor((1, -6, 15, -20, 15, -6, 1)) / 924**0.5
    fifth = values.new_tensor((-1, 5, -10, 10, -5, 1)) / 252**0.5
    parts = ((sixth, values), (fifth, values[:, :6]), (fifth, values[:, 1:]))
    return tuple(torch.einsum("k,nk...->n...", weights, part) for weights, part in parts)


@dataclass(frozen=True, slots=True)
class _Line:
    """A random line through each point, and what is known at the point."""

    field: Field
    y: Float[Tensor, "n d"]
    energy: Float[Tensor, " n"]
    gradient: Float[Tensor, "n d"]
    product: Float[Tensor, "n d"]
    direction: Float[Tensor, " d"]
    stretch: float
    shaken: Float[Tensor, " n"]
    largest: float = 0.0

    @classmethod
    def through(
        cls, field: Field, y: Tensor, energy: Tensor, gradient: Tensor, name: str, stretch: float
    ) -> "_Line":
        """The line of that name, with the Hessian product along it."""
        draw = RowDraws(1, seed=_SEED, purpose=f"verification/{name}").normal(y.shape[1])[0]
        direction = (draw / torch.linalg.vector_norm(draw)).to(y)
        vectors = direction.expand(y.shape[0], 1, -1).clone()
        product = field.linearise(y)(vectors)
        shaken = torch.zeros_like(energy)
        return cls(field, y, energy, gradient, product[:, 0], direction, stretch, shaken)

    def select(self, rows: Int[Tensor, " k"]) -> "_Line":
        """Through some of the points."""
        return _Line(
            self.field.select(rows),
            self.y[rows],
            self.energy[rows],
            self.gradient[rows],
            self.product[rows],
            self.direction,
            self.stretch,
            self.shaken[rows],
            self.largest,
        )

    def measured(self) -> "_Line":
        """The same with the round-off of the product, and what that of the energy is a share of.

        The product is taken again a unit of the last place further and of a longer vector, which
        rounds elsewhere; what changes is measured along the one vector that is compared.
        """
        eps = torch.finfo(self.y.dtype).eps
        vectors = _GOLDEN * self.direction.expand(self.y.shape[0], 1, -1)
        again = self.field.linearise(self.y * (1 + eps))(vectors)[:, 0] / _GOLDEN
        return replace(
            self,
            shaken=torch.linalg.vector_norm(again - self.product, dim=1).nan_to_num(0, 0, 0),
            largest=largest_number(lambda: self.field.energy_and_gradient(self.y)),
        )

    def places(self, share: "float | Tensor") -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        """The step for that share of the usual one, and the size of y that it is relative to."""
        size = torch.linalg.vector_norm(self.y, dim=1)
        size = torch.where(size > 0, size, self.y.shape[1] ** 0.5)
        usual = _STEP.get(self.y.dtype, _STEP[torch.float32])
        return usual * self.stretch * share * size, size

    def look(self, share: "float | Tensor") -> _Look:
        """Energies and gradients at the seven places."""
        step, size = self.places(share)
        energies, gradients = [], []
        for k in _PLACES:
            if k == 0:
                energies.append(self.energy)
                gradients.append(self.gradient)
                continue
            move = k * step[:, None] * self.direction
            energy, gradient = where_defined(self.field, self.y + move)
            energies.append(energy)
            gradients.append(gradient)
        return _Look(
            torch.stack(energies, dim=1).double(),
            torch.stack(gradients, dim=1).double(),
            self.product.double(),
            self.direction.double(),
            step.double(),
            size.double(),
            self.shaken.double(),
            float(torch.finfo(self.y.dtype).eps),
            self.largest,
        )


def _judged(looks: list[_Look]) -> list[_Verdict]:
    first = looks[0]
    share = _NEGLIGIBLE * first.eps**0.5
    slope = torch.linalg.vector_norm(first.gradients[:, 3], dim=1)
    limits = (share * first.curvature(), share * first.curvature(), share * slope)
    return [
        _judge([look.comparison(which) for look in looks], limits[which]) for which in range(_NUM)
    ]


def _judge(seen: list[_Comparison], negligible: Float[Tensor, " n"]) -> _Verdict:
    """What the comparisons of several steps say together.

    A difference that is negligible is not refused but stated as an error: derivatives of torch's
    own operations are wrong by a few units of float32's last place, where they have constants of
    that precision.
    """
    sizes = torch.stack([one.size for one in seen])
    errors = torch.stack([one.error for one in seen])
    gaps = torch.stack([one.gap for one in seen])
    clean = sizes <= errors
    best = errors.argmin(dim=0, keepdim=True)
    claimed = sizes.gather(0, best)[0]
    least_clean = torch.where(clean, errors, torch.inf).amin(dim=0)
    apart = torch.linalg.vector_norm(
        gaps - gaps.gather(0, best[:, :, None].expand(-1, -1, gaps.shape[2])), dim=2
    )
    agree = ~clean & (apart <= _AGREE * torch.minimum(sizes, claimed)) & torch.isfinite(errors)
    agree.scatter_(0, best, value=False)
    dirty = ~clean.gather(0, best)[0]
    contradicted = least_clean < claimed / 2
    refused = dirty & ~contradicted & (agree.sum(dim=0) >= _WITNESSES)
    error = torch.where(dirty & ~contradicted, torch.inf, least_clean)
    small = refused & (claimed <= negligible)
    error = torch.where(small, claimed + errors.gather(0, best)[0], error)
    return _Verdict(error, refused & ~small, claimed, best)


def _check_again(field: Field, y: Tensor, line: _Line, look: _Look) -> None:
    """The points a second time, and the last places in another company of rows.

    Raises:
        EnergyError: The energies differ by more than round-off.
    """
    step, size = line.places(1.0)
    noise = torch.stack([part.abs() for part in _noise(look.energies)]).amax(dim=0)
    steep = torch.linalg.vector_norm(look.gradients, dim=2).amax(dim=1) * size.double()
    level = look.energies.abs().amax(dim=1)
    allowed = _SAFETY * noise + _COMPANY_ULPS * look.eps * (level + steep)
    again = field.energy(y).double()

    def differ(gap: Tensor, allowed: Tensor) -> Tensor:
        return (torch.isfinite(gap) & (gap > allowed)).nonzero().flatten()

    def hidden() -> float:  # behind large numbers on the way
        largest = largest_number(lambda: field.energy_and_gradient(y))
        return float(_SAFETY * _ULPS * look.eps * largest)

    gap, same = (again - look.energies[:, 3]).abs(), _COMPANY_ULPS * look.eps * level
    if differ(gap, same).numel() and (rows := differ(gap, same + hidden())).numel():
        raise EnergyError(
            "Landscape: the energy is not the same function from call to call: at the same y of "
            f"row {int(rows[0])} it changes by {float(gap[rows[0]]):.1e}. Expected no state and no "
            "randomness: call eval() on a module (dropout, spectral norm and batch norm change in "
            "training mode), and look for draws and caches inside fn."
        )
    places = y + 3 * step[:, None] * line.direction
    n = y.shape[0]
    if n == 1:
        order = torch.zeros(2, dtype=torch.long, device=y.device)
        company = [(order, torch.cat([y, places]), torch.tensor([1], device=y.device))]
    else:
        rows_of = torch.arange(n, device=y.device).flip(0)
        halves = [rows_of[rows_of % 2 == parity] for parity in (0, 1)]
        company = [
            (half, places[half], torch.arange(half.numel(), device=y.device)) for half in halves
        ]
    for rows, points, kept in company:
        energy, gradient = where_defined(field.select(rows), points)
        there = rows[kept]
        gap = (energy[kept].double() - look.energies[there, 6]).abs()
        turned = torch.linalg.vector_norm(gradient[kept].double() - look.gradients[there, 6], dim=1)
        seen = look.select(there)
        products = seen.comparison(_PRODUCT)
        noise = seen._gradient_noise() * _COMPANY_ULPS
        # At a kink the last bit decides on which side of it a gradient is taken.
        turned = torch.where(products.size <= products.error, turned, 0)
        wrong = torch.cat([differ(gap, allowed[there]), differ(turned, noise)])
        if not wrong.numel():
            continue
        room = hidden()
        wrong = torch.cat([differ(gap, allowed[there] + room), differ(turned, noise + room)])
        if wrong.numel():
            row = int(there[wrong[0]])
            raise EnergyError(
                "Landscape: the rows of the energy influence one another, or it remembers earlier "
                f"calls: with other rows beside it the energy of row {row} changes by "
                f"{float(gap[wrong[0]]):.1e} and its gradient by {float(turned[wrong[0]]):.1e}. "
                "Expected the energy of a row to depend on that row alone: look for a mean, a sum, "
                "a batch norm or a roll over the first axis, and for a cache inside fn."
            )

"""An energy, its gradient and a Hessian product along lines: what they say of one another.

On a random line through each point, E, ∇E and one Hessian product are held against one another at
seven equidistant places: the product against differences of the gradients, of sixth order, and
differences of E, odd and even, against integrals of the gradients' slopes.

Each comparison has its own error: what a rule of lower order would have changed, what the two sides
of the point differ by (a kink), and the noise that high differences show of E and ∇E, which is the
round-off of the energy and not a share of its size (as Moré & Wild 2011, doi:10.1137/100786125,
tell noise from a smooth function).
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ired_interp.draws import RowDraws
from ired_interp.energy.fields import Field, where_defined
from ired_interp.energy.roundoff import Magnitude, high_differences, magnitude

__all__ = [
    "COMPANY_ULPS",
    "CURVATURE",
    "NUM_COMPARISONS",
    "PRODUCT",
    "SAFETY",
    "SLOPE",
    "ULPS",
    "Comparison",
    "Line",
    "Look",
]

_SEED = 0
SAFETY = 10.0
"""Times the noise that was measured: a difference may be that much by chance."""
ULPS = 8.0
"""Units of the last place that an energy loses in any case."""
_STEP = {torch.float64: 2e-3, torch.float32: 3e-2}  # of the size of y
# Of the curvature, the errors of products and of energies with which one step is enough.
_CLOSE = {torch.float64: (1e-3, 1e-2), torch.float32: (3e-2, 1e-1)}
_FLAT = 1e-3  # of the slope over the size of y: a curvature that is next to nothing
_PLACES = range(-3, 4)
# ∫ over 6 intervals: Newton and Cotes' rule of seven places, and 3/8 twice.
_FINE = (41 / 140, 216 / 140, 27 / 140, 272 / 140, 27 / 140, 216 / 140, 41 / 140)
_COARSE = (3 / 8, 9 / 8, 9 / 8, 6 / 8, 9 / 8, 9 / 8, 3 / 8)
# ∫₀³ of an odd function from its values at 1, 2 and 3: exact for s, s³ and s⁵; and 3/8.
_FINE_ODD = (27 / 32, 27 / 20, 51 / 160)
_COARSE_ODD = (9 / 8, 9 / 8, 3 / 8)

COMPANY_ULPS = 64.0
"""Units of the last place that another number of rows may cost."""
_PLAIN_ULPS = 1e3  # of roughness, with which one step is enough
_LONGER = 1.6180339887  # a factor whose products round elsewhere

PRODUCT, CURVATURE, SLOPE = range(3)
NUM_COMPARISONS = 3


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two ways to one thing differ by, and by how much they may.

    Attributes:
        gap: The difference, a vector or a number a row.
        error: The largest that the comparison itself explains; infinite where it tells nothing.
        level: Whether what should change, gradients by more than their last digits, is the same at
            all places.
    """

    gap: Float[Tensor, "n c"]
    error: Float[Tensor, " n"]
    level: Bool[Tensor, " n"]

    @property
    def size(self) -> Float[Tensor, " n"]:
        """‖gap‖₂."""
        size: Tensor = torch.linalg.vector_norm(self.gap, dim=1)
        return size


@dataclass(frozen=True, slots=True)
class Look:
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
        passed: The numbers that the computation passes through.
    """

    energies: Float[Tensor, "n 7"]
    gradients: Float[Tensor, "n 7 d"]
    product: Float[Tensor, "n d"]
    direction: Float[Tensor, " d"]
    step: Float[Tensor, " n"]
    size: Float[Tensor, " n"]
    shaken: Float[Tensor, " n"]
    eps: float
    passed: Magnitude

    def select(self, rows: Int[Tensor, " k"]) -> "Look":
        """At some of the points."""
        return Look(
            self.energies[rows],
            self.gradients[rows],
            self.product[rows],
            self.direction,
            self.step[rows],
            self.size[rows],
            self.shaken[rows],
            self.eps,
            self.passed,
        )

    def comparison(self, which: int) -> Comparison:
        """Of the products, of the curvatures, or of the slopes."""
        if which == PRODUCT:
            return self._products()
        return self._energies(odd=which == SLOPE)

    def stated(self, which: int) -> Float[Tensor, " n"]:
        """How far the two sides of one comparison may be from each other."""
        one = self.comparison(which)
        return one.size + one.error

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
        seen = [self.comparison(i) for i in range(NUM_COMPARISONS)]
        settled = [
            (s.error <= limit) & (s.size <= s.error) for s, limit in zip(seen, limits, strict=True)
        ]
        return torch.stack(settled).all(dim=0) & self._is_plain()

    def _is_plain(self) -> Tensor:
        """Whether E and ∇E are as smooth as round-off lets them be: no stairs at this step."""
        steep = torch.linalg.vector_norm(self.gradients, dim=2).amax(dim=1)
        level = self.energies.abs().amax(dim=1) + steep * self.size
        rough = torch.stack([part.abs() for part in high_differences(self.energies)]).amax(dim=0)
        plain: Tensor = (rough <= _PLAIN_ULPS * self.eps * level) & ~self.is_torn()
        return plain

    def roughness(self) -> Float[Tensor, " n"]:
        """What is not smooth in the gradients from place to place."""
        parts = [torch.linalg.vector_norm(part, dim=1) for part in high_differences(self.gradients)]
        rough: Tensor = torch.stack(parts).amax(dim=0)
        return rough

    def is_smooth(self) -> Tensor:
        """Whether the gradients are smooth to their last digits."""
        size = torch.linalg.vector_norm(self.gradients, dim=2).amax(dim=1)
        smooth: Tensor = self.roughness() <= COMPANY_ULPS * self.eps * size
        return smooth

    def is_torn(self) -> Tensor:
        """Whether the gradients are rougher than by round-off: a kink, or finer structure."""
        size = torch.linalg.vector_norm(self.gradients, dim=2).amax(dim=1)
        curved = torch.linalg.vector_norm(self.product, dim=1) * self.size
        hidden = SAFETY * ULPS * self.passed.largest
        torn: Tensor = self.roughness() > self.eps * (_PLAIN_ULPS * (size + curved) + hidden)
        return torn

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

    def gradient_noise(self) -> Float[Tensor, " n"]:
        """The round-off of ∇E: what is not smooth in it, and a few units of its last place."""
        size = torch.linalg.vector_norm(self.gradients, dim=2).amax(dim=1)
        curved = torch.linalg.vector_norm(self.product, dim=1) * self.size
        lost: Tensor = self.roughness() + ULPS / SAFETY * self.eps * (size + curved)
        return lost

    def _products(self) -> Comparison:
        found, changed, torn = self._differences()
        gap = self.product - found
        error = SAFETY * (changed + self.gradient_noise() / self.step + self.shaken) + torn
        same = (self.gradients == self.gradients[:, :1]).all(dim=2).all(dim=1)
        change = torch.linalg.vector_norm(self.product, dim=1) * self.step
        size = torch.linalg.vector_norm(self.gradients[:, 3], dim=1)
        return self._informative(
            gap, error, same, self.step, stairs=change > ULPS * self.eps * size
        )

    def _energies(self, *, odd: bool) -> Comparison:
        e, h = self.energies, self.step
        slopes = self.gradients @ self.direction
        if odd:
            change, unit, gain = e[:, 6] - e[:, 0], 6 * h, 2.0
            fine, coarse = (slopes @ slopes.new_tensor(w) * h for w in (_FINE, _COARSE))
        else:
            change, unit, gain = (e[:, 6] - e[:, 3]) + (e[:, 0] - e[:, 3]), 9 * h**2, 4.0
            pairs = torch.stack([slopes[:, 3 + k] - slopes[:, 3 - k] for k in (1, 2, 3)], dim=1)
            fine, coarse = (pairs @ slopes.new_tensor(w) * h for w in (_FINE_ODD, _COARSE_ODD))
        rough = torch.stack([part.abs() for part in high_differences(e)]).amax(dim=0)
        steep = torch.linalg.vector_norm(self.gradients, dim=2).amax(dim=1)
        floor = ULPS / SAFETY * self.eps * (e.abs().amax(dim=1) + steep * self.size)
        error = gain * (rough + floor) + gain * self.gradient_noise() * h
        error = SAFETY * (error + (fine - coarse).abs())
        same = (e == e[:, :1]).all(dim=1)
        gap = ((fine - change) / unit)[:, None]
        return self._informative(gap, error / unit, same, unit, stairs=torch.ones_like(same))

    def _informative(
        self, gap: Tensor, error: Tensor, same: Tensor, unit: Tensor, *, stairs: Tensor
    ) -> Comparison:
        """Places that are all alike to the last bit may hide behind large numbers on the way."""
        hidden = torch.full_like(error, torch.inf)
        if self.passed.largest > 0:
            hidden = SAFETY * ULPS * self.eps * self.passed.largest / unit
        alike = same & (gap != 0).any(dim=1)
        # Numbers of a coarser dtype make stairs, which others beside them may cover.
        error = torch.where(alike | self.passed.coarse, torch.maximum(error, hidden), error)
        unknown = ~torch.isfinite(gap).all(dim=1) | ~torch.isfinite(error)
        return Comparison(
            torch.where(unknown[:, None], 0, gap),
            torch.where(unknown, torch.inf, error),
            alike & stairs,
        )


@dataclass(frozen=True, slots=True)
class Line:
    """A random line through each point, and what is known at the point."""

    field: Field
    y: Float[Tensor, "n d"]
    energy: Float[Tensor, " n"]
    gradient: Float[Tensor, "n d"]
    product: Float[Tensor, "n d"]
    direction: Float[Tensor, " d"]
    stretch: float
    shaken: Float[Tensor, " n"]
    passed: Magnitude

    @classmethod
    def through(
        cls, field: Field, y: Tensor, energy: Tensor, gradient: Tensor, name: str, stretch: float
    ) -> "Line":
        """The line of that name, with the Hessian product along it."""
        draw = RowDraws(1, seed=_SEED, purpose=f"verification/{name}").normal(y.shape[1])[0]
        direction = (draw / torch.linalg.vector_norm(draw)).to(y)
        vectors = direction.expand(y.shape[0], 1, -1).clone()
        product = field.linearise(y)(vectors)
        shaken = torch.zeros_like(energy)
        return cls(
            field, y, energy, gradient, product[:, 0], direction, stretch, shaken, Magnitude()
        )

    def select(self, rows: Int[Tensor, " k"]) -> "Line":
        """Through some of the points."""
        return Line(
            self.field.select(rows),
            self.y[rows],
            self.energy[rows],
            self.gradient[rows],
            self.product[rows],
            self.direction,
            self.stretch,
            self.shaken[rows],
            self.passed,
        )

    def measured(self) -> "Line":
        """The same with the round-off of the product, and what that of the energy is a share of.

        The product is taken again a unit of the last place further and of a longer vector, which
        rounds elsewhere; what changes is measured along the one vector that is compared.
        """
        eps = torch.finfo(self.y.dtype).eps
        vectors = _LONGER * self.direction.expand(self.y.shape[0], 1, -1)
        again = self.field.linearise(self.y * (1 + eps))(vectors)[:, 0] / _LONGER
        return replace(
            self,
            shaken=torch.linalg.vector_norm(again - self.product, dim=1).nan_to_num(0, 0, 0),
            passed=magnitude(lambda: self.field.energy_and_gradient(self.y), self.y.dtype),
        )

    def places(self, share: "float | Tensor") -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        """The step for that share of the usual one, and the size of y that it is relative to."""
        size = torch.linalg.vector_norm(self.y, dim=1)
        size = torch.where(size > 0, size, self.y.shape[1] ** 0.5)
        usual = _STEP.get(self.y.dtype, _STEP[torch.float32])
        return usual * self.stretch * share * size, size

    def look(self, share: "float | Tensor") -> Look:
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
        return Look(
            torch.stack(energies, dim=1).double(),
            torch.stack(gradients, dim=1).double(),
            self.product.double(),
            self.direction.double(),
            step.double(),
            size.double(),
            self.shaken.double(),
            float(torch.finfo(self.y.dtype).eps),
            self.passed,
        )

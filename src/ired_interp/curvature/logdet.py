"""log det of ∇²_yE, shifted, where it is positive definite; log |det| and its sign elsewhere."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.checks import Real, Whole, real, whole_numbers
from ired_interp.curvature.estimates import SpherePoints
from ired_interp.curvature.quadrature import (
    Measure,
    QuadratureRoute,
    average,
    exact_measure,
    measure,
)
from ired_interp.draws import check_seed
from ired_interp.errors import ConfigError
from ired_interp.landscape import Landscape
from ired_interp.verification import Verification

__all__ = ["LogDeterminant", "log_abs_determinant", "log_determinant"]

# An error that falls as slowly as 1/steps² is covered three times over.
_EARLY_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class LogDeterminant:
    """log |det(∇²_yE + shift·I)| at n points.

    Attributes:
        value: The natural logarithm; -∞ where ``sign`` is 0.
        standard_error: Of ``value`` over draws of the probes; 0 if ``exact``.
        remainder: Error that more probes would not remove: round-off to first order,
            Σ_i d·ε·‖H‖/|λ_i + shift|, and unless ``exact`` what the second half of the
            Lanczos steps changed.
        degrees_of_freedom: Of the t distribution that belongs to ``standard_error``; infinite if
            ``exact``.
        sign: Of the determinant: 1 or -1, and 0 where round-off leaves the sign of an eigenvalue
            open.
        exact: Whether it is a sum over all eigenvalues.
        estimator: "exact" or "quadrature".
        num_products: Hessian products a point.
        reason: One sentence on why this estimator.
        verification: How far the derivatives were held against the energy.
    """

    value: Float[Tensor, " n"]
    standard_error: Float[Tensor, " n"]
    remainder: Float[Tensor, " n"]
    degrees_of_freedom: float
    sign: Float[Tensor, " n"]
    exact: bool
    estimator: QuadratureRoute
    num_products: int
    reason: str
    verification: Verification


def log_determinant(
    land: Landscape,
    y: Float[Tensor, "n d"],
    *,
    shift: Real = 0.0,
    estimator: QuadratureRoute | None = None,
    num_probes: Whole = 16,
    num_steps: Whole = 64,
    seed: Whole = 0,
    verify: bool = True,
) -> LogDeterminant:
    """log det(∇²_yE + shift·I) at each row of y, where that matrix is positive definite.

    Exact where d ≤ num_probes·num_steps, otherwise by stochastic Lanczos quadrature.

    Args:
        land: The landscape; its ``max_bytes`` bounds the bases of the Lanczos runs held at once,
            but not the one Hessian (exact) or the one run (quadrature) that must be.
        y: The points.
        shift: Added to every eigenvalue, in energy / y².
        estimator: "exact" or "quadrature"; None chooses.
        num_probes: Random starts; at least 2.
        num_steps: Lanczos steps from each, at most d of which are taken.
        seed: Of the probes, which all points share.
        verify: Whether the derivatives are held against the energy (`Landscape.verification`).

    Raises:
        EnergyError: The derivatives are not those of the energy.
        ConfigError: An eigenvalue (quadrature: of those that Lanczos has seen) plus the shift is
            not above its round-off; or the shift is not finite, or the seed out of range.
        UnknownNameError: No such estimator.
        ShapeError: Fewer than 2 probes or 1 step.
        ShapeError, DtypeError, NonFiniteError: y does not fit, or E or a product is not finite.

    Cost: num_probes·num_steps Hessian products a point; d, or the closed form, and a
    tridiagonalisation, if exact.

    Source: Ubaru, Chen & Saad (2017), doi:10.1137/16M1104974.
    """
    num_probes, num_steps = whole_numbers(num_probes=num_probes, num_steps=num_steps)
    shift = real("shift", shift, error=ConfigError)
    _check_shift(shift)
    known = land.verification(y, verify=verify)
    found = measure(
        land,
        y,
        estimator=estimator,
        num_probes=num_probes,
        num_steps=num_steps,
        early_share=_EARLY_SHARE,
        probes=SpherePoints(check_seed(seed), "curvature.quadrature"),
    )
    if verify and found.exact:
        land.check_closed_hessian(y)
    _check_definite(found, shift, y)
    value, error, change = average(found, lambda nodes: (nodes + shift).log())
    d = y.shape[1]
    remainder = d * change + _first_order(found, shift, y)
    return LogDeterminant(
        value=(d * value).to(y),
        standard_error=(d * error).to(y),
        remainder=remainder.to(y),
        degrees_of_freedom=math.inf if found.exact else num_probes - 1,
        sign=torch.ones_like(value).to(y),
        exact=found.exact,
        estimator=found.estimator,
        num_products=found.num_products,
        reason=found.reason,
        verification=known,
    )


def log_abs_determinant(
    land: Landscape, y: Float[Tensor, "n d"], *, shift: Real = 0.0, verify: bool = True
) -> LogDeterminant:
    """log |det(∇²_yE + shift·I)| and the determinant's sign, for any symmetric Hessian.

    Always exact: log |λ| has a pole inside an indefinite spectrum, where Gauss rules do not
    converge, and probes do not know how many eigenvalues are negative. ``verify`` is as for
    `log_determinant`.

    Raises:
        EnergyError: The derivatives are not those of the energy.
        ConfigError: The shift is not finite.
        ShapeError, DtypeError, NonFiniteError: y does not fit, or E or H is not finite.

    Cost: d Hessian products, or the closed form, and a tridiagonalisation a point.
    """
    shift = real("shift", shift, error=ConfigError)
    _check_shift(shift)
    land.check_points(y)
    known = land.verification(y, verify=verify)
    reason = "exact: of an indefinite matrix nothing else gives the sign."
    found = exact_measure(land, y, reason)
    if verify:
        land.check_closed_hessian(y)
    moved = found.nodes[:, 0] + shift
    open_sign = (moved.abs() <= _round_off(found, shift, y)[:, None]).any(dim=1)
    value = torch.where(open_sign, -torch.inf, moved.abs().log().sum(dim=1))
    remainder = torch.where(open_sign, torch.inf, _first_order(found, shift, y))
    return LogDeterminant(
        value=value.to(y),
        standard_error=torch.zeros_like(value).to(y),
        remainder=remainder.to(y),
        degrees_of_freedom=math.inf,
        sign=torch.where(open_sign, 0.0, moved.sign().prod(dim=1)).to(y),
        exact=True,
        estimator="exact",
        num_products=found.num_products,
        reason=reason,
        verification=known,
    )


def _check_shift(shift: float) -> None:
    if not math.isfinite(shift):
        raise ConfigError(f"shift: expected a finite number, found {shift}.")


def _check_definite(found: Measure, shift: float, y: Tensor) -> None:
    room = _round_off(found, shift, y)
    lowest = found.nodes.amin(dim=(1, 2))
    wrong = (lowest + shift <= room).nonzero().flatten()
    if not wrong.numel():
        return
    row = int(wrong[(lowest[wrong] - room[wrong]).argmin()])
    # Twice the room: the shift itself adds to the round-off.
    enough = _rounded_up(2 * float(room[row]) - float(lowest[row]))
    lead = "" if found.exact else " at least"
    seen = (
        ""
        if found.exact
        else " Lanczos has seen a part of the spectrum only; the rest may need more."
    )
    raise ConfigError(
        f"shift: expected H + shift·I positive definite, found an eigenvalue of "
        f"{float(lowest[row]):.6g} + {shift:g} at row {row} ({wrong.numel()} of "
        f"{y.shape[0]} rows). A shift of{lead} {enough:.4g} would do.{seen} For log |det| and its "
        "sign take log_abs_determinant."
    )


def _round_off(found: Measure, shift: float, y: Tensor) -> Float[Tensor, " n"]:
    """The customary allowance d·ε·‖H + shift·I‖ for an eigenvalue of the shifted matrix."""
    norm = found.nodes.abs().amax(dim=(1, 2)).clamp_min(abs(shift))
    return y.shape[1] * torch.finfo(y.dtype).eps * norm


def _first_order(found: Measure, shift: float, y: Tensor) -> Float[Tensor, " n"]:
    """What that allowance does to a sum of logarithms."""
    inverse, _, _ = average(found, lambda nodes: 1 / (nodes + shift).abs())
    return _round_off(found, shift, y) * y.shape[1] * inverse


def _rounded_up(value: float) -> float:
    """To four digits, never below; of 0 a number just above it."""
    if value == 0:
        return torch.finfo(torch.float64).eps
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 3)
    return (math.floor(value / unit) + 1) * unit

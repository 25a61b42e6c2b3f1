"""Trace and Frobenius norm of ∇²_yE, exact or from random probes."""

from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.checks import Real, Whole, real, whole
from ired_interp.curvature.budget import Request, estimate
from ired_interp.curvature.estimates import (
    Estimate,
    Estimator,
    Method,
    Sample,
    SpherePoints,
    chunks,
    hessian_blocks,
    mean_and_error,
)
from ired_interp.draws import check_seed
from ired_interp.errors import ConfigError
from ired_interp.landscape import Landscape

__all__ = ["frobenius_norm", "trace"]


def trace(
    land: Landscape,
    y: Float[Tensor, "n d"],
    *,
    num_products: Whole | None = None,
    rtol: Real | None = None,
    estimator: Estimator | None = None,
    seed: Whole = 0,
    verify: bool = True,
) -> Estimate:
    """tr ∇²_yE at each row of y, in energy / y².

    Exact where d products are allowed. Otherwise a pilot of 16 products each compares Hutchinson's
    estimator with XTrace at each point, and the more precise one gets the rest; with fewer than 256
    products, XTrace without a pilot. With ``rtol`` a point gets more products, doubled until the
    standard error is small enough, and d in the end.

    Args:
        land: The landscape; its ``max_bytes`` bounds the probes held, but not the two bases of one
            point that Hutch++ and XTrace need, about 4·d·num_products/2 numbers.
        y: The points.
        num_products: The most Hessian products a point; 512 if neither this nor ``rtol`` is given.
        rtol: The largest standard_error / |value|.
        estimator: "exact", "hutchinson", "hutch++" or "xtrace"; None chooses.
        seed: Of the probes, which all points share.
        verify: Whether the derivatives are held against the energy (`Landscape.verification`).

    Raises:
        EnergyError: The derivatives are not those of the energy.
        UnknownNameError: No such estimator.
        ShapeError: Too few products for a standard error, or fewer than d for the exact value.
        ConfigError: ``rtol`` is not positive or stands beside ``estimator``, or the seed is out of
            range.
        ConvergenceError: ``rtol`` cannot be reached within ``num_products``.
        ShapeError, DtypeError, NonFiniteError: y does not fit, or E or a product is not finite.

    Cost: at most ``num_products`` Hessian products a point; d, or the closed form, if exact; with
    ``rtol`` alone at most 3·d + 32.

    Source: Hutchinson (1989), doi:10.1080/03610918908812806; Meyer, Musco, Musco & Woodruff (2021),
    arXiv:2010.09649; Epperly, Tropp & Webber (2024), doi:10.1137/23M1548323, arXiv:2301.07825.
    """
    most = None if num_products is None else whole("num_products", num_products, least=1)
    rtol = None if rtol is None else real("rtol", rtol, error=ConfigError)
    return estimate(
        land,
        y,
        _TRACE,
        Request(estimator, most, rtol, check_seed(seed), verify),
        candidates=("hutchinson", "xtrace"),
        purpose="curvature.trace",
    )


def frobenius_norm(
    land: Landscape,
    y: Float[Tensor, "n d"],
    *,
    num_products: Whole | None = None,
    rtol: Real | None = None,
    estimator: Estimator | None = None,
    seed: Whole = 0,
    verify: bool = True,
) -> Estimate:
    """‖∇²_yE‖_F at each row of y, in energy / y².

    Exact where d products are allowed, otherwise √(mean ‖Hz‖²) over probes z, whose standard error
    is that of the mean square, divided by twice the value (delta method).

    Args:
        land: The landscape.
        y: The points.
        num_products: The most Hessian products a point; 512 if neither this nor ``rtol`` is given.
        rtol: The largest standard_error / value.
        estimator: "exact" or "hutchinson"; None chooses.
        seed: Of the probes, which all points share.
        verify: Whether the derivatives are held against the energy (`Landscape.verification`).

    Raises:
        EnergyError: The derivatives are not those of the energy.
        UnknownNameError, ShapeError, ConfigError, ConvergenceError, DtypeError, NonFiniteError: As
            `trace`.

    Cost: at most ``num_products`` Hessian products a point; d, or the closed form, if exact.

    Source: E‖Hz‖² = ‖H‖_F² for any z with covariance I (Hutchinson 1989 applied to H²).
    """
    most = None if num_products is None else whole("num_products", num_products, least=1)
    rtol = None if rtol is None else real("rtol", rtol, error=ConfigError)
    return estimate(
        land,
        y,
        _FROBENIUS,
        Request(estimator, most, rtol, check_seed(seed), verify),
        candidates=("hutchinson",),
        purpose="curvature.frobenius_norm",
    )


def _exact_trace(land: Landscape, y: Tensor, num_products: int, probes: SpherePoints) -> Sample:  # noqa: ARG001 - a Method's
    total = torch.zeros(y.shape[0], dtype=torch.float64, device=y.device)
    for rows, columns, block in hessian_blocks(land, y):
        diagonal = block[:, columns].diagonal(dim1=1, dim2=2)
        total[rows] += diagonal.double().sum(dim=1)
    return Sample(total, torch.zeros_like(total), torch.inf, land.dim_y)


def _hutchinson(land: Landscape, y: Tensor, num_products: int, probes: SpherePoints) -> Sample:
    """The mean of zᵀHz."""
    samples = torch.empty(y.shape[0], num_products, dtype=torch.float64, device=y.device)
    for rows, places, z, product in _products(land, y, num_products, probes):
        samples[rows, places] = (z * product).double().sum(dim=1)
    return Sample(*mean_and_error(samples), num_products - 1, num_products)


def _hutch_plus_plus(land: Landscape, y: Tensor, num_products: int, probes: SpherePoints) -> Sample:
    """tr QᵀHQ exactly for an orthonormal basis Q of HS, and Hutchinson on its complement.

    A third of the products each for HS, HQ and the complement. Given Q the samples there are
    independent, so their standard error is that of the whole.
    """
    d, third = land.dim_y, num_products // 3
    if third >= d:
        return _exact_trace(land, y, num_products, probes)
    parts = []
    for rows in chunks(y.shape[0], 6 * d * third * y.element_size(), land.max_bytes):
        part, at = land.select(rows), y[rows]
        sketch = _shared(probes.draw(0, third, y), at)
        basis = torch.linalg.qr(part.hvp(at, sketch)).Q
        captured = (basis * part.hvp(at, basis)).double().sum(dim=(1, 2))
        z = _shared(probes.draw(third, third, y), at)
        z = z - basis @ (basis.mT @ z)
        z = z - basis @ (basis.mT @ z)  # once more: the first left round-off of the size of z
        z = z * ((d - third) ** 0.5 / torch.linalg.vector_norm(z, dim=1, keepdim=True))
        rest, error = mean_and_error((z * part.hvp(at, z)).double().sum(dim=1))
        parts.append((captured + rest, error))
    value, error = (torch.cat(list(of)) for of in zip(*parts, strict=True))
    return Sample(value, error, third - 1, 3 * third)


def _xtrace(land: Landscape, y: Tensor, num_products: int, probes: SpherePoints) -> Sample:
    """Hutch++ with each probe in turn left out of the basis and used on its complement.

    With Y = HΩ = QR, the basis without probe i spans Q's range but for one direction Qs_i, where
    s_i ∝ R⁻ᵀe_i.
    """
    d = land.dim_y
    num_probes = num_products // 2
    if num_probes >= d:
        return _exact_trace(land, y, num_products, probes)
    omega, eps = probes.draw(0, num_probes, y), torch.finfo(y.dtype).eps
    parts = []
    for rows in chunks(y.shape[0], 6 * d * num_probes * y.element_size(), land.max_bytes):
        part, at = land.select(rows), y[rows]
        spread = _shared(omega, at)
        image = part.hvp(at, spread)
        basis, r = torch.linalg.qr(image)
        inner = (basis.mT @ part.hvp(at, basis)).double()
        own = (spread * image).double().sum(dim=1)
        parts.append(_mean_left_out(inner, (basis.mT @ spread).double(), r.double(), own, d, eps))
    value, error = (torch.cat(list(of)) for of in zip(*parts, strict=True))
    return Sample(value, error, num_probes - 1, 2 * num_probes)


def _mean_left_out(
    inner: Float[Tensor, "n m m"],
    shadow: Float[Tensor, "n m m"],
    r: Float[Tensor, "n m m"],
    own: Float[Tensor, "n m"],
    d: int,
    eps: float,
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """The mean of the leave-one-out traces, from M = QᵀHQ, W = QᵀΩ, R and ω_jᵀHω_j; its error.

    The traces share most of their basis and are correlated, so that s/√m is too small, by half
    where m meets the rank. The error here is the jackknife's √Σ(f_i - f̄)², f_i the estimate
    without probe i: its square is on average no smaller than the variance of the estimate with
    m - 1 probes (Efron & Stein 1981). f_i needs no products: its basis lacks s_j and s_i, and all
    pairs i, j follow from inner products of the s.
    """
    num = r.shape[1]
    left, singular, right = torch.linalg.svd(r)
    # Where H has lower rank than there are probes the basis has directions to spare, and s_i may be
    # any of them: the floor keeps them finite.
    floor = d * eps * singular[:, :1]
    singular = torch.where(floor > 0, singular.maximum(floor) / singular[:, :1], 1.0)
    s = (left / singular[:, None]) @ right
    s = s / torch.linalg.vector_norm(s, dim=1, keepdim=True)
    off = (s * shadow).sum(dim=1)
    kept = shadow - s * off[:, None]  # QᵀP_jω_j, P_j the projection on the basis without probe j
    taken = (s.mT @ inner) @ s
    missing = taken.diagonal(dim1=1, dim2=2)
    captured = inner.diagonal(dim1=1, dim2=2).sum(dim=1, keepdim=True) - missing
    inner_kept = inner @ kept
    rest = own - 2 * (kept * r).sum(dim=1) + (kept * inner_kept).sum(dim=1)
    length = d - kept.square().sum(dim=1)
    mean = (captured + rest * ((d - num + 1) / length)).mean(dim=1)

    # The pair i, j in place [i, j]: u is s_i made orthogonal to s_j, and leaves the basis as well.
    cosine = s.mT @ s
    sine = (1 - cosine.square()).clamp_min(eps).sqrt()

    def along_u(by_s: Tensor) -> Tensor:
        """Products with u from the products of every s_i with what belongs to j."""
        products: Tensor = (by_s - cosine * by_s.diagonal(dim1=1, dim2=2)[:, None]) / sine
        return products

    u_inner_u = taken.diagonal(dim1=1, dim2=2)[:, :, None] - 2 * cosine * taken
    u_inner_u = (u_inner_u + cosine.square() * missing[:, None]) / sine.square()
    beta = along_u(s.mT @ shadow)
    pair_rest = rest[:, None] + 2 * beta * along_u(s.mT @ (r - inner_kept))
    pair_rest = pair_rest + beta.square() * u_inner_u
    pair_length = length[:, None] + beta.square()
    pairs = captured[:, None] - u_inner_u + pair_rest * ((d - num + 2) / pair_length)
    pairs = pairs - torch.diag_embed(pairs.diagonal(dim1=1, dim2=2))
    without = pairs.sum(dim=2) / (num - 1)
    spread = without - without.mean(dim=1, keepdim=True)
    return mean, torch.linalg.vector_norm(spread, dim=1)


def _exact_frobenius(land: Landscape, y: Tensor, num_products: int, probes: SpherePoints) -> Sample:  # noqa: ARG001 - a Method's
    norm = torch.zeros(y.shape[0], dtype=torch.float64, device=y.device)
    for rows, _, block in hessian_blocks(land, y):
        norm[rows] = torch.hypot(norm[rows], _norms(block.flatten(1), dim=1))
    return Sample(norm, torch.zeros_like(norm), torch.inf, land.dim_y)


def _mean_square(land: Landscape, y: Tensor, num_products: int, probes: SpherePoints) -> Sample:
    norms = torch.empty(y.shape[0], num_products, dtype=torch.float64, device=y.device)
    for rows, places, _, product in _products(land, y, num_products, probes):
        norms[rows, places] = _norms(product, dim=1)
    scale = norms.amax(dim=1, keepdim=True)  # squares that neither overflow nor vanish
    shares = torch.where(scale > 0, norms / scale, 0.0)
    mean, error = mean_and_error(shares.square())
    root, scale = mean.sqrt(), scale[:, 0]
    delta = torch.where(root > 0, error / (2 * root), 0.0)
    return Sample(scale * root, scale * delta, num_products - 1, num_products)


def _norms(block: Tensor, *, dim: int) -> Tensor:
    """Lengths in float64, of vectors whose squares may not be representable."""
    scale = block.abs().amax(dim=dim, keepdim=True).double()
    shares = torch.where(scale > 0, block.double() / scale, 0.0)
    lengths: Tensor = torch.linalg.vector_norm(shares, dim=dim)
    return scale.squeeze(dim) * lengths


def _products(
    land: Landscape, y: Tensor, num_products: int, probes: SpherePoints
) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
    """Chunks (points, probes' places, probes, their products) within the landscape's memory."""
    vector = 5 * y.shape[1] * y.element_size()
    for places in chunks(num_products, vector, land.max_bytes):
        num = places.stop - places.start
        z = probes.draw(places.start, num, y)
        for rows in chunks(y.shape[0], vector * num, land.max_bytes):
            spread = _shared(z, y[rows])
            yield rows, places, spread, land.select(rows).hvp(y[rows], spread)


def _shared(z: Tensor, y: Tensor) -> Tensor:
    """The same probes at every point."""
    return z.expand(y.shape[0], -1, -1)


_TRACE: Mapping[Estimator, Method] = {
    "exact": Method(_exact_trace, 1),
    "hutchinson": Method(_hutchinson, 2),
    "hutch++": Method(_hutch_plus_plus, 6, can_gain=True),
    "xtrace": Method(_xtrace, 4, can_gain=True),
}
_FROBENIUS: Mapping[Estimator, Method] = {
    "exact": Method(_exact_frobenius, 1),
    "hutchinson": Method(_mean_square, 2),
}

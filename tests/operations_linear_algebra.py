"""Operations to scan of linear algebra: products, factors, solutions, spectra, distances."""

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, linalg

from scanned_operation import Operation, matrix, positive, rows, weights

__all__ = ["DISTANCES", "FACTORS", "PRODUCTS"]


def _product(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return a @ b @ c


def _chain(row: Tensor) -> Tensor:
    a = row.view(2, 2)
    out: Tensor = torch.chain_matmul(a, a, a)  # type: ignore[no-untyped-call]
    return out


def _blocks(row: Tensor) -> Tensor:
    out: Tensor = torch.block_diag(row.view(2, 2), row[:1])  # type: ignore[no-untyped-call]
    return out @ weights(3, 2)


def _by_eigh(y: Tensor) -> Tensor:
    values, vectors = linalg.eigh(positive(y))
    return _product(vectors, torch.diag_embed(values.log()), vectors.mT)


def _by_svd(y: Tensor) -> Tensor:
    u, s, vh = linalg.svd(matrix(y))
    return _product(u, torch.diag_embed(s.sqrt()), vh)


def _by_eig(y: Tensor) -> Tensor:
    values, vectors = linalg.eig(_far_from_symmetric(y))
    return _product(vectors, torch.diag_embed(values.exp()), linalg.inv(vectors))


def _far_from_symmetric(y: Tensor) -> Tensor:
    return matrix(y) + torch.tensor([[0, 1.5, 0], [-1.5, 0, 0], [0, 0, 0]], dtype=y.dtype)


def _by_lu(y: Tensor) -> Tensor:
    _, lower, upper = linalg.lu(matrix(y))
    return torch.cat([lower, upper], 1)


def _by_lu_unpack(y: Tensor) -> Tensor:
    _, lower, upper = torch.lu_unpack(*linalg.lu_factor(matrix(y)))
    return torch.cat([lower, upper], 1)


def _by_qr(y: Tensor) -> Tensor:
    q, r = linalg.qr(matrix(y))
    return torch.cat([q, r], 1)


def _points(y: Tensor) -> Tensor:
    return y.view(-1, 3, 3)


def _tau(y: Tensor) -> Tensor:
    return y[:, 9:].sigmoid()


def _reflections(y: Tensor) -> Tensor:
    return y[:, :9].view(-1, 3, 3)


PRODUCTS: dict[str, Operation] = {
    "addmm": Operation(of=lambda y: torch.addmm(weights(3), y, weights(4, 3))),
    "addmv": Operation(of=rows(lambda row: torch.addmv(row[:2], row.view(2, 2), row[2:]))),
    "baddbmm": Operation(of=lambda y: torch.baddbmm(_points(y), _points(y), _points(y)), d=9),
    "bilinear": Operation(of=lambda y: F.bilinear(y[:, :2], y[:, 2:], weights(3, 2, 2))),
    "bmm": Operation(of=lambda y: torch.bmm(_points(y), _points(y).mT), d=9),
    "block_diag": Operation(of=rows(_blocks)),
    "chain_matmul": Operation(of=rows(_chain)),
    "cross": Operation(of=lambda y: linalg.cross(y[:, :3], y[:, 3:]), d=6),
    "dot": Operation(of=rows(lambda row: row[:2].dot(row[2:]))),
    "einsum": Operation(
        of=lambda y: torch.einsum("nij,njk,lk->nil", *[_points(y)] * 2, weights(2, 3)), d=9
    ),
    "einsum, trace": Operation(of=lambda y: torch.einsum("nij,nji->n", *[_points(y)] * 2), d=9),
    "inner": Operation(of=lambda y: torch.inner(y, weights(3, 4))),
    "kron": Operation(of=lambda y: torch.kron(_points(y), weights(1, 2, 2)), d=9),
    "linear": Operation(of=lambda y: F.linear(y, weights(3, 4), weights(3))),
    "matmul": Operation(of=lambda y: y @ weights(4, 3)),
    "matmul of vectors": Operation(of=lambda y: (y[:, None] @ y[..., None])[:, 0]),
    "matrix_exp": Operation(of=lambda y: linalg.matrix_exp(_points(y)), d=9),
    "matrix_power": Operation(of=lambda y: linalg.matrix_power(_points(y), 3), d=9),
    "matrix_power -2": Operation(of=lambda y: linalg.matrix_power(matrix(y), -2), d=9),
    "multi_dot": Operation(
        of=rows(lambda row: linalg.multi_dot([row.view(2, 2), weights(2, 3), weights(3, 2)]))
    ),
    "outer": Operation(of=rows(lambda row: torch.outer(row[:2], row[2:]))),
    "tensordot": Operation(of=lambda y: torch.tensordot(_points(y), weights(3, 3, 2), 2), d=9),
    "trace": Operation(of=rows(lambda row: row.view(2, 2).square().trace())),
    "vander": Operation(of=lambda y: linalg.vander(y, N=4)),
    "vecdot": Operation(of=lambda y: linalg.vecdot(y[:, :2], y[:, 2:])),
}

FACTORS: dict[str, Operation] = {
    "cholesky": Operation(of=lambda y: linalg.cholesky(positive(y)), d=9),
    "cholesky of what is not symmetric": Operation(of=lambda y: linalg.cholesky(matrix(y)), d=9),
    "cholesky_inverse": Operation(
        of=lambda y: torch.cholesky_inverse(linalg.cholesky(positive(y))), d=9
    ),
    "cholesky_solve": Operation(
        of=lambda y: torch.cholesky_solve(_points(y), linalg.cholesky(positive(y))), d=9
    ),
    "cond": Operation(of=lambda y: linalg.cond(matrix(y)), d=9),
    "det": Operation(of=lambda y: linalg.det(matrix(y)) / 30, d=9),
    "det of a singular matrix": Operation(
        of=lambda y: linalg.det(_points(y)), d=9, zeros=(0, 1, 2)
    ),
    "eig, reconstructed": Operation(of=lambda y: _by_eig(y / 2) / 30, d=9),
    "eigh, reconstructed": Operation(of=_by_eigh, d=9),
    "eigvals": Operation(of=lambda y: linalg.eigvals(_far_from_symmetric(y / 2)).abs(), d=9),
    "eigvalsh": Operation(of=lambda y: linalg.eigvalsh(positive(y)) / 9, d=9),
    "eigvalsh of what is not symmetric": Operation(of=lambda y: linalg.eigvalsh(_points(y)), d=9),
    "householder_product": Operation(
        of=lambda y: linalg.householder_product(_reflections(y), _tau(y)), d=12
    ),
    "inv": Operation(of=lambda y: linalg.inv(matrix(y)), d=9),
    "inv_ex": Operation(of=lambda y: linalg.inv_ex(matrix(y)).inverse, d=9),
    "ldl": Operation(of=lambda y: linalg.ldl_factor(positive(y)).LD, d=9),
    "logdet": Operation(of=lambda y: torch.logdet(positive(y)), d=9),
    "lstsq": Operation(of=lambda y: linalg.lstsq(matrix(y), _points(y)).solution, d=9),
    "lstsq, tall": Operation(
        of=lambda y: linalg.lstsq(matrix(y)[:, :, :2], _points(y)).solution, d=9
    ),
    "lu": Operation(of=_by_lu, d=9),
    "lu_solve": Operation(
        of=lambda y: linalg.lu_solve(*linalg.lu_factor(matrix(y)), _points(y)), d=9
    ),
    "lu_unpack": Operation(of=_by_lu_unpack, d=9),
    "matrix_norm 1": Operation(of=lambda y: linalg.matrix_norm(matrix(y), ord=1), d=9),
    "matrix_norm 2": Operation(of=lambda y: linalg.matrix_norm(matrix(y), ord=2), d=9),
    "matrix_norm fro": Operation(of=lambda y: linalg.matrix_norm(matrix(y)), d=9),
    "matrix_norm nuc": Operation(of=lambda y: linalg.matrix_norm(matrix(y), ord="nuc"), d=9),
    "ormqr": Operation(
        of=lambda y: torch.ormqr(_reflections(y), _tau(y), weights(3, 2).expand(len(y), -1, -1)),
        d=12,
    ),
    "pinv": Operation(of=lambda y: linalg.pinv(matrix(y)), d=9),
    "pinv, hermitian": Operation(of=lambda y: linalg.pinv(positive(y), hermitian=True), d=9),
    "pinv, tall": Operation(of=lambda y: linalg.pinv(matrix(y)[:, :, :2]), d=9),
    "qr": Operation(of=_by_qr, d=9),
    "slogdet": Operation(of=lambda y: linalg.slogdet(matrix(y)).logabsdet, d=9),
    "solve": Operation(of=lambda y: linalg.solve(matrix(y), _points(y)), d=9),
    "solve of a fixed matrix": Operation(
        of=lambda y: linalg.solve(positive(torch.zeros(1, 9, dtype=y.dtype))[0], y[..., None]), d=3
    ),
    "solve_triangular": Operation(
        of=lambda y: linalg.solve_triangular(matrix(y), _points(y), upper=True), d=9
    ),
    "svd, reconstructed": Operation(of=_by_svd, d=9),
    "svd, tall": Operation(
        of=lambda y: linalg.svd(matrix(y)[:, :, :2], full_matrices=False).S, d=9
    ),
    "svdvals": Operation(of=lambda y: linalg.svdvals(matrix(y)), d=9),
    "tensorinv": Operation(of=rows(lambda row: linalg.tensorinv(matrix(row)[0], ind=1)), d=9),
    "tensorsolve": Operation(of=rows(lambda row: linalg.tensorsolve(matrix(row)[0], row[:3])), d=9),
}

DISTANCES: dict[str, Operation] = {
    "cdist 1": Operation(of=lambda y: torch.cdist(_points(y), weights(2, 3), p=1), d=9),
    "cdist 2": Operation(of=lambda y: torch.cdist(_points(y), weights(2, 3)), d=9),
    "cdist 2 among themselves": Operation(
        of=lambda y: torch.cdist(_points(y), _points(y))[:, *torch.triu_indices(3, 3, 1)], d=9
    ),
    "cdist 2 by differences": Operation(
        of=lambda y: torch.cdist(
            _points(y), weights(2, 3), compute_mode="donot_use_mm_for_euclid_dist"
        ),
        d=9,
    ),
    "cdist 2 by products": Operation(
        of=lambda y: torch.cdist(_points(y), weights(2, 3), compute_mode="use_mm_for_euclid_dist"),
        d=9,
    ),
    "cdist 3": Operation(of=lambda y: torch.cdist(_points(y), weights(2, 3), p=3), d=9),
    "cdist inf": Operation(
        of=lambda y: torch.cdist(_points(y), weights(2, 3), p=float("inf")), d=9
    ),
    "cosine_similarity": Operation(
        of=lambda y: F.cosine_similarity(_points(y)[:, :2], _points(y)[:, 1:], dim=2), d=9
    ),
    "dist": Operation(of=rows(lambda row: torch.dist(row[:2], row[2:]))),
    "norms of differences": Operation(
        of=lambda y: (_points(y)[:, :2] - _points(y)[:, 1:]).norm(dim=2), d=9
    ),
    "pairwise_distance": Operation(
        of=lambda y: F.pairwise_distance(_points(y)[:, 0], _points(y)[:, 1]), d=9
    ),
    "pdist": Operation(of=rows(lambda row: F.pdist(row.view(3, 3))), d=9),
}

"""The parts of ∇²E for a chain of layers with E = ‖f‖²: Gauss-Newton, and one a layer.

∇²E = 2·JᵀJ + Σ_l A_lᵀ·diag(c_l)·A_l, where J = ∂f/∂y, A_l = ∂a_l/∂y for the pre-activation a_l of
layer l, and c_l = ∂E/∂h_l ∘ swish″(a_l) is the bend of its units, weighted by what E still feels
of them. Derivation and sources in docs/parts.md.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.energy.parts import GAUSS_NEWTON

__all__ = ["dense_parts", "layer_part_names", "quadratic_forms"]


def layer_part_names(num_layers: int) -> tuple[str, ...]:
    """``gauss_newton``, then ``layer_1`` … for the hidden layers from the input up."""
    return (GAUSS_NEWTON, *(f"layer_{layer + 1}" for layer in range(num_layers)))


def dense_parts(
    curvatures: Sequence[Float[Tensor, "n w"]],
    tangents: Sequence[Float[Tensor, "n d w"]],
    jacobian: Float[Tensor, "n d r"],
) -> Float[Tensor, "n p d d"]:
    """2·JᵀJ and each A_lᵀ·diag(c_l)·A_l as exactly symmetric matrices.

    Args:
        curvatures: c_l of each layer.
        tangents: A_lᵀ of each layer: the derivatives along the d entries of y, one a row.
        jacobian: Jᵀ.

    Cost: the products of the dense Hessian, kept apart: d²·(r + Σ w) multiplications a row.
    """
    parts = [2 * jacobian @ jacobian.mT]
    for c, tangent in zip(curvatures, tangents, strict=True):
        parts.append((tangent * c[:, None]) @ tangent.mT)
    return torch.stack([(part + part.mT) / 2 for part in parts], dim=1)


def quadratic_forms(
    curvatures: Sequence[Float[Tensor, "n w"]],
    tangents: Sequence[Float[Tensor, "n m w"]],
    change: Float[Tensor, "n m r"],
) -> Float[Tensor, "n p m"]:
    """2‖Jv‖² and each Σ_j c_lj·(A_l·v)_j² for m vectors a row.

    Args:
        curvatures: c_l of each layer.
        tangents: A_l·v of each layer, one vector a row.
        change: J·v.

    Cost: m·(r + Σ w) multiplications a row beside the tangents themselves.
    """
    forms = [2 * change.square().sum(-1)]
    for c, tangent in zip(curvatures, tangents, strict=True):
        forms.append((tangent.square() @ c[:, :, None])[..., 0])
    return torch.stack(forms, dim=1)

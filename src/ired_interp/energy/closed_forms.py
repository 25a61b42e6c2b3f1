"""Whether the closed forms that a model brings are those of one Hessian."""

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.energy.fields import AnalyticField
from ired_interp.errors import EnergyError

__all__ = ["check_closed_forms"]

_ULPS = 1e4


def check_closed_forms(
    field: AnalyticField, y: Float[Tensor, "n d"], h: Float[Tensor, "n d d"], *, first: int = 0
) -> None:
    """Hold a model's ``hessian`` and ``product`` against its ``hvp``, along one vector.

    Nothing is done for closed forms that this package's own tests verify.

    Args:
        field: The model at these rows.
        y: The points.
        h: What its ``hessian`` gave.
        first: Number of the first row, for the message.

    Raises:
        EnergyError: They differ by more than round-off.
    """
    if field.is_tested:
        return
    places = torch.arange(1, y.shape[1] + 1, dtype=y.dtype, device=y.device)
    vector = places.sqrt().cos().expand(y.shape[0], 1, -1).clone()
    expected, product = field.hvp(y, vector), field.linearise(y)(vector)
    size = torch.linalg.matrix_norm(h) * torch.linalg.vector_norm(vector[:, 0], dim=1)
    limit = _ULPS * torch.finfo(y.dtype).eps * size
    for name, found in (("hessian", vector @ h), ("product", product)):
        gap = torch.linalg.vector_norm((found - expected)[:, 0], dim=1)
        if bool((gap > limit).any()):
            row = int((gap - limit).argmax())
            raise EnergyError(
                f"Landscape: the model's {name} and its hvp differ by {float(gap[row]):.1e} "
                f"(energy / y²) at row {first + row}. Expected closed forms of one and the same "
                "Hessian."
            )

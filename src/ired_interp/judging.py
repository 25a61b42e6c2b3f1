"""What the comparisons of several steps along a line say together: agreed, refused, or open.

A step that leaves too large an error gives way to others. A derivative is refused only where
several steps agree on how wrong it is.
"""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ired_interp.comparisons import (
    NUM_COMPARISONS,
    PRODUCT,
    SAFETY,
    ULPS,
    Comparison,
    Line,
    Look,
)

__all__ = ["Verdict", "other_steps"]

_OTHER_STEPS = (1 / 8, 8.0, 1 / 64, 64.0, 1 / 512)  # times the usual one, where that does not do
_FINEST = 1 / 4096
# Of an entry of y; outside of them a step of the size of 1 is tried, too.
_USUAL_SIZES = (1e-2, 1e2)
_AGREE = 0.5  # two steps' discrepancies are one if they differ by less than that share
_WITNESSES = 2  # other steps that must see the same difference; one, or the finest, leaves it open
_FINER = 8.0  # steps in the length of a structure that could hide
_NEGLIGIBLE = 20.0  # times √ε


@dataclass(frozen=True, slots=True)
class Verdict:
    """What several steps say together.

    Attributes:
        error: How far the two things may be from each other; infinite where that is not known.
        refused: Whether the steps agree on a difference that no error explains.
        size: Of that difference.
        best: The number of the step with the least error among those that show it.
    """

    error: Float[Tensor, " n"]
    refused: Tensor
    size: Float[Tensor, " n"]
    best: Int[Tensor, "1 n"]


def _judged(looks: list[Look]) -> list[Verdict]:
    first, steps = looks[0], [look.step for look in looks]
    share = _NEGLIGIBLE * first.eps**0.5
    slope = torch.linalg.vector_norm(first.gradients[:, 3], dim=1)
    # What the largest number on the way may have cost, over the size of y; no excuse if not known.
    largest = first.passed.largest if math.isfinite(first.passed.largest) else 0.0
    hidden = SAFETY * ULPS * first.eps * largest / first.size
    limits = (
        torch.maximum(share * first.curvature(), hidden),
        torch.maximum(share * first.curvature(), hidden / first.size),
        torch.maximum(share * slope, hidden),
    )
    return [
        _judge(
            [look.comparison(which) for look in looks],
            steps,
            limits[which],
            of_gradients=which == PRODUCT,
        )
        for which in range(NUM_COMPARISONS)
    ]


def _judge(
    seen: list[Comparison],
    steps: list[Float[Tensor, " n"]],
    negligible: Float[Tensor, " n"],
    *,
    of_gradients: bool,
) -> Verdict:
    """What the comparisons of several steps say together.

    A difference that is negligible is not refused but stated as an error: derivatives of torch's
    own operations are wrong by a few units of float32's last place, where they have constants of
    that precision; and numbers that are large on the way leave round-off that no difference shows.
    """
    sizes = torch.stack([one.size for one in seen])
    errors = torch.stack([one.error for one in seen])
    gaps = torch.stack([one.gap for one in seen])
    lengths = torch.stack(steps)
    clean = sizes <= errors
    apart = torch.linalg.vector_norm(gaps[:, None] - gaps[None], dim=3)
    agree = apart <= _AGREE * torch.minimum(sizes[:, None], sizes[None])
    agree &= ~clean[:, None] & ~clean[None]
    witnesses = agree.sum(dim=1) - (~clean).long()  # itself left out
    # A difference that a step shows is only disproved by a finer one.
    closer = (errors[None] < sizes[:, None] / 2) | (sizes[None] < sizes[:, None] / 4)
    disproved = (clean[None] & (lengths[None] <= lengths[:, None]) & closer).any(dim=1)
    finest = lengths == lengths.amin(dim=0)
    # Gradients that do not change at all are stairs: of round-off or of the energy's own making.
    # Energies are stairs at short steps, where large numbers cancel; not at all steps.
    level = torch.stack([one.level for one in seen])
    level = level if of_gradients else level & level.all(dim=0)
    claims = ~disproved & ((~clean & ((witnesses >= 1) | finest)) | level)
    sure = claims & (witnesses >= _WITNESSES)
    best = torch.where(sure, errors, torch.inf).argmin(dim=0, keepdim=True)
    claimed = sizes.gather(0, best)[0]
    refused = sure.any(dim=0)
    small = refused & (claimed <= negligible)
    error = torch.where(clean, sizes + errors, torch.inf).amin(dim=0)
    error = torch.where(claims.any(dim=0), torch.inf, error)
    # What is not seen may bend within the step, which no rule for what is seen can tell.
    error = torch.where(small, 2 * claimed + errors.gather(0, best)[0], error)
    return Verdict(error, refused & ~small, claimed, best)


def other_steps(line: Line) -> tuple[list[Look], list[Verdict]]:
    """What several steps say; where they refuse the product, also one that could excuse it.

    A product that is much larger than all differences may be the slope of a structure finer than
    the steps, of about the size of what is not smooth in the gradients. A step that would show it
    is looked at, too. Where that is no longer a difference of two y, nothing is refused, unless the
    gradients are smooth to their last digits.
    """
    usual, size = line.places(1.0)
    entries = size / line.y.shape[1] ** 0.5
    least, most = _USUAL_SIZES
    spare = torch.where((entries < least) | (entries > most), 1 / entries, _FINEST)
    looks = [line.look(share) for share in (1.0, *_OTHER_STEPS, spare)]
    verdicts = _judged(looks)
    if not bool(verdicts[PRODUCT].refused.any()):
        return looks, verdicts
    rough = torch.stack([look.roughness() for look in looks])
    length = rough.gather(0, verdicts[PRODUCT].best)[0] / verdicts[PRODUCT].size / _FINER
    resolved = length >= ULPS * looks[0].eps * looks[0].size
    # Nowhere a step twice: it would be its own witness.
    share = torch.where(resolved & torch.isfinite(length), length.to(usual) / usual, _FINEST / 8)
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

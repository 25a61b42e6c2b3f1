"""What is expected of the scanned operations: all are right, but for those listed here.

`torch_operations.py` says how to scan, and names what differs. A line goes when its operation is
answered rightly; one comes only for what cannot be answered, with the reason.
"""

from dataclasses import dataclass

__all__ = ["REFUSED", "TORCH", "Refusal"]

TORCH = "2.13"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no Hessian.

    Attributes:
        reason: What is missing.
        words: One of them, in lower case, stands in the error.
        of_torch: Whether torch lacks something that a newer one may have.
    """

    reason: str
    words: tuple[str, ...]
    of_torch: bool = True


_MISSING = Refusal("torch has no second derivative and says so", ("second derivative",))
_SILENT = Refusal(
    "a second derivative that reads as zero, in part or wholly", ("second derivative",)
)
_OWN = Refusal("the author's second derivative is wrong", ("second derivative",), of_torch=False)
_GRADIENT = Refusal("the gradient is not that of the energy", ("gradient",), of_torch=False)
_VARIES = Refusal(
    "two calls at one point differ",
    ("same function", "call to call", "training mode"),
    of_torch=False,
)

REFUSED: dict[str, Refusal] = {
    **dict.fromkeys(
        [
            "cdist 1",
            "cdist 2",
            "cdist 2 among themselves",
            "cdist 2 by differences",
            "cdist 3",
            "cdist inf",
            "pdist",
            "hardsigmoid",
            "EmbeddingBag, weighted",
            "ctc_loss",
            "multi_margin_loss",
            "multilabel_margin_loss",
            "linear_cross_entropy in chunks",
            "segment_reduce",
            "sparse.mm, reduced",
        ],
        _MISSING,
    ),
    **dict.fromkeys(
        [
            "linear_cross_entropy in chunks, retained",
            "torch.cond",
            "sparse with entries of y",
        ],
        _SILENT,
    ),
    **dict.fromkeys(
        [
            "once_differentiable",
            "once_differentiable beside a bowl",
            "a backward that keeps half",
            "a backward that saves past autograd",
            "a second derivative wrong by 1 %",
        ],
        _OWN,
    ),
    **dict.fromkeys(
        [
            "a gradient wrong by 1 %",
            "a hook that changes the gradient",
            "detach in part",
            "data in part",
            "no_grad in part",
            "straight-through rounding",
            "cholesky of what is not symmetric",
            "eigvalsh of what is not symmetric",
            "torch.func.linearize inside",
        ],
        _GRADIENT,
    ),
    **dict.fromkeys(
        [
            "Dropout in training mode",
            "noise added",
            "rrelu in training mode",
            "spectral_norm in training mode",
        ],
        _VARIES,
    ),
    "ldl": Refusal("torch has no first derivative", ("ldl",)),
    "det of a singular matrix": Refusal(
        "the gradient at the point alone is 0, and the second derivative is off", ("not verified",)
    ),
    "sinc at 0": Refusal("torch's second derivative is NaN there", ("nan",)),
    "checkpoint, reentrant": Refusal("torch has no grad() of it", ("checkpoint",)),
    "inference_mode inside": Refusal("no graph", ("not differentiable",), of_torch=False),
    "in place over what was saved": Refusal("no gradient either", ("in place",), of_torch=False),
}

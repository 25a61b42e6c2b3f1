"""What torch says of an energy that it cannot differentiate, in words that say what to do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch

from ired_interp.errors import EnergyError

__all__ = ["is_of_attention", "is_of_compilation", "translated"]


class _Cause(NamedTuple):
    """What torch says, as a regular expression, and what to do about it."""

    pattern: str
    advice: str


_NO_SECOND = (
    "has no second derivative in this version of torch, and the curvature of an energy is made of "
    "second derivatives"
)
_CAUSES = (
    _Cause(
        r"_cdist_backward|_pdist_backward|_(euclidean|cdist)\w*backward",
        f"torch.cdist {_NO_SECOND}. Take the norms of differences, (a[:, None] - b).norm(dim=-1)",
    ),
    _Cause(
        r"scaled_dot_product|_attention|flash",
        f"fused attention {_NO_SECOND}. Evaluate it inside torch.nn.attention.sdpa_kernel("
        "SDPBackend.MATH), or write softmax(q @ k.mT / √d) @ v",
    ),
    _Cause(
        r"once_differentiable",
        "an autograd.Function of the energy is marked once_differentiable: its second derivative "
        "is missing. Write its backward in differentiable torch operations, without the mark",
    ),
    _Cause(
        r"donated buffer|aot_autograd|torch\.compile|dynamo|inductor",
        f"a function that went through torch.compile {_NO_SECOND}. Give the module below it, "
        "compiled._orig_mod, or the function as it was",
    ),
    _Cause(
        r"leaf Variable that requires grad is being used in an in-place|modified by an inplace",
        "an operation in place overwrites what its derivative needs. Use the operation that "
        "returns a new tensor (x = x + 1 for x += 1, inplace=False in a module)",
    ),
    _Cause(
        r"use_reentrant",
        "checkpointing with use_reentrant=True cannot be differentiated twice. Use "
        "torch.utils.checkpoint.checkpoint(…, use_reentrant=False)",
    ),
    _Cause(
        r"[Ii]nference tensor",
        "a tensor of the energy was made in torch.inference_mode, which autograd cannot save. Make "
        "it outside, or clone it there",
    ),
    _Cause(
        r"Can't call numpy\(\)|numpy\.ndarray",
        "the energy leaves torch for NumPy, where its derivative is lost. Keep to torch "
        "operations, or wrap it in an autograd.Function with a differentiable backward",
    ),
    _Cause(
        r"does not require grad and does not have a grad_fn",
        "the energy takes a gradient of something that has none. Look for detach(), no_grad or "
        "NumPy inside it",
    ),
    _Cause(
        r"[Ss]parse",
        f"an operation on a sparse tensor {_NO_SECOND}. Use the dense tensor (.to_dense()) or "
        "another layout",
    ),
    _Cause(
        r"vmap|functorch|[Bb]atching rule|BatchedTensor",
        "a part of the energy cannot be batched. Give its autograd.Function a vmap rule, or write "
        "it without torch.func transforms",
    ),
    _Cause(
        r"linalg|not positive-definite|singular",
        "the energy is not defined at a point: a factorisation in it fails there. Look at the "
        "point, and at what keeps the matrix regular",
    ),
    _Cause(
        r"must be size|size of tensor|shape|out of bounds|expanded size",
        "the energy does not fit the rows it was given: it is called with any of the rows in any "
        "order and number. Take sizes from y, and hand rows of data over as x",
    ),
)
_MOST_QUOTED = 300
_MISSING = re.compile(r"derivative for '?(?:aten::)?(\w+)'? is not implemented")


@contextmanager
def translated(what: str = "the energy or its gradient") -> Iterator[None]:
    """Raise `EnergyError` for whatever torch refuses inside; memory that runs out stays torch's."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise EnergyError(_in_words(error, what)) from error


def is_of_attention(error: BaseException) -> bool:
    """Whether fused attention is what cannot be differentiated."""
    return re.search(r"scaled_dot_product|_attention|flash", str(error)) is not None


def is_of_compilation(error: BaseException) -> bool:
    """Whether a compiled function is what cannot be differentiated."""
    return re.search(r"donated buffer|aot_autograd|torch\.compile", str(error)) is not None


def _in_words(error: RuntimeError, what: str) -> str:
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "no words")
    said = said if len(said) <= _MOST_QUOTED else said[:_MOST_QUOTED] + " …"
    for pattern, advice in _CAUSES:
        if re.search(pattern, str(error)):
            return f"Landscape: {advice}. torch says: {said}"
    if missing := _MISSING.search(str(error)):
        name = missing[1].strip("_").removesuffix("_backward")
        return (
            f"Landscape: the operation {name} {_NO_SECOND}. Compose it of operations that have one."
            f" torch says: {said}"
        )
    return (
        f"Landscape: {what} could not be computed. torch says: {said}. Try fn on one row, and "
        "torch.autograd.grad of its gradient, outside of the landscape."
    )

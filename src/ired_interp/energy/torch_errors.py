"""What torch says of an energy that it cannot differentiate, in words that say what to do."""

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

from ired_interp.errors import EnergyError, IredInterpError

__all__ = ["is_of_attention", "is_of_compilation", "translated"]


class _Cause(NamedTuple):
    """What torch says, as a regular expression, and what to do about it."""

    pattern: str
    advice: str


_NO_SECOND = (
    "has no second derivative in this version of torch, and the curvature of an energy is made of "
    "second derivatives"
)
_OF_ATTENTION = r"scaled_dot_product|flash_attention|efficient_attention|_fmha"
_OF_COMPILATION = r"donated buffer|aot_autograd|torch\.compile"
_CAUSES = (
    _Cause(
        r"returned an invalid gradient at index",
        "an autograd.Function of the energy returns a gradient that is not of its input's shape. "
        "Mend its backward",
    ),
    _Cause(
        r"more than 1 value per channel",
        "a batch norm in training mode takes its mean over the rows, which must not influence one "
        "another. Call eval() on the module",
    ),
    _Cause(
        r"_pdist_backward",
        f"torch.pdist {_NO_SECOND}. Take norms of differences, (y[:, i] - y[:, j]).norm(dim=-1)",
    ),
    _Cause(
        r"_cdist_backward|_euclidean_dist",
        f"torch.cdist {_NO_SECOND}. Take the norms of differences, (a[:, None] - b).norm(dim=-1)",
    ),
    _Cause(
        _OF_ATTENTION,
        f"fused attention {_NO_SECOND}. Evaluate it inside torch.nn.attention.sdpa_kernel("
        "SDPBackend.MATH), or write softmax(q @ k.mT / √d) @ v",
    ),
    _Cause(
        r"once_differentiable",
        "an autograd.Function of the energy is marked once_differentiable: its second derivative "
        "is missing. Write its backward in differentiable torch operations, without the mark",
    ),
    _Cause(
        _OF_COMPILATION,
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
        r"Sparse(Csr|Csc|Bsr|Bsc|CPU|CUDA)?\b|[Ss]parse (tensor|layout|matri)|_sparse_|sparse_dim",
        f"an operation on a sparse tensor {_NO_SECOND}. Use the dense tensor (.to_dense()) or "
        "another layout",
    ),
    _Cause(
        r"vmap:|vmap over|functorch|[Bb]atching rule|BatchedTensor",
        "a part of the energy cannot be batched. Give its autograd.Function a vmap rule, or write "
        "it without torch.func transforms",
    ),
    _Cause(
        r"linalg[._]|not positive-definite|is singular",
        "the energy is not defined at a point: a factorisation in it fails there. Look at the "
        "point, and at what keeps the matrix regular",
    ),
    _Cause(
        r"size of tensor|invalid for input of size|out of bounds|expanded size",
        "the energy does not fit the rows it was given: it is called with any of the rows in any "
        "order and number. Take sizes from y, and hand rows of data over as x",
    ),
)
_OF_TORCH = (RuntimeError, ValueError, IndexError, TypeError, AttributeError, AssertionError)
_TORCH = Path(torch.__file__).parent
_MOST_QUOTED = 300
_MISSING = re.compile(r"derivative for '?(?:aten::)?(\w+)'? is not implemented")


@contextmanager
def translated(what: str = "the energy or its gradient") -> Iterator[None]:
    """Raise `EnergyError` for whatever torch refuses inside.

    Memory that runs out stays torch's error, and what the energy raises itself stays its own.
    """
    try:
        yield
    except (torch.OutOfMemoryError, IredInterpError):
        raise
    except _OF_TORCH as error:
        if _is_the_author_s(error):
            raise
        raise EnergyError(_in_words(error, what)) from error


def _is_the_author_s(error: Exception) -> bool:
    """Whether a line of Python that is not torch's raised an error, or caught it from elsewhere."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    if Path(last.filename).is_relative_to(_TORCH):
        return False
    return not isinstance(error, RuntimeError) or (last.line or "").startswith("raise")


def is_of_attention(error: BaseException) -> bool:
    """Whether fused attention is what cannot be differentiated."""
    return re.search(_OF_ATTENTION, str(error)) is not None


def is_of_compilation(error: BaseException) -> bool:
    """Whether a compiled function is what cannot be differentiated."""
    return re.search(_OF_COMPILATION, str(error)) is not None


def _in_words(error: Exception, what: str) -> str:
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

"""What has been learnt of an energy that autograd differentiates, and how it is called since."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from ired_interp.energy.torch_errors import is_of_attention, is_of_compilation, translated

__all__ = ["Findings"]

# torch's choice of an attention kernel belongs to the process: no two threads change it at once.
_ATTENTION = threading.RLock()
_T = TypeVar("_T")


@dataclass
class Findings:
    """What has been learnt of an energy, shared by all selections of its rows.

    It changes as the energy is called: what torch refused once is not tried again.

    Attributes:
        plain_attention: Fused attention cannot be differentiated twice; torch's plain one is used.
        eager: A compiled function cannot be, and runs as it was written.
        one_by_one: Why products are taken one vector at a time; empty where they are batched.
        row_bytes: What the graph of a row's gradient holds, by the number of entries and the dtype.
    """

    plain_attention: bool = False
    eager: bool = False
    one_by_one: str = ""
    row_bytes: dict[tuple[int, torch.dtype], int] = field(default_factory=dict)

    def learn(self, error: RuntimeError) -> bool:
        """Whether the error names something that has another way, not yet taken; it is then."""
        if is_of_attention(error) and not self.plain_attention:
            self.plain_attention = True
            return True
        if is_of_compilation(error) and not self.eager:
            self.eager = True
            return True
        return False

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Call the energy in the ways that were found necessary, and with derivatives."""
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode(mode=False))
            stack.enter_context(torch.enable_grad())
            if self.eager:
                stack.enter_context(torch.compiler.set_stance("force_eager"))
            if self.plain_attention:
                stack.enter_context(_ATTENTION)
                stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            yield

    def computed(self, compute: Callable[[], _T]) -> _T:
        """What ``compute`` returns, another way if torch asks for one; its errors in our words."""
        with translated():
            while True:
                with self.applied():
                    try:
                        return compute()
                    except RuntimeError as error:
                        if not self.learn(error):
                            raise

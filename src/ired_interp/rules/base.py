"""What a rule is: a way to answer that knows nothing of a landscape."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from ired_interp.tasks import Problems

__all__ = ["Rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A fitted rule.

    Attributes:
        name: A few words, unique on its ladder.
        num_fitted: Constants that were fitted on the training draw.
        answer_fn: x [n, dim_x] → answers [n, d], row by row.
    """

    name: str
    num_fitted: int
    answer_fn: Callable[[Tensor], Tensor]

    def answers(self, x: Float[Tensor, "n dim_x"]) -> Float[Tensor, "n d"]:
        """The rule's answer to each question."""
        return self.answer_fn(x)

    def errors(self, problems: Problems) -> Float[Tensor, " n"]:
        """Squared error an entry, averaged over the entries of each problem, in units of y²."""
        errors: Tensor = (self.answers(problems.x) - problems.y).square().mean(dim=1)
        return errors

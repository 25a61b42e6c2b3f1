"""Trivial rules and best errors: is there anything to interpret?"""

from ired_interp.rules.base import Rule
from ired_interp.rules.bayes import BestError, best_error
from ired_interp.rules.ladders import ladder

__all__ = ["BestError", "Rule", "best_error", "ladder"]

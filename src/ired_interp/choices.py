"""The words of arguments that are a choice among names: what the command line offers.

Where the names belong to a table, as `ired_interp.tasks` has one of its tasks, a test holds the two
together.
"""

from typing import Literal

__all__ = [
    "Answers",
    "ClusterOverride",
    "Difficulty",
    "Negatives",
    "Precision",
    "SolverRule",
    "TaskName",
    "Watch",
    "Weights",
]

TaskName = Literal["addition", "completion", "inverse", "gaussian"]
Difficulty = Literal["same", "harder"]
SolverRule = Literal["released", "paper"]
Weights = Literal["ema", "online"]
Answers = Literal["true", "shuffled"]
Negatives = Literal["mined", "hard", "random", "none"]
Precision = Literal["float32", "bfloat16"]
Watch = Literal["none", "early", "end"]
ClusterOverride = Literal["time_minutes", "memory_mib", "units_per_task"]

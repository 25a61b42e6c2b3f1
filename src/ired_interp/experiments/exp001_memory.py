"""How much a work unit of EXP-001 lets a process grow, so that units fit into a budget.

The bound is a count of what is held at once, with factors set above what was measured on the CPU:
peaks of resident memory at d = 16 (10 … 4000 problems), 100 (10 … 500) and 400 (2 … 8), two levels
or one, of networks 512, 128 and 512 wide. The bound was 1.2 to 3.3 times the growth there.
"""

from dataclasses import replace

from ired_interp.errors import ConfigError
from ired_interp.experiments.exp001_config import Exp001Config
from ired_interp.landscape import DEFAULT_MAX_BYTES

__all__ = ["fit_problems", "growth_bytes", "levels_at_once"]

_ITEM_BYTES = {"float64": 8, "float32": 4}
# Products with the network: so many of its hidden layers for each entry of y, at one point.
_LAYERS_A_POINT = 16
# They are chunked to the landscape's bound, and so are the matrices beside them.
_MOST_WORK_BYTES = 2 * DEFAULT_MAX_BYTES
# The points' eigenvectors, kept until the ends are taken, and what is derived from them.
_MATRICES_A_POINT = 6
# Columns of levels, stacked, put into a dataset and written into memory.
_COPIES = 8
_VECTORS_A_LEVEL, _NUMBERS_A_LEVEL = 12, 200
_ENOUGH_POINTS = 100  # beyond, more points at once make no product faster


def levels_at_once(config: Exp001Config, problems: int, *, dim_y: int) -> int:
    """Levels whose points are measured together: products of few rows cost as those of many.

    No more than problems, so that the smallest unit is as small as a point; and no more than their
    matrices leave room for.

    Args:
        config: Planned.
        problems: In the unit.
        dim_y: d.
    """
    matrices = problems * _MATRICES_A_POINT * _ITEM_BYTES[config.dtype] * dim_y**2
    room = min(_ENOUGH_POINTS // problems, DEFAULT_MAX_BYTES // matrices)
    return max(1, min(len(config.levels), problems, room))


def growth_bytes(config: Exp001Config, problems: int, *, dim_y: int, width: int) -> int:
    """A bound on the bytes by which a unit of so many problems lets the process grow.

    Args:
        config: Planned.
        problems: In the unit.
        dim_y: d.
        width: Of the network's hidden layers.
    """
    item = _ITEM_BYTES[config.dtype]
    work = _LAYERS_A_POINT * item * dim_y * max(width, dim_y)
    vectors = 2 * (config.eigenvectors or 0) + _VECTORS_A_LEVEL
    stored = item * len(config.levels) * (dim_y * vectors + _NUMBERS_A_LEVEL)
    points = problems * levels_at_once(config, problems, dim_y=dim_y)
    kept = points * _MATRICES_A_POINT * item * dim_y**2 + problems * _COPIES * stored
    return max(work, min(points * work, _MOST_WORK_BYTES)) + kept


def fit_problems(config: Exp001Config, max_memory: int, *, dim_y: int, width: int) -> Exp001Config:
    """The config with as many problems a unit as fit into the budget, at most what it says now.

    Raises:
        ConfigError: Not one problem fits, or the numbers are not computed on the CPU.
    """
    if config.device != "cpu":
        raise ConfigError(
            f"--max-memory: expected device cpu, where it was measured what a unit takes, found "
            f"{config.device!r}. Give --unit-problems instead."
        )

    def fits(problems: int) -> bool:
        return growth_bytes(config, problems, dim_y=dim_y, width=width) <= max_memory

    if not fits(1):
        least = growth_bytes(config, 1, dim_y=dim_y, width=width)
        raise ConfigError(
            f"--max-memory: expected at least {least / 2**20:.0f}M, which a unit of one problem "
            f"may take at d = {dim_y}, found {max_memory / 2**20:.0f}M."
        )
    most = min(config.unit_problems, config.problems or config.unit_problems)
    while not fits(most):
        most -= 1
    return replace(config, unit_problems=most)

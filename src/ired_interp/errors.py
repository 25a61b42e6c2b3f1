"""The errors that ired-interp raises on purpose.

Each says what was expected, what was found and what to do. All derive from `IredInterpError`, so
that one ``except`` (the command line's) tells our own messages from a defect, and from the builtin
that a caller would catch without knowing this package.
"""

__all__ = [
    "CannotAskError",
    "CheckpointError",
    "ClusterError",
    "ConfigError",
    "ConvergenceError",
    "DtypeError",
    "EnergyError",
    "ExperimentError",
    "IredInterpError",
    "LevelError",
    "ManifoldError",
    "NonFiniteError",
    "RunFolderError",
    "SessionGoneError",
    "ShapeError",
    "StorageError",
    "TrainingError",
    "UnitsFailedError",
    "UnknownNameError",
]


class IredInterpError(Exception):
    """Any deliberate error of this package."""


class ShapeError(IredInterpError, ValueError):
    """A tensor, size or count does not have the shape that is needed."""


class DtypeError(IredInterpError, TypeError):
    """Tensors that must agree in dtype or device do not, or are of the wrong kind."""


class LevelError(IredInterpError, ValueError):
    """A level outside 1 … K or a timestep outside 0 … K - 1."""


class ManifoldError(IredInterpError, ValueError):
    """A matrix or subspace at which the geometry asked for is not defined."""


class NonFiniteError(IredInterpError, ValueError):
    """NaN or infinity in what was given or in what an energy returned."""


class EnergyError(IredInterpError, ValueError):
    """A function that is not an energy: wrong output, rows coupled, not differentiable."""


class UnknownNameError(IredInterpError, LookupError):
    """A task, model, experiment or choice that does not exist."""


class ConfigError(IredInterpError, ValueError):
    """A configuration that cannot be read or contradicts itself."""


class ExperimentError(IredInterpError, ImportError):
    """An experiment that cannot be imported, or lacks what an experiment needs."""


class CheckpointError(IredInterpError, ValueError):
    """A checkpoint that is missing, damaged, or does not fit what it is used for."""


class RunFolderError(IredInterpError, OSError):
    """A run folder that exists already, is not one, or is damaged."""


class StorageError(IredInterpError, OSError):
    """The file system refused: read-only, full, or not permitted."""


class ConvergenceError(IredInterpError, ArithmeticError):
    """An iteration did not reach its tolerance."""


class TrainingError(IredInterpError, ArithmeticError):
    """Training cannot go on, for instance because the loss is not finite."""


class UnitsFailedError(IredInterpError, RuntimeError):
    """Work units of a run failed; the others are done and kept."""


class ClusterError(IredInterpError, RuntimeError):
    """A cluster refused what was asked of it, in its own words."""


class CannotAskError(IredInterpError, ConnectionError):
    """A cluster gave no answer, so nothing is known: neither a failure nor a zero."""


class SessionGoneError(CannotAskError):
    """The ssh session that the user opened is gone; no second login is ever made."""

"""ired-interp: the energy landscapes that reasoning models descend, measured.

All curvature is with respect to the answer y, at fixed weights θ and question x.
"""

from ired_interp import curvature, geometry, rules
from ired_interp.api import run
from ired_interp.energy.exact import exact_model
from ired_interp.landscape import Landscape
from ired_interp.minimise import minimise
from ired_interp.models.zoo import list_models, load_model, untrained_model
from ired_interp.runs.run import open_run
from ired_interp.schedule import cosine_schedule
from ired_interp.solve import solve
from ired_interp.tasks import task

__all__ = [
    "Landscape",
    "cosine_schedule",
    "curvature",
    "exact_model",
    "geometry",
    "list_models",
    "load_model",
    "minimise",
    "open_run",
    "rules",
    "run",
    "solve",
    "task",
    "untrained_model",
]

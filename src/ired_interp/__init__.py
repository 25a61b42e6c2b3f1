"""ired-interp: the energy landscapes that reasoning models descend, measured.

All curvature is with respect to the answer y, at fixed weights θ and question x.
"""

from typing import TYPE_CHECKING

from ired_interp.on_demand import import_on_demand

if TYPE_CHECKING:  # seconds, of which a usage line needs none
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

import_on_demand(
    __name__,
    {
        "Landscape": "ired_interp.landscape:Landscape",
        "cosine_schedule": "ired_interp.schedule:cosine_schedule",
        "curvature": "ired_interp.curvature",
        "exact_model": "ired_interp.energy.exact:exact_model",
        "geometry": "ired_interp.geometry",
        "list_models": "ired_interp.models.zoo:list_models",
        "load_model": "ired_interp.models.zoo:load_model",
        "minimise": "ired_interp.minimise:minimise",
        "open_run": "ired_interp.runs.run:open_run",
        "rules": "ired_interp.rules",
        "run": "ired_interp.api:run",
        "solve": "ired_interp.solve:solve",
        "task": "ired_interp.tasks:task",
        "untrained_model": "ired_interp.models.zoo:untrained_model",
    },
)

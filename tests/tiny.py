"""Tiny checkpoints for tests: real files, untrained weights."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

import ired_interp as ii
from ired_interp.models.checkpoint import ModelCard, write_checkpoint

WIDTH = 16
SIZE = 2


def card(**changes: object) -> ModelCard:
    """A card that fits the tiny inverse model, with changes."""
    fields: dict[str, object] = {
        "task": "inverse",
        "size": SIZE,
        "dim_x": SIZE**2,
        "dim_y": SIZE**2,
        "width": WIDTH,
        "num_levels": 10,
        "weights": "ema",
        "training": {"steps_done": 0, "curve": []},
        "validation": {"mse": 1.0},
    }
    return ModelCard(**(fields | changes))  # type: ignore[arg-type]


def weights(seed: int = 0) -> dict[str, Tensor]:
    """The state dict of the tiny network."""
    model = ii.untrained_model("inverse", SIZE, seed=seed, width=WIDTH, dtype=torch.float32)
    return dict(model.state_dict())


def checkpoint(path: Path, *, seed: int = 0, steps: int = 0) -> Path:
    """A sound checkpoint in our format, which says that it was trained for so many steps."""
    write_checkpoint(path, weights(seed), card(training={"steps_done": steps, "curve": []}))
    return path


def reference(path: Path, **changes: object) -> Path:
    """A checkpoint as the reference code writes it, with top-level entries changed."""
    online, average = weights(1), weights(2)
    schedule = ii.cosine_schedule()
    buffers = {
        "betas": schedule.beta.float(),
        "alphas_cumprod": schedule.alpha_bar.float(),
        "opt_step_size": schedule.step_size.float(),
    }
    diffusion = buffers | _prefixed(online, "model.ebm.")
    content: dict[str, object] = {
        "step": 3000,
        "model": diffusion,
        "opt": {"state": {}, "param_groups": []},
        "ema": {
            "initted": torch.tensor([1.0]),
            "step": torch.tensor([3000]),
            **_prefixed(diffusion, "online_model."),
            **_prefixed(buffers | _prefixed(average, "model.ebm."), "ema_model."),
        },
        "scaler": None,
    }
    torch.save(content | changes, path)
    return path


def _prefixed(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in state.items()}

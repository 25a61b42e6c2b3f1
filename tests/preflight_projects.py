"""Small git repositories in the states that runs failed in, each with a bare ``origin``."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from ired_interp.cluster.config import ClusterConfig
from ired_interp.preflight.check import Check
from ired_interp.preflight.run import Wishes, preflight

__all__ = [
    "EXPERIMENT",
    "FILES",
    "Project",
    "git",
    "look_at_the_queue",
    "make_project",
    "write_weights",
]

EXPERIMENT = "experiments/slope/experiment.py"

FILES: Mapping[str, str] = {
    EXPERIMENT: '''\
"""How steep the energy is at the answer."""

from dataclasses import dataclass
from pathlib import Path

import torch
import xarray as xr

from toy.data import draw
from toy.measure import slope
from toy.models import EnergyNet

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class SlopeConfig:
    """What is measured.

    Attributes:
        problems: How many.
        levels: Which.
        seed: Of the problems.
        size: Entries of an answer.
        device: Where.
        weights: Of the model.
    """

    problems: int = 4
    levels: tuple[int, ...] = (1, 2)
    seed: int = 0
    size: int = 2
    device: str = "cpu"
    weights: str = "weights/net.pt"


class Slope:
    """How steep the energy is at the answer."""

    name = "slope"
    Config = SlopeConfig
    hypotheses = ()
    figures = ()

    def units(self, config):
        return config.problems

    def run_unit(self, config, index):
        model = EnergyNet(config.size)
        state = torch.load(ROOT / config.weights, map_location="cpu", weights_only=True)
        model.load_state_dict(state)
        model.to(config.device)
        x, y = draw(1, seed=config.seed * 1000 + index, size=config.size)
        values = [slope(model, x, y, level=level) for level in config.levels]
        return xr.Dataset(
            {"slope": (("problem", "level"), torch.stack(values, dim=1).numpy())},
            coords={"problem": [index], "level": list(config.levels)},
        )
''',
    "toy/__init__.py": "",
    "toy/data.py": '''\
import torch


def draw(count, *, seed, size):
    """Problems: x, and the answer y = 2x."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, size, generator=generator)
    return x, 2 * x
''',
    "toy/models.py": '''\
import torch
from torch import nn


class EnergyNet(nn.Module):
    """E(x, y) of a small network."""

    def __init__(self, size):
        super().__init__()
        self.first = nn.Linear(2 * size, 16)
        self.last = nn.Linear(16, 1)

    def forward(self, x, y):
        hidden = torch.tanh(self.first(torch.cat([x, y], dim=1)))
        return self.last(hidden).squeeze(1)
''',
    "toy/measure.py": '''\
import torch


def slope(model, x, y, *, level):
    """The norm of the gradient in y."""
    y = (y / level).requires_grad_(True)
    (gradient,) = torch.autograd.grad(model(x, y).sum(), y)
    return gradient.norm(dim=1).detach()
''',
    "requirements.txt": "ired-interp\ntorch\nxarray\n",
    ".gitignore": "__pycache__/\n*.log\n",
    "README.md": "A project.\n",
}


@dataclass(frozen=True)
class Project:
    """A repository, and the bare one that it was pushed to."""

    root: Path
    origin: Path

    @property
    def reference(self) -> str:
        return str(self.root / EXPERIMENT)

    def write(self, files: Mapping[str, str | bytes | None]) -> None:
        """Write files; None removes one."""
        for name, content in files.items():
            path = self.root / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace what stands there exactly once."""
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, (name, old)
        path.write_text(text.replace(old, new), encoding="utf-8")

    def commit(self, *, push: bool = True) -> str:
        """Commit everything that is not ignored; returns the commit."""
        git(self.root, "add", "-A")
        git(self.root, "commit", "--quiet", "--allow-empty", "-m", "state")
        if push:
            git(self.root, "push", "--quiet", "-u", "origin", "main")
        return git(self.root, "rev-parse", "HEAD").strip()


def git(folder: Path, *words: str) -> str:
    """Run git as nobody in particular."""
    author = {f"GIT_{who}_{what}": "toy" for who in ("AUTHOR", "COMMITTER") for what in ("NAME",)}
    author |= {f"GIT_{who}_EMAIL": "toy@localhost" for who in ("AUTHOR", "COMMITTER")}
    done = subprocess.run(
        ["git", "-C", str(folder), "-c", "protocol.file.allow=always", *words],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ
        | author
        | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
    )
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def write_weights(path: Path, *, size: int = 2, scale: float = 2.5, bad: bool = False) -> None:
    """Weights of the toy's network; with a scale of 1 they are as PyTorch draws them."""
    generator = torch.Generator().manual_seed(0)

    def layer(rows: int, columns: int) -> torch.Tensor:
        even = torch.rand(rows, columns, generator=generator).mul(2).sub(1)
        return even.mul(scale / columns**0.5)

    state = {
        "first.weight": layer(16, 2 * size),
        "first.bias": torch.zeros(16),
        "last.weight": layer(1, 16),
        "last.bias": torch.zeros(1),
    }
    if bad:
        state["first.weight"][0, 0] = torch.nan
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)


def make_project(folder: Path, *, name: str = "toy project") -> Project:
    """A project in which nothing is wrong, committed and pushed."""
    root, origin = folder / name, folder / f"{name}.git"
    root.mkdir(parents=True)
    git(folder, "init", "--quiet", "--bare", "-b", "main", str(origin))
    git(root, "init", "--quiet", "-b", "main")
    git(root, "remote", "add", "origin", str(origin))
    project = Project(root, origin)
    project.write(FILES)
    write_weights(root / "weights" / "net.pt")
    project.commit()
    return project


def look_at_the_queue(project: Project, cluster: ClusterConfig, *, problems: int) -> list[Check]:
    """The preflight of so many tasks against a cluster that is there: all that the cluster says."""
    wishes = Wishes(cluster=cluster, skip=("environment",))
    checks = list(preflight(project.reference, {"problems": str(problems)}, wishes))
    return [check for check in checks if check.status == "fail" or check.id in ("queue", "sbatch")]

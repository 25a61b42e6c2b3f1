"""Imports point down; numerics know nothing of files and plots; importing does nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ired_interp

SOURCE = Path(ired_interp.__file__).parent

# A module may import its own floor and those below. Longest prefix wins.
FLOORS = {
    "errors": 0,
    "choices": 0,
    "on_demand": 0,
    "draws": 0,
    "devices": 0,
    "checks": 0,
    "git": 0,
    "digits": 1,
    "geometry": 1,
    "lapack": 1,
    "schedule": 1,
    "tasks": 1,
    "stats": 1,
    "energy": 2,
    "rules": 2,
    "comparisons": 3,
    "verification": 3,
    "landscape": 3,
    "solve": 4,
    "anatomy": 5,
    "negatives": 4,
    "training": 4,
    "curvature": 4,
    "minimise": 4,
    "points": 5,
    "slices": 5,
    "directions": 5,
    "modes": 5,
    "paths": 5,
    "bands": 5,
    "score_field": 1,
    "storage": 6,
    "provenance": 6,
    "models": 7,
    "experiments": 8,
    "runs": 9,
    "report": 10,
    "api": 11,
    "console": 11,
    "cluster": 11,
    "preflight": 12,
    "doctor": 13,
    "cli": 14,
}
HIGHEST_OF_NUMERICS = 5
NOT_FOR_NUMERICS = {"xarray", "h5py", "h5netcdf", "matplotlib", "rich", "jinja2", "safetensors"}
MODULES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor(name: str) -> int:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        if prefix in FLOORS:
            return FLOORS[prefix]
    raise AssertionError(f"{name} stands on no floor: add it to FLOORS")


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.append(str(node.module))
            if node.module == "ired_interp":
                found += [f"ired_interp.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return found


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_point_down(path: Path) -> None:
    here = module_name(path)
    for name in imports(path):
        if name.startswith("ired_interp."):
            target = name.removeprefix("ired_interp.")
            assert floor(target) <= floor(here), f"{here} imports {target} from a higher floor"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_numerics_know_nothing_of_files_and_plots(path: Path) -> None:
    if floor(module_name(path)) <= HIGHEST_OF_NUMERICS:
        used = {name.split(".")[0] for name in imports(path)}
        assert not used & NOT_FOR_NUMERICS


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_every_module_says_what_is_public(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    # An experiment of one's own is imported from where it lies: one module finds it, one imports.
    excepted = {"experiments.locating", "experiments.loading"}
    assert "sys.path" not in text or module_name(path) in excepted
    if path.name != "__init__.py":
        assert "__all__" in text


def test_importing_changes_no_global_setting() -> None:
    code = (
        "import logging, random, torch; state = torch.get_rng_state(); "
        "threads = torch.get_num_threads(); before = random.getstate(); import ired_interp; "
        "assert torch.equal(state, torch.get_rng_state()); assert random.getstate() == before; "
        "assert torch.get_num_threads() == threads; "
        "assert torch.get_default_dtype() == torch.float32; assert not logging.root.handlers"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

"""What a run's data depend on: its plan, and the code that computes it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ired_interp.experiments import Source
from ired_interp.provenance import Repository, provenance, repository
from ired_interp.storage import sha256_of

__all__ = ["code_of", "config_differences", "plan_hash", "present_provenance"]

# Equal code has an equal hash wherever it was installed, so the commit is recorded, not compared.
_CODE = ("package_version", "package_sha256", "torch")
_PROJECT_CODE = ("sha", "patch_sha256", "experiment_sha256")
# Runs of versions 1 and 2 recorded no hash of the code.
_OLD_CODE = ("package_version", "git_sha", "torch")


def plan_hash(reference: str, config: Mapping[str, Any], units: int) -> str:
    """SHA-256 of what defines the data: the experiment, its planned config, the units."""
    content = {"experiment": reference, "config": config, "units": units}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()


def config_differences(there: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """``field: this there, that asked for`` for each field that differs."""
    return [
        f"{name}: {json.dumps(there.get(name))} there, {json.dumps(asked.get(name))} asked for"
        for name in dict.fromkeys([*there, *asked])
        if there.get(name) != asked.get(name)
    ]


def present_provenance(source: Source) -> tuple[dict[str, Any], bytes]:
    """Provenance of this process and of the project it runs, and the project's uncommitted patch.

    The entry ``project`` is None for what comes with this package.
    """
    origin = provenance()
    if source.project is None:
        return origin | {"project": None}, b""
    found = repository(source.project)
    return origin | {"project": _project(source, found)}, found.patch if found else b""


def code_of(origin: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a provenance that must be the same for all units of a run."""
    if "package_sha256" not in origin:
        return {name: origin.get(name) for name in _OLD_CODE}
    project = origin.get("project") or {}
    return {name: origin.get(name) for name in _CODE} | {
        f"project_{name}": project[name] for name in _PROJECT_CODE if name in project
    }


def _project(source: Source, found: Repository | None) -> dict[str, Any]:
    file: Path | None = source.file
    return {
        "url": found.url if found else None,
        "sha": found.sha if found else None,
        "dirty": found.dirty if found else None,
        "patch_sha256": hashlib.sha256(found.patch).hexdigest() if found and found.patch else None,
        "experiment_sha256": sha256_of(file) if file else None,
    }

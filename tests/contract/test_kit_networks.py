"""Which networks a study measures: one or a series of each case, and more of the model itself."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import xarray as xr

import tiny
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.experiments.kit.cases import Case, untrained
from ired_interp.experiments.kit.expressions import pick
from ired_interp.experiments.kit.notes import notes
from ired_interp.experiments.kit.options import ModelOptions, SubjectOptions
from ired_interp.experiments.kit.study import Prepared, Study
from ired_interp.experiments.kit.tables import Lines
from ired_interp.experiments.kit.variables import V, Values, declare
from ired_interp.experiments.subjects import MODEL, UNTRAINED, untrained_control
from ired_interp.models.checkpoint import Checkpoint

STEPS = (1, 10, 100)


@dataclass(frozen=True, kw_only=True)
class Options(SubjectOptions):
    """Of a study without a twin."""


def size(network: EnergyMLP) -> float:
    """Something that differs by network, and is the same in any dtype."""
    return float(sum(one.double().abs().sum() for one in network.parameters()))


def of_one(network: EnergyMLP, given: Prepared, _: Options) -> Values:
    assert next(network.parameters()).dtype == torch.float64
    return {"size": np.full(len(given.problems.x), size(network))}


def of_series(networks: Sequence[EnergyMLP], given: Prepared, _: Options) -> Values:
    assert {next(one.parameters()).dtype for one in networks} == {torch.float64}
    return {"size": np.tile([size(one) for one in networks], (len(given.problems.x), 1))}


def study(folder: Path, dims: str, **changes: object) -> Study[Options, Prepared]:
    words = folder / "notes.md"
    words.write_text("Of **{model}**.\n", encoding="utf-8")
    fields: dict[str, object] = {
        "measure": of_one,
        "variables": declare(V("size", dims, "1", "Of the weights."), V("more", "", "1", "More.")),
        "cases": (untrained(),),
        "skill": lambda _: False,
    }
    return Study(
        name="sizes",
        title="Sizes",
        Config=Options,
        words=notes(words),
        lines=Lines((("size", pick("size")),), (), "size;"),
        **fields | changes,  # type: ignore[arg-type]
    )


def ran(one: Study[Options, Prepared], folder: Path) -> xr.DataTree:
    model = str(tiny.checkpoint(folder / "m.safetensors"))
    config = one.plan(Options(model=model, problems=2, levels=(10,), controls=2))
    found = one.run_unit(config, 0)
    assert isinstance(found, xr.DataTree)
    assert json.loads(found.attrs["task_options"]) == {}
    return found


def test_more_can_be_asked_of_the_model_than_of_the_others(tmp_path: Path) -> None:
    def more(network: EnergyMLP, given: Prepared, config: Options) -> Values:
        return {**of_one(network, given, config), "more": np.array(1.0)}

    found = ran(study(tmp_path, "problem", measure_model=more), tmp_path)
    assert set(found.to_dataset().data_vars) == {"x", "answer", "size", "more"}
    control = found[UNTRAINED].to_dataset()
    assert set(control.data_vars) == {"size"}
    assert control["size"].dims == ("draw", "problem")


def test_a_case_may_be_a_series_of_networks(tmp_path: Path) -> None:
    def series(checkpoint: Checkpoint, config: Options, draw: int | None) -> list[EnergyMLP]:
        first = 0 if draw is None else (1 + draw) * len(STEPS)
        return [
            untrained_control(checkpoint.model, seed=config.seed, draw=first + i)
            for i in range(len(STEPS))
        ]

    def prepare(_: Options, given: Prepared) -> Prepared:
        return replace(given, coords={"step": list(STEPS)})

    found = ran(
        study(
            tmp_path,
            "problem step",
            measure=of_series,
            prepare=prepare,
            model=Case(MODEL, lambda _: (None,), series),
            cases=(replace(untrained(), network=series),),
        ),
        tmp_path,
    )
    control = found[UNTRAINED].to_dataset()
    assert control["size"].dims == ("draw", "problem", "step")
    assert found.coords["step"].values.tolist() == list(STEPS)
    sizes = [*found.to_dataset()["size"].values[0], *control["size"].values[:, 0].ravel()]
    assert len(set(sizes)) == 3 * len(STEPS)


def test_only_a_study_that_knows_a_twin_asks_for_one() -> None:
    twin = {"shuffled", "shuffled_sha256"}
    assert not twin & set(Options.__dataclass_fields__)
    assert set(ModelOptions.__dataclass_fields__) == set(Options.__dataclass_fields__) | twin

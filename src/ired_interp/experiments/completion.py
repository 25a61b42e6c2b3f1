"""An object that has what an experiment needs, checked, with defaults for what it may leave out."""

import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import xarray as xr

from ired_interp.checks import as_whole
from ired_interp.errors import ConfigError, ExperimentError
from ired_interp.experiments import default_page, default_summary
from ired_interp.experiments.base import GROUP, ROOT, Experiment, FigureSpec
from ired_interp.experiments.config import check_config_class
from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.experiments.kit.charts import Chart
from ired_interp.experiments.page import Definition, Listing, Page

__all__ = ["as_experiment"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_ANCHOR = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_NEEDED = ("name", "Config", "units", "run_unit", "hypotheses", "figures")
# How many arguments each takes beside self.
_METHODS = {
    "units": 1,
    "run_unit": 2,
    "plan": 1,
    "check_here": 1,
    "fit": 2,
    "summarise": 1,
    "page": 1,
    "listing": 1,
    "smallest": 1,
}
_JOINED = "problem"
_MOST_SHOWN = 60


@dataclasses.dataclass(frozen=True)
class _Completed:
    """An author's object with what it may leave out; it is asked first."""

    own: Any
    name: str
    title: str
    Config: type[Any]
    hypotheses: Sequence[Hypothesis | str]
    figures: Sequence[FigureSpec | Chart]
    definitions: Mapping[str, Definition]
    needs: Sequence[str]
    may_be_missing: Sequence[str]
    smallest: Callable[[Any], Any] | None

    def plan(self, config: Any) -> Any:
        """The author's, or the config as it is."""
        planned = self.own.plan(config) if hasattr(self.own, "plan") else config
        if not isinstance(planned, self.Config):
            raise ExperimentError(
                f"{self.name}: plan: expected a {self.Config.__name__}, returned "
                f"{_described(planned)}. End it with 'return config'."
            )
        return planned

    def check_here(self, config: Any) -> None:
        """The author's, if there is one."""
        if hasattr(self.own, "check_here"):
            self.own.check_here(config)

    def fit(self, config: Any, max_memory: int) -> Any:
        """The author's; without one a budget cannot be kept."""
        if not hasattr(self.own, "fit"):
            raise ConfigError(
                f"--max-memory: expected an experiment with a method fit(config, max_memory) that "
                f"plans units of that size, found {self.name} without one. Leave it out, or write "
                "that method."
            )
        return self.own.fit(config, max_memory)

    def units(self, config: Any) -> int:
        """The author's, checked."""
        returned = self.own.units(config)
        count = as_whole(returned)
        if count is None or count < 1:
            raise ExperimentError(
                f"{self.name}: units: expected a whole number of at least 1, returned "
                f"{_described(returned)}."
            )
        return count

    def run_unit(self, config: Any, index: int) -> xr.Dataset | xr.DataTree:
        """The author's; what names no group belongs to the root."""
        data = self.own.run_unit(config, index)
        if isinstance(data, xr.DataTree):
            return data
        if not isinstance(data, xr.Dataset):
            raise ExperimentError(
                f"{self.name}: run_unit: expected an xarray.Dataset, returned {_described(data)}. "
                "Wrap what was measured: xr.Dataset({'name': (('problem', …), values)})."
            )
        if _JOINED not in data.dims and self.units(config) > 1:
            raise ExperimentError(
                f"{self.name}: run_unit: expected a dimension {_JOINED!r}, along which units are "
                f"joined, found {', '.join(map(str, data.dims)) or 'none'}. Name it so, or have "
                "one unit."
            )
        return data if GROUP in data.attrs else data.assign_attrs({GROUP: ROOT})

    def summarise(self, results: xr.DataTree) -> dict[str, xr.Dataset]:
        """The author's, or means over problems."""
        if hasattr(self.own, "summarise"):
            summary: dict[str, xr.Dataset] = self.own.summarise(results)
            return summary
        return default_summary.summarise(results)

    def page(self, results: xr.DataTree) -> Page:
        """The author's, or a table of the summary."""
        if hasattr(self.own, "page"):
            page: Page = self.own.page(results)
            return page
        return default_page.page(self.name, self.hypotheses, results)

    def listing(self, results: xr.DataTree) -> Listing:
        """The author's, or the summary."""
        if hasattr(self.own, "listing"):
            listing: Listing = self.own.listing(results)
            return listing
        return default_page.listing(results)


def as_experiment(own: Any, what: str) -> Experiment:
    """Check an object and fill in what is optional.

    What is optional and what stands in for it is listed in `experiments.base`.

    Args:
        own: With at least ``name``, ``Config``, ``units``, ``run_unit``, ``hypotheses`` and
            ``figures``.
        what: The object in messages.

    Raises:
        ExperimentError: Something is missing, or not what it must be.
    """
    missing = [name for name in _NEEDED if not hasattr(own, name)]
    if missing:
        raise ExperimentError(
            f"{what}: expected an experiment with {', '.join(_NEEDED)}; found "
            f"{getattr(own, '__name__', type(own).__name__)} without {', '.join(missing)}. "
            "docs/own_experiment.md says what each is."
        )
    if not isinstance(own.name, str) or not _NAME.fullmatch(own.name):
        raise ExperimentError(
            f"{what}: name: expected letters, digits, '_', '.' or '-', as it names folders, found "
            f"{own.name!r}."
        )
    check_config_class(own.Config, what)
    _check_figures(own.figures, what)
    _check_hypotheses(own.hypotheses, own.figures, what)
    for name, count in _METHODS.items():
        if hasattr(own, name):
            _check_method(getattr(own, name), name, count, what)
    return _Completed(
        own=own,
        name=own.name,
        title=getattr(own, "title", None) or _first_line(own) or own.name,
        Config=own.Config,
        hypotheses=own.hypotheses,
        figures=own.figures,
        definitions=getattr(own, "definitions", {}),
        needs=getattr(own, "needs", ()),
        may_be_missing=getattr(own, "may_be_missing", ()),
        smallest=getattr(own, "smallest", None),
    )


def _described(value: Any) -> str:
    text = repr(value)
    shown = text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
    return f"{type(value).__name__} {shown}"


def _first_line(own: Any) -> str:
    return (inspect.getdoc(type(own)) or "").split("\n", 1)[0].strip().removesuffix(".")


def _check_sequence(value: Any, name: str, what: str) -> None:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ExperimentError(
            f"{what}: {name}: expected a tuple, empty if there are none, found {value!r}."
        )


def _check_figures(figures: Any, what: str) -> None:
    _check_sequence(figures, "figures", what)
    for figure in figures:
        if not isinstance(figure, FigureSpec | Chart):
            raise ExperimentError(
                f"{what}: figures: expected FigureSpec of ired_interp.experiments, found "
                f"{type(figure).__name__}. A Chart will do as well."
            )
        if not _ANCHOR.fullmatch(figure.name):
            raise ExperimentError(
                f"{what}: figures: expected a name of letters, digits, '_' or '-', as it names "
                f"files, found {figure.name!r}."
            )
    names = [figure.name for figure in figures]
    if len(set(names)) != len(names):
        raise ExperimentError(f"{what}: figures: expected different names, found {names}.")


def _check_hypotheses(hypotheses: Any, figures: Sequence[FigureSpec | Chart], what: str) -> None:
    _check_sequence(hypotheses, "hypotheses", what)
    for hypothesis in hypotheses:
        if not isinstance(hypothesis, Hypothesis | str):
            raise ExperimentError(
                f"{what}: hypotheses: expected Hypothesis of ired_interp.experiments, or a "
                f"sentence, found {_described(hypothesis)}."
            )
    judged = [hypothesis for hypothesis in hypotheses if isinstance(hypothesis, Hypothesis)]
    ids = [hypothesis.id for hypothesis in judged]
    if len(set(ids)) != len(ids):
        raise ExperimentError(f"{what}: hypotheses: expected different ids, found {ids}.")
    names = [figure.name for figure in figures]
    for hypothesis in judged:
        if hypothesis.figure is not None and hypothesis.figure not in names:
            raise ExperimentError(
                f"{what}: hypothesis {hypothesis.id}: figure: expected the name of a figure "
                f"({', '.join(names) or 'there is none'}), found {hypothesis.figure!r}."
            )


def _check_method(method: Any, name: str, count: int, what: str) -> None:
    if not callable(method):
        raise ExperimentError(f"{what}: {name}: expected a method, found {method!r}.")
    try:
        inspect.signature(method).bind(*range(count))
    except TypeError as error:
        raise ExperimentError(
            f"{what}: {name}{inspect.signature(method)}: expected a method that takes {count} "
            f"argument{'s' * (count > 1)} beside self ({error})."
        ) from error

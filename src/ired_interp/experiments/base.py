"""What an experiment is: a config, work units that are pure functions, and figures of the results.

An experiment is an object with six attributes; a class without a base class will do:

    class Spread:
        '''How far apart the answers lie.'''

        name = "spread"               # names run folders: letters, digits, '_', '.' and '-'
        Config = SpreadConfig         # a frozen dataclass; its fields are the command's options
        hypotheses = ()               # what it tests: Hypothesis, or a sentence without a verdict
        figures = ()                  # Chart or FigureSpec; in the report, and as files for papers

        def units(self, config):      # how many work units; any number may run at once
            return config.batches

        def run_unit(self, config, index):  # a pure function of its arguments
            return xr.Dataset(...)

Work units are what a run is made of: each is computed by itself, in any order, in any process, and
again after a crash, and must give the same bytes each time. So `run_unit` reads nothing but its
config and index, draws from ``seed`` and ``index``, and leaves no state behind.

**Where a unit's data belong.** Its attribute ``group`` (`GROUP`) names the group: ``/``, the
default, for what is studied, ``controls/<name>`` for a control. Units of one group are joined
along ``problem``, in the order of the units, and along ``draw`` where a control has several draws.
A unit that has data for several groups returns an `xarray.DataTree` of them.
What has neither dimension must be the same in all units of its group. Give every variable the
attributes ``units`` and ``long_name``: the report prints them.

**What is optional**, with what stands in for it where an experiment has none:

- ``title``: a line; the first line of the docstring, or the name.
- ``plan(config)``: the config, checked, with everything filled in that must not be guessed later;
  the config as it is. A field that only ``plan`` fills in has ``metadata={"planned": True}`` and
  is no option.
- ``check_here(config)``: raises what this machine lacks for computing, such as a device; called
  where units are computed, and not where a run is only planned for a cluster; nothing.
- ``fit(config, max_memory)``: the planned config with units that let a process grow by that many
  bytes at most, for ``--max-memory``; an error.
- ``summarise(results)``: statistics over problems by group; mean, standard error and count of
  every number that has a dimension ``problem``.
- ``page(results)``: the experiment's own words and tables in the report; a table of the summary.
- ``listing(results)``: the table that the command line shows; the summary.
- ``definitions``: what each variable is and where its error stands; its ``long_name`` and, if
  there is one, its attribute ``error``.
- ``needs``: paths of variables without which there is no page, such as
  ``summary/model/mean``; none.
- ``smallest(config)``: the config of one problem at one level, for the preflight's dry run; the
  fields ``problems`` and ``levels`` reduced.
- ``may_be_missing``: names of variables that may be NaN or infinite; none may.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import xarray as xr

from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.experiments.kit.charts import Chart, missing_variables
from ired_interp.experiments.page import Definition, Listing, Page

if TYPE_CHECKING:  # half a second, for what a worker never draws
    import matplotlib.figure

    from ired_interp.experiments.interactive import Interactive

__all__ = [
    "GROUP",
    "ROOT",
    "Experiment",
    "FigureSpec",
    "Theme",
    "groups_of",
    "missing_variables",
]

GROUP = "group"
"""Attribute of a unit's data: the group that they belong to."""
ROOT = "/"
"""The group of what is studied."""


@dataclass(frozen=True)
class Theme:
    """Colours of a figure, so that the same figure is drawn for light and for dark pages.

    Attributes:
        name: ``light`` or ``dark``.
        ink: Text and axes.
        muted: Grid and secondary text.
        model: The model under study.
        control: Its control.
        ideal: The ideal landscape.
    """

    name: str
    ink: str
    muted: str
    model: str
    control: str
    ideal: str


@dataclass(frozen=True)
class FigureSpec:
    """A figure of the results, and the words that go with it.

    Attributes:
        name: For file names and anchors: letters, digits, '_' and '-'.
        title: A line.
        caption: What is drawn, of what, and how to read it.
        draw_fn: (results, theme) → Figure; it draws what the results hold and computes nothing.
        needs: Paths of variables without which there is nothing to draw: not every run measures
            everything.
        colors: ``theme`` says that all its colours are the theme's, or the same in every theme:
            it is drawn once, and the page recolours it. ``own``, such as those of a colour map
            that differs by theme: it is drawn once a theme.
        interactive_fn: (results, theme) → what a browser draws of the same numbers; it computes
            nothing either. None for a figure that is a drawing alone.
    """

    name: str
    title: str
    caption: str
    draw_fn: Callable[[xr.DataTree, Theme], "matplotlib.figure.Figure"]
    needs: Sequence[str] = ()
    colors: Literal["theme", "own"] = "own"
    interactive_fn: "Callable[[xr.DataTree, Theme], Interactive] | None" = None

    def missing(self, results: xr.DataTree) -> list[str]:
        """What of ``needs`` the results do not hold."""
        return missing_variables(results, self.needs)


def groups_of(data: xr.Dataset | xr.DataTree) -> dict[str, xr.Dataset]:
    """A unit's data by the group that they belong to."""
    if isinstance(data, xr.Dataset):
        alone = data.drop_attrs(deep=False)
        alone.attrs = {name: value for name, value in data.attrs.items() if name != GROUP}
        return {str(data.attrs.get(GROUP, ROOT)): alone}
    nodes = {node.path: node.to_dataset() for node in data.subtree if node.has_data}
    return {(path if path == ROOT else path.removeprefix(ROOT)): one for path, one in nodes.items()}


@runtime_checkable
class Experiment(Protocol):
    """One question asked of one model or energy, complete with what an author may leave out.

    `experiments.load` and `experiments.completion.as_experiment` make it of an author's object.
    """

    @property
    def name(self) -> str:
        """Of run folders and pages."""
        ...

    @property
    def title(self) -> str:
        """A line."""
        ...

    @property
    def Config(self) -> type[Any]:  # noqa: N802 - it is a class
        """A frozen dataclass."""
        ...

    @property
    def hypotheses(self) -> Sequence[Hypothesis | str]:
        """What it tests; a plain sentence gets no verdict."""
        ...

    @property
    def figures(self) -> Sequence[FigureSpec | Chart]:
        """Of the results."""
        ...

    @property
    def definitions(self) -> Mapping[str, Definition]:
        """What the variables of the root are, by name; need not hold them all."""
        ...

    @property
    def needs(self) -> Sequence[str]:
        """Paths of variables without which there is no page."""
        ...

    @property
    def may_be_missing(self) -> Sequence[str]:
        """Names of variables that may be NaN or infinite."""
        ...

    @property
    def smallest(self) -> Callable[[Any], Any] | None:
        """The author's own reduction of a config, which `reduce_config` asks; None without one."""
        ...

    def plan(self, config: Any) -> Any:
        """The config with everything that later steps must not guess, checked.

        Raises:
            IredInterpError: The config cannot be run.
        """
        ...

    def check_here(self, config: Any) -> None:
        """Do nothing where this machine can compute a unit.

        Raises:
            IredInterpError: It cannot, such as for want of a GPU.
        """
        ...

    def fit(self, config: Any, max_memory: int) -> Any:
        """The planned config with units that let a process grow by so many bytes at most.

        Raises:
            ConfigError: The experiment has units of one size, or none is small enough.
        """
        ...

    def units(self, config: Any) -> int:
        """How many work units a planned config has."""
        ...

    def run_unit(self, config: Any, index: int) -> xr.Dataset | xr.DataTree:
        """Unit number ``index``: a pure function of the planned config."""
        ...

    def summarise(self, results: xr.DataTree) -> dict[str, xr.Dataset]:
        """Statistics over problems by group name, to be stored under ``summary``."""
        ...

    def page(self, results: xr.DataTree) -> Page:
        """The experiment's own words and tables; nothing is computed here."""
        ...

    def listing(self, results: xr.DataTree) -> Listing:
        """The results as the command line shows them; nothing is computed here."""
        ...

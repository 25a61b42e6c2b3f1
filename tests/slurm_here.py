"""A laptop, and a cluster behind ssh that is this machine; for tests/cluster/test_real_slurm.py.

Every path on either side has a space, a quote and a semicolon in it.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ired_interp.cli import main
from ired_interp.cluster.config import ClusterConfig, load_cluster
from ired_interp.cluster.shell import Shell, open_shell
from ired_interp.experiments import load, locate
from ired_interp.experiments.config import config_from_words
from ired_interp.runs.run import Run, plan_run

__all__ = ["Here", "start", "stop", "until"]

DAEMONS = Path(__file__).parent / "cluster" / "daemons"
EXPERIMENT = Path(__file__).parent / "gated_experiment.py"

CLUSTERS = """
[there]
host = "cluster"
ssh_config = "{ssh_config}"
root = "{root}"
partitions = ["main"]
environment = "{environment}"
time_minutes = 5
memory_mib = 600
signal_seconds = 20
max_parallel = 8
max_requeues = 20

[wide]
host = "cluster"
ssh_config = "{ssh_config}"
root = "{root}"
partitions = ["main"]
environment = "{environment}"
time_minutes = 5
memory_mib = 600
signal_seconds = 20
max_parallel = 4
cpus = 3

[here]
root = "{root}"
scratch = "{root}/scratch"
environment = "{environment}"
time_minutes = 5
memory_mib = 600
"""


@dataclass(frozen=True)
class Here:
    """Where things are.

    Attributes:
        folder: Of the daemons.
        ssh_config: As the user's own.
        laptop: Runs and the project on the near side.
        root: On the far side.
    """

    folder: Path
    ssh_config: Path
    laptop: Path
    root: Path

    @property
    def project(self) -> Path:
        """The researcher's repository."""
        return self.laptop / "proj; 'x"

    @property
    def clusters(self) -> Path:
        """The clusters file."""
        return self.laptop / "clusters.toml"

    def ired(self, *words: str | Path) -> int:
        """The command, in this process: each start of its own would cost seconds."""
        return main([*map(str, words), "--clusters", str(self.clusters)])

    def config(self, name: str = "there") -> ClusterConfig:
        """A cluster of the clusters file."""
        return load_cluster(name, self.clusters)

    def shell(self, name: str = "there") -> Shell:
        """An open session."""
        return open_shell(self.config(name))

    def plan(self, name: str, **config: object) -> Run:
        """A planned run of the project's experiment."""
        source = locate(f"{self.project / 'gated.py'}")
        experiment = load(source)
        words = {key: str(value) for key, value in config.items()}
        planned = config_from_words(experiment.Config, words)
        return plan_run(experiment, planned, self.laptop / "runs" / name, source=source)

    def far(self, run: Run) -> Path:
        """The run folder on the cluster."""
        (found,) = (self.root / "runs").glob(f"{run.path.name}-????????")
        return found

    def slurm(self, *words: str) -> str:
        """What one of SLURM's commands prints on the cluster."""
        conf = {**os.environ, "SLURM_CONF": f"{self.folder}/etc/slurm.conf"}
        return subprocess.run(words, check=True, capture_output=True, text=True, env=conf).stdout

    def ssh(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The user's own ssh, as typed."""
        command = ["ssh", "-F", str(self.ssh_config), *words]
        return subprocess.run(
            command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )

    def git(self, *words: str) -> str:
        """In the project."""
        who = ("-c", "user.name=Lab", "-c", "user.email=lab@example.org")
        command = ["git", "-C", str(self.project), *who, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, message: str, *, push: bool = True) -> str:
        """Commit all there is; returns the SHA."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", message)
        if push:
            self.git("push", "--quiet", "origin", "HEAD:main")
            self.git("fetch", "--quiet", "origin")
        return self.git("rev-parse", "HEAD")

    def cut_the_power(self, node: str) -> None:
        """A node goes, with all that runs on it."""
        script = [sys.executable, str(DAEMONS / "stop_slurm.py"), str(self.folder)]
        subprocess.run([*script, "--power-cut", node], check=True, timeout=60)

    def bring_back(self) -> None:
        """Start the daemons that are not running."""
        script = [sys.executable, str(DAEMONS / "start_slurm.py"), str(self.folder)]
        subprocess.run(script, check=True, timeout=300, stdout=subprocess.DEVNULL)


def start(folder: Path, base: Path) -> Here:
    """The daemons, a project with a remote, a clusters file, and the session that a user opens."""
    script = [sys.executable, str(DAEMONS / "start_slurm.py"), str(folder)]
    said = subprocess.run(script, check=True, timeout=600, capture_output=True, text=True).stdout
    where = json.loads(said)
    here = Here(folder, Path(where["ssh_config"]), base / "lap top", base / "clu'ster; rm -rf x")
    here.root.mkdir(parents=True)
    here.project.mkdir(parents=True)
    environment = Path(sys.prefix)
    text = CLUSTERS.format(ssh_config=here.ssh_config, root=here.root, environment=environment)
    here.clusters.write_text(text, encoding="utf-8")
    (here.project / "gated.py").write_bytes(EXPERIMENT.read_bytes())
    origin = here.laptop / "origin.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(origin)], check=True)
    here.git("init", "--quiet")
    here.git("remote", "add", "origin", str(origin))
    here.commit("An experiment that waits at a gate")
    assert here.ssh("-fNM", "cluster").returncode == 0
    return here


def stop(here: Here) -> None:
    """Everything that was started, and nothing else."""
    here.ssh("-O", "exit", "cluster")
    script = [sys.executable, str(DAEMONS / "stop_slurm.py"), str(here.folder), "--clear"]
    subprocess.run(script, check=True, timeout=120)


def until(what: str, ready: Callable[[], object], seconds: float = 120.0) -> None:
    """Wait, or fail saying for what."""
    limit = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < limit, f"gave up after {seconds:g} s waiting until {what}"
        time.sleep(0.5)


def numbers(files: Sequence[Path]) -> list[int]:
    """Of units, by the names of their files."""
    return sorted(int(file.stem.removeprefix("unit-")) for file in files)

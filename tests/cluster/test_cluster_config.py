"""The clusters file is read strictly, and what it says cannot reach a shell unquoted."""

import re
from pathlib import Path

import pytest

from ired_interp.cluster.config import ClusterConfig, clusters_file, load_cluster
from ired_interp.cluster.sbatch_options import option_lines
from ired_interp.errors import ConfigError, UnknownNameError


def written(folder: Path, text: str) -> Path:
    path = folder / "clusters.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_is_a_cluster(tmp_path: Path) -> None:
    file = written(
        tmp_path, '[a]\nhost = "login"\nroot = "/r"\npartitions = ["p", "q"]\ncpus = 2\n'
    )
    found = load_cluster("a", file)
    assert found == ClusterConfig(name="a", host="login", root="/r", partitions=("p", "q"), cpus=2)


def test_the_users_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    clusters_file().parent.mkdir()
    written(clusters_file().parent, '[a]\nroot = "/r"\n')
    assert load_cluster("a").root == "/r"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('root = "/r"\npartition = ["p"]', "Did you mean 'partitions'"),
        ('host = "h"', "no 'root'"),
        ('root = "r"', "expected an absolute path on the cluster, found 'r'"),
        ('root = "~/r"', "'~' and variables are not expanded"),
        ('root = "/r"\nhost = "-oProxyCommand=x"', "found '-oProxyCommand=x'"),
        ('root = "/r"\nqos = "a b"', "found 'a b'"),
        ('root = "/r"\npartitions = ["a;b"]', "found 'a;b'"),
        ('root = "/r\\nx"', "printable text on one line"),
        ('root = "/r"\nmodules = ["a\\r"]', "printable text on one line"),
        ('root = "/r"\nscratch = "$(rm)"', "a variable of the job"),
        ('root = "/r"\ntime_minutes = 0', "at least 1, found 0"),
        ('root = "/r"\ncpus = "2"', "expected a whole number, found '2'"),
        ('root = "/r"\ncpus = true', "expected a whole number, found True"),
        ('root = "/r"\nname = "b"', "'name' is the table's own"),
        ("root = ", "expected TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_cluster("a", written(tmp_path, f"[a]\n{text}\n"))


TASK = "a task is one process on one node"


@pytest.mark.parametrize(
    ("option", "key"),
    [
        *(
            (text, "units_per_task and max")
            for text in ("--array=0-3", "-a0-3", "-a 0-3", "--arr=1")
        ),
        *((text, "ired-interp's own") for text in ("--output=x", "-o x", "--chdir=/", "-D /")),
        *((text, "ired-interp's own") for text in ("--job-name=x", "-Jx", "--error=x", "-ex")),
        *((text, "time_minutes") for text in ("--time=5", "-t5", "--time-min=1", "--tim=5")),
        *((text, "memory_mib") for text in ("--mem=1G", "--mem-per-cpu=1G")),
        *((text, "cpus") for text in ("--cpus-per-task=2", "-c2", "-c 2")),
        *((text, "partitions") for text in ("--partition=x", "-p x")),
        *(
            (text, TASK)
            for text in ("--nodes=2", "-N2", "--ntasks=2", "-n 2", "--ntasks-per-node=1")
        ),
        *((text, "Use qos") for text in ("--qos=x", "-qx")),
        *((text, "Use account") for text in ("--account=x", "-Ax")),
        *((text, "Use gpus") for text in ("--gpus=1", "-G1", "--gpus-per-task=1")),
        *((text, "--no-canary") for text in ("--dependency=afterok:1", "-dsingleton")),
        *((text, "max_requeues") for text in ("--requeue", "--no-requeue")),
        *((text, "a table of its own") for text in ("--clusters=b", "-Mb")),
        *((text, "--watch end") for text in ("--wait", "-W")),
        ("--signal=USR1@5", "signal_seconds"),
        ("--test-only", "preflight"),
        ("--wrap=rm", "ired-interp's own"),
        ("--version", "sbatch itself"),
        ("-Oa0-3", "alone"),
        ("--exclude node7", "a value stands behind '='"),
        ("exclude=node7", "one option a text"),
        ("-x=node7", "one option a text"),
        ("node7", "one option a text"),
        (":", "one option a text"),
        ("--", "one option a text"),
    ],
)
def test_what_is_set_already_is_no_further_option(tmp_path: Path, option: str, key: str) -> None:
    file = written(tmp_path, f"[a]\nroot = '/r'\nsbatch_options = ['--exclude=n7', '{option}']\n")
    with pytest.raises(ConfigError, match="sbatch_options: ") as found:
        load_cluster("a", file)
    assert key.lower() in str(found.value).lower()


def test_no_option_brings_a_line_of_its_own(tmp_path: Path) -> None:
    for text in ("--exclude=a\\n#SBATCH --array=0-9", "--exclude=a\\r", "", "--exclude=\\u2028"):
        file = written(tmp_path, f'[a]\nroot = "/r"\nsbatch_options = ["{text}"]\n')
        with pytest.raises(ConfigError, match="printable text on one line"):
            load_cluster("a", file)
    file = written(tmp_path, '[a]\nroot = "/r"\nsbatch_options = "--exclude=n7"\n')
    with pytest.raises(ConfigError, match="sbatch_options"):
        load_cluster("a", file)


@pytest.mark.parametrize(
    ("options", "gpus", "lines"),
    [
        (
            ("--exclude=node7", "--exclusive", "-Ca100"),
            0,
            ["--exclude=node7", "--exclusive", "-Ca100"],
        ),
        (("-x node7",), 0, ["-xnode7"]),
        ((), 2, ["--gres=gpu:2"]),
        (("--gres=gpu:a100:1",), 0, ["--gres=gpu:a100:1"]),
        (("--gres=gpu:a100:2",), 2, ["--gres=gpu:a100:2"]),
        (("--gres=disk:9", "--gres=net:1"), 2, ["--gres=gpu:2,disk:9,net:1"]),
        (("--constraint=a b; rm -rf # x",), 0, ["--constraint='a b; rm -rf # x'"]),
        (("--wckey=it's $HOME",), 0, ["--wckey='it'\"'\"'s $HOME'"]),
        (("--wckey=a\\b",), 0, ["--wckey='a\\\\b'"]),  # sbatch takes one of two off
    ],
)
def test_further_options_are_lines_of_the_script(
    options: tuple[str, ...], gpus: int, lines: list[str]
) -> None:
    config = ClusterConfig(name="a", root="/r", sbatch_options=options, gpus=gpus)
    assert option_lines(config.sbatch_options, config.gpus) == lines


def test_an_unknown_cluster_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'university'"):
        load_cluster("univercity", written(tmp_path, '[university]\nroot = "/r"\n'))


def test_no_file_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file.*--clusters"):
        load_cluster("a", tmp_path / "none.toml")

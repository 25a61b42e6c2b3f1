"""The clusters file is read strictly, and what it says cannot reach a shell unquoted."""

import re
from pathlib import Path

import pytest

from ired_interp.cluster.config import ClusterConfig, clusters_file, load_cluster
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


def test_an_unknown_cluster_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'university'"):
        load_cluster("univercity", written(tmp_path, '[university]\nroot = "/r"\n'))


def test_no_file_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file.*--clusters"):
        load_cluster("a", tmp_path / "none.toml")

"""The scripts that tests/golden keeps, by file name."""

from pathlib import Path

from ired_interp.cluster.code import Code, render_preparation
from ired_interp.cluster.config import ClusterConfig
from ired_interp.cluster.contents import LargeFile, Submodule
from ired_interp.cluster.script import Job, render

__all__ = ["golden_scripts"]

SHA = "0123456789abcdef0123456789abcdef01234567"
MODULES = (Submodule("libs/wells; 'x", "89abcdef" * 5),)
LARGE = (
    LargeFile("", "weights/net's.pt", "01234567" * 8, 5_000_000),
    LargeFile(MODULES[0].path, "table.bin", "fedcba98" * 8, 20_000_000),
)
PLAIN = ClusterConfig(name="here", root="/home/lab/ired-interp", environment="/home/lab/env")
FULL = ClusterConfig(
    name="university",
    host="login",
    root="/project/o'neil; x/ired interp",
    partitions=("gpu", "long"),
    account="lab",
    qos="normal",
    modules=("python/3.11", "cuda/12.6"),
    scratch="$TMPDIR",
    python="python3.11",
    time_minutes=240,
    memory_mib=16000,
    cpus=4,
    gpus=1,
    max_parallel=10,
    sbatch_options=("--exclude=node[7-9]", "--constraint=a100&nvlink", "-L disk:2", "--exclusive"),
)


def _job(config: ClusterConfig, *, is_package: bool) -> Job:
    return Job(
        name="ired-20260102T030405Z-0a1b-0",
        cluster=config,
        run=f"{config.root}/runs/demo-0a1b2c3d",
        tasks="tasks/ired-20260102T030405Z-0a1b-0.json",
        first=1,
        last=99,
        partition=config.partitions[0] if config.partitions else None,
        sha=SHA,
        clone=f"{config.root}/clones/{SHA}",
        repository=f"{config.root}/code/demo.git",
        python=f"{config.environment or f'{config.root}/envs/0a1b2c3d'}/bin/python",
        is_package=is_package,
        modules=() if is_package else MODULES,
        large=() if is_package else LARGE,
        named=not is_package,
    )


def golden_scripts() -> dict[str, str]:
    """An array as small as can be and one with everything, and what runs before them."""
    own = Code(Path("/home/me/demo"), SHA, is_package=False)
    package = Code(Path("/home/me/ired-interp"), SHA, is_package=True, modules=MODULES, large=LARGE)
    return {
        "plain.sbatch": render(_job(PLAIN, is_package=True)),
        "full.sbatch": render(_job(FULL, is_package=False)),
        "prepare-plain.sh": render_preparation(PLAIN, own, f"{PLAIN.root}/code/demo.git"),
        "prepare-full.sh": render_preparation(FULL, package, f"{FULL.root}/code/demo.git"),
    }

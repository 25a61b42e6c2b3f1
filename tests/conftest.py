"""What every test shares: reproducible hypothesis, one thread, a run of each experiment."""

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tiny_runs import Shared

# One thread: the tensors are tiny, and several test processes may share the machine.
torch.set_num_threads(1)

settings.register_profile(
    "ired_interp",
    deadline=None,
    derandomize=True,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ired_interp")


@pytest.fixture(scope="session")
def shared_runs(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> "Shared":
    """Finished runs that tests read and do not change; the workers of a session share them."""
    # Not above: what is imported before pytest is configured has its annotations unchecked.
    from tiny_runs import Shared

    own = tmp_path_factory.getbasetemp()
    return Shared((own if worker_id == "master" else own.parent) / "shared")

"""What every test shares: reproducible hypothesis, one thread."""

import torch
from hypothesis import HealthCheck, settings

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

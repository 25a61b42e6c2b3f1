"""The steps of a training in memory: weights, their average, optimiser, random numbers."""

import copy
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from ired_interp.draws import BatchDraws
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.energy.mlp_conditioned import Product
from ired_interp.models.train_config import TrainConfig
from ired_interp.negatives import NEGATIVES
from ired_interp.training import PRODUCTS, Batch, Losses, average_decay, losses

__all__ = ["Stepper", "training_steps"]

_ADAM_BETAS = (0.9, 0.99)


class Stepper:
    """Everything that the next step depends on, but for the files.

    Args:
        config: What to train and how.
        product: How to multiply matrices, in place of the config's precision: for measurements.

    Attributes:
        config: What to train and how.
        task: Where problems come from.
        step: Steps taken.
        online: The weights.
        average: Their moving average.
        window: Sums since `start_window`: denoising loss, contrastive loss, number of steps.
    """

    def __init__(self, config: TrainConfig, *, product: Product | None = None) -> None:
        self.config = config
        self.task = config.make_task()
        self.step = 0
        weights_seed, batch_seed = ((2 * config.seed + i) % 2**63 for i in (0, 1))
        self.online = EnergyMLP(self.task.dim_x, self.task.dim_y, width=config.width)
        weights = torch.Generator("cpu").manual_seed(weights_seed)
        self.online.initialise(weights, gain=config.init_gain).to(config.device)
        self.average = copy.deepcopy(self.online).requires_grad_(requires_grad=False)
        self.window = torch.zeros(3, dtype=torch.float64, device=config.device)
        self._generator = torch.Generator(config.device).manual_seed(batch_seed)
        self._optimiser = torch.optim.Adam(
            self.online.parameters(), lr=config.learning_rate, betas=_ADAM_BETAS, fused=True
        )
        self._product = PRODUCTS[config.precision] if product is None else product
        self._losses = torch.compile(losses) if config.compile else losses

    def take(self) -> Losses:
        """One step: draw, both losses, one backward pass, clip, Adam, average."""
        config = self.config
        found = self._losses(
            self.online,
            self.draw(),
            bound=config.bound,
            product=self._product,
            negative_fn=NEGATIVES[config.negatives],
        )
        self._optimiser.zero_grad()
        torch.autograd.backward(found.total)
        nn.utils.clip_grad_norm_(self.online.parameters(), config.clip)
        self._optimiser.step()
        self.step += 1
        detached = Losses(found.denoising.detach(), found.contrastive.detach())
        self.window += torch.stack(
            [detached.denoising, detached.contrastive, torch.ones_like(detached.denoising)]
        )
        self._follow()
        return detached

    def is_finite(self) -> bool:
        """Whether all weights and their averages are; waits for the device."""
        models = (self.online, self.average)
        return all(bool(torch.isfinite(p).all()) for m in models for p in m.parameters())

    def start_window(self) -> None:
        """Set the sums of the losses back to 0."""
        self.window.zero_()

    def state(self) -> dict[str, Tensor]:
        """All of it as tensors by name, for `restore`."""
        tensors = {f"online.{k}": v for k, v in self.online.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        for number, entry in self._optimiser.state_dict()["state"].items():
            tensors |= {f"adam.{number}.{k}": v for k, v in entry.items()}
        return tensors | {"generator": self._generator.get_state(), "window": self.window}

    def restore(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `state` returned after that many steps.

        Raises:
            KeyError, ValueError, RuntimeError: The tensors are not those of this config.
        """
        for prefix, model in (("online.", self.online), ("average.", self.average)):
            model.load_state_dict(_under(tensors, prefix))
        adam = self._optimiser.state_dict()
        numbers = range(len(adam["param_groups"][0]["params"]))
        adam["state"] = {number: _under(tensors, f"adam.{number}.") for number in numbers}
        self._optimiser.load_state_dict(adam)
        self._generator.set_state(tensors["generator"])
        self.window.copy_(tensors["window"])
        self.step = step

    def draw(self) -> Batch:
        """The batch of the next step; moves the random numbers on."""
        config = self.config
        draws = BatchDraws(config.batch_size, self._generator, torch.float32)
        problems = self.task.draw(draws, difficulty=config.difficulty)
        # Problems of a batch are independent, and so is a problem of its neighbour's answer.
        answers = problems.y if config.answers == "true" else problems.y.roll(1, dims=0)
        t = torch.randint(
            self.online.schedule.num_levels,
            (config.batch_size,),
            generator=self._generator,
            device=self._generator.device,
        )
        noise, landscape_noise = draws.normal(self.task.dim_y), draws.normal(self.task.dim_y)
        return Batch(problems.x, answers, t, noise, landscape_noise)

    @torch.no_grad()
    def _follow(self) -> None:
        keep = average_decay(self.step)
        if keep < 1:
            pairs = zip(self.average.parameters(), self.online.parameters(), strict=True)
            for mean, value in pairs:
                mean.lerp_(value, 1 - keep)


def training_steps(config: TrainConfig) -> Iterator[Losses]:
    """Train in memory without end; yields the losses of each step, before it moved the weights."""
    stepper = Stepper(config)
    while True:
        yield stepper.take()


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

"""Groups of checks that run side by side and are told one after the other, each as it comes."""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from ired_interp.errors import IredInterpError
from ired_interp.preflight.check import CHECKS, Check, Group, failed

__all__ = ["side_by_side"]

_Item = Check | BaseException | None


def side_by_side(groups: Mapping[Group, Callable[[], Iterator[Check | None]]]) -> Iterator[Check]:
    """Run every group in a thread of its own; yield the checks group by group, in their order.

    A check's seconds are those since the one before it in its group, or since the last None, which
    a group yields after it waited for another; a check may also say its own.
    """
    queues: dict[Group, queue.Queue[_Item]] = {name: queue.Queue() for name in groups}
    for name, group in groups.items():
        # A thread that waits for a cluster must not keep the process when the user goes.
        threading.Thread(target=_work, args=(name, group, queues[name]), daemon=True).start()
    for name in groups:
        while (item := queues[name].get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item


def _work(
    name: Group, group: Callable[[], Iterator[Check | None]], out: "queue.Queue[_Item]"
) -> None:
    left = [one for one, of in CHECKS.items() if of == name]
    begin = time.monotonic()
    try:
        for check in group():
            now = time.monotonic()
            if check is not None:
                out.put(check if check.seconds else replace(check, seconds=now - begin))
                if check.id in left:
                    left.remove(check.id)
            begin = time.monotonic()
    except (IredInterpError, OSError) as error:
        # What stops a group is a failure of the first check that it did not reach.
        if left:
            out.put(
                failed(
                    left[0],
                    f"could not be checked: {error}",
                    "a machine on which this can be looked up",
                    f"mend that, or --skip {left[0]}",
                )
            )
    except BaseException as error:  # noqa: BLE001 - told to whoever waits, in the other thread
        out.put(error)
    finally:
        out.put(None)

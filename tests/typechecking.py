"""How pytest checks the package's annotations: beartype, with int accepted where float is asked."""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype

__all__ = ["checker"]

_check = beartype(conf=BeartypeConf(is_pep484_tower=True))
_CHECKED: dict[Any, Callable[..., Any]] = {}


def checker(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A function that checks what it is called with.

    jaxtyping calls this for each function that is defined, with one that has the same signature and
    no body. A function within a function is defined at every call of the outer one, and code is
    compiled for each check: for the same signature in the same place it is compiled once.
    """
    if "<locals>" not in fn.__qualname__:
        return _check(fn)
    signature = (
        tuple(fn.__annotations__.items()),
        fn.__defaults__,
        tuple((fn.__kwdefaults__ or {}).items()),
    )
    key = (fn.__module__, fn.__qualname__, fn.__code__.co_varnames, *signature)
    try:
        return _CHECKED[key]
    except KeyError:
        return _CHECKED.setdefault(key, _check(fn))
    except TypeError:  # a default or an annotation that has no hash
        return _check(fn)

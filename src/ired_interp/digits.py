"""Numbers as text: as many digits as their error allows."""

import math

__all__ = ["concise", "number", "with_error", "with_interval"]

_MISSING = "–"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MOST_DECIMALS = 4
# Exponents of ten that are written out in digits.
_SMALLEST, _LARGEST = -3, 5
# And those of a concise one, which has no room for zeros.
_SMALL, _LARGE = 1e-2, 1e4
_BASE = 10


def number(value: float, digits: int = 4) -> str:
    """A number with so many significant digits, and powers of ten written out.

    >>> number(-0.00001234), number(5.9862), number(float("nan"))
    ('−1.234·10⁻⁵', '5.986', '–')
    """
    if math.isnan(value):
        return _MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    text = f"{value:.{digits}g}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    if "e" in text or not _SMALLEST <= int(exponent) <= _LARGEST:
        text = f"{mantissa}·10{_raised(int(exponent))}"
    return text.replace("-", "−")


def with_interval(mean: float, low: float, high: float) -> tuple[str, str]:
    """A mean and its interval, both to the digits that the interval's width leaves.

    The interval is empty text where there is none, as with a single problem.

    >>> with_interval(0.99871, 0.9981, 0.9998)
    ('0.9987', '[0.9981, 0.9998]')
    >>> with_interval(0.000364, 0.000312, 0.000409)
    ('3.6·10⁻⁴', '[3.1, 4.1]·10⁻⁴')
    >>> with_interval(3.0, float("nan"), float("nan"))
    ('3', '')
    """
    if not (math.isfinite(mean) and math.isfinite(low) and math.isfinite(high)):
        return number(mean), ""
    if low == high:
        return number(mean), f"[{number(low)}, {number(high)}]"
    half_width = (high - low) / 2
    (first, second, third), power = _together((mean, low, high), half_width)
    return f"{first}{power}", f"[{second}, {third}]{power}"


def with_error(mean: float, error: float) -> tuple[str, str]:
    """A mean and its standard error, both to the digits that the error leaves.

    The error is empty text where there is none, as with a single problem.

    >>> with_error(0.99871, 0.0012)
    ('0.9987', '± 0.0012')
    >>> with_error(0.000364, 0.000012)
    ('3.64·10⁻⁴', '± 0.12·10⁻⁴')
    >>> with_error(3.0, float("nan"))
    ('3', '')
    """
    if not (math.isfinite(mean) and math.isfinite(error)):
        return number(mean), ""
    if error == 0:
        return number(mean), "± 0"
    (first, second), power = _together((mean, error), error)
    return f"{first}{power}", f"± {second}{power}"


def concise(mean: float, half: float) -> str:
    """0.95(2) is 0.95 ± 0.02: the error, to one digit, in units of the last digit shown."""
    if not half > 0:  # one problem, or no spread
        return f"{mean:.3g}"
    last = math.floor(math.log10(half))
    if round(half / 10.0**last) == _BASE:  # 0.0096 is 0.01
        last += 1
    rounded = round(mean, -last)
    plain = rounded == 0 or _SMALL <= abs(rounded) < _LARGE
    power = 0 if plain else math.floor(math.log10(abs(rounded)))
    decimals = max(0, power - last)
    digits = round(half / 10.0 ** (power - decimals))
    return f"{mean / 10.0**power:.{decimals}f}({digits})" + (f"e{power}" if power else "")


def _together(values: tuple[float, ...], error: float) -> tuple[list[str], str]:
    """Numbers with the same decimals and the same power of ten."""
    largest = max(map(abs, values))
    exponent = math.floor(math.log10(largest))
    power = "" if _SMALLEST <= exponent <= _LARGEST else f"·10{_raised(exponent)}"
    scale = 10.0**exponent if power else 1.0
    share = error / scale
    place = math.floor(math.log10(share))
    # A first digit of 1 or 2 says little by itself.
    decimals = min(max(0, -place + (share < 3 * 10.0**place)), _MOST_DECIMALS)
    return [_fixed(value / scale, decimals) for value in values], power


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return text.replace("-", "−") if float(text) else text.removeprefix("-")


def _raised(exponent: int) -> str:
    return str(exponent).translate(_SUPERSCRIPT)

"""Numbers as text: as many digits as their error allows."""

import math

__all__ = ["number", "with_interval"]

_MISSING = "–"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MOST_DECIMALS = 4
# Exponents of ten that are written out in digits.
_SMALLEST, _LARGEST = -3, 5


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
    largest = max(abs(low), abs(high))
    exponent = math.floor(math.log10(largest))
    power = "" if _SMALLEST <= exponent <= _LARGEST else f"·10{_raised(exponent)}"
    scale = 10.0**exponent if power else 1.0
    half_width = (high - low) / 2 / scale
    place = math.floor(math.log10(half_width))
    # A first digit of 1 or 2 says little by itself.
    decimals = min(max(0, -place + (half_width < 3 * 10.0**place)), _MOST_DECIMALS)
    texts = [_fixed(value / scale, decimals) for value in (mean, low, high)]
    return f"{texts[0]}{power}", f"[{texts[1]}, {texts[2]}]{power}"


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return text.replace("-", "−") if float(text) else text.removeprefix("-")


def _raised(exponent: int) -> str:
    return str(exponent).translate(_SUPERSCRIPT)

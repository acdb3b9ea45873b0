"""Numbers, errors and units as a reader wants to see them."""

import math
import re

from cgsim.analysis.lettering import common_exponent, power_of_ten, pretty_unit

DASH = "–"


def pretty_name(name: str) -> str:
    """``"<Rg^2>"`` becomes ``"⟨Rg²⟩"``."""
    return re.sub(r"<([^<>]+)>", r"⟨\1⟩", name).replace("^2", "²").replace("log10", "log₁₀")


def pretty_value(value: float | None, error: float | None, shift: int = 0) -> str:
    """``"1.70 ± 0.29"`` in units of 10^shift, unbreakable; two digits of the error, four of a value without one."""
    if value is None or not math.isfinite(value):
        return DASH
    scaled = value / 10.0**shift
    if error is None or not math.isfinite(error) or error <= 0:
        return f"{scaled:.4g}".replace("-", "−")
    scaled_error = error / 10.0**shift
    digits = max(0, min(12, 1 - math.floor(math.log10(scaled_error))))
    return f"{scaled:.{digits}f}\u00a0±\u00a0{scaled_error:.{digits}f}".replace("-", "−")


def pretty_change(value: float, unit: str, digits: int = 1) -> str:
    """A signed number with a true minus sign: ``"+2.3 σ"``."""
    return f"{value:+.{digits}f} {unit}".replace("-", "−").strip() if math.isfinite(value) else DASH


def pretty_count(value: float, unit: str) -> str:
    """Large numbers with a power of ten: ``"1.55·10⁸ τ"``."""
    shift = common_exponent(value)
    return f"{value / 10.0**shift:.3g}{f'·{power_of_ten(shift)}' if shift else ''} {pretty_unit(unit)}".strip()


def some(words: list[str], most: int = 4) -> str:
    """The first of many: ``"a, b, c and 5 more"``."""
    return join(words) if len(words) <= most else join([*words[: most - 1], f"{len(words) - most + 1} more"])


def join(words: list[str]) -> str:
    """``"a, b and c"``."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)

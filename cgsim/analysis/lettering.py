"""Units, powers of ten and axes as a reader wants to see them."""

import math

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_UNITS = {
    "1/Angstrom3": "Å⁻³",
    "e/Angstrom3": "e Å⁻³",
    "1/sigma3": "σ⁻³",
    "q/sigma3": "q σ⁻³",
    "m/sigma3": "m σ⁻³",
    "e2 Angstrom2": "e²Å²",
    "e2 sigma2": "e²σ²",
    "mol2/(J m s)": "mol² J⁻¹ m⁻¹ s⁻¹",
    "cm2/s mPa s": "cm²/s mPa s",
    "Angstrom2": "Å²",
    "1/Angstrom": "Å⁻¹",
    "Angstrom": "Å",
    "cm2/s": "cm²/s",
    "g/cm3": "g/cm³",
    "1/ps": "ps⁻¹",
    "sigma2/tau": "σ²/τ",
    "sigma2": "σ²",
    "1/sigma": "σ⁻¹",
    "1/tau": "τ⁻¹",
    "sigma": "σ",
    "tau": "τ",
}


def pretty_unit(unit: str) -> str:
    """``"Angstrom2"`` becomes ``"Å²"``, ``"log10(cm2/s)"`` ``"log₁₀(cm²/s)"``; what is not known stays as it is."""
    if unit.startswith("log10(") and unit.endswith(")"):
        return f"log₁₀({pretty_unit(unit[6:-1])})"
    return _UNITS.get(unit, unit)


def power_of_ten(exponent: int) -> str:
    """``"10⁻⁶"``."""
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def common_exponent(value: float | None) -> int:
    """Power of ten to take out of very small and very large values; 0 for those that are read as they are."""
    if not value or not math.isfinite(value):
        return 0
    exponent = math.floor(math.log10(abs(value)))
    return exponent if exponent < -1 or exponent > 4 else 0


def axis_label(name: str, unit: str, shift: int = 0) -> str:
    """``"number density (10⁻³ Å⁻³)"``."""
    shown = f"{power_of_ten(shift) if shift else ''} {pretty_unit(unit)}".strip()
    return f"{name} ({shown})" if name and shown else name or shown

"""Energies, temperature, pressure and volume over the time of a part, whatever the engine."""

from dataclasses import dataclass

import numpy as np

from cgsim.typing import Array, Float64


@dataclass(frozen=True)
class Thermo:
    """Instantaneous values, evenly spaced.

    Attributes:
        time: [values], ps, from the beginning of the part.
        potential: [values], kJ/mol of boxes.
        conserved: [values], kJ/mol: what would not change if the equations of motion were solved exactly.
        temperature: [values], K.
        pressure: [values], bar; nan from an engine that does not tell it.
        volume: [values], Å^3.
    """

    time: Float64[Array, " values"]
    potential: Float64[Array, " values"]
    conserved: Float64[Array, " values"]
    temperature: Float64[Array, " values"]
    pressure: Float64[Array, " values"]
    volume: Float64[Array, " values"]

    @property
    def is_finite(self) -> bool:
        """Whether every value is a number; pressures, which not every engine tells, are left out."""
        values = (self.potential, self.conserved, self.temperature, self.volume)
        return all(bool(np.isfinite(series).all()) for series in values)

    @property
    def drift(self) -> float:
        """Slope of the conserved energy, kJ/mol/ps."""
        if len(self.time) < 2:
            return float("nan")
        return float(np.polyfit(self.time - self.time[0], self.conserved - self.conserved[0], 1)[0])

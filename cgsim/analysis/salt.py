"""The ions of a system, and whether there is a conductivity to speak of."""

from dataclasses import dataclass, replace

import numpy as np

from cgsim.analysis.association import find_ions
from cgsim.analysis.motion import Box
from cgsim.analysis.selection import Species
from cgsim.analysis.settings import AnalysisSettings
from cgsim.analysis.source import Source
from cgsim.errors import InputError
from cgsim.observables.structure import volume
from cgsim.observables.transport import conductivity_factor, onsager_factor
from cgsim.typing import Array, Float64
from cgsim.units import UnitSystem

MAX_VOLUME_CHANGE = 0.1  # of the mean volume; a barostat's fluctuations stay well below, a box that is pressed does not


@dataclass(frozen=True)
class Salt:
    """The ions of a system and the numbers that conductivities need.

    Attributes:
        ions: species with a charge, cations first.
        neutral: names of the species without.
        temperature: K.
        volume: mean, Å^3.
        volume_spread: standard deviation over the frames, Å^3.
    """

    ions: list[Species]
    neutral: tuple[str, ...]
    temperature: float
    volume: float
    volume_spread: float

    @property
    def label(self) -> str:
        """``"Li+TFSI"``."""
        return "+".join(ion.name for ion in self.ions)

    @property
    def factor(self) -> float:
        """S/cm per cm^2/s."""
        return conductivity_factor(self.volume, self.temperature)

    @property
    def onsager_factor(self) -> float:
        """mol^2/(J m s) per cm^2/s."""
        return onsager_factor(self.volume, self.temperature)

    @property
    def charges(self) -> Float64[Array, " species"]:
        """Formal charge of one ion of each species."""
        return np.array([ion.charge for ion in self.ions])

    @property
    def counts(self) -> Float64[Array, " species"]:
        """Number of ions of each species."""
        return np.array([float(ion.n_molecules) for ion in self.ions])

    @property
    def reported(self) -> list[int]:
        """Ions whose transference number is a figure: the cation of a simple salt (the rest is the anion's), or all."""
        return [0] if len(self.ions) == 2 else list(range(len(self.ions)))

    @property
    def details(self) -> dict[str, object]:
        """What every figure of charge transport rests on, for ``results.json``."""
        found: dict[str, object] = {"temperature": self.temperature, "volume": self.volume}
        if self.volume_spread > 0:
            found["volume_spread"] = self.volume_spread
        return found


def find_salt(source: Source, species: list[Species], box: Box, settings: AnalysisSettings) -> tuple[Salt | None, str]:
    """The salt, or the reason why there is no conductivity.

    Raises:
        InputError: if Green and Kubo are asked for, but the system has no ions of both signs, no cell, no one volume or
            no temperature.
    """
    ions, volumes = find_ions(species), volume(box.cell)
    reason = ""
    if not ions:
        reason = "no cations and anions (a molecule counts as an ion from a net charge of 0.25 e)"
    elif not source.is_periodic:
        reason = "no cell, so no volume"
    elif source.units is not UnitSystem.MOLECULAR:
        reason = "reduced units have no S/cm"
    elif np.ptp(volumes) > MAX_VOLUME_CHANGE * volumes.mean():
        reason = (
            f"the volume changes between {volumes.min():.5g} and {volumes.max():.5g} A^3; leave the change out with "
            "--equilibration, or run at constant volume"
        )
    if reason:
        if settings.green_kubo:
            raise InputError(f"{source.path}: --green-kubo asks for a conductivity, but there is none: {reason}")
        is_expected = any(s.charge for s in species) or settings.temperature is not None
        return (
            None,
            f"{source.path}: no conductivity, transference_number or haven_ratio: {reason}" if is_expected else "",
        )
    temperature = settings.temperature or stated_temperature(source)
    if temperature is None:
        if settings.green_kubo:
            raise InputError(f"{source.path}: states no temperature, which --green-kubo needs; give --temperature")
        lost = "no conductivity, transference_number or haven_ratio"
        return None, f"{source.path}: {lost}: the file states no temperature; give --temperature"
    neutral = tuple(s.name for s in species if s.charge == 0)
    return Salt(ions, neutral, temperature, float(volumes.mean()), float(volumes.std())), ""


def of_replicas(salts: list[Salt]) -> Salt:
    """The salt of several runs of one system: their mean volume, and its spread over all frames of all of them."""
    volumes, spreads = np.array([s.volume for s in salts]), np.array([s.volume_spread for s in salts])
    spread = float(np.sqrt(np.mean(spreads**2) + volumes.var()))
    return replace(salts[0], volume=float(volumes.mean()), volume_spread=spread)


def stated_temperature(source: Source) -> float | None:
    """Temperature in K that the file's provenance states."""
    value = source.documents.get("provenance", {}).get("temperature")
    return float(value) if isinstance(value, int | float) and value > 0 else None

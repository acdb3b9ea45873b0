"""Selections of particles as users write them: ``Li``, ``polymer.O``, ``element=O``, ``TFSI.name=O1,O2``."""

from collections.abc import Callable
from fnmatch import fnmatchcase

import numpy as np

from cgsim.analysis.selection import Species, radial_selections
from cgsim.errors import InputError, nearest
from cgsim.trajectory import System
from cgsim.trajectory.elements import element_of_symbol, symbols
from cgsim.typing import Array, Bool

ALL = "all"
KEYS = ("species", "element", "type", "name")


class Naming:
    """Turns what a user writes into particles.

    A selection is one of

    * a name that cgsim gives (``"Li"``, ``"TFSI"``: ions by their central atom; ``"polymer.O"``; a class of beads);
    * ``"all"``;
    * ``KEY=VALUE,VALUE``, with the keys species, element, type and name; ``*`` and ``?`` are wildcards;
    * a bare word: the first of species (all its particles), element, type and name that fits;
    * ``SPECIES.`` before any of the last two: only in molecules of that species.

    Args:
        system: atoms or beads.
        species: its species.
    """

    def __init__(self, system: System, species: list[Species]) -> None:
        self._system = system
        self.given = radial_selections(system, species)
        species_of = np.empty(system.n_particles, dtype=object)
        for one in species:
            species_of[one.particles] = one.name
        symbol_of = {z: symbol for symbol, z in symbols().items()}
        self._values: dict[str, Array] = {
            "species": species_of.astype(str),
            "element": np.array([symbol_of.get(int(z), "") for z in system.atomic_numbers]),
            "type": np.array(system.type_names)[system.particle_type],
            "name": np.array(system.names),
        }
        self._species = [one.name for one in species]

    def select(self, text: str) -> Bool[Array, " particles"]:
        """Particles of a selection; none if nothing fits."""
        if text in self.given:
            return self.given[text]
        if text == ALL:
            return np.ones(self._system.n_particles, dtype=bool)
        found = self._by_key(text)
        prefix, dot, rest = text.partition(".")
        if not found.any() and dot and prefix in self._species:
            return np.asarray(self._by_key(f"species={prefix}") & self._by_key(rest))
        return found

    def known(self) -> list[str]:
        """Names to suggest."""
        elements = sorted(set(self._values["element"].tolist()) - {""})
        return list(dict.fromkeys([*self.given, *self._species, *elements, *self._system.type_names]))

    def parse_pair(self, text: str) -> tuple[str, str]:
        """Read ``"Li:polymer.O"``.

        Raises:
            InputError: if it is not two selections, or one of them has no particles.
        """
        parts = text.split(":")
        if len(parts) != 2:
            raise InputError(f"--pair {text!r}: expected two selections, for example 'Li:polymer.O'")
        for name in parts:
            if not self.select(name).any():
                raise InputError(f"--pair {text!r}: no particles {name!r}{nearest(name, self.known())}")
        return parts[0], parts[1]

    def _by_key(self, text: str) -> Bool[Array, " particles"]:
        key, equals, values = text.partition("=")
        if equals and key in KEYS:
            return self._matching(key, lambda value: any(fnmatchcase(value, v.strip()) for v in values.split(",")))
        for key in KEYS:
            same = self._matching(key, lambda value: value == text)
            if same.any():
                return same
        symbol = element_of_symbol(text)  # "LI" and "li" are Li too, where nothing else is called so
        return np.asarray((self._system.atomic_numbers == symbol) & (symbol > 0))

    def _matching(self, key: str, test: Callable[[str], bool]) -> Bool[Array, " particles"]:
        values, inverse = np.unique(self._values[key], return_inverse=True)
        return np.asarray(np.array([bool(value) and test(str(value)) for value in values])[inverse])

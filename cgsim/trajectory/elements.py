"""Which element a particle is: from what the file says, else from its mass or name where those leave no doubt."""

import re
from functools import cache

import numpy as np
from rdkit.Chem import GetPeriodicTable

from cgsim.errors import InputError, nearest
from cgsim.typing import Array, Float64, Int64

NO_ELEMENTS = "none"
_HEAVIEST = 94  # plutonium; nobody simulates what follows, and "Cf" or "No" are more often a type of C or N
_MASS_TOLERANCE = 0.1  # g/mol; force fields round masses (Br 80, Li 7) but not by more


@cache
def symbols() -> dict[str, int]:
    """Atomic number of each element symbol."""
    table = GetPeriodicTable()
    return {table.GetElementSymbol(z): z for z in range(1, _HEAVIEST + 1)}


@cache
def standard_masses() -> Float64[Array, " elements"]:
    """Atomic weight in g/mol of each element, at the index of its atomic number; the first entry is 0."""
    table = GetPeriodicTable()
    return np.array([0.0, *(table.GetAtomicWeight(z) for z in range(1, _HEAVIEST + 1))])


def element_of_symbol(symbol: str) -> int:
    """Return the atomic number of a symbol in any case (GROMACS writes ``LI``), 0 if there is none."""
    return symbols().get(symbol.strip().capitalize(), 0)


def element_of_mass(mass: float) -> int:
    """Return the atomic number of the only element within 0.1 g/mol of ``mass``, 0 if there is none or more than one.

    Helium is left out: a mass of 4.03 is a hydrogen that carries mass of its neighbours.
    """
    close = np.flatnonzero(np.abs(standard_masses()[1:] - mass) <= _MASS_TOLERANCE) + 1
    return int(close[0]) if len(close) == 1 and close[0] != symbols()["He"] else 0


def element_of_name(name: str) -> int:
    """Return the atomic number that an atom name such as ``H12``, ``OW`` or ``LI`` can only mean; 0 if ``CA`` or so."""
    letters = re.match(r"[A-Za-z]*", name.lstrip("0123456789"))
    word = letters.group() if letters else ""
    candidates = {element_of_symbol(word[:1]), element_of_symbol(word[:2])} - {0}
    return candidates.pop() if len(candidates) == 1 else 0


def parse_elements(text: str, type_names: tuple[str, ...]) -> Int64[Array, " types"]:
    """Read ``"C,H,O"``, one symbol for each type in order, or ``"none"`` for particles that are no atoms.

    Raises:
        InputError: if the number of symbols is wrong or one is not known.
    """
    if text.strip().lower() == NO_ELEMENTS:
        return np.zeros(len(type_names), dtype=np.int64)
    given = [word.strip() for word in text.split(",")]
    if len(given) != len(type_names):
        raise InputError(
            f"--elements has {len(given)} entries, expected {len(type_names)}, one for each of the types "
            f"{', '.join(type_names)}"
        )
    for word in given:
        if not element_of_symbol(word):
            raise InputError(f"--elements: {word!r} is no element{nearest(word, list(symbols()))}")
    return np.array([element_of_symbol(word) for word in given])


def tell_elements(
    where: str,
    particle_type: Int64[Array, " particles"],
    type_names: tuple[str, ...],
    masses: Float64[Array, " particles"] | None,
    stated: list[str] | None,
    names: list[str] | None,
) -> Int64[Array, " particles"]:
    """Tell the element of every particle, in this order: what is stated, the masses, the names.

    Masses count only if every one of them belongs to exactly one element. Otherwise hydrogens may have been given mass
    of their neighbours, and then an oxygen of 14.0 would pass for nitrogen.

    Args:
        where: the file, for errors.
        particle_type: index of each particle into ``type_names``.
        type_names: names of the types.
        masses: mass of each particle in g/mol if the file has them.
        stated: element symbol of each particle if the file has them, empty where unknown.
        names: name of each particle if the file has them.

    Raises:
        InputError: if an element cannot be told, naming the types and the way out.
    """
    found = np.zeros(len(particle_type), dtype=np.int64)
    if stated is not None:
        found = np.array([element_of_symbol(symbol) for symbol in stated], dtype=np.int64)
    by_mass = found
    if masses is not None and not found.all():
        values, inverse = np.unique(masses, return_inverse=True)
        by_mass = np.array([element_of_mass(value) for value in values], dtype=np.int64)[inverse]
        if by_mass.all():
            found = np.where(found == 0, by_mass, found)
    if names is not None and not found.all():
        by_name = np.array([element_of_name(name) for name in names], dtype=np.int64)
        found = np.where(found == 0, by_name, found)
    if not found.all():
        is_odd = (found == 0) & (by_mass == 0)  # name the mass that fits nothing, not those it discredits
        unknown = np.unique(particle_type[is_odd if is_odd.any() else found == 0])
        first = int(np.flatnonzero(particle_type == unknown[0])[0])
        weight = "" if masses is None else f" (mass {masses[first]:g} g/mol)"
        raise InputError(
            f"{where}: cannot tell the element of type {type_names[particle_type[first]]!r}{weight}"
            f"{f' and {len(unknown) - 1} more types' if len(unknown) > 1 else ''}; give --elements with one symbol for "
            f"each of the {len(type_names)} types {', '.join(type_names)}, or --elements none for particles that are "
            "no atoms"
        )
    return found

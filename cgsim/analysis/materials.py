"""Whether results are of one material: the same molecules in the same proportions, whatever the size of the box."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cgsim.errors import InputError

ALIKE = 0.01  # relative: numbers of molecules of boxes of one material need not have exactly one ratio
OPTION = "--allow-mixed"


def refuse_mixtures(documents: list[tuple[Path, dict[str, Any]]]) -> None:
    """Refuse results of different materials; what a document does not say is not compared.

    Args:
        documents: results with their files.

    Raises:
        InputError: naming the first difference from the first system.
    """
    systems = [(path, name, quantities) for path, document in documents for name, quantities in _systems(document)]
    for path, name, found in systems[1:]:
        where, other, expected = systems[0]
        if "species" in found and "species" in expected and found["species"] != expected["species"]:
            difference = f"consists of {found['species']}, {other} in {where} of {expected['species']}"
        else:
            odd = [key for key in found if key in expected and not _are_alike(found[key], expected[key])]
            if not odd:
                continue
            difference = f"{odd[0]} {found[odd[0]]:.4g}, expected {expected[odd[0]]:.4g} as in {other} of {where}"
        raise InputError(
            f"{path}: {name}: {difference}: different materials have no law in common ({OPTION} fits them all the same)"
        )


def _systems(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name of each system and what identifies its material: the names of its species, and numbers by their name."""
    molalities: dict[str, dict[str, Any]] = {}
    for figure in document["figures"]:
        if figure["name"] == "molality" and figure["value"] is not None:
            what = f"molality of {figure['species']} in {figure['unit']} is"
            molalities.setdefault(figure["system"], {})[what] = figure["value"]
    for system in document.get("systems", []):
        found: dict[str, Any] = {}
        species = system.get("species", [])
        total = sum(one["molecules"] for one in species)
        if species:
            found["species"] = ", ".join(sorted(one["name"] for one in species))
        for one in species:
            if one.get("molecular_mass") is not None:
                found[f"mean mass of a molecule of {one['name']} is"] = one["molecular_mass"]
            found[f"share of {one['name']} among all molecules is"] = one["molecules"] / total
        yield system["system"], found | molalities.get(system["system"], {})


def _are_alike(one: float | str, other: float | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return abs(one - other) <= ALIKE * max(abs(one), abs(other))

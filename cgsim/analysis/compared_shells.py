"""Whether figures of first shells of two results are of the same shell, so that they can be compared at all."""

from collections.abc import Callable
from typing import Any

Document = dict[str, Any]
Key = tuple[str, str, str, str]  # system, name, species, method
MARKS = {  # what says where the shell is, by the figures that rest on it
    "rdf": ("rdf_first_peak",),
    "rdf_first_minimum": ("rdf_first_peak",),
    "coordination_number": ("rdf_first_peak", "rdf_first_minimum"),
    "coordination_cutoff": ("coordination_cutoff",),
    "residence_time": ("coordination_cutoff",),
    "hop_rate": ("coordination_cutoff",),
    "interchain_hop_share": ("coordination_cutoff",),
}
GIVEN = "within the given cutoff"
OUT_OF_CAGES = "out of cages"
ALIKE = 0.05  # relative: shells of one kind, here and there, are as near; numbers hardly change so near to a minimum


def figures_of_other_shells(
    first: dict[Key, Document],
    second: dict[Key, Document],
    chance: Callable[[Document, Document], float],
    alpha: float,
) -> set[Key]:
    """Figures of both sides that belong to different shells.

    Shells are different if their first peaks or their ends lie apart by more than their errors and by more than
    :data:`ALIKE` of their distance, if distances that were given are not equal, or if the sites are others.

    Args:
        first: figures of one side.
        second: figures of the other.
        chance: probability that figures differ by as much as these two by chance; nan if that cannot be said.
        alpha: a difference less probable than this is one.
    """

    def differs(one: Document, other: Document) -> bool:
        if "sites" in one and "sites" in other and one["sites"] != other["sites"]:
            return True
        a, b = one["value"], other["value"]
        if a is None or b is None or one["unit"] != other["unit"]:
            return False
        is_exact = one["standard_error"] == other["standard_error"] == 0
        return chance(one, other) < alpha and (is_exact or abs(a - b) > ALIKE * max(a, b))

    marks = [_marks(side) for side in (first, second)]
    found = set()
    for key in first.keys() & second.keys():
        system, name, species, method = key
        if method == GIVEN and first[key].get("window") != second[key].get("window"):
            found.add(key)
        if method in (GIVEN, OUT_OF_CAGES):
            continue
        pairs = [[side.get((system, mark, species)) for side in marks] for mark in MARKS.get(name, ())]
        if any(one is not None and other is not None and differs(one, other) for one, other in pairs):
            found.add(key)
    return found


def _marks(figures: dict[Key, Document]) -> dict[tuple[str, str, str], Document]:
    """The figures that say where shells are; distances that were given and found ones are alike in this."""
    names = {name for own in MARKS.values() for name in own}
    return {(key[0], key[1], key[2]): figure for key, figure in figures.items() if key[1] in names}

"""Ranges within which pairs of particles are sought, by how many of the two are marked."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cutoffs:
    """Ranges within which pairs are sought, length.

    Attributes:
        plain: of two particles of which none is marked; may be infinite where all systems are open.
        mixed: of a marked one and another, at least as long.
        marked: of two marked ones, at least as long as plain.
    """

    plain: float
    mixed: float
    marked: float

    @classmethod
    def of(cls, cutoff: float, mixed: float | None = None, marked: float | None = None) -> "Cutoffs":
        """The cutoff of all pairs but for those that have one of their own."""
        return cls(cutoff, cutoff if mixed is None else mixed, cutoff if marked is None else marked)

    @property
    def largest(self) -> float:
        """The longest of them."""
        return max(self.plain, self.mixed, self.marked)

    @property
    def near(self) -> float:
        """The longest of pairs with a particle that is not marked."""
        return max(self.plain, self.mixed)

    @property
    def is_uniform(self) -> bool:
        """Whether marks make no difference."""
        return self.plain == self.mixed == self.marked

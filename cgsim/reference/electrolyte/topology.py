"""What a force field knows of a molecule, and of a box of molecules; plain arrays, no file format.

Units throughout: kcal/mol, Å, degrees, e, g/mol. Energies, in the functional form of Amber (Cornell et al., J. Am.
Chem. Soc. 117, 5179 (1995), eq. 1; no factor 1/2 in the springs):

    bond        k (r - r0)^2
    angle       k (theta - theta0)^2, with theta - theta0 in radians and k in kcal/mol/rad^2
    dihedral    k (1 + cos(n phi - phase)); four atoms may have several rows, their energies add
    improper    the same, phi being the dihedral angle of the four atoms as listed; the centre is the third
    pair        4 eps ((sigma/r)^12 - (sigma/r)^6) + 332.06 q q / r, not between atoms one or two bonds apart
"""

from dataclasses import dataclass
from typing import Literal

from cgsim.typing import Array, Float64, Int64

Combination = Literal["arithmetic", "geometric"]


@dataclass(frozen=True)
class AtomType:
    """Lennard-Jones parameters of a type of atom; different types mix by Lorentz-Berthelot.

    Attributes:
        name: unique in a system.
        atomic_number: of the element.
        mass: g/mol, physical.
        sigma: Å.
        epsilon: kcal/mol.
    """

    name: str
    atomic_number: int
    mass: float
    sigma: float
    epsilon: float


@dataclass(frozen=True)
class OneFour:
    """How atoms three bonds apart interact.

    Attributes:
        lennard_jones: factor of the Lennard-Jones energy.
        coulomb: factor of the Coulomb energy.
        combination: of sigma, in these pairs only; the depth is always the geometric mean.
    """

    lennard_jones: float
    coulomb: float
    combination: Combination = "arithmetic"


AMBER_ONE_FOUR = OneFour(lennard_jones=0.5, coulomb=1 / 1.2)


@dataclass(frozen=True)
class MoleculeTopology:
    """One molecule: atoms and every bonded term.

    Attributes:
        name: three or four capitals: residue and molecule name in files.
        atom_names: unique in the molecule.
        type_names: name of the :class:`AtomType` of each atom.
        unit_index: [atoms], repeat unit of each atom, counted along the chain; a cap belongs to the unit that it ends.
            0 everywhere in an ion.
        atomic_numbers: [atoms].
        charges: [atoms], e, as simulated: scaled, where charges are scaled.
        masses: [atoms], g/mol, physical.
        bonds: [bonds, 2], atoms counted from 0.
        bond_parameters: [bonds, 2], k in kcal/mol/Å^2 and r0 in Å.
        angles: [angles, 3], the middle atom second.
        angle_parameters: [angles, 2], k in kcal/mol/rad^2 and theta0 in degrees.
        dihedrals: [dihedrals, 4]; four atoms occur once for each term of their series.
        dihedral_parameters: [dihedrals, 3], k in kcal/mol, n and the phase in degrees.
        impropers: [impropers, 4], the centre third.
        improper_parameters: [impropers, 3], as of dihedrals.
        one_four: rule for atoms three bonds apart.
    """

    name: str
    atom_names: tuple[str, ...]
    type_names: tuple[str, ...]
    unit_index: Int64[Array, " atoms"]
    atomic_numbers: Int64[Array, " atoms"]
    charges: Float64[Array, " atoms"]
    masses: Float64[Array, " atoms"]
    bonds: Int64[Array, "bonds 2"]
    bond_parameters: Float64[Array, "bonds 2"]
    angles: Int64[Array, "angles 3"]
    angle_parameters: Float64[Array, "angles 2"]
    dihedrals: Int64[Array, "dihedrals 4"]
    dihedral_parameters: Float64[Array, "dihedrals 3"]
    impropers: Int64[Array, "impropers 4"]
    improper_parameters: Float64[Array, "impropers 3"]
    one_four: OneFour = AMBER_ONE_FOUR

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.atom_names)

    @property
    def mass(self) -> float:
        """g/mol."""
        return float(self.masses.sum())

    @property
    def charge(self) -> float:
        """Net charge, e."""
        return float(self.charges.sum())


@dataclass(frozen=True)
class Component:
    """So many copies of a molecule.

    Attributes:
        topology: the molecule.
        conformers: [copies, atoms, 3], Å, one for each copy, around the origin and not yet placed in a box. Chains
            differ in shape and in the hand of their stereocentres; ions are all alike.
    """

    topology: MoleculeTopology
    conformers: Float64[Array, "copies atoms 3"]

    @property
    def copies(self) -> int:
        """Number of molecules."""
        return len(self.conformers)


@dataclass(frozen=True)
class Electrolyte:
    """Everything in a box except where it is: the order of components is the order of molecules in every file.

    Attributes:
        components: chains, then anions, then cations.
        atom_types: every type in use, in the order in which files number them.
        smiles: repeat unit, with its two ends ``*``.
        salt: for example ``LiTFSI``.
        n_units: repeat units in a chain.
        charge_scale: factor of the ions' charges.
        charge_source: where the charges of the chains come from, in words.
        molality: mol of salt in a kg of polymer.
        oxygens_per_cation: oxygen atoms of the polymer for each cation.
        warnings: sentences that the user should see.
    """

    components: tuple[Component, ...]
    atom_types: tuple[AtomType, ...]
    smiles: str
    salt: str
    n_units: int
    charge_scale: float
    charge_source: str
    molality: float
    oxygens_per_cation: float
    warnings: tuple[str, ...] = ()

    @property
    def n_atoms(self) -> int:
        """Atoms in the box."""
        return sum(part.copies * part.topology.n_atoms for part in self.components)

    @property
    def mass(self) -> float:
        """Of the whole box, g/mol."""
        return sum(part.copies * part.topology.mass for part in self.components)

    @property
    def molecules(self) -> list[MoleculeTopology]:
        """One entry for each molecule in the box, in the order of the atoms in every file."""
        return [part.topology for part in self.components for _ in range(part.copies)]

    @property
    def charge(self) -> float:
        """Net charge of the box, e."""
        return sum(part.copies * part.topology.charge for part in self.components)

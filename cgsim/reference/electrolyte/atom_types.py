"""Atom types of GAFF2 (Wang et al., J. Comput. Chem. 25, 1157 (2004), table 1) for what polymers consist of.

Rules are SMARTS patterns; the last one that matches an atom gives its type. Atoms without a rule are refused: small
rings, conjugated chains, fused aromatic rings, phosphorus and silicon need parameters that the shipped table lacks.
"""

from rdkit import Chem

from cgsim.errors import InputError

RULES: tuple[tuple[str, str], ...] = (
    # Carbon
    ("[CX4;!r3;!r4]", "c3"),
    ("[CX3](=O)", "c"),
    ("[CX3;!R;$(C=[CX3;!R]);!$(C-[CX3,CX2,c])]", "c2"),
    ("[CX2](#N)", "c1"),
    ("[c;r6;$(c1ccccc1);!$(c-!@c);!$([cR2])]", "ca"),
    # Oxygen, nitrogen
    ("[OX1;$(O=[CX3]),$(O=[SX4])]", "o"),
    ("[OX2H0;!r3;!r4]", "os"),
    ("[OX2H1]", "oh"),
    ("[NX1]#[CX2]", "n1"),
    ("[NX3H0;$(N(-[CX4])(-[CX4])-[CX4]);!r3;!r4]", "n3"),
    ("[NX3H1;$(N(-[CX4])-[CX4]);!r3;!r4]", "n7"),
    ("[NX3H2;$(N-[CX4])]", "n8"),
    ("[NX3;$(N-[CX3]=O)]", "n"),
    # Halogens, sulphur
    ("[FX1]", "f"),
    ("[ClX1]", "cl"),
    ("[SX2H0;!r3;!r4;!a]", "ss"),
    ("[SX2H1]", "sh"),
    ("[SX4](=O)(=O)", "s6"),
    # Hydrogen: on sp3 carbon by the number of electron-withdrawing neighbours of that carbon
    ("[H][CX4]", "hc"),
    ("[H][$([CX4][N,O,F,Cl,S])]", "h1"),
    ("[H][$([CX4]([N,O,F,Cl,S])[N,O,F,Cl,S])]", "h2"),
    ("[H][$([CX4]([N,O,F,Cl,S])([N,O,F,Cl,S])[N,O,F,Cl,S])]", "h3"),
    ("[H][CX3]", "ha"),
    ("[H][$([CX3](=O)[O,N])]", "h5"),
    ("[H][$([CX3](=O)[#6])]", "h4"),
    ("[H]c", "ha"),
    ("[H]O", "ho"),
    ("[H]N", "hn"),
    ("[H]S", "hs"),
)
KNOWN = "ethers, esters, carbonates, amides, amines, nitriles, sulphides, sulphones, halides or benzene rings"
_PATTERNS = [(Chem.MolFromSmarts(smarts), name) for smarts, name in RULES]


def gaff_types(mol: Chem.Mol) -> tuple[str, ...]:
    """Type of every atom of a molecule with explicit hydrogens.

    Raises:
        InputError: if an atom has no type; names it and its surroundings.
    """
    types = [""] * mol.GetNumAtoms()
    for pattern, name in _PATTERNS:
        for match in mol.GetSubstructMatches(pattern, maxMatches=10 * mol.GetNumAtoms()):
            types[match[0]] = name
    for atom in mol.GetAtoms():
        if not types[atom.GetIdx()]:
            raise InputError(f"{_where(atom)} has no GAFF2 type in this program, expected {KNOWN}")
    return tuple(types)


def _where(atom: Chem.Atom) -> str:
    """An atom with its neighbours, for example ``atom Si (bonded to C, C, O, O)``."""
    neighbours = ", ".join(sorted(other.GetSymbol() for other in atom.GetNeighbors()))
    ring = " in a ring" if atom.IsInRing() else ""
    return f"atom {atom.GetSymbol()}{ring} (bonded to {neighbours})"

"""Make the shipped table of GAFF2 parameters from the ``gaff2.dat`` of AmberTools.

``python -m cgsim.reference.electrolyte.make_gaff_table amber/dat/leap/parm/gaff2.dat`` rewrites ``gaff2.txt``.
"""

import sys
from pathlib import Path

from cgsim.reference.electrolyte.atom_types import RULES
from cgsim.reference.electrolyte.gaff import ANY, TABLE

HEADER = """\
# GAFF2 parameters of the atom types that this program assigns, in kcal/mol, Å and degrees.
# Origin: {title}, gaff2.dat of AmberTools.
# LICENSE of AmberTools: 'The force field parameter files in the "../dat/leap" subdirectory have been placed in the
# public domain by their authors.'
# Made by: python -m cgsim.reference.electrolyte.make_gaff_table gaff2.dat
# Papers: Wang et al., J. Comput. Chem. 25, 1157 (2004); He et al., J. Chem. Phys. 153, 114502 (2020).
#
# One torsion is not of this edition: c3-c3-os-c3 is that of GAFF1 (gaff.dat: 0.383 n=3 phase 0, 0.1 n=2 phase 180).
# The 2.2.20 terms (0.75 n=3, 0.08 n=2, 0.88 n=1 phase 180) put gauche ethyl methyl ether at or below trans; with those
# of GAFF1 it is 1.2 to 1.4 kcal/mol above. Measured in the liquid: 1.1 ("Raman Spectra and Internal Rotation of Ethyl
# Methyl Ether", Bull. Chem. Soc. Jpn., 1972). gaff2.dat has c3-c3-n-c twice; the later one holds, as in LEaP.
#
# atom type r_min/2 epsilon | bond types k r0 | angle types k theta0 | dihedral types divider k phase n
# improper types k phase n, the centre third. Energies: see topology.py; X is any type.
"""
OVERRIDES = {("c3", "c3", "os", "c3"): ["dihedral c3-c3-os-c3 1 0.383 0 3", "dihedral c3-c3-os-c3 1 0.1 180 2"]}
FIRST_COLUMN = {2: 5, 3: 8, 4: 11}  # of the numbers, after so many types


def reduce_table(text: str) -> str:
    """Keep the lines of ``gaff2.dat`` whose types this program assigns."""
    wanted = {name for _, name in RULES} | {ANY}
    title, *lines = text.splitlines()
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            blocks[-1].append(line)
        else:
            blocks.append([])
    sizes = [block[0].split()[0] if block else "" for block in blocks]
    rows = [
        f"atom {' '.join(line.split()[:3])}" for line in blocks[sizes.index("MOD4")][1:] if line.split()[0] in wanted
    ]
    bonds, angles, dihedrals, impropers = blocks[1][1:], *blocks[2:5]
    rows += _records("bond", bonds, 2, 2, wanted) + _records("angle", angles, 3, 2, wanted)
    rows += _dihedrals(dihedrals, wanted) + _records("improper", impropers, 4, 3, wanted)
    return HEADER.format(title=title) + "\n".join(rows) + "\n"


def _types(line: str, number: int) -> tuple[str, ...]:
    return tuple(name.strip() for name in line[: FIRST_COLUMN[number]].split("-"))


def _records(kind: str, lines: list[str], number: int, columns: int, wanted: set[str]) -> list[str]:
    return [
        " ".join([kind, "-".join(_types(line, number)), *line[FIRST_COLUMN[number] :].split()[:columns]])
        for line in lines
        if set(_types(line, number)) <= wanted
    ]


def _dihedrals(lines: list[str], wanted: set[str]) -> list[str]:
    """Series of terms: a negative periodicity says that the next line goes on with the same torsion."""
    series: dict[tuple[str, ...], list[str]] = {}
    continued = False
    for line in lines:
        types = _types(line, 4)
        divider, k, phase, n = line[FIRST_COLUMN[4] :].split()[:4]
        key = min(types, types[::-1])
        if not continued:
            series[key] = []
        series[key].append(f"dihedral {'-'.join(types)} {divider} {k} {phase} {abs(float(n)):g}")
        continued = float(n) < 0
    series |= {min(types, types[::-1]): rows for types, rows in OVERRIDES.items()}
    return [row for types, rows in series.items() if set(types) <= wanted for row in rows]


if __name__ == "__main__":
    (Path(__file__).parent / TABLE).write_text(reduce_table(Path(sys.argv[1]).read_text()))

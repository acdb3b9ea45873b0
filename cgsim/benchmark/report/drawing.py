"""Molecules with their atoms coloured by bead: structural formulas of molecules, and maps of bead-spring chains."""

import re
from itertools import cycle
from typing import Any

import networkx as nx
import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDepictor
from rdkit.Chem.Draw import rdMolDraw2D
from rdkit.Geometry import Point2D

from cgsim.beads import BeadStore
from cgsim.benchmark.report.style import INK, MUTED, TINTS, WIDE, Panel, plot, themed
from cgsim.observables.structure import chain_ends
from cgsim.trajectory import System
from cgsim.trajectory.species import molecule_species
from cgsim.typing import Array, Int64

HYDROGEN = 1
MOST_ATOMS = 40
MOST_SPECIES = 6
BOND_LENGTH = 1.5  # RDKit's, in its coordinates
BOND_PIXELS = 26.0
MARGIN_PIXELS = 18.0
LEAST_BACKBONE = 16  # atoms of a chain from which on it is drawn straight
SHAPES = {"o": "circles", "s": "squares", "D": "diamonds", "^": "triangles", "v": "triangles down", "P": "crosses"}
PER_ROW = 34  # particles of a backbone in one row of a drawing
ROW_HEIGHT = 2.9  # in distances between particles


def mapping_panels(beads: BeadStore) -> list[Panel]:
    """One molecule of each species, its atoms coloured by bead; neighbouring beads have different colours."""
    atoms = beads.atoms
    names, of_molecule = molecule_species(atoms)
    panels = []
    for k, name in enumerate(names[:MOST_SPECIES]):
        members = np.flatnonzero(atoms.molecule_id == int(np.argmax(of_molecule == k)))
        molecule = atoms.select(members)
        bead = np.unique(beads.mapping.bead_of_atom[members], return_inverse=True)[1].astype(np.int64)
        count = int((of_molecule == k).sum())
        draw = _formula_panel if molecule.atomic_numbers.all() else _chain_panel
        panels.append(draw(name, count, molecule, bead))
    return panels


def bead_tints(molecule: System, bead: Int64[Array, " atoms"]) -> Int64[Array, " beads"]:
    """Index of a colour for each bead, such that bonded beads differ."""
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(int(bead.max()) + 1))
    ends = bead[molecule.bond_index]
    graph.add_edges_from((int(a), int(b)) for a, b in ends.T if a != b)
    # Beads further along take turns as well, so that the eye can count them.
    colors: dict[int, int] = {}
    for node in sorted(graph):
        taken = {colors[other] for other in graph[node] if other in colors}
        wanted = [(node + shift) % 4 for shift in range(4)] + list(range(4, len(graph)))
        colors[node] = next(c for c in wanted if c not in taken)
    return np.array([colors[node] % len(TINTS) for node in sorted(graph)], dtype=np.int64)


def _caption(count: int, molecule: System, bead: Int64[Array, " atoms"], shown: str) -> str:
    sizes = np.bincount(bead)
    what = "atom" if molecule.atomic_numbers.all() else "particle"
    each = f"{sizes.min()} to {sizes.max()}" if sizes.min() < sizes.max() else f"{sizes.min()}"
    beads = f"{len(sizes)} beads of {each} {what}s" if len(sizes) > 1 else "one bead"
    own = f"{molecule.n_particles} {what}s" if molecule.n_particles > 1 else f"one {what}"
    return f"{count} {'molecules' if count > 1 else 'molecule'} of {own}, {beads}{shown}."


def _formula_panel(name: str, count: int, molecule: System, bead: Int64[Array, " atoms"]) -> Panel:
    heavy = np.flatnonzero(molecule.atomic_numbers != HYDROGEN)
    heavy = heavy if heavy.size else np.arange(molecule.n_particles)
    tints = bead_tints(molecule, bead)[bead]
    skeleton = molecule.select(heavy)
    drawn = _from_one_end(skeleton, MOST_ATOMS)
    cut = len(drawn) < len(heavy)
    shown = f"; the first {len(drawn)} of {len(heavy)} heavy atoms are drawn" if cut else ""
    caption = _caption(count, molecule, bead, shown)
    alt = f"Structural formula of one {name} molecule with its atoms coloured by bead. {caption}"
    svg, width = _draw_formula(_rdkit_molecule(skeleton, drawn), tints[heavy][drawn])
    return Panel(name, themed(svg, alt), alt, caption, width)


def _from_one_end(skeleton: System, most: int) -> Int64[Array, " drawn"]:
    """The first ``most`` atoms of a molecule, walking from one of its ends."""
    graph = _graph(skeleton)
    first = int(chain_ends(skeleton.bond_index, np.zeros(skeleton.n_particles, dtype=np.int64))[0, 0])
    reached = [first, *(child for _, child in nx.bfs_edges(graph, first))]
    return np.sort(np.array(reached[:most], dtype=np.int64))


def _graph(molecule: System) -> Any:
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(molecule.n_particles))
    graph.add_edges_from((int(i), int(j)) for i, j in molecule.bond_index.T)
    return graph


def _rdkit_molecule(skeleton: System, drawn: Int64[Array, " drawn"]) -> Any:
    """RDKit molecule of the atoms drawn, all bonds single, and a stub where the molecule goes on."""
    editable = Chem.RWMol()
    index = {int(atom): k for k, atom in enumerate(drawn)}
    for atom in drawn:
        new = Chem.Atom(int(skeleton.atomic_numbers[atom]))
        new.SetNoImplicit(True)
        editable.AddAtom(new)
    for i, j in skeleton.bond_index.T:
        inside = [int(i) in index, int(j) in index]
        if all(inside):
            editable.AddBond(index[int(i)], index[int(j)], Chem.BondType.SINGLE)
        elif any(inside):
            stub = Chem.Atom(0)
            stub.SetNoImplicit(True)
            editable.AddBond(index[int(i if inside[0] else j)], editable.AddAtom(stub), Chem.BondType.SINGLE)
    molecule = editable.GetMol()
    molecule.UpdatePropertyCache(strict=False)
    Chem.FastFindRings(molecule)
    rdDepictor.Compute2DCoords(molecule, coordMap=_zigzag(molecule))
    return molecule


def _zigzag(molecule: Any) -> dict[int, Point2D]:
    """A straight backbone for a chain, which would else be drawn curled up; nothing for small or cyclic molecules."""
    n = molecule.GetNumAtoms()
    bonds = np.array([(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule.GetBonds()], dtype=np.int64)
    graph = nx.Graph([(int(i), int(j)) for i, j in bonds])
    if n < LEAST_BACKBONE or not nx.is_connected(graph):
        return {}
    first, last = chain_ends(bonds.T, np.zeros(n, dtype=np.int64))[0]
    path = nx.shortest_path(graph, int(first), int(last))
    if len(path) < LEAST_BACKBONE or any(molecule.GetAtomWithIdx(k).IsInRing() for k in path):
        return {}
    rise, run = 0.5 * BOND_LENGTH, 0.5 * np.sqrt(3.0) * BOND_LENGTH
    return {atom: Point2D(run * k, rise * (k % 2)) for k, atom in enumerate(path)}


def _draw_formula(molecule: Any, tints: Int64[Array, " drawn"]) -> tuple[str, int]:
    """Draw a molecule so that a bond is as long in every panel; returns the SVG and its width in pixels."""
    positions = molecule.GetConformer().GetPositions()[:, :2]
    size = np.ptp(positions, axis=0) / BOND_LENGTH * BOND_PIXELS + 4 * MARGIN_PIXELS
    drawer = rdMolDraw2D.MolDraw2DSVG(int(size[0]), int(size[1]))
    options: Any = drawer.drawOptions()
    options.clearBackground = False
    options.useBWAtomPalette()
    options.prepareMolsBeforeDrawing = False
    options.dummiesAreAttachments = True
    options.padding = 0.0
    options.fixedBondLength = BOND_PIXELS
    options.highlightBondWidthMultiplier = 14
    options.highlightRadius = 0.42
    options.bondLineWidth = 1.4
    options.minFontSize = options.maxFontSize = 12
    atom_color = {k: _rgb(TINTS[tint]) for k, tint in enumerate(tints)}
    bond_color = {}
    for bond in molecule.GetBonds():
        i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        if i in atom_color and j in atom_color and tints[i] == tints[j]:
            bond_color[bond.GetIdx()] = atom_color[i]
    drawer.DrawMolecule(
        molecule,
        highlightAtoms=list(atom_color),
        highlightBonds=list(bond_color),
        highlightAtomColors=atom_color,
        highlightBondColors=bond_color,
    )
    drawn = np.array([(p.x, p.y) for p in map(drawer.GetDrawCoords, range(molecule.GetNumAtoms()))])
    drawer.FinishDrawing()
    x, y = drawn.min(axis=0) - MARGIN_PIXELS
    width, height = np.ptp(drawn, axis=0) + 2 * MARGIN_PIXELS
    view = f"viewBox='{x:.1f} {y:.1f} {width:.1f} {height:.1f}'"
    return re.sub(r"viewBox='.*?'", view, drawer.GetDrawingText().replace("#000000", INK), count=1), round(width)


def _rgb(color: str) -> tuple[float, ...]:
    return tuple(int(color[k : k + 2], 16) / 255 for k in (1, 3, 5))


def _chain_panel(name: str, count: int, molecule: System, bead: Int64[Array, " atoms"]) -> Panel:
    """A bead-spring chain: its longest path in rows, side groups beside it, one marker per particle type."""
    tints = bead_tints(molecule, bead)[bead]
    position = _rows(molecule)
    kinds = np.unique(molecule.particle_type)
    shapes = dict(zip(kinds.tolist(), cycle(SHAPES), strict=False))
    named = ", ".join(f"{SHAPES[shapes[k]]}: type {molecule.type_names[k]}" for k in kinds.tolist())
    caption = _caption(count, molecule, bead, "") + (f" {named.capitalize()}." if len(kinds) > 1 else "")
    alt = f"Map of one {name} chain with its particles coloured by bead, in rows from one end to the other. {caption}"
    low, high = position.min(axis=0) - 0.6, position.max(axis=0) + 0.6
    scale = WIDE[0] / (PER_ROW + 0.2)
    with plot(name, alt, (WIDE[0], scale * float(high[1] - low[1])), caption) as sheet:
        axes = sheet.axes
        for i, j in molecule.bond_index.T:
            axes.plot(*position[[i, j]].T, color=MUTED, linewidth=0.8, zorder=1)
        for kind, marker in shapes.items():
            for tint in np.unique(tints):
                x, y = position[(molecule.particle_type == kind) & (tints == tint)].T
                axes.scatter(x, y, s=36, marker=marker, c=TINTS[tint], edgecolors=INK, linewidths=0.5, zorder=2)
        axes.set(xlim=(-0.6, PER_ROW - 0.4), ylim=(low[1], high[1]), aspect="equal")
        axes.set_axis_off()
    return sheet.panel


def _rows(molecule: System) -> Array:
    """Positions [particles, 2]: the longest path to and fro in rows, what hangs on it above or below."""
    graph = _graph(molecule)
    ends = chain_ends(molecule.bond_index, np.zeros(molecule.n_particles, dtype=np.int64))[0]
    path = nx.shortest_path(graph, int(ends[0]), int(ends[1]))
    position = np.zeros((molecule.n_particles, 2))
    for k, particle in enumerate(path):
        row, column = divmod(k, PER_ROW)
        position[particle] = column if row % 2 == 0 else PER_ROW - 1 - column, -ROW_HEIGHT * row
    placed = set(path)
    for parent, child in nx.bfs_edges(graph, path[0]):
        if child not in placed:
            siblings = sum(1 for other in graph[parent] if other in placed and other not in path)
            position[child] = position[parent] + (0.35 * (siblings // 2), 0.8 * (-1) ** siblings)
            placed.add(child)
    return position

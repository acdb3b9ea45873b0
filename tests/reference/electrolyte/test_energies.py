"""Energies of single molecules: our own sum, GROMACS and LAMMPS must agree term by term."""

import subprocess

import numpy as np
import pytest
import torch
from engines import or_skip
from molecules import lone_anion, lone_chain

from cgsim.reference.electrolyte.build import build_electrolyte
from cgsim.reference.electrolyte.energy import MoleculeEnergy, dihedral_angles
from cgsim.reference.electrolyte.gromacs_topology import gromacs_topology
from cgsim.reference.electrolyte.lammps_data import lammps_data
from cgsim.reference.engine import find_gromacs, find_lammps

KJ = 4.184
EDGE = 200.0  # Å, of a box much larger than the molecule
# GROMACS computes in single precision: positions near 20 Å are good to 2e-6 Å, forces on the strained bonds of these
# molecules are some 50 kcal/mol/Å, and terms are tens of kcal/mol.
TOLERANCE = 1e-4
ROUNDING = 2e-5  # LAMMPS: positions in the data file are rounded to 1e-6 Å, a few 1e-5 of a bond's strain of 0.05 Å
MDP = """integrator = md
nsteps = 0
cutoff-scheme = Verlet
rlist = 6
coulombtype = Cut-off
rcoulomb = 6
vdwtype = Cut-off
vdw-modifier = None
rvdw = 6
constraints = none
"""
LAMMPS_INPUT = """units real
atom_style full
boundary f f f
pair_style lj/cut/coul/cut 60
pair_modify mix arithmetic
special_bonds amber
bond_style harmonic
angle_style harmonic
dihedral_style fourier
{improper}
read_data molecule.data
thermo_style custom step ebond eangle edihed eimp evdwl ecoul
thermo_modify format float %.10g
run 0
"""


def _executable(find):
    return str(or_skip(find).executable)


def _own(electrolyte):
    part = electrolyte.components[0]
    terms = MoleculeEnergy(part.topology, electrolyte.atom_types).terms(torch.from_numpy(part.conformers[0]))
    return {name: float(value) for name, value in terms.items()}


def _run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    return done.stdout


def _gromacs(electrolyte, folder, hydrogen_mass=None):
    gmx = _executable(find_gromacs)
    part = electrolyte.components[0]
    (folder / "topol.top").write_text(gromacs_topology(electrolyte, hydrogen_mass))
    (folder / "run.mdp").write_text(MDP)
    _write_gro(folder / "start.gro", electrolyte, part.conformers[0] + 20, EDGE)
    grompp = [gmx, "grompp", "-f", "run.mdp", "-c", "start.gro", "-p", "topol.top", "-o", "run.tpr"]
    _run([*grompp, "-maxwarn", "1"], folder)  # a lone ion has a charge
    _run([gmx, "mdrun", "-s", "run.tpr", "-ntmpi", "1", "-ntomp", "1", "-deffnm", "run"], folder)
    return _read_log((folder / "run.log").read_text())


def _write_gro(path, electrolyte, places, edge):
    """A GROMACS file with eight decimals of a nm; its reader takes the distance between the points as the width."""
    named = [(m.name, name) for m in electrolyte.molecules for name in m.atom_names]
    rows = [
        f"{1:5d}{residue:<5s}{name:>5s}{i + 1:5d}" + "".join(f"{x / 10:13.8f}" for x in place)
        for i, ((residue, name), place) in enumerate(zip(named, places, strict=True))
    ]
    path.write_text("\n".join(["molecules", str(len(rows)), *rows, f"{edge / 10:.5f} " * 3]) + "\n")


def _read_log(text):
    """Energies of the first block of a GROMACS log: names and values in columns 15 wide; kcal/mol."""
    block = text.split("Energies (kJ/mol)")[1].split("\n\n")[0].strip("\n").splitlines()
    found = {}
    for names, values in zip(block[::2], block[1::2], strict=True):
        for start in range(0, len(names), 15):
            found[names[start : start + 15].strip()] = float(values[start : start + 15]) / KJ
    return found


def _lammps(electrolyte, folder):
    lmp = _executable(find_lammps)
    part = electrolyte.components[0]
    data = lammps_data(electrolyte, part.conformers[0] + EDGE / 2, np.full(3, EDGE))
    (folder / "molecule.data").write_text(data)
    improper = "improper_style cvff" if len(part.topology.impropers) else ""
    (folder / "in.lmp").write_text(LAMMPS_INPUT.format(improper=improper))
    lines = _run([lmp, "-in", "in.lmp", "-log", "none"], folder).splitlines()
    row = next(i for i, line in enumerate(lines) if line.split()[:2] == ["Step", "E_bond"])
    return dict(zip(lines[row].split(), map(float, lines[row + 1].split()), strict=True))


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.engine
@pytest.mark.parametrize("smiles", ["*OCC(C)*", "*OC(=O)OCC*", "*CC(C#N)*"])
def test_terms_of_a_chain_agree_with_gromacs(smiles, tmp_path):
    chain = lone_chain(smiles)
    own, engine = _own(chain), _gromacs(chain, tmp_path)
    wanted = {
        "Bond": own["bond"],
        "Angle": own["angle"],
        "Proper Dih.": own["dihedral"],
        "LJ-14": own["lj-14"],
        "Coulomb-14": own["coulomb-14"],
        "LJ (SR)": own["lj"],
        # The cut-off of GROMACS is a reaction field of dielectric constant 1; its shift cancels in a neutral molecule.
        "Coulomb (SR)": own["coulomb"],
    }
    if own["improper"]:
        wanted["Per. Imp. Dih."] = own["improper"]
    for name, energy in wanted.items():
        assert engine[name] == pytest.approx(energy, rel=TOLERANCE, abs=TOLERANCE), name


@pytest.mark.engine
@pytest.mark.parametrize("name", ["TFSI", "FSI", "PF6"])
def test_terms_of_an_anion_agree_with_gromacs(name, tmp_path):
    ion = lone_anion(name)
    own, engine = _own(ion), _gromacs(ion, tmp_path)
    shift = -332.0637 * 0.75**2 / (2 * 60)  # of the reaction field: the net charge with itself, cut-off 60 Å
    wanted = {"Bond": own["bond"], "Angle": own["angle"], "LJ (SR)": own["lj"], "Coulomb (SR)": own["coulomb"] + shift}
    if name != "PF6":
        wanted |= {"Proper Dih.": own["dihedral"], "LJ-14": own["lj-14"], "Coulomb-14": own["coulomb-14"]}
    for term, energy in wanted.items():
        assert engine[term] == pytest.approx(energy, rel=TOLERANCE, abs=TOLERANCE), term


@pytest.mark.engine
@pytest.mark.parametrize("smiles", ["*OCC(C)*", "*OC(=O)OCC*", "*CC(C#N)*"])
def test_terms_of_a_chain_agree_with_lammps(smiles, tmp_path):
    chain = lone_chain(smiles)
    own, engine = _own(chain), _lammps(chain, tmp_path)
    wanted = {
        "E_bond": own["bond"],
        "E_angle": own["angle"],
        "E_dihed": own["dihedral"],
        "E_impro": own["improper"],
        "E_vdwl": own["lj"] + own["lj-14"],
        "E_coul": own["coulomb"] + own["coulomb-14"],
    }
    for name, energy in wanted.items():
        assert engine[name] == pytest.approx(energy, rel=ROUNDING, abs=ROUNDING), name


@pytest.mark.engine
@pytest.mark.parametrize("name", ["TFSI", "FSI"])
def test_bonded_terms_of_an_anion_agree_with_lammps(name, tmp_path):
    ion = lone_anion(name)
    own, engine = _own(ion), _lammps(ion, tmp_path)
    for term, column in (("bond", "E_bond"), ("angle", "E_angle"), ("dihedral", "E_dihed")):
        assert engine[column] == pytest.approx(own[term], rel=ROUNDING)
    # What LAMMPS cannot say: the anion's own factor 1/2 of the Coulomb energy three bonds apart; it takes 1/1.2.
    amber = own["coulomb"] + own["coulomb-14"] / 0.5 / 1.2
    assert engine["E_coul"] == pytest.approx(amber, rel=ROUNDING)


@pytest.mark.engine
@pytest.mark.parametrize("salt", ["NaTFSI", "LiFSI", "NaPF6"])
def test_gromacs_reads_a_whole_box_without_a_warning(salt, tmp_path):
    gmx = _executable(find_gromacs)
    box = build_electrolyte("*OCC*", salt, n_chains=2, chain_mass=160.0, ion_pairs=3)
    (tmp_path / "topol.top").write_text(gromacs_topology(box, 3.024))
    (tmp_path / "run.mdp").write_text("integrator = md\nnsteps = 1\ncoulombtype = PME\nconstraints = h-bonds\n")
    shapes = [shape for part in box.components for shape in part.conformers]
    places = np.concatenate([shape + 20 * number for number, shape in enumerate(shapes)])  # 20 Å apart, in a row
    _write_gro(tmp_path / "start.gro", box, places, edge=400.0)
    out = _run([gmx, "grompp", "-f", "run.mdp", "-c", "start.gro", "-p", "topol.top", "-o", "run.tpr"], tmp_path)
    assert "warning" not in out.lower()


@pytest.mark.parametrize("angle", [170.0, 60.0, -60.0, 120.0, 5.0, 0.0])
def test_dihedral_angle_is_positive_clockwise(angle):
    # Seen from atom 1 to atom 2, along +z with y up, x is on the left: clockwise goes from +y to -x (IUPAC 1974, 2.1).
    turn = np.deg2rad(angle)
    places = np.array([[0, 1, 0], [0, 0, 0], [0, 0, 1], [-np.sin(turn), np.cos(turn), 1]])
    found = dihedral_angles(torch.from_numpy(places), torch.tensor([[0, 1, 2, 3]]))
    assert np.rad2deg(float(found[0])) == pytest.approx(angle, abs=1e-9)


def test_forces_are_the_slope_of_the_energy():
    chain = lone_chain("*OC(=O)OCC*", 2)
    energy = MoleculeEnergy(chain.components[0].topology, chain.atom_types)
    positions = torch.from_numpy(chain.components[0].conformers[0]).requires_grad_(True)
    (gradient,) = torch.autograd.grad(energy.total(positions), positions)
    step = torch.from_numpy(np.random.default_rng(1).normal(size=positions.shape))
    h = 1e-5
    with torch.no_grad():
        slope = (energy.total(positions + h * step) - energy.total(positions - h * step)) / (2 * h)
    # Central differences in float64: error of order h^2 of the third derivative
    assert float((gradient * step).sum()) == pytest.approx(float(slope), rel=1e-6)


def test_energy_knows_no_place_and_no_direction():
    chain = lone_chain("*OCC*", 3)
    energy = MoleculeEnergy(chain.components[0].topology, chain.atom_types)
    shape = chain.components[0].conformers[0]
    rotation, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    moved = torch.from_numpy(shape @ rotation.T + [3.0, -2.0, 7.0])
    assert float(energy.total(moved)) == pytest.approx(float(energy.total(torch.from_numpy(shape))), rel=1e-10)

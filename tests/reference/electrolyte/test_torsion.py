from dataclasses import replace

import numpy as np
import pytest
import torch
from rdkit import Chem
from rdkit.Chem import AllChem

from cgsim.reference.electrolyte.build import molecule_topology
from cgsim.reference.electrolyte.energy import dihedral_angles
from cgsim.reference.electrolyte.torsion import TRIED, relaxed_energy, torsion_profile, turned, unit_torsion_profiles

# AM1-BCC by antechamber 22.0 on the MMFF94 geometry, in the order C C O C and their hydrogens
ETHYL_METHYL_ETHER = [-0.1271, 0.1314, -0.4176, 0.1207, *[0.04] * 3, *[0.0427] * 2, *[0.0287] * 3]
BACKBONE = (0, 1, 2, 3)


@pytest.fixture(scope="module")
def ether():
    mol = Chem.AddHs(Chem.MolFromSmiles("CCOC"))
    AllChem.EmbedMolecule(mol, randomSeed=1)
    charges = np.array(ETHYL_METHYL_ETHER)
    return molecule_topology("EME", mol, charges - charges.mean()), np.asarray(mol.GetConformer().GetPositions())


def test_gauche_ethyl_methyl_ether_is_well_above_trans(ether):
    topology, start = ether
    profile = torsion_profile(topology, start, BACKBONE, angles=(180.0, 75.0))
    assert profile.types == "c3-c3-os-c3"
    trans, _ = relaxed_energy(topology, turned(topology, start, BACKBONE, 180.0))
    near_gauche = turned(topology, start, BACKBONE, 75.0)
    gauche, positions = relaxed_energy(topology, near_gauche)
    assert 55 < abs(_angle(positions)) < 95
    # Measured in the liquid: 1.1 kcal/mol ("Raman Spectra and Internal Rotation of Ethyl Methyl Ether", Bull. Chem.
    # Soc. Jpn., 1972). These charges and the corrected torsion give 1.2.
    assert gauche - trans == pytest.approx(1.22, abs=0.1)
    assert profile.energies[1] >= gauche - trans - 1e-3


def _angle(positions):
    return float(torch.rad2deg(dihedral_angles(torch.from_numpy(positions), torch.tensor([BACKBONE]))[0]))


def test_the_torsion_of_gaff2_itself_would_prefer_gauche(ether):
    topology, start = ether
    central = [sorted(row) == [0, 1, 2, 3] for row in topology.dihedrals.tolist()]
    other = [not here for here in central]
    published = [(0.75, 3.0, 0.0), (0.08, 2.0, 0.0), (0.88, 1.0, 180.0)]  # c3-c3-os-c3 of gaff2.dat 2.2.20
    changed = replace(
        topology,
        dihedrals=np.concatenate([topology.dihedrals[other], [BACKBONE] * 3]),
        dihedral_parameters=np.concatenate([topology.dihedral_parameters[other], published]),
    )
    energies = [relaxed_energy(changed, turned(topology, start, BACKBONE, angle))[0] for angle in (180.0, 60.0)]
    assert sum(central) == 2
    assert energies[1] < energies[0]


@pytest.mark.parametrize("angle", [-120.0, 37.0, 180.0])
def test_turning_a_torsion_changes_nothing_else(ether, angle):
    topology, start = ether
    moved = turned(topology, start, BACKBONE, angle)
    assert np.cos(np.deg2rad(_angle(moved) - angle)) == pytest.approx(1.0)
    for left, right in (topology.bonds.T, topology.angles[:, [0, 2]].T):
        before, after = (np.linalg.norm(x[left] - x[right], axis=1) for x in (start, moved))
        np.testing.assert_allclose(after, before, atol=1e-9)


def test_a_profile_is_symmetric_and_highest_at_cis(ether):
    topology, start = ether
    profile = torsion_profile(topology, start, BACKBONE, angles=(180.0, 120.0, 0.0, -120.0))
    assert profile.energies[0] == 0
    assert profile.energies[1] == pytest.approx(profile.energies[3], abs=0.02)  # the minimiser's tolerance
    assert profile.energies.argmax() == 2
    np.testing.assert_allclose(np.cos(np.deg2rad(profile.angles)), np.cos(np.deg2rad([180, 120, 0, -120])), atol=0.02)


def test_nothing_is_scanned_where_every_torsion_was_tried():
    assert unit_torsion_profiles("*OCC*", known=TRIED | {"c3-c3-c3-os"}) == []


@pytest.mark.slow
def test_new_groups_of_a_unit_are_scanned():
    profiles = unit_torsion_profiles("*OC(=O)OCC*", angles=(180.0, 90.0, 0.0))
    names = {tuple(sorted((p.types, "-".join(p.types.split("-")[::-1])))): p.energies for p in profiles}
    assert set(names) == {("c3-os-c-os", "os-c-os-c3"), ("c-os-c3-c3", "c3-c3-os-c")}
    ester = names["c3-os-c-os", "os-c-os-c3"]
    # Ester bonds are planar: the barrier of dimethyl carbonate is near 9 kcal/mol, that of a single bond near 3
    assert ester[1] > 6

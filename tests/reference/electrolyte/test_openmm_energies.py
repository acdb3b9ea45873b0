"""The system that OpenMM gets has the energy of the force field; needs OpenMM."""

import pytest
import torch
from molecules import lone_anion, lone_chain

from cgsim.reference.electrolyte.energy import MoleculeEnergy
from cgsim.reference.electrolyte.openmm_system import openmm_system
from cgsim.reference.electrolyte.settings import ElectrolyteSettings

pytestmark = pytest.mark.engine


@pytest.mark.parametrize(
    "electrolyte",
    [lone_chain("*OCC*"), lone_chain("*OC(=O)OCC*"), lone_anion("TFSI"), lone_anion("FSI"), lone_anion("PF6")],
    ids=["PEO", "PEC", "TFSI", "FSI", "PF6"],
)
def test_openmm_has_the_energy_of_the_force_field(electrolyte):
    openmm = pytest.importorskip("openmm")
    settings = ElectrolyteSettings(smiles="*OCC*", protocol={"hydrogen_mass": 1.008})
    system = openmm_system(electrolyte, settings, 100.0)
    (pairs,) = (force for force in system.getForces() if isinstance(force, openmm.NonbondedForce))
    pairs.setNonbondedMethod(openmm.NonbondedForce.NoCutoff)
    context = openmm.Context(system, openmm.VerletIntegrator(1e-3), openmm.Platform.getPlatformByName("Reference"))
    (part,) = electrolyte.components
    positions = part.conformers[0]
    context.setPositions(positions / 10)
    found = context.getState(energy=True).getPotentialEnergy()._value / 4.184
    expected = float(MoleculeEnergy(part.topology, list(electrolyte.atom_types)).total(torch.from_numpy(positions)))
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-3)  # Coulomb constants differ in the eighth digit

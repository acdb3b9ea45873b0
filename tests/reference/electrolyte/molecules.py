"""Molecules for tests: one chain or one ion, with a strained shape so that no term is near zero."""

import numpy as np

from cgsim.reference.electrolyte.build import chain_topology, chain_types
from cgsim.reference.electrolyte.charges import unit_charges
from cgsim.reference.electrolyte.ions import ANIONS, ion_conformers, ion_topology, ion_types
from cgsim.reference.electrolyte.repeat_unit import conformers, oligomer, parse_unit
from cgsim.reference.electrolyte.topology import Component, Electrolyte

STRAIN = 0.05  # Å, standard deviation of each coordinate


def _alone(topology, types, shape, smiles):
    noise = np.random.default_rng(5).normal(scale=STRAIN, size=shape.shape)
    component = Component(topology, (shape + noise)[None])
    return Electrolyte((component,), tuple(types), smiles, "none", 1, 1.0, "test", 0.0, 0.0)


def lone_chain(smiles, n_units=3):
    unit, _, _, _ = unit_charges(parse_unit(smiles))
    shape = conformers(oligomer(unit, n_units).mol, 1, seed=2)[0]
    topology = chain_topology(smiles, n_units)
    return _alone(topology, chain_types(topology), shape, smiles)


def lone_anion(name, charge_scale=0.75):
    topology = ion_topology(ANIONS[name], charge_scale)
    return _alone(topology, ion_types(ANIONS[name]), ion_conformers(ANIONS[name], 1, seed=2)[0], name)

"""Polymer electrolytes atom by atom: from the SMILES of a repeat unit to a force field, a box and a trajectory."""

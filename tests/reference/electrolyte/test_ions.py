import numpy as np
import pytest

from cgsim.errors import InputError
from cgsim.reference.electrolyte.ions import (
    ANIONS,
    CATIONS,
    SALTS,
    find_salt,
    ion_conformers,
    ion_topology,
    ion_types,
)

KJ = 4.184


@pytest.mark.parametrize("salt", SALTS)
@pytest.mark.parametrize("scale", [1.0, 0.75, 0.7, 1 / 3])
def test_salts_are_neutral_and_ions_carry_the_scaled_charge(salt, scale):
    cation, anion = (ion_topology(ion, scale) for ion in find_salt(salt))
    assert cation.charge == pytest.approx(scale, abs=1e-6)  # printed with six decimals
    assert abs(cation.charge + anion.charge) < 1e-12


def test_scaling_scales_every_charge():
    full, scaled = (ion_topology(ANIONS["TFSI"], scale) for scale in (1.0, 0.75))
    np.testing.assert_allclose(scaled.charges, 0.75 * full.charges, atol=1e-12)


@pytest.mark.parametrize(("name", "n_angles", "n_torsions"), [("TFSI", 25, 24), ("FSI", 13, 6), ("PF6", 12, 0)])
def test_number_of_terms_follows_from_the_bond_graph(name, n_angles, n_torsions):
    top = ion_topology(ANIONS[name], 0.75)
    degree = np.bincount(top.bonds.ravel(), minlength=top.n_atoms)
    paths = {tuple(row) for row in top.dihedrals.tolist()}
    # PF6: the three angles between opposite fluorines have no term
    assert len(top.angles) == n_angles == (degree * (degree - 1) // 2).sum() - (3 if name == "PF6" else 0)
    assert len(paths) == n_torsions == ((degree[top.bonds[:, 0]] - 1) * (degree[top.bonds[:, 1]] - 1)).sum()


def test_values_of_tfsi_are_those_of_the_published_file():
    """il.ff 2021/02/18 in its own units and form: k/2 (x - x0)^2 in kJ/mol, V_n/2 (1 +- cos n x)."""
    top = ion_topology(ANIONS["TFSI"], 1.0)
    names = [name.rstrip("0123456789") for name in top.atom_names]
    charge = {name: top.charges[names.index(name)] for name in "CSNOF"}
    assert charge == pytest.approx({"C": 0.35, "S": 1.02, "N": -0.66, "O": -0.53, "F": -0.16})
    types = {t.name: (t.sigma, t.epsilon * KJ) for t in ion_types(ANIONS["TFSI"])}
    assert types["OBT"] == pytest.approx((3.15, 0.83736))
    assert types["FBT"] == pytest.approx((3.118, 0.2554))
    bonds = {
        frozenset(names[i] for i in row): (2 * k * KJ, r0)
        for row, (k, r0) in zip(top.bonds, top.bond_parameters, strict=True)
    }
    assert bonds[frozenset("NS")] == pytest.approx((3137.0, 1.570))
    central = [
        (n, phase, k * KJ)
        for row, (k, n, phase) in zip(top.dihedrals, top.dihedral_parameters, strict=True)
        if [names[i] for i in row] in (list("CSNS"), list("SNSC"))
    ]
    np.testing.assert_allclose(sorted(central), sorted(2 * [(1, 0, 16.3865), (2, 180, -5.21), (3, 0, -1.5975)]))


def test_cations_are_those_of_aqvist():
    li, na = (ion_types(CATIONS[name])[0] for name in ("Li", "Na"))
    # r_min/2 and epsilon of the paper's A and B: opls_406 and opls_407
    assert (li.sigma, li.epsilon * KJ) == pytest.approx((2.12645, 0.0764793))
    assert (na.sigma, na.epsilon * KJ) == pytest.approx((3.33045, 0.0115980))


@pytest.mark.parametrize("name", ANIONS)
def test_shapes_are_near_the_equilibrium_of_the_force_field(name):
    top, shapes = ion_topology(ANIONS[name], 0.75), ion_conformers(ANIONS[name], 3, seed=1)
    assert shapes.shape == (3, top.n_atoms, 3)
    i, j = top.bonds.T
    lengths = np.linalg.norm(shapes[:, i] - shapes[:, j], axis=-1)
    # Distance geometry of RDKit knows radii, not this force field: 0.2 Å is far less than a wrong bond
    assert np.abs(lengths - top.bond_parameters[:, 1]).max() < 0.2


def test_hexafluorophosphate_is_an_octahedron():
    top = ion_topology(ANIONS["PF6"], 1.0)
    (shape,) = ion_conformers(ANIONS["PF6"], 1, seed=1)
    left, middle, right = (shape[top.angles[:, k]] for k in range(3))
    cosines = ((left - middle) * (right - middle)).sum(axis=1)
    np.testing.assert_allclose(cosines, 0.0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(left - middle, axis=1), 1.606)
    assert (top.angle_parameters[:, 1] == 90).all()


@pytest.mark.parametrize("salt", ["LiClO4", "KTFSI", "litfsi", ""])
def test_an_unknown_salt_is_refused_with_the_list(salt):
    with pytest.raises(InputError, match="LiTFSI, LiFSI, LiPF6, NaTFSI, NaFSI, NaPF6"):
        find_salt(salt)

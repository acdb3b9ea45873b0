import numpy as np
import pytest

from cgsim.errors import InputError
from cgsim.trajectory.elements import element_of_mass, element_of_name, element_of_symbol, tell_elements


@pytest.mark.parametrize(
    ("mass", "number"),
    [(1.0, 1), (1.008, 1), (12.0112, 6), (18.998, 9), (6.94, 3), (7.0, 3), (35.5, 17), (79.9, 35), (22.99, 11)],
)
def test_masses_as_force_fields_write_them_tell_the_element(mass, number):
    assert element_of_mass(mass) == number


@pytest.mark.parametrize("mass", [40.0, 3.024, 4.032, 2.014, 72.0, 5.963, 14.5, 0.5])
def test_masses_between_or_far_from_elements_tell_nothing(mass):
    assert element_of_mass(mass) == 0


@pytest.mark.parametrize(
    ("name", "number"), [("H12", 1), ("1HB", 1), ("LI", 3), ("Li+", 3), ("OW", 8), ("C3", 6), ("F", 9), ("S5", 16)]
)
def test_names_that_can_only_mean_one_element_tell_it(name, number):
    assert element_of_name(name) == number


@pytest.mark.parametrize("name", ["CA", "CL", "NA", "Co1", "12", "", "X1", "BR"])
def test_names_that_could_be_two_elements_or_none_tell_nothing(name):
    assert element_of_name(name) == 0


def test_symbols_are_read_in_any_case():
    assert [element_of_symbol(s) for s in ("LI", "li", "Li", "BR", "c", "Qq", "")] == [3, 3, 3, 35, 6, 0, 0]


def test_one_repartitioned_mass_makes_all_masses_worthless():
    # The oxygen of a heavy-hydrogen water weighs 11.967, which passes for carbon.
    particle_type, masses = np.array([0, 1, 1]), np.array([11.967, 4.032, 4.032])
    with pytest.raises(InputError, match=r"cannot tell the element of type 'h' \(mass 4.032 g/mol\); give"):
        tell_elements("x.data", particle_type, ("o", "h"), masses, None, None)
    found = tell_elements("x.data", particle_type, ("o", "h"), masses, None, ["OW", "HW1", "HW2"])
    np.testing.assert_array_equal(found, [8, 1, 1])
    np.testing.assert_array_equal(
        tell_elements("x.data", particle_type, ("o", "h"), masses, ["O", "H", ""], ["OW", "HW1", "HW2"]), [8, 1, 1]
    )

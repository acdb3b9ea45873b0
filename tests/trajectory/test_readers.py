import struct
import warnings
from pathlib import Path

import MDAnalysis
import numpy as np
import pytest
from trajectory_examples import ORTHORHOMBIC, TRICLINIC, moving_chains

from cgsim.errors import InputError
from cgsim.trajectory.importing import ImportSettings, import_trajectory
from cgsim.trajectory.readers import read_frames, read_topology
from cgsim.trajectory.store import TrajectoryStore

EXAMPLE = Path(__file__).parents[2] / "data" / "peo_litfsi_450K"


def wrapped(unwrapped, cell):
    return unwrapped - np.floor(unwrapped @ np.linalg.inv(cell)) @ cell


def universe_of(system, positions, cell, dt=2.0):
    """The same particles for MDAnalysis to write."""
    universe = MDAnalysis.Universe.empty(
        system.n_particles, n_residues=1, atom_resindex=[0] * system.n_particles, trajectory=True
    )
    names = ["C" if z == 6 else "Li" for z in system.atomic_numbers]
    universe.add_TopologyAttr("names", names)
    universe.add_TopologyAttr("types", names)
    universe.add_TopologyAttr("elements", names)
    universe.add_TopologyAttr("resnames", ["SYS"])
    universe.add_TopologyAttr("masses", system.masses)
    universe.add_TopologyAttr("charges", system.charges)
    universe.add_TopologyAttr("bonds", [tuple(bond) for bond in system.bond_index.T])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dimensions = np.array([*np.linalg.norm(cell, axis=1), *MDAnalysis.lib.mdamath.triclinic_box(*cell)[3:]])
        universe.load_new(positions.astype(np.float32), dimensions=dimensions, dt=dt)
    return universe


def write(universe, path, topology=False):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if topology:
            universe.atoms.write(str(path), bonds="all")
        else:
            universe.atoms.write(str(path), frames="all")
    return path


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Wrapped chains in every format that MDAnalysis writes."""
    folder = tmp_path_factory.mktemp("mda")
    system, unwrapped = moving_chains(TRICLINIC)
    universe = universe_of(system, wrapped(unwrapped, TRICLINIC), TRICLINIC)
    write(universe, folder / "x.pdb", topology=True)
    for suffix in ("xtc", "trr", "dcd"):
        write(universe, folder / f"x.{suffix}")
    return folder, system, unwrapped


# Steps in which a format rounds positions, and for XTC the error of its single-precision box.
@pytest.mark.parametrize(("suffix", "atol"), [("xtc", 0.011), ("trr", 1e-4), ("dcd", 1e-4)])
def test_formats_give_the_motion_up_to_one_lattice_vector_per_molecule(tmp_path, written, suffix, atol):
    folder, system, unwrapped = written
    settings = ImportSettings(save_interval="2 ps")
    summary = import_trajectory(folder / "x.pdb", [folder / f"x.{suffix}"], tmp_path / "x.h5", settings)
    store = TrajectoryStore(tmp_path / "x.h5")
    found = store.read()
    assert store.save_interval == 2.0
    assert summary.system.n_molecules == system.n_molecules
    np.testing.assert_array_equal(store.system.bond_index, system.bond_index)
    np.testing.assert_array_equal(store.system.atomic_numbers, system.atomic_numbers)
    difference = found.unwrapped_positions - unwrapped
    lattice = np.round(difference @ np.linalg.inv(TRICLINIC))
    assert (lattice == lattice[0]).all()
    np.testing.assert_allclose(difference, lattice @ TRICLINIC, atol=atol)


def test_masses_that_a_topology_lacks_are_standard_ones_with_a_note(written):
    topology = read_topology(written[0] / "x.pdb", None)
    assert topology.system.masses[0] == pytest.approx(12.011, abs=1e-3)
    assert any("standard atomic weights" in note for note in topology.notes)
    assert any("no charges" in note for note in topology.notes)


def test_times_are_those_of_the_file_where_the_format_has_them(tmp_path, written):
    folder = written[0]
    import_trajectory(folder / "x.pdb", [folder / "x.xtc"], tmp_path / "x.h5")
    np.testing.assert_array_equal(TrajectoryStore(tmp_path / "x.h5").time, [0, 2, 4, 6, 8])
    with pytest.raises(InputError, match="frame 1: the file has frames 2 ps apart, but --save-interval 1ps"):
        import_trajectory(folder / "x.pdb", [folder / "x.xtc"], tmp_path / "x.h5", ImportSettings(save_interval="1ps"))


def test_a_format_without_a_reliable_clock_needs_the_save_interval(tmp_path, written):
    folder = written[0]
    for name in ("x.dcd", "x.pdb"):
        with pytest.raises(InputError, match=r"frame 0: the file has no times; give --save-interval"):
            import_trajectory(folder / "x.pdb", [folder / name], tmp_path / "x.h5")


def test_lammps_units_are_not_for_these_files(tmp_path, written):
    folder = written[0]
    with pytest.raises(InputError, match="--units is for LAMMPS files"):
        import_trajectory(folder / "x.pdb", [folder / "x.xtc"], tmp_path / "x.h5", ImportSettings(units="real"))


@pytest.mark.parametrize("suffix", ["xtc", "trr", "dcd"])
@pytest.mark.parametrize("keep", [0.0, 0.02, 0.2, 0.43, 0.45, 0.9, 0.999])
def test_a_trajectory_that_is_cut_off_is_refused_and_leaves_nothing(tmp_path, written, suffix, keep):
    folder = written[0]
    good = (folder / f"x.{suffix}").read_bytes()
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(good[: int(keep * len(good)) + 1] if keep else b"")
    with pytest.raises(InputError, match=f"cut.{suffix}") as caught:
        import_trajectory(folder / "x.pdb", [path], tmp_path / "x.h5", ImportSettings(save_interval="2ps"))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", ["xtc", "trr"])
def test_a_cut_at_any_byte_is_seen(tmp_path, written, suffix):
    good = (written[0] / f"x.{suffix}").read_bytes()
    whole = 0
    for n_bytes in range(1, len(good), 7 if suffix == "xtc" else 11):
        (tmp_path / f"x.{suffix}").write_bytes(good[:n_bytes])
        try:
            whole += len(list(read_frames(tmp_path / f"x.{suffix}", 61))) > 0
        except InputError:
            continue
    assert whole <= 4  # cut exactly between the five frames nothing is missing that one could know of


@pytest.mark.parametrize("suffix", ["xtc", "trr", "dcd", "gro", "pdb"])
def test_garbage_is_refused(tmp_path, written, suffix):
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(np.random.default_rng(0).integers(0, 256, 5000).astype(np.uint8).tobytes())
    with pytest.raises(InputError, match=str(path)):
        import_trajectory(written[0] / "x.pdb", [path], tmp_path / "x.h5", ImportSettings(save_interval="2ps"))
    with pytest.raises(InputError, match=str(path)):
        read_topology(path, None)


def test_another_number_of_particles_is_refused(tmp_path):
    system, unwrapped = moving_chains(ORTHORHOMBIC, n_chains=2)
    universe = universe_of(system, wrapped(unwrapped, ORTHORHOMBIC), ORTHORHOMBIC)
    for suffix in ("xtc", "trr", "dcd"):
        path = write(universe, tmp_path / f"x.{suffix}")
        with pytest.raises(InputError, match=r"frame 0: .*41.*61|cannot be read"):
            list(read_frames(path, 61))


def test_coordinates_that_are_no_numbers_are_refused(tmp_path, written):
    folder = written[0]
    data = bytearray((folder / "x.trr").read_bytes())
    data[-12:-8] = struct.pack(">f", np.nan)
    (tmp_path / "x.trr").write_bytes(data)
    with pytest.raises(InputError, match="frame 4: x of particle 61 is nan, expected a finite number"):
        list(read_frames(tmp_path / "x.trr", 61))


def test_a_topology_without_bonds_is_refused(tmp_path, written):
    folder, system, unwrapped = written
    universe = universe_of(system, wrapped(unwrapped, TRICLINIC), TRICLINIC)
    write(universe, tmp_path / "x.gro", topology=True)
    with pytest.raises(InputError, match=r"x.gro: the topology has no bonds, so its molecules are unknown"):
        import_trajectory(tmp_path / "x.gro", [folder / "x.xtc"], tmp_path / "x.h5")


def test_names_that_tell_no_element_are_refused_until_elements_are_given(tmp_path, written):
    _, system, unwrapped = written
    universe = universe_of(system, wrapped(unwrapped, TRICLINIC), TRICLINIC)
    universe.atoms.names = ["CA"] * 60 + ["LI"]
    write(universe, tmp_path / "x.gro", topology=True)
    with pytest.raises(InputError, match=r"x.gro: cannot tell the element of type 'CA'; give --elements .* CA, LI"):
        read_topology(tmp_path / "x.gro", None)
    np.testing.assert_array_equal(read_topology(tmp_path / "x.gro", "C,Li").system.atomic_numbers, [6] * 60 + [3])
    with pytest.raises(InputError, match="no masses, and no elements to take them from"):
        read_topology(tmp_path / "x.gro", "none")


def test_run_input_of_gromacs_has_elements_decimal_numbers_and_repartitioned_masses():
    topology = read_topology(EXAMPLE / "prod.tpr", None)
    system = topology.system
    assert set(system.atomic_numbers) == {1, 3, 6, 7, 8, 9, 16}
    assert set(system.masses[system.atomic_numbers == 1]) == {3.024}
    assert (system.masses[system.atomic_numbers == 3] == 6.941).all()
    assert abs(system.charges.sum()) < 1e-12  # decimals as in the topology, not as in single precision
    assert system.n_molecules == 40
    assert any("repartitioned" in note for note in topology.notes)


@pytest.mark.slow
def test_shipped_electrolyte_comes_in_whole_at_every_frame(tmp_path):
    summary = import_trajectory(EXAMPLE / "prod.tpr", [EXAMPLE / "prod.xtc"], tmp_path / "peo.h5")
    assert summary.composition == {"polymer": 10, "TFSI": 15, "Li": 15}
    store = TrajectoryStore(tmp_path / "peo.h5")
    assert (store.n_frames, store.save_interval) == (1211, 1.5)
    a, b = store.system.bond_index
    for piece in store.chunks():
        positions = piece.unwrapped_positions
        lengths = np.linalg.norm(positions[:, b] - positions[:, a], axis=-1)
        # Bonds of hydrogen, carbon, oxygen, sulphur at 450 K, in Å.
        assert lengths.min() > 1.0
        assert lengths.max() < 2.2
    assert sorted(path.name for path in EXAMPLE.iterdir()) == ["README.md", "prod.tpr", "prod.xtc"]

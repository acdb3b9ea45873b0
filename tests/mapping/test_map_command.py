"""`cgsim map` of one store and of several."""

from pathlib import Path

import numpy as np
import pytest
from systems import OPEN, glyme, molecule, shaking_molecules, trajectory_of
from typer.testing import CliRunner

from cgsim.cli import app
from cgsim.errors import InputError
from cgsim.trajectory.store import TrajectoryStore, write_store


@pytest.fixture
def stores(tmp_path: Path) -> list[Path]:
    """Two stores of different molecules, in different folders."""
    paths = []
    for seed, name in enumerate(["a", "b"]):
        atoms = molecule(glyme(3 + seed))
        path = tmp_path / name / f"{name}.h5"
        path.parent.mkdir()
        motion = shaking_molecules(atoms, OPEN, 5, drift=1.0, rattle=0.1, seed=seed)
        write_store(path, trajectory_of(atoms, motion, OPEN, 1.0))
        paths.append(path)
    return paths


def map_to(output: Path, *stores: Path) -> Exception | None:
    result = CliRunner().invoke(app, ["map", *map(str, stores), "-o", str(output), "--from", "1 ps"])
    return None if result.exit_code == 0 else result.exception


def test_several_stores_are_mapped_into_a_folder_as_each_alone(stores: list[Path], tmp_path: Path) -> None:
    assert map_to(tmp_path / "beads", *stores) is None
    for store in stores:
        assert map_to(tmp_path / "alone.h5", store) is None
        together, alone = (
            TrajectoryStore(path).read() for path in (tmp_path / "beads" / store.name, tmp_path / "alone.h5")
        )
        assert together.n_frames == 4
        np.testing.assert_array_equal(together.wrapped_positions, alone.wrapped_positions)
        assert together.system.names == alone.system.names


def test_stores_that_would_be_one_file_are_refused_before_any_work(stores: list[Path], tmp_path: Path) -> None:
    beads = tmp_path / "beads"
    twice = map_to(beads, *stores, stores[0])
    assert isinstance(twice, InputError)
    assert str(twice) == f"{beads / 'a.h5'}: two of the stores have this name; map them to different folders"
    assert not beads.exists()


def test_a_folder_of_the_stores_themselves_and_a_file_are_refused(stores: list[Path]) -> None:
    before = stores[0].read_bytes()
    assert str(map_to(stores[0].parent, *stores)).startswith(f"{stores[0]}: is read by this command")
    assert str(map_to(stores[0], *stores)) == f"{stores[0]}: is a file, expected a folder for 2 stores"
    assert stores[0].read_bytes() == before


def test_one_bad_store_stops_all_before_any_is_written(stores: list[Path], tmp_path: Path) -> None:
    stores[1].write_bytes(b"no store")
    assert isinstance(map_to(tmp_path / "beads", *stores), InputError)
    assert not list((tmp_path / "beads").iterdir())

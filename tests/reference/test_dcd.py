"""Reading what LAMMPS writes."""

import MDAnalysis
import numpy as np
import pytest

from cgsim.errors import InputError
from cgsim.reference.dcd import read_dcd


@pytest.fixture
def written(tmp_path):
    """Seven frames of five particles, written by another package."""
    positions = np.random.default_rng(0).normal(scale=50.0, size=(7, 5, 3)).astype(np.float32)
    universe = MDAnalysis.Universe.empty(5, trajectory=True)
    universe.load_new(positions)
    universe.dimensions = [1, 1, 1, 90, 90, 90]
    path = tmp_path / "positions.dcd"
    with MDAnalysis.Writer(str(path), 5) as writer:
        for frame in universe.trajectory:
            frame.dimensions = [1, 1, 1, 90, 90, 90]
            writer.write(universe.atoms)
    return path, positions


def test_positions_are_read_bit_for_bit(written):
    path, positions = written
    np.testing.assert_array_equal(read_dcd(path, 5), positions)


def test_a_file_cut_off_anywhere_gives_the_whole_frames_before(written):
    path, positions = written
    content = path.read_bytes()
    frame = 56 + 3 * (5 * 4 + 8)
    for missing in (1, frame - 1, frame, frame + 1, 3 * frame):
        path.write_bytes(content[:-missing])
        whole = 7 - -(-missing // frame)
        np.testing.assert_array_equal(read_dcd(path, 5), positions[:whole])


def test_another_number_of_particles_is_refused(written):
    with pytest.raises(InputError, match="has 5 particles, expected 6"):
        read_dcd(written[0], 6)


def test_another_kind_of_file_is_refused(tmp_path):
    (tmp_path / "positions.dcd").write_text("ITEM: TIMESTEP\n")
    with pytest.raises(InputError, match="not a little-endian DCD"):
        read_dcd(tmp_path / "positions.dcd", 1)

import numpy as np
import pytest

from cgsim.observables.profile import density_profile

TRICLINIC = np.array([[10.0, 0.0, 0.0], [3.0, 9.0, 0.0], [-2.0, 4.0, 11.0]])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_ideal_gas_is_uniform_along_every_axis_of_a_skewed_cell(axis: int) -> None:
    n, frames, slabs = 300, 300, 12
    generator = np.random.default_rng(axis)
    gas = [(generator.uniform(-1, 2, size=(n, 3)) @ TRICLINIC, TRICLINIC) for _ in range(frames)]
    profile = density_profile(gas, axis, np.stack([np.ones(n), np.full(n, 2.5)]), np.arange(n) % 2, slabs)
    volume = abs(np.linalg.det(TRICLINIC))
    exact = np.array([1.0, 2.5])[:, None, None] * 150 / volume * np.ones((2, 2, slabs))
    assert np.abs((profile.density - exact) / profile.density_error).max() < 4  # 24 independent numbers
    np.testing.assert_allclose(profile.density.mean(axis=-1), exact[..., 0])  # nothing is lost
    # Counts in a slab are binomial.
    counted = np.sqrt(150 / slabs * (1 - 1 / slabs) / frames) / (volume / slabs)
    assert profile.density_error[0].mean() == pytest.approx(counted, rel=0.1)
    faces = np.cross(TRICLINIC[axis - 2], TRICLINIC[axis - 1])
    assert profile.slab_edges[-1] == pytest.approx(volume / np.linalg.norm(faces))


def test_step_of_density_is_where_it_was_put() -> None:
    generator = np.random.default_rng(4)
    cell = np.diag([8.0, 8.0, 20.0])
    frames = []
    for _ in range(200):
        fractional = generator.uniform(size=(100, 3))
        fractional[:80, 2] = 0.25 + 0.5 * fractional[:80, 2]  # 80 of 100 in the middle half
        frames.append((fractional @ cell, cell))
    kind = np.repeat([0, 1], [80, 20])
    profile = density_profile(frames, 2, np.ones((1, 100)), kind, 20)
    inside = (profile.slab_centres > 5) & (profile.slab_centres < 15)
    np.testing.assert_array_equal(profile.density[0, 0, ~inside], 0.0)
    deviation = (profile.density[0, 0, inside] - 80 / 640) / profile.density_error[0, 0, inside]
    assert np.abs(deviation).max() < 4  # ten slabs
    assert profile.density[0, 1].mean() == pytest.approx(20 / 1280)


def test_changing_cell_keeps_slabs_of_equal_volume() -> None:
    generator = np.random.default_rng(5)
    frames = []
    for k in range(300):
        cell = TRICLINIC * (1 + 0.1 * np.cos(k))
        frames.append((generator.uniform(size=(50, 3)) @ cell, cell))
    profile = density_profile(frames, 2, np.ones((1, 50)), np.zeros(50, int), 8)
    exact = np.mean([50 / abs(np.linalg.det(cell)) for _, cell in frames])
    np.testing.assert_allclose(profile.density.mean(), exact)
    assert np.abs((profile.density[0, 0] - exact) / profile.density_error[0, 0]).max() < 4


def test_no_cell_and_no_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="needs a periodic cell"):
        density_profile([(np.zeros((1, 3)), np.zeros((3, 3)))], 0, np.ones((1, 1)), np.zeros(1, int), 4)
    with pytest.raises(ValueError, match="no frames"):
        density_profile([], 0, np.ones((1, 1)), np.zeros(1, int), 4)

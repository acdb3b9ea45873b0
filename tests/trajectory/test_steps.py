"""What steps say of images: found ones that are doubtful, and given ones that are wrong."""

import numpy as np
import pytest
from import_examples import REAL
from lammps_files import write_data, write_dump
from trajectory_examples import ORTHORHOMBIC, TRICLINIC, chains_and_ion

from cgsim.errors import InputError
from cgsim.trajectory.frames import Frame
from cgsim.trajectory.images import ImageFinder
from cgsim.trajectory.importing import ImportSettings, import_trajectory
from cgsim.trajectory.store import TrajectoryStore
from cgsim.trajectory.trajectory import System


def ions(n: int) -> System:
    return chains_and_ion(n_chains=n - 1, length=1)


def brownian(generator: np.random.Generator, step: float, n_frames: int, n: int) -> np.ndarray:
    """Fractional unwrapped positions of particles with Gaussian steps of this rms."""
    start = generator.random((1, n, 3))
    return np.concatenate([start, start + np.cumsum(generator.normal(0, step, (n_frames - 1, n, 3)), axis=0)])


def follow(fractional: np.ndarray, cell: np.ndarray = ORTHORHOMBIC, *, given: bool) -> np.ndarray:
    """Fractional positions with the images that are found, or claimed to be those of the positions as they are."""
    finder = ImageFinder(ions(fractional.shape[1]))
    none = np.zeros(fractional.shape[1:], dtype=np.int32)
    found = []
    for number, positions in enumerate(fractional):
        frame = Frame(f"x.dump: frame {number}", positions @ cell, None, False, cell, None, None, 0)
        if given:
            finder.check(frame, none)
        found.append(positions + (none if given else finder.from_bonds(frame)))
    finder.check_steps()
    return np.array(found)


def accepted(fractional: np.ndarray, **options) -> bool:
    try:
        follow(fractional, **options)
    except InputError:
        return False
    return True


@pytest.mark.parametrize(("step", "share"), [(0.08, (1.0, 1.0)), (0.17, (0.0, 0.0)), (0.2, (0.0, 0.0))])
def test_unwrapping_is_refused_or_not_by_the_rms_step_and_not_by_chance(step, share):
    generator = np.random.default_rng(0)
    runs = [brownian(generator, step, 8, 15) for _ in range(100)]
    rate = np.mean([accepted(run % 1.0, given=False) for run in runs])
    print(f"rms step {step} of the cell: {rate:.0%} of 100 runs accepted")
    # At 0.08 a step beyond 0.45 has a chance of 2e-8; at 0.17 and above no run has an rms below 0.14, four errors less.
    assert share[0] <= rate <= share[1]


def test_hardly_any_run_with_a_wrong_image_is_accepted_whatever_the_step():
    generator = np.random.default_rng(1)
    wrong = 0
    for step in np.repeat([0.13, 0.14, 0.15, 0.17], 100):
        run = brownian(generator, step, 8, 15)
        try:
            found = follow(run % 1.0, given=False)
        except InputError:
            continue
        wrong += not np.allclose(np.diff(found, axis=0), np.diff(run, axis=0), atol=1e-9)
    print(f"{wrong} of 400 runs accepted with a wrong image")
    assert wrong <= 1  # fewer than one in 1000 at the worst of these steps; 13 pass if only steps above 0.45 count


def test_refusal_names_file_particle_and_rms_step():
    steps = np.random.default_rng(2).uniform(-0.3, 0.3, (8, 15, 3)) * [1.0, 0.1, 0.1]  # none near 0.45
    match = (
        r"x.dump: frame 7: molecules like that of particle 1 \(.*\) move by 0.18 of the cell \(rms\) along a .* some"
    )
    with pytest.raises(InputError, match=match) as caught:
        follow(np.cumsum(steps, axis=0) % 1.0, given=False)
    assert "save more often, or save image flags" in str(caught.value)


@pytest.mark.parametrize("cell", [ORTHORHOMBIC, TRICLINIC])
@pytest.mark.parametrize("step", [0.01, 0.05, 0.1, 0.2, 0.3])
def test_wrapped_positions_that_are_said_to_be_unwrapped_are_refused(cell, step):
    run = brownian(np.random.default_rng(3), step, 40, 30) % 1.0
    with pytest.raises(InputError, match=r"x.dump: frame \d+: particle \d+ .* moved by .* Angstrom along [abc] since"):
        follow(run, cell, given=True)


@pytest.mark.parametrize("step", [0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0, 30.0])
def test_true_motion_is_accepted_however_long_the_steps(step):
    generator = np.random.default_rng(4)
    assert all(accepted(brownian(generator, step, n, 30), given=True) for n in (2, 5, 20, 40) for _ in range(5))


def test_true_motion_of_fast_and_slow_particles_and_of_a_drifting_box_is_accepted():
    generator = np.random.default_rng(5)
    slow, fast = brownian(generator, 0.02, 40, 30), brownian(generator, 0.8, 40, 10)
    assert accepted(np.concatenate([slow, fast], axis=1), given=True)
    heavy = np.cumsum(0.05 * generator.standard_t(2, (40, 30, 3)), axis=0)  # a few steps longer than all others
    assert accepted(heavy, given=True)
    pushed = slow + (np.arange(40) >= 20)[:, None, None] * 0.97  # the whole box moved on while nothing was saved
    assert accepted(pushed, given=True)
    assert accepted(slow + 1.0 * np.arange(40)[:, None, None], given=True)


@pytest.mark.parametrize("settings_", [{}, {"images": "unwrapped"}])
def test_import_refuses_images_of_zero_with_wrapped_ions_and_bonds_find_them(tmp_path, settings_):
    system = ions(20)
    unwrapped = brownian(np.random.default_rng(6), 0.04, 30, 20) @ ORTHORHOMBIC
    wrapped = unwrapped - np.floor(unwrapped @ np.linalg.inv(ORTHORHOMBIC)) @ ORTHORHOMBIC
    write_data(tmp_path / "w.lmp", system, wrapped[0], ORTHORHOMBIC)
    no_images = dict.fromkeys(("ix", "iy", "iz"), np.zeros(20, dtype=int))
    write_dump(tmp_path / "w.lammpstrj", wrapped, [ORTHORHOMBIC] * 30, convention="x", extra=no_images)
    common = {"units": "real", "timestep": REAL.timestep, "allow_no_bonds": True}
    paths = (tmp_path / "w.lmp", [tmp_path / "w.lammpstrj"], tmp_path / "w.h5")
    with pytest.raises(InputError, match=r"w.lammpstrj: frame \d+ .*: particle .* --images bonds finds") as caught:
        import_trajectory(*paths, ImportSettings(**common, **settings_))
    assert "\n" not in str(caught.value)
    assert not paths[2].exists()
    import_trajectory(*paths, ImportSettings(**common, images="bonds"))
    found = TrajectoryStore(paths[2]).read().unwrapped_positions
    # Positions with the digits of the dump, float32 in the cell.
    np.testing.assert_allclose(np.diff(found, axis=0), np.diff(unwrapped, axis=0), atol=1e-4)

"""Beads that training maps once: what comes back, what is taken anew, and what happens without a disk."""

import os
from unittest.mock import Mock

import numpy as np
import pytest
from systems import TRICLINIC, electrolyte_store

from cgsim.beads import BeadStore, open_beads
from cgsim.mapping import MappingSettings
from cgsim.train import cache
from cgsim.train.cache import cached_trajectory

ARRAYS = ("wrapped_positions", "image_flags", "cell", "time", "squared_sizes")


@pytest.fixture
def beads(tmp_path, monkeypatch) -> BeadStore:
    """Atoms of an electrolyte, 30 frames, and an empty cache for them that maps everything."""
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "MAPPED_BYTES", 0)
    return open_beads(electrolyte_store(tmp_path / "box.h5", 30, cell=2.0 * TRICLINIC), MappingSettings())


def count_reads(monkeypatch) -> list[slice]:
    """The frames that are mapped from now on."""
    reads, read = [], BeadStore.read

    def counted(self, frames=slice(None), **what):
        reads.append(frames)
        return read(self, frames, **what)

    monkeypatch.setattr(BeadStore, "read", counted)
    return reads


@pytest.mark.parametrize("frames", [slice(0, 30), slice(3, 17), slice(29, 30)], ids=str)
@pytest.mark.parametrize("sizes", [True, False])
def test_cached_beads_are_those_of_the_store_however_they_were_cut(beads, frames, sizes, monkeypatch):
    expected = beads.read(frames, sizes=sizes)
    monkeypatch.setattr(cache, "PIECE_BYTES", 4 * cache.BYTES_PER_ATOM * beads.atoms.n_particles)
    for _ in range(2):
        found = cached_trajectory(beads, frames, sizes=sizes)
        for name in ARRAYS if sizes else ARRAYS[:-1]:
            values = getattr(found, name)
            np.testing.assert_array_equal(values, getattr(expected, name), err_msg=name)
            assert isinstance(values.base, np.memmap)  # looked at on disk, not read
        assert found.system.names == expected.system.names
        assert (found.squared_sizes is not None) == sizes


def test_beads_are_mapped_once_and_again_when_the_file_was_written_again(beads, monkeypatch):
    reads = count_reads(monkeypatch)
    for _ in range(3):
        cached_trajectory(beads, slice(0, 30))
    assert len(reads) == 1
    cached_trajectory(beads, slice(0, 29))
    assert len(reads) == 2
    facts = beads.store.path.stat()
    os.utime(beads.store.path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    cached_trajectory(beads, slice(0, 30))
    assert len(reads) == 3


def test_without_a_place_to_write_beads_are_read_into_memory(beads, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path / "file"))
    np.testing.assert_array_equal(
        cached_trajectory(beads, slice(0, 30)).wrapped_positions, beads.read(slice(0, 30)).wrapped_positions
    )


def test_a_damaged_cache_is_made_again(beads, monkeypatch):
    whole = cached_trajectory(beads, slice(0, 30)).wrapped_positions.copy()
    (damaged,) = cache.cache_folder().glob("*/*/wrapped_positions.npy")
    damaged.write_bytes(damaged.read_bytes()[:200])
    np.testing.assert_array_equal(cached_trajectory(beads, slice(0, 30)).wrapped_positions, whole)
    reads = count_reads(monkeypatch)
    np.testing.assert_array_equal(cached_trajectory(beads, slice(0, 30)).wrapped_positions, whole)
    assert len(reads) == 1


def test_what_was_not_used_for_longest_makes_room(beads, monkeypatch):
    cached_trajectory(beads, slice(0, 10))
    (first,) = (cache.cache_folder() / "beads").iterdir()
    one = sum(file.stat().st_size for file in first.iterdir())
    monkeypatch.setattr(cache, "LARGEST_CACHE", int(2.5 * one))
    cached_trajectory(beads, slice(5, 15))
    os.utime(first, (0, 0))
    still_open = cached_trajectory(beads, slice(5, 15)).wrapped_positions
    cached_trajectory(beads, slice(10, 20))
    assert not first.exists()
    assert len(list(first.parent.iterdir())) == 2
    np.testing.assert_array_equal(still_open, beads.read(slice(5, 15)).wrapped_positions)


def test_nothing_half_written_is_left_when_mapping_is_interrupted(beads, monkeypatch):
    monkeypatch.setattr(BeadStore, "read", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        cached_trajectory(beads, slice(0, 30))
    assert list((cache.cache_folder() / "beads").iterdir()) == []

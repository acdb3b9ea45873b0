"""Sets of electrolytes with an engine that computes nothing: order, resuming, refusals, and exact images."""

import json
import shutil

import numpy as np
import pytest
from fake_engine import FakeMd

from cgsim.errors import InputError
from cgsim.reference.electrolyte.generate import SystemDone, generate_electrolytes, write_reference
from cgsim.reference.electrolyte.prepare import START_STORE
from cgsim.reference.electrolyte.settings import ElectrolyteSettings
from cgsim.trajectory.store import TrajectoryStore

SMALL = {
    "smiles": "*OCC*",
    "n_chains": 4,
    "chain_mass": 300.0,
    "length": "40 ps",
    "round": "20 ps",
    "protocol": {"segment": "10 ps", "relax": "20 ps", "cutoff": 4.0, "packing_density": 0.3},
}
N_PREPARATION = 8  # parts: minimise, heat, compress, two of relax, cool, density, settle


def small(**changes):
    return ElectrolyteSettings(**{**SMALL, **changes})


def generate(folder, md, systems, processes=1):
    engines = dict.fromkeys(systems, md)
    return list(generate_electrolytes(systems, folder / "out", folder / "work", engines, processes))


def ran(folder):
    """Names of system and part, in the order in which they were run."""
    lines = (folder / "calls").read_text().splitlines() if (folder / "calls").is_file() else []
    return [tuple(line.split()) for line in lines]


@pytest.fixture
def _quick(monkeypatch):
    """Leave out the analysis, where a test is about the run."""
    monkeypatch.setattr("cgsim.reference.electrolyte.generate.reference_values", lambda _: ({}, {}))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    events = generate(folder, FakeMd(folder / "calls"), {"peo": small()})
    return folder, events


def test_store_has_the_frames_asked_for_with_exact_images(finished):
    folder, _ = finished
    store = TrajectoryStore(folder / "out" / "peo.h5")
    assert store.n_frames == 21
    assert store.save_interval == pytest.approx(2.0, rel=1e-12)
    truth, cell = FakeMd(folder / "calls").path(folder / "work" / "peo", 21)
    found = store.read()
    unwrapped = found.unwrapped_positions
    # Images count from where the first frame has the molecule: one shift by lattice vectors for all frames.
    shift = np.round((unwrapped[0] - truth[0]) @ np.linalg.inv(cell)) @ cell
    np.testing.assert_allclose(unwrapped - shift, truth, rtol=0, atol=0.011)  # two decimals and single precision
    assert (np.linalg.norm(truth[-1] - truth[0], axis=-1) > 0).all()
    assert found.image_flags.any()


def test_store_says_how_it_was_made(finished):
    folder, _ = finished
    store = TrajectoryStore(folder / "out" / "peo.h5")
    provenance = store.documents["provenance"]
    assert provenance["temperature"] == 450.0
    assert provenance["engine"] == "Fake 1.0"
    assert provenance["settings"]["seed"] == 1
    assert "GAFF2" in provenance["force_field"]
    hydrogens = store.system.atomic_numbers == 1
    np.testing.assert_allclose(store.system.masses[hydrogens], 1.008)
    ions = store.system.charges[store.system.molecule_id >= 4]
    assert np.abs(np.add.reduceat(ions, np.unique(store.system.molecule_id[ions.size * -1 :], return_index=True)[1])
                  ).round(6).tolist() == [0.75] * 4  # fmt: skip


def test_checks_find_what_was_put_in(finished):
    folder, events = finished
    document = [e for e in events if isinstance(e, SystemDone)][-1].document
    assert document == json.loads((folder / "out" / "peo.json").read_text())
    n = TrajectoryStore(folder / "out" / "peo.h5").system.n_particles
    assert document["checks"]["energy_drift"]["value"] == pytest.approx(3.0 * 1e3 / n, rel=1e-4)
    assert document["checks"]["temperature"]["passed"]
    assert document["checks"]["temperature"]["value"] == pytest.approx(450.0, abs=1.0)
    assert document["checks"]["density"]["passed"]
    assert document["length_ns"] == 0.04
    found = json.loads(write_reference(folder / "out", ["peo", "missing"]).read_text())
    assert list(found["systems"]) == ["peo"]


@pytest.mark.usefixtures("_quick")
def test_all_reach_the_first_round_before_any_goes_on_and_the_cheapest_is_first(tmp_path):
    systems = {"big": small(n_chains=6), "small": small(), "short": small(length="20 ps", n_chains=5)}
    generate(tmp_path, FakeMd(tmp_path / "calls"), systems)
    produced = [call for call in ran(tmp_path) if call[1].startswith("part-")]
    rounds = [[(name, f"part-{k}") for k in parts] for name, parts in
              (("small", (0, 1)), ("short", (0, 1)), ("big", (0, 1)), ("small", (2, 3)), ("big", (2, 3)))]  # fmt: skip
    assert produced == [call for one in rounds for call in one]


@pytest.mark.usefixtures("_quick")
def test_several_processes_make_the_same_stores(tmp_path, finished):
    generate(tmp_path, FakeMd(tmp_path / "calls"), {"peo": small(), "two": small(start=2)}, processes=3)
    first, again = (TrajectoryStore(f / "out" / "peo.h5").read() for f in (finished[0], tmp_path))
    np.testing.assert_array_equal(first.unwrapped_positions, again.unwrapped_positions)
    other = TrajectoryStore(tmp_path / "work" / "two" / START_STORE).read()
    assert np.abs(other.wrapped_positions[0] - TrajectoryStore(
        tmp_path / "work" / "peo" / START_STORE).read().wrapped_positions[0]).max() > 1  # fmt: skip


@pytest.mark.usefixtures("_quick")
def test_what_is_there_is_not_run_again_and_a_longer_run_goes_on(tmp_path, finished):
    shutil.copytree(finished[0] / "work", tmp_path / "work")
    md = FakeMd(tmp_path / "calls")
    for script in (tmp_path / "work" / "peo" / "inputs").glob("*.sh"):
        script.write_text(script.read_text().replace(str(finished[0]), str(tmp_path)))
    generate(tmp_path, md, {"peo": small()})
    assert ran(tmp_path) == []
    generate(tmp_path, md, {"peo": small(length="60 ps")})
    assert [part for _, part in ran(tmp_path)] == ["part-4", "part-5"]
    assert TrajectoryStore(tmp_path / "out" / "peo.h5").n_frames == 31


@pytest.mark.usefixtures("_quick")
def test_a_run_that_was_shorter_than_a_segment_goes_on_in_segments_of_that_length(tmp_path):
    md = FakeMd(tmp_path / "calls")
    generate(tmp_path, md, {"peo": small(length="4 ps")})
    assert TrajectoryStore(tmp_path / "out" / "peo.h5").n_frames == 3
    with pytest.raises(InputError, match="peo: was begun in segments of 2 frames, and the 5 that are asked for"):
        generate(tmp_path, md, {"peo": small(length="10 ps")})
    generate(tmp_path, md, {"peo": small(length="24 ps")})
    assert [part for _, part in ran(tmp_path) if part.startswith("part")] == [f"part-{k}" for k in range(6)]
    store = TrajectoryStore(tmp_path / "out" / "peo.h5")
    np.testing.assert_allclose(store.time, 2.0 * np.arange(13))


@pytest.mark.usefixtures("_quick")
def test_a_store_of_another_system_is_neither_replaced_nor_taken_for_the_one_asked_for(tmp_path, finished):
    shutil.copytree(finished[0] / "out", tmp_path / "out")
    before = (tmp_path / "out" / "peo.h5").read_bytes()
    other = small(smiles="*OCCC*", length="10 ps")
    with pytest.raises(
        InputError, match=r"peo.h5: has smiles '\*OCC\*', asked for '\*OCCC\*'; choose another --output"
    ):
        generate(tmp_path, FakeMd(tmp_path / "calls"), {"peo": other})
    assert (tmp_path / "out" / "peo.h5").read_bytes() == before
    assert not (tmp_path / "work").exists()


@pytest.mark.usefixtures("_quick")
def test_a_store_is_written_anew_where_other_frames_are_to_be_kept(tmp_path):
    md = FakeMd(tmp_path / "calls")
    generate(tmp_path, md, {"peo": small()})
    n_calls = len(ran(tmp_path))
    generate(tmp_path, md, {"peo": small(store={"every": 4, "decimals": 1})})
    assert len(ran(tmp_path)) == n_calls
    np.testing.assert_allclose(TrajectoryStore(tmp_path / "out" / "peo.h5").time, 8.0 * np.arange(6))


def test_a_run_begun_with_other_settings_is_refused(tmp_path, finished):
    shutil.copytree(finished[0] / "work", tmp_path / "work")
    with pytest.raises(InputError, match=r"peo: has temperature 450.0, asked for 400.0; give"):
        generate(tmp_path, FakeMd(tmp_path / "calls"), {"peo": small(temperature=400.0)})


def test_an_engine_that_stops_says_where_and_others_are_finished(tmp_path):
    md = FakeMd(tmp_path / "calls", failing="part")
    with pytest.raises(InputError, match=r"Fake 1.0 stopped after step 1700 of part-00000 \(Too warm\); kept: settle"):
        generate(tmp_path, md, {"peo": small()})
    assert len(list((tmp_path / "work" / "peo").glob("*-0000?"))) == N_PREPARATION
    assert not (tmp_path / "out").exists()


def test_a_broken_bond_is_reported_with_its_moment(tmp_path):
    md = FakeMd(tmp_path / "calls", torn=1)
    with pytest.raises(
        InputError, match=r"not sane from 16 ps on: bond 1-\d+ .* expected less than 3; kept: the 10 ps"
    ):
        generate(tmp_path, md, {"peo": small()})
    assert [p.name for p in (tmp_path / "work" / "peo").glob("part-*")] == ["part-00000"]


def test_a_run_that_is_far_too_warm_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"not sane: 900 K on average, expected 600 K; kept: minimise-00000"):
        generate(tmp_path, FakeMd(tmp_path / "calls", temperature=1.5), {"peo": small()})


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=0))
    with pytest.raises(InputError, match="no space left on the disk; kept: the packed box"):
        generate(tmp_path, FakeMd(tmp_path / "calls", failing="minimise"), {"peo": small()})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"smiles": "*OCC"}, "two"),
        ({"salt": "LiTFSY"}, "expected one of LiTFSI, "),
        ({"n_chains": 1}, "make a box of about .* more chains"),
        ({"protocol": {**SMALL["protocol"], "packing_density": 5.0}}, "cannot pack .* lower protocol.packing_density"),
    ],
)
def test_what_cannot_be_built_is_one_line_and_leaves_nothing(tmp_path, changes, words):
    with pytest.raises(InputError, match=words) as refused:
        generate(tmp_path, FakeMd(tmp_path / "calls"), {"peo": small(**changes)})
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_a_file_where_the_stores_shall_go_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InputError, match="out: is a file, expected the name of a folder"):
        generate(tmp_path, FakeMd(tmp_path / "calls"), {"peo": small()})
    assert (tmp_path / "out").read_text() == "mine"

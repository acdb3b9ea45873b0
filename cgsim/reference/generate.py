"""A set of chains: run them, several at a time, and write one store for each."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

import numpy as np

from cgsim import __version__
from cgsim.errors import InputError
from cgsim.reference.engine import Engine
from cgsim.reference.figures import ChainFigures, measure_chain
from cgsim.reference.folders import made_folders, refuse_difference
from cgsim.reference.forcefield import FENE_LENGTH, FENE_STIFFNESS, FORCE_FIELDS
from cgsim.reference.lammps_input import INPUT_FILES, SEGMENT_FILE, write_inputs
from cgsim.reference.pool import Emit, Job, run_side_by_side
from cgsim.reference.run import PartDone, bond_lengths, part_folder, read_kinetic, read_positions, run_chain
from cgsim.reference.segments import going_on
from cgsim.reference.sequences import Chain, chain_system
from cgsim.reference.settings import TIMESTEP, ChainSettings, draw_chains
from cgsim.trajectory.store import TrajectoryStore, write_store
from cgsim.trajectory.trajectory import Trajectory

KINETIC_TOLERANCE = 0.01  # of kT; the integrator's own error at this timestep is below 0.002
KINETIC_ERRORS = 5.0  # standard errors of kT that are no reason to worry


def generate_chains(
    settings: ChainSettings, output: Path, work: Path, engine: Engine, processes: int
) -> Iterator[PartDone | ChainFigures]:
    """Run all chains, ``processes`` at a time; yield each finished part, and each chain once its store is written.

    Args:
        settings: which chains, how long.
        output: folder of the stores, one ``<chain>.h5`` each.
        work: folder of the runs; what is there already is used, so that a killed run goes on where it was.
        engine: LAMMPS.
        processes: engines running at a time, one core each.

    Raises:
        InputError: before any work, if ``work`` or a store was begun with other settings; if a run failed, once the
            other chains are finished.
    """
    chains = draw_chains(settings)

    def job(chain: Chain, own: ChainSettings) -> Job[PartDone | ChainFigures]:
        def run(emit: Emit[PartDone | ChainFigures], stop: Event) -> None:
            for done in run_chain(work / chain.name, chain, own, engine, stop):
                emit(done)
            if not stop.is_set():
                emit(_finish(work / chain.name, output / f"{chain.name}.h5", chain, own, engine))

        return run

    with made_folders(output, work):
        begun = []
        for chain in chains:
            _check_store(output / f"{chain.name}.h5", chain, settings)
            begun.append(_check_start(work / chain.name, chain, settings))
        for chain, own in zip(chains, begun, strict=True):
            write_inputs(work / chain.name, chain, own)
        jobs = [job(chain, own) for chain, own in zip(chains, begun, strict=True)]
        reports: Iterator[PartDone | ChainFigures] = run_side_by_side(jobs, processes)
        yield from reports


def _check_store(path: Path, chain: Chain, settings: ChainSettings) -> None:
    """Refuse to replace a store of another chain, or of one that was made in another way."""
    if not path.is_file():
        return
    way_out = "choose another --output folder"
    documents = TrajectoryStore(path).documents
    try:
        before = ChainSettings.model_validate(documents["provenance"]["settings"]).identity()
        sequence = documents["chain"]["sequence"]
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{path}: was not made by 'cgsim generate chains'; {way_out}") from None
    refuse_difference(
        path, {**before, "sequence": sequence}, {**settings.identity(), "sequence": chain.sequence}, way_out
    )


def _check_start(folder: Path, chain: Chain, settings: ChainSettings) -> ChainSettings:
    """The settings, with the segments of a run that was begun; its inputs must be those of these settings."""
    if not part_folder(folder, 0).is_dir():
        return settings
    inputs = folder / SEGMENT_FILE
    begun = re.search(r"^run (\d+)$", inputs.read_text() if inputs.is_file() else "", re.MULTILINE)
    if begun and int(begun[1]) % settings.steps("save_interval") == 0:
        settings = going_on(settings, int(begun[1]) // settings.steps("save_interval"), folder)
    with TemporaryDirectory() as fresh:
        write_inputs(Path(fresh), chain, settings)
        different = [name for name in INPUT_FILES if _commands(Path(fresh) / name) != _commands(folder / name)]
    if different:
        raise InputError(
            f"{folder}: was begun with other settings ({', '.join(different)} would differ); "
            "give the settings it was begun with, or another --work folder"
        )
    return settings


def _commands(path: Path) -> list[str]:
    """What an input says, without its title and comments."""
    lines = path.read_text().splitlines()[1:] if path.is_file() else []
    return [line for line in lines if not line.startswith("#")]


def _finish(folder: Path, target: Path, chain: Chain, settings: ChainSettings, engine: Engine) -> ChainFigures:
    """Check a finished run and write its store."""
    positions = read_positions(folder, chain, settings)
    interval = settings.steps("save_interval") * TIMESTEP
    lengths = bond_lengths(positions, chain)
    figures = measure_chain(chain, positions, lengths, read_kinetic(folder, settings), interval, settings.friction)
    kinetic = figures.kinetic_temperature
    allowed = KINETIC_ERRORS * kinetic.standard_error + KINETIC_TOLERANCE * settings.temperature
    if abs(kinetic.value - settings.temperature) > allowed:
        raise InputError(
            f"{folder}: kT is {kinetic.value:.4f} +- {kinetic.standard_error:.4f} from velocities, "
            f"expected {settings.temperature:g}; the trajectory is kept there but not stored"
        )
    target.parent.mkdir(parents=True, exist_ok=True)  # another job that shares it may have removed it while empty
    kept = np.round(positions[:: settings.store.every], settings.store.decimals)
    trajectory = Trajectory(
        system=chain_system(chain.sequence),
        wrapped_positions=kept,
        image_flags=np.zeros(kept.shape, dtype=np.int32),
        cell=np.zeros((len(kept), 3, 3)),
        time=np.arange(len(kept)) * (settings.store.every * interval),
    )
    documents = {"provenance": provenance(settings, engine), "chain": {"kind": chain.kind, "sequence": chain.sequence}}
    write_store(target, trajectory, documents=documents, decimals=settings.store.decimals)
    return figures


def write_reference(path: Path, figures: list[ChainFigures], settings: ChainSettings, engine: Engine) -> None:
    """Write the figures of a set, the values that models are compared with, as JSON."""
    document = {
        "units": "lj",
        "provenance": provenance(settings, engine),
        "chains": {f.chain.name: f.document() for f in sorted(figures, key=lambda f: f.chain.name)},
    }
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(document, indent=1) + "\n")
    partial.replace(path)


def read_reference(path: Path) -> dict[str, float]:
    """Read <Rg^2> of each sequence of a set.

    Raises:
        InputError: if the file is missing or not such a file.
    """
    try:
        chains = json.loads(path.read_text())["chains"].values()
        return {chain["sequence"]: float(chain["squared_radius_of_gyration"]["value"]) for chain in chains}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; make it with 'cgsim generate chains'") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path}: is not the reference.json of a set of chains") from None


def provenance(settings: ChainSettings, engine: Engine) -> dict[str, Any]:
    """How the data were made: enough to make them again."""
    force_field = FORCE_FIELDS[settings.force_field]
    return {
        "command": "cgsim generate chains",
        "cgsim": __version__,
        "engine": engine.version,
        "settings": settings.model_dump(mode="json"),
        "timestep": TIMESTEP,
        "bonds": {"style": "FENE", "stiffness": FENE_STIFFNESS, "length": FENE_LENGTH},
        "pairs": {"style": "Lennard-Jones", "cutoff": force_field.cutoff, "epsilon": force_field.epsilon},
    }

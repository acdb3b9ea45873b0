"""A run folder: built once, from the SMILES to the engine's inputs, and taken as it is from then on."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from cgsim import __version__
from cgsim.errors import InputError
from cgsim.reference.electrolyte.build import build_electrolyte, chain_plan
from cgsim.reference.electrolyte.gromacs_topology import gromacs_topology
from cgsim.reference.electrolyte.ions import find_salt
from cgsim.reference.electrolyte.packing import find_packmol, pack
from cgsim.reference.electrolyte.protocol import INPUTS, START, parts, seed_sequence, stages
from cgsim.reference.electrolyte.run import MdEngine
from cgsim.reference.electrolyte.settings import ElectrolyteSettings
from cgsim.reference.electrolyte.store import electrolyte_system, write_start_store
from cgsim.reference.electrolyte.topology import Electrolyte
from cgsim.reference.folders import refuse_difference
from cgsim.reference.segments import going_on
from cgsim.trajectory.store import TrajectoryStore
from cgsim.trajectory.trajectory import System
from cgsim.units import AVOGADRO_PER_MOL

SETTINGS_FILE = "settings.json"
START_STORE = f"{START}.h5"
EXPECTED_DENSITY = 1.2  # g/cm3, of the polymer; the salt comes on top
SKIN = 1.0  # Å that neighbour lists need beyond the cutoff, at least
FORCE_FIELD = (
    "chains: GAFF2 (gaff2.dat 2.2.20) with the C-C-O-C torsion of GAFF; anions: CL&P; cations: Aqvist; "
    "Lorentz-Berthelot for all pairs"
)


def check_start(folder: Path, settings: ElectrolyteSettings, md: MdEngine) -> ElectrolyteSettings:
    """Refuse, before any work, what cannot be built and a run folder that was begun with other settings.

    Returns:
        The settings, with the segments of a run that was begun.

    Raises:
        InputError: naming what cannot be used; or the folder and the first setting that differs.
    """
    path = folder / SETTINGS_FILE
    if not path.is_file():
        if folder.is_dir() and any(folder.iterdir()):
            raise InputError(f"{folder}: is not empty and no run of an electrolyte; give another --work folder")
        find_packmol()
        find_salt(settings.salt)
        chain_plan(settings.smiles, settings.chain_mass)
        _check_size(folder, settings)
        return settings
    begun, engine = _read_settings(path)
    found, asked = {**begun.identity(), "engine": engine}, {**settings.identity(), "engine": md.engine.name}
    refuse_difference(folder, found, asked, "give the settings it was begun with, or another --work folder")
    return going_on(settings, begun.frames_per_segment, folder)


def _check_size(folder: Path, settings: ElectrolyteSettings) -> None:
    """Refuse a box in which an atom would see another one twice."""
    mass = settings.n_chains * settings.chain_mass
    edge = (mass / AVOGADRO_PER_MOL / EXPECTED_DENSITY * 1e24) ** (1 / 3)
    smallest = 2 * settings.protocol.cutoff + SKIN
    if edge < smallest:
        raise InputError(
            f"{folder.name}: {mass:g} g/mol of polymer make a box of about {edge:.1f} Å, expected at least "
            f"{smallest:g} Å for a cutoff of {settings.protocol.cutoff:g} Å; more chains or longer ones"
        )


def _read_settings(path: Path) -> tuple[ElectrolyteSettings, str]:
    """What a run was begun with, and the engine; settings that are newer than it have their defaults."""
    try:
        document = json.loads(path.read_text())
        return ElectrolyteSettings.model_validate(document["settings"]), str(document["engine"])
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path}: cannot be read by this version; give another --work folder") from None


def prepare(folder: Path, settings: ElectrolyteSettings, md: MdEngine) -> tuple[System, dict[str, Any]]:
    """Build what is not there yet; the atoms of the box, and the documents for its store.

    Raises:
        InputError: if the molecules cannot be built or packed.
    """
    if not (folder / SETTINGS_FILE).is_file():
        partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
        for left_by_a_killed_run in folder.parent.glob(f".{folder.name}.*.partial"):
            shutil.rmtree(left_by_a_killed_run, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            _build(partial, settings, md)
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    store = TrajectoryStore(folder / START_STORE)
    (folder / "run.sh").write_text(_shell(settings))
    return store.system, {**store.documents, "provenance": provenance(store.documents, settings, md)}


def provenance(documents: dict[str, Any], settings: ElectrolyteSettings, md: MdEngine) -> dict[str, Any]:
    """How the data were made: enough to make them again."""
    return {
        "command": "cgsim generate electrolyte",
        "cgsim": __version__,
        "engine": md.engine.version,
        "temperature": settings.temperature,
        **{key: documents["electrolyte"][key] for key in ("force_field", "charge_source", "parameters_sha256")},
        "settings": settings.model_dump(mode="json"),
    }


def _build(folder: Path, settings: ElectrolyteSettings, md: MdEngine) -> None:
    seeds = seed_sequence(settings).generate_state(2)
    electrolyte = build_electrolyte(
        settings.smiles,
        settings.salt,
        n_chains=settings.n_chains,
        chain_mass=settings.chain_mass,
        molality=settings.molality,
        ion_pairs=settings.ion_pairs,
        charge_scale=settings.charge_scale,
        seed=int(seeds[0]),
    )
    positions, cell = pack(electrolyte, settings.protocol.packing_density, int(seeds[1]) % 1_000_000, find_packmol())
    (folder / INPUTS).mkdir()
    md.write_inputs(folder, electrolyte, positions, cell, settings)
    documents = {"electrolyte": describe(electrolyte)}
    write_start_store(folder / START_STORE, electrolyte_system(electrolyte), positions, cell, documents)
    (folder / SETTINGS_FILE).write_text(
        json.dumps({"engine": md.engine.name, "settings": settings.model_dump(mode="json")}, indent=1) + "\n"
    )


def describe(electrolyte: Electrolyte) -> dict[str, Any]:
    """What is in the box, for people and for JSON."""
    counts = {part.topology.name: part.copies for part in electrolyte.components}
    return {
        "composition": ", ".join(f"{copies} {name}" for name, copies in counts.items()),
        "smiles": electrolyte.smiles,
        "salt": electrolyte.salt,
        "n_units": electrolyte.n_units,
        "molality": round(electrolyte.molality, 4),
        "oxygens_per_cation": round(electrolyte.oxygens_per_cation, 3),
        "charge_scale": electrolyte.charge_scale,
        "charge_source": electrolyte.charge_source,
        "force_field": FORCE_FIELD,
        "parameters_sha256": hashlib.sha256(gromacs_topology(electrolyte).encode()).hexdigest(),
        "warnings": list(electrolyte.warnings),
    }


def _shell(settings: ElectrolyteSettings) -> str:
    """Script that runs everything without cgsim."""
    before, calls = START, []
    for stage in stages(settings):
        folders = [p.folder for p in parts(settings, settings.n_segments) if p.stage.name == stage.name]
        for index, folder in enumerate(folders):
            calls.append(f"run {folder} {stage.name} {before} {index}")
            before = folder
    return f"""#!/bin/sh
# Runs this system without cgsim, for example on a cluster: cd here, then `sh run.sh`. Parts that exist are kept, and
# `cgsim generate electrolyte` with the same settings takes over from whatever is here.
set -e
export OMP_NUM_THREADS="${{OMP_NUM_THREADS:-1}}"
run() {{
  if [ -d "$1" ]; then return; fi
  rm -rf running && mkdir running
  (cd running && sh "../{INPUTS}/$2.sh" "../$3" "$4")
  mv running "$1"
}}
{chr(10).join(calls)}
"""

"""One part of a run with OpenMM: ``python openmm_stage.py STAGE.json FOLDER-OF-THE-PART-BEFORE NUMBER``.

This file is copied into the inputs of a run and needs only OpenMM and NumPy. It leaves ``state.xml``, ``thermo.txt``
and, in the production, ``frames.npy`` (unwrapped positions, Å) with ``cell.npy`` (Å).
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import openmm
from openmm import unit

RAMP_STEPS = 500  # between changes of the temperature
MINIMISE_TOLERANCE = 100.0  # kJ/mol/nm
_ANGSTROM = 10.0  # in a nm


def platform() -> Any:
    """CUDA in mixed precision, unless the variable that OpenMM itself reads names another."""
    name = os.environ.get("OPENMM_DEFAULT_PLATFORM", "CUDA")
    properties = {"Precision": "mixed"} if name in ("CUDA", "OpenCL", "HIP") else {}
    return openmm.Platform.getPlatformByName(name), properties


def run(stage: dict[str, Any], before: Path, number: int) -> None:
    """Run one part."""
    inputs = Path("..") / "inputs"
    system = openmm.XmlSerializer.deserialize((inputs / "system.xml").read_text())
    begin = stage["temperature"][0]
    seed = (stage["seed"] + number) % 2**31
    if stage["minimise"] or not stage["weak"]:
        integrator = openmm.LangevinMiddleIntegrator(begin, _rate(stage), max(stage["timestep"], 1.0) * 1e-3)
        integrator.setRandomNumberSeed(seed)
    else:  # hardly disturbs the motion
        integrator = openmm.NoseHooverIntegrator(begin, _rate(stage), stage["timestep"] * 1e-3)
    if stage["pressure"] is not None:
        barostat = openmm.MonteCarloBarostat(stage["pressure"], begin)
        barostat.setRandomNumberSeed(seed)
        system.addForce(barostat)
    if stage["minimise"]:
        for k in reversed(range(system.getNumConstraints())):
            system.removeConstraint(k)
    context = openmm.Context(system, integrator, *platform())
    _set_start(context, before)
    if stage["minimise"]:
        openmm.LocalEnergyMinimizer.minimize(context, MINIMISE_TOLERANCE, stage["n_steps"])
    else:
        context.applyConstraints(1e-6)
        if stage["draws_velocities"]:
            context.setVelocitiesToTemperature(begin, seed)
        volumes = _dynamics(stage, system, context, integrator)
        if stage["sets_mean_volume"]:
            _scale(context, float(np.mean(volumes[int(stage["not_averaged"] * len(volumes)) :])))
    state = context.getState(positions=True, velocities=True)
    Path("state.xml").write_text(openmm.XmlSerializer.serialize(state))


def _rate(stage: dict[str, Any]) -> float:
    """Rate of the thermostat, 1/ps."""
    return 1.0 / stage["coupling"] if stage["coupling"] else 1.0


def _set_start(context: Any, before: Path) -> None:
    if (before / "state.xml").is_file():
        state = openmm.XmlSerializer.deserialize((before / "state.xml").read_text())
        context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
        context.setPositions(state.getPositions())
        context.setVelocities(state.getVelocities())
    else:
        start = np.load(before / "start.npz")
        context.setPeriodicBoxVectors(*(start["cell"] / _ANGSTROM))
        context.setPositions(start["positions"] / _ANGSTROM)


def _dynamics(stage: dict[str, Any], system: Any, context: Any, integrator: Any) -> list[float]:
    """Run the steps; returns the volumes, Å^3."""
    begin, end = stage["temperature"]
    masses = np.array([system.getParticleMass(i).value_in_unit(unit.dalton) for i in range(system.getNumParticles())])
    freedom = 3 * int((masses > 0).sum()) - system.getNumConstraints() - 3
    every = stage["thermo_steps"]
    stops = {*range(0, stage["n_steps"] + 1, every), stage["n_steps"]}
    if stage["frame_steps"]:
        stops |= set(range(0, stage["n_steps"] + 1, stage["frame_steps"]))
    frames, rows, at = [], [], 0
    with Path("thermo.txt").open("w") as log:
        for stop in sorted(stops):
            integrator.step(stop - at)
            at = stop
            if begin != end:
                integrator.setTemperature(begin + (end - begin) * at / stage["n_steps"])
            is_frame = bool(stage["frame_steps"]) and at % stage["frame_steps"] == 0
            state = context.getState(energy=True, positions=is_frame)
            if is_frame:
                frames.append(state.getPositions(asNumpy=True).value_in_unit(unit.angstrom).astype(np.float32))
            if at and at % every == 0:  # before its first step a thermostat has no energy to tell
                row = _thermo(state, integrator, at * stage["timestep"] * 1e-3, freedom)
                rows.append(row)
                log.write(" ".join(f"{value:.10g}" for value in row) + "\n")
                log.flush()
    if frames:
        np.save("frames.npy", np.array(frames))
        box = context.getState().getPeriodicBoxVectors(asNumpy=True).value_in_unit(unit.angstrom)
        np.save("cell.npy", np.asarray(box, dtype=np.float64))
    return [row[4] for row in rows]


def _thermo(state: Any, integrator: Any, time: float, freedom: int) -> list[float]:
    """Time, potential and conserved energy (kJ/mol), temperature and volume (Å^3)."""
    potential = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    kinetic = state.getKineticEnergy().value_in_unit(unit.kilojoule_per_mole)
    conserved = potential + kinetic
    if isinstance(integrator, openmm.NoseHooverIntegrator):
        conserved += integrator.computeHeatBathEnergy().value_in_unit(unit.kilojoule_per_mole)
    gas = unit.MOLAR_GAS_CONSTANT_R.value_in_unit(unit.kilojoule_per_mole / unit.kelvin)
    volume = state.getPeriodicBoxVolume().value_in_unit(unit.angstrom**3)
    return [time, potential, conserved, 2 * kinetic / (freedom * gas), volume]


def _scale(context: Any, volume: float) -> None:
    """Give the box, and everything in it, another volume (Å^3)."""
    state = context.getState(positions=True)
    factor = (volume / state.getPeriodicBoxVolume().value_in_unit(unit.angstrom**3)) ** (1 / 3)
    context.setPeriodicBoxVectors(*(vector * factor for vector in state.getPeriodicBoxVectors()))
    context.setPositions(state.getPositions(asNumpy=True) * factor)
    context.applyConstraints(1e-6)


if __name__ == "__main__":
    run(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]), int(sys.argv[3]))

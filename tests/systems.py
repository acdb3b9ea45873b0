"""Systems of real chemistry, and motion whose statistics are known in closed form."""

from pathlib import Path

import numpy as np
import torch
from rdkit import Chem
from rdkit.Chem import AllChem

from cgsim.checkpoint import ModelCard, TrainedModel
from cgsim.geometry import wrap
from cgsim.mapping import MappingSettings, partition
from cgsim.models.embedding import Vocabulary
from cgsim.models.inputs import SystemInputs
from cgsim.models.model import CoarseGrainedModel, ModelSettings
from cgsim.models.normalization import Scales
from cgsim.simulate.propagator import Calibration
from cgsim.simulate.sampler import SamplerSettings
from cgsim.simulate.stability import TrainingRange
from cgsim.trajectory import System, Trajectory
from cgsim.trajectory.store import write_store
from cgsim.units import UnitSystem

TFSI = "[N-](S(=O)(=O)C(F)(F)F)S(=O)(=O)C(F)(F)F"
LITHIUM = "[Li+]"
TRICLINIC = np.array([[12.0, 0.0, 0.0], [5.0, 13.0, 0.0], [-4.0, 6.0, 14.0]])
OPEN = np.zeros((3, 3))


def glyme(n_units: int) -> str:
    """SMILES of CH3-(OCH2CH2)n-OCH3."""
    return "C" + "OCC" * n_units + "OC"


def molecule(smiles: str) -> System:
    """One molecule with all its hydrogens, real masses, Gasteiger charges and bonds."""
    graph = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.ComputeGasteigerCharges(graph)
    atoms = list(graph.GetAtoms())
    symbols = [a.GetSymbol() for a in atoms]
    kinds = sorted(set(symbols))
    bonds = [sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx())) for b in graph.GetBonds()]
    return System(
        units=UnitSystem.MOLECULAR,
        particle_type=np.array([kinds.index(s) for s in symbols]),
        type_names=tuple(kinds),
        names=tuple(f"{s}{i + 1}" for i, s in enumerate(symbols)),
        atomic_numbers=np.array([a.GetAtomicNum() for a in atoms]),
        masses=np.array([a.GetMass() for a in atoms]),
        charges=np.array([float(a.GetProp("_GasteigerCharge")) for a in atoms]),
        bond_index=np.array(bonds, dtype=np.int64).reshape(-1, 2).T.copy(),
        molecule_id=np.zeros(len(atoms), dtype=np.int64),
    )


def join(parts: list[System]) -> System:
    """Several molecules as one system."""
    kinds = sorted({name for p in parts for name in p.type_names})
    starts = np.cumsum([0] + [p.n_particles for p in parts[:-1]])
    molecules = np.cumsum([0] + [p.n_molecules for p in parts[:-1]])
    return System(
        units=parts[0].units,
        particle_type=np.concatenate([[kinds.index(p.type_names[t]) for t in p.particle_type] for p in parts]),
        type_names=tuple(kinds),
        names=tuple(name for p in parts for name in p.names),
        atomic_numbers=np.concatenate([p.atomic_numbers for p in parts]),
        masses=np.concatenate([p.masses for p in parts]),
        charges=np.concatenate([p.charges for p in parts]),
        bond_index=np.concatenate([p.bond_index + s for p, s in zip(parts, starts, strict=True)], axis=1),
        molecule_id=np.concatenate([p.molecule_id + m for p, m in zip(parts, molecules, strict=True)]),
    )


def electrolyte(n_chains: int = 2, n_units: int = 6, n_salt: int = 2) -> System:
    """Oligoethers and LiTFSI, every atom of them."""
    return join(
        [molecule(glyme(n_units))] * n_chains + [molecule(LITHIUM)] * n_salt + [molecule(TFSI)] * n_salt,
    )


def bead_spring(n_beads: int, n_chains: int = 1, type_names: tuple[str, ...] = ("1", "2")) -> System:
    """Linear chains of beads without chemistry, types in turn, in reduced units."""
    n = n_beads * n_chains
    first = (np.arange(n_chains)[:, None] * n_beads + np.arange(n_beads - 1)).ravel()
    return System(
        units=UnitSystem.LJ,
        particle_type=np.arange(n) % len(type_names),
        type_names=type_names,
        names=tuple(type_names[i % len(type_names)] for i in range(n)),
        atomic_numbers=np.zeros(n, dtype=np.int64),
        masses=np.ones(n),
        charges=np.zeros(n),
        bond_index=np.stack([first, first + 1]),
        molecule_id=np.repeat(np.arange(n_chains), n_beads),
    )


def trajectory_of(system: System, unwrapped: np.ndarray, cell: np.ndarray, interval: float) -> Trajectory:
    """A trajectory from unwrapped positions [frames, particles, 3] in a constant cell."""
    cells = np.broadcast_to(cell, (len(unwrapped), 3, 3)).copy()
    wrapped, images = wrap(torch.from_numpy(np.ascontiguousarray(unwrapped)), torch.from_numpy(cells))
    time = interval * np.arange(len(unwrapped), dtype=np.float64)
    return Trajectory(system, wrapped.float().numpy(), images.numpy(), cells, time)


def shaking_molecules(
    system: System, cell: np.ndarray, n_frames: int, *, drift: float, rattle: float, seed: int
) -> np.ndarray:
    """Molecules that diffuse as rigid bodies while every atom rattles: unwrapped positions [frames, atoms, 3].

    Args:
        system: the atoms; positions within a molecule are a random walk along its bonds, 1.4 a bond.
        cell: molecules start anywhere in it.
        n_frames: number of frames.
        drift: standard deviation of a molecule's step along an axis.
        rattle: standard deviation of an atom's independent displacement along an axis.
        seed: of everything.
    """
    rng = np.random.default_rng(seed)
    shape = np.zeros((system.n_particles, 3))
    placed = np.zeros(system.n_particles, dtype=bool)
    for i, j in sorted(system.bond_index.T.tolist()):
        origin, new = (i, j) if placed[i] or not placed[j] else (j, i)
        step = rng.normal(size=3)
        shape[new] = shape[origin] + 1.4 * step / np.linalg.norm(step)
        placed[[i, j]] = True
    starts = rng.uniform(size=(system.n_molecules, 3)) @ (cell if cell.any() else 20.0 * np.eye(3))
    walk = np.cumsum(rng.normal(scale=drift, size=(n_frames, system.n_molecules, 3)), axis=0)
    noise = rng.normal(scale=rattle, size=(n_frames, system.n_particles, 3))
    return shape + (starts + walk)[:, system.molecule_id] + noise


def rouse_step(n_beads: int, spring: float, interval: float) -> tuple[np.ndarray, np.ndarray]:
    """Exact one-step law of overdamped beads on springs: dx = -spring L x dt + sqrt(2) dW, kT = friction = 1.

    Every mode of the connectivity matrix L with rate r = spring times eigenvalue is an Ornstein-Uhlenbeck process
    (Doi & Edwards, The Theory of Polymer Dynamics, 1986, section 4.1): it decays by exp(-r t) and gains the variance
    (1 - exp(-2 r t)) / r, which is 2 t for the centre of mass.

    Returns:
        Propagator and covariance, [beads, beads] each, per axis: x(t + interval) = propagator @ x(t) + noise.
    """
    bonds = np.eye(n_beads)[1:] - np.eye(n_beads)[:-1]
    eigenvalues, modes = np.linalg.eigh(bonds.T @ bonds)
    rates = spring * eigenvalues
    decay = np.exp(-rates * interval)
    free = rates < 1e-9
    variance = np.where(free, 2.0 * interval, (1.0 - decay**2) / np.where(free, 1.0, rates))
    return modes @ np.diag(decay) @ modes.T, modes @ np.diag(variance) @ modes.T


def rouse_motion(
    n_beads: int, n_frames: int, *, spring: float, interval: float, n_chains: int = 1, seed: int = 0
) -> np.ndarray:
    """A stationary trajectory of independent Rouse chains, [frames, chains * beads, 3]."""
    rng = np.random.default_rng(seed)
    propagator, covariance = rouse_step(n_beads, spring, interval)
    root = np.linalg.cholesky(covariance)
    bonds = rng.normal(scale=spring**-0.5, size=(n_chains, n_beads - 1, 3))
    x = np.concatenate([np.zeros((n_chains, 1, 3)), np.cumsum(bonds, axis=1)], axis=1)
    frames = [x]
    for _ in range(n_frames - 1):
        x = propagator @ x + root @ rng.normal(size=x.shape)
        frames.append(x)
    return np.array(frames).reshape(n_frames, n_chains * n_beads, 3)


def rouse_store(
    path: Path, n_beads: int, n_frames: int, *, spring: float = 3.0, interval: float = 0.1, seed: int = 0
) -> Path:
    """A store of one Rouse chain in open space."""
    motion = rouse_motion(n_beads, n_frames, spring=spring, interval=interval, seed=seed)
    write_store(path, trajectory_of(bead_spring(n_beads), motion, OPEN, interval))
    return path


def electrolyte_store(path: Path, n_frames: int, *, cell: np.ndarray, interval: float = 2.0, seed: int = 0) -> Path:
    """A store of the atoms of an electrolyte whose molecules diffuse and rattle."""
    system = electrolyte()
    motion = shaking_molecules(system, cell, n_frames, drift=0.5, rattle=0.1, seed=seed)
    write_store(path, trajectory_of(system, motion, cell, interval))
    return path


def random_model(
    settings: ModelSettings, atoms: list[System], mapping: MappingSettings, *, seed: int = 0
) -> CoarseGrainedModel:
    """A model for these atoms whose weights are random throughout: readouts that start at zero would hide mistakes."""
    names = tuple(dict.fromkeys(n for a in atoms for n in partition(a, mapping).class_names))
    rng = np.random.default_rng(seed)
    scales = Scales(
        class_names=names,
        displacement=tuple(rng.uniform(0.5, 2.0, size=len(names)).tolist()),
        history=tuple(tuple(rng.uniform(0.5, 2.0, size=settings.n_history - 1).tolist()) for _ in names),
        mass=tuple(rng.uniform(5.0, 200.0, size=len(names)).tolist()),
        length=3.0,
        radial_range=min(settings.largest_cutoff, 15.0),
        mean_degree=5.0,
        squared_size=tuple(rng.uniform(1.0, 5.0, size=len(names)).tolist()) if settings.bead_size else None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = CoarseGrainedModel(settings, scales, Vocabulary.of(atoms))
        for parameter in model.parameters():
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


def inputs_of(model: CoarseGrainedModel, atoms: System, mapping: MappingSettings, cell: np.ndarray) -> SystemInputs:
    """One system in the indices of a model."""
    return SystemInputs.of(
        atoms, partition(atoms, mapping), cell, model.vocabulary, model.scales.class_names, "test system"
    )


def trained_model(
    settings: ModelSettings,
    atoms: list[System],
    mapping: MappingSettings,
    trained: TrainingRange | None = None,
    *,
    seed: int = 0,
) -> TrainedModel:
    """A random model with the card that training would have given it."""
    model = random_model(settings, atoms, mapping, seed=seed)
    n = len(model.scales.class_names)
    card = ModelCard(
        name="random",
        units=atoms[0].units,
        model=settings,
        mapping=mapping,
        sampler=SamplerSettings(
            method="ancestral", n_levels=2, guard=False
        ),  # the guard has endless work with a random model
        calibration=Calibration(own_error=0.5, noise_scale=(1.0,) * n),
        atom_types=model.vocabulary.atom_types,
        bond_types=model.vocabulary.bond_types,
        mean_mass=model.vocabulary.mean_mass,
        surroundings=model.vocabulary.surroundings,
        scales=model.scales,
        trained=trained or TrainingRange(longest_bond=8.0, closest_pair=((0.5,) * n,) * n),
        training_systems=(),
        figures={},
        experiment={},
    )
    return TrainedModel(model, card)

"""An engine that computes nothing: scripts that only leave a mark, and motion and energies that are known exactly."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cgsim.reference.electrolyte.protocol import INPUTS, START, stages
from cgsim.reference.electrolyte.thermo import Thermo
from cgsim.reference.engine import Engine, one_thread
from cgsim.trajectory.frames import Frame

STEP = 0.8  # Å between frames, standard deviation along each axis, of the steps of a molecule


def fake_program():
    engine = Engine("fake", Path("/bin/true"))
    engine.__dict__["version"] = "Fake 1.0"
    return engine


@dataclass(frozen=True)
class FakeMd:
    """Molecules that walk at random, rigidly; every part goes on where the one before was.

    Attributes:
        failing: name of a part whose script fails.
        torn: index of a segment in which a bond breaks.
        calls: file that every script appends the name of its part to.
    """

    calls: Path
    failing: str = ""
    torn: int = -1
    temperature: float = 1.0
    engine: Engine = field(default_factory=fake_program)

    def write_inputs(self, folder, electrolyte, positions, cell, settings):
        (folder / START).mkdir()
        molecule = np.repeat(np.arange(len(electrolyte.molecules)), [m.n_atoms for m in electrolyte.molecules])
        frames = settings.frames_per_segment  # inputs say how long a segment is, as those of a real engine do
        np.savez(folder / START / "box.npz", positions=positions, cell=cell, molecule=molecule, frames=frames)
        for stage in stages(settings):
            lines = ["set -e", f'echo "$(basename $(cd ../ && pwd)) {stage.name}-$2" >> {self.calls}']
            lines += [f"echo {stage.temperature[1] * self.temperature} > temperature"]
            if stage.name == self.failing:
                lines += ["echo 1700 > step", "exit 3"]
            (folder / INPUTS / f"{stage.name}.sh").write_text("\n".join([*lines, "echo $2 > number"]) + "\n")

    def environment(self, threads):  # noqa: ARG002
        return one_thread()

    def path(self, run, n_frames):
        """Unwrapped positions of the first frames of the production, and the cell."""
        box = np.load(run / START / "box.npz")
        steps = np.random.default_rng(3).normal(scale=STEP, size=(n_frames, box["molecule"].max() + 1, 3))
        steps[0] = 0
        return box["positions"] + np.cumsum(steps, axis=0)[:, box["molecule"]], box["cell"]

    def frames(self, part, n_atoms):  # noqa: ARG002
        index, per_segment = int((part / "number").read_text()), int(np.load(part.parent / START / "box.npz")["frames"])
        path, cell = self.path(part.parent, per_segment * (index + 1) + 1)
        for k in range(index * per_segment, (index + 1) * per_segment + 1):
            positions = path[k] - np.floor(path[k] @ np.linalg.inv(cell)) @ cell
            if self.torn == index and k == index * per_segment + 3:
                positions[0] += 0.4 * cell[0]
            yield Frame(f"{part}: frame {k}", positions, None, False, cell, None, None, 0)

    def read_thermo(self, part):
        time = np.linspace(0, 10, 41)
        noise = np.random.default_rng(1).normal(size=(5, 41))
        target = float((part / "temperature").read_text())
        return Thermo(time, noise[0], 3.0 * time, target + noise[1], noise[2], 20.0**3 + noise[3])

    def last_step(self, part):
        return (part / "step").read_text().strip() if (part / "step").is_file() else ""

    def reason(self, part):
        return "Too warm" if (part / "step").is_file() else ""

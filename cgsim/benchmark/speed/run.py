"""The speed benchmark: one run, one table."""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from cgsim import __version__
from cgsim.benchmark.rows import Row, write_rows
from cgsim.benchmark.speed.calls import WAYS, measure_calls
from cgsim.benchmark.speed.engines import measure_gromacs, measure_lammps
from cgsim.benchmark.speed.record import markdown, speed_row
from cgsim.benchmark.speed.steps import Stepper, measure_sizes, measure_step
from cgsim.benchmark.speed.systems import (
    CHAIN,
    CHAINS,
    ELECTROLYTE,
    PUBLISHED,
    SHIPPED,
    Setting,
    copies_of,
    import_electrolyte,
    load_setting,
    load_shipped,
    tiled,
)
from cgsim.benchmark.speed.timing import alternate, has_own_clock
from cgsim.benchmark.speed.training import measure_training
from cgsim.models.execution import Execution

BOXES = (5, 1, 1)  # tiles of the shipped box: 950 beads
RELEASED_STEP = 221.0  # s, one step of 860 beads with the released reference code on two cores; not measured here
N_CHAINS = 1000
EAGER, COMPILED = "eager float32", "compiled float32"
TRAINED = {name: WAYS[name] for name in (EAGER, "eager bfloat16", "compiled bfloat16")}


@dataclass(frozen=True)
class SpeedBenchmark:
    """What to measure.

    Attributes:
        output: folder of ``results.json`` and ``results.md``.
        device: where.
        largest: beads of the largest box.
        largest_step: beads of the largest box of which a whole step is taken; larger ones show one network call.
        repeats: alternating rounds that each median is taken over.
    """

    output: Path
    device: torch.device
    largest: int
    largest_step: int
    repeats: int


def run_speed(settings: SpeedBenchmark, say: Callable[[str], None]) -> str:
    """Measure everything, write ``results.json`` and ``results.md``.

    Returns:
        The table in Markdown.
    """
    settings.output.mkdir(parents=True, exist_ok=True)
    begun, rounds, ways = time.perf_counter(), settings.repeats, {name: WAYS[name] for name in (EAGER, COMPILED)}
    rows: list[Row] = []

    def announce(text: str) -> None:
        write_rows(rows, settings.output / "results.json")
        say(f"[{time.perf_counter() - begun:4.0f} s, {time.process_time():4.0f} s of CPU] {text}")

    announce("reading the shipped systems")
    electrolyte = load_setting(ELECTROLYTE, import_electrolyte(settings.output), settings.device, [])
    published = load_setting(
        PUBLISHED, settings.output / "electrolyte.h5", settings.device,
        ["model.lag_time=15 ps", "model.dynamics.cutoff=7.0", "model.refiner=null"],
    )  # fmt: skip
    store = settings.output / "electrolyte.h5"
    ours = {f"model {name}": load_shipped(name, store, settings.device) for name in SHIPPED}
    shipped = ours["model electrolyte"]
    chains = load_setting(CHAINS, CHAIN, settings.device, [])
    box = f"electrolyte, {5 * electrolyte.inputs.n_beads} beads in one box"
    announce("one network call: demo network")
    rows += measure_calls(electrolyte, tiled(electrolyte, BOXES), f"{box}, demo network", rounds, ways)
    announce("one network call: published network")
    rows += measure_calls(published, tiled(published, BOXES), f"{box}, published network", rounds, WAYS)
    announce("one step in a box like the published one: model electrolyte")
    large = f"{box}, model electrolyte"
    step_rows, times = measure_step(shipped, tiled(shipped, BOXES), large, rounds, ways)
    rows += step_rows
    rows += [
        speed_row(large, name, f"released reference ({RELEASED_STEP:g} s, 860 beads) / step", RELEASED_STEP / t.value)
        for name, t in times.items()
    ]
    for name, setting in ours.items():
        announce(f"one step in the shipped box: {name}")
        small = f"shipped electrolyte, {setting.inputs.n_beads} beads, {name}"
        rows += measure_step(setting, copies_of(setting, 1), small, rounds, ways)[0]
    announce("single chains, alone and side by side")
    rows += measure_chains(chains, rounds, ways)
    announce("training")
    rows += measure_training(electrolyte, "electrolyte, demo network", rounds, {EAGER: WAYS[EAGER]})
    rows += measure_training(published, "electrolyte, published dynamics network", max(3, rounds // 2), TRAINED)
    announce("classical molecular dynamics, where installed")
    rows += measure_gromacs(ours, max(3, rounds // 2), ways[COMPILED], COMPILED)
    rows += measure_lammps(chains, max(3, rounds // 2), N_CHAINS, ways[COMPILED], COMPILED)
    announce("boxes of all sizes")
    rows += measure_sizes(electrolyte, settings.largest, settings.largest_step, min(rounds, 5))
    write_rows(rows, settings.output / "results.json")
    table = f"{_heading(settings, time.perf_counter() - begun)}\n\n{markdown(rows)}"
    (settings.output / "results.md").write_text(table)
    return table


def measure_chains(setting: Setting, rounds: int, ways: dict[str, Execution]) -> list[Row]:
    """A step of one chain alone and of many in one batch."""
    rows: list[Row] = []
    n = setting.inputs.n_beads
    for name, way in ways.items():
        alone, many = (Stepper(setting, *copies_of(setting, k), way) for k in (1, N_CHAINS))
        times = alternate({"alone": alone, "many": many}, rounds, setting.device)
        system = f"chains of {n} beads"
        rows.append(speed_row(system, name, "a step of one alone, ms", times["alone"].times(1e3)))
        together = times["many"].times(1e3 / N_CHAINS)
        rows.append(speed_row(system, name, f"a step of one of {N_CHAINS} side by side, ms", together))
        ratio = times.ratio("alone", "many").times(N_CHAINS)
        rows.append(speed_row(system, name, f"alone / one of {N_CHAINS} side by side", ratio))
    return rows


def _heading(settings: SpeedBenchmark, seconds: float) -> str:
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = names[0] if names else name
    if settings.device.type == "cuda":
        name = torch.cuda.get_device_name(settings.device)
    return (
        f"cgsim {__version__}, torch {torch.__version__}, {settings.device.type}: {name}, {os.cpu_count()} cores, "
        f"{torch.get_num_threads()} threads; medians of {settings.repeats} alternating rounds ± standard error, "
        f"{'time of the process' if has_own_clock(settings.device) else 'wall time'}; the run took {seconds / 60:.1f} "
        f"minutes, {time.process_time() / 60:.1f} of CPU"
    )

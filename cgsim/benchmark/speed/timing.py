"""Medians of alternating runs: what is compared is measured in the same minute, round after round.

With one thread on a CPU the clock is that of the process, so that other programs on the machine do not count; it then
shows what a wall clock would on a machine at rest. With several threads, or on a GPU, it is the wall clock.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

Case = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """A median and its spread.

    Attributes:
        value: the median; seconds, or a ratio.
        standard_error: of the median: 1.253 standard deviations over the root of the number, with the deviation from
            the median absolute deviation, so that one disturbed round does not matter (Huber, Robust Statistics, 1981).
    """

    value: float
    standard_error: float

    @classmethod
    def of(cls, samples: list[float]) -> "Timing":
        """Summarise samples."""
        median = statistics.median(samples)
        deviation = 1.4826 * statistics.median(abs(x - median) for x in samples)
        return cls(median, 1.253 * deviation / len(samples) ** 0.5)

    def times(self, factor: float) -> "Timing":
        """The same in another unit."""
        return Timing(self.value * factor, self.standard_error * abs(factor))


@dataclass(frozen=True)
class Alternation:
    """Seconds of several cases, one of each in every round.

    Attributes:
        seconds: samples by name of the case, in order of rounds.
    """

    seconds: dict[str, list[float]]

    def __getitem__(self, name: str) -> Timing:
        return Timing.of(self.seconds[name])

    def rate(self, name: str, amount: float) -> Timing:
        """An amount of work over the seconds it took."""
        return Timing.of([amount / s for s in self.seconds[name]])

    def ratio(self, numerator: str, denominator: str) -> Timing:
        """Ratio of two cases, taken round by round: what slows the machine for both drops out."""
        pairs = zip(self.seconds[numerator], self.seconds[denominator], strict=True)
        return Timing.of([a / b for a, b in pairs])


def alternate(cases: Mapping[str, Case], rounds: int, device: torch.device, *, shortest: float = 0.02) -> Alternation:
    """Time some cases in turn; short ones are repeated within a round until they take ``shortest`` seconds.

    Every case is run once beforehand: memory is warm and compilation over.
    """
    number = dict.fromkeys(cases, 1)
    for name, case in cases.items():
        case()
        number[name] = max(1, round(shortest / max(timed(case, 1, device), 1e-9)))
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            seconds[name].append(timed(case, number[name], device))
    return Alternation(seconds)


def timed(case: Case, number: int, device: torch.device) -> float:
    """Seconds of one call, averaged over ``number`` of them; all work of the device included."""
    begun = seconds_now(device)
    for _ in range(number):
        case()
    return (seconds_now(device) - begun) / number


def has_own_clock(device: torch.device) -> bool:
    """Whether time is that of this process, and not the wall clock's."""
    return device.type == "cpu" and torch.get_num_threads() == 1


def seconds_now(device: torch.device) -> float:
    """The clock, after the device has finished what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.process_time() if has_own_clock(device) else time.perf_counter()

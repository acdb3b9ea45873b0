"""How a trajectory is cut into segments, after each of which a killed run can go on."""

from abc import abstractmethod
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, PrivateAttr

from cgsim.errors import InputError

Run = TypeVar("Run", bound="SegmentedRun")


class SegmentedRun(BaseModel):
    """Settings of a run in segments of equal length.

    A segment is the longest piece that the trajectory is a multiple of, up to the setting ``segment``. A run that was
    begun with a shorter trajectory keeps the segments it was begun with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    _begun: int = PrivateAttr(0)  # frames of a segment of the run that is gone on with

    @abstractmethod
    def _intervals(self) -> tuple[int, int]:
        """Save intervals in the whole trajectory, and in the longest segment that is wanted."""

    @property
    def frames_per_segment(self) -> int:
        """Number of frames that a segment adds."""
        whole, most = self._intervals()
        return self._begun or next(k for k in range(max(1, min(most, whole)), 0, -1) if whole % k == 0)

    @property
    def n_segments(self) -> int:
        """Number of segments of the trajectory."""
        return self._intervals()[0] // self.frames_per_segment


def going_on(settings: Run, begun: int, folder: Path) -> Run:
    """The settings for a run in ``folder`` that was begun with ``begun`` frames a segment.

    Raises:
        InputError: if the trajectory is no multiple of such a segment.
    """
    whole = settings._intervals()[0]
    if begun < 1 or whole % begun:
        raise InputError(
            f"{folder}: was begun in segments of {begun} frames, and the {whole} that are asked for are no multiple of "
            "that; give another length, or another --work folder"
        )
    same = settings.model_copy()
    same._begun = begun
    return same

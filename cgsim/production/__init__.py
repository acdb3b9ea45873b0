"""Production runs: rollouts recorded to disk, watched, and resumed bit for bit."""

from cgsim.production.run import ProductionSettings, Progress, simulate
from cgsim.production.segments import RolloutResult

__all__ = ["ProductionSettings", "Progress", "RolloutResult", "simulate"]

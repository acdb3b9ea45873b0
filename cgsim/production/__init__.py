"""Production runs: rollouts recorded to disk, watched, and resumed bit for bit."""

from cgsim.production.run import simulate
from cgsim.production.segments import RolloutResult
from cgsim.production.settings import ProductionSettings, Progress

__all__ = ["ProductionSettings", "Progress", "RolloutResult", "simulate"]

"""Trajectories: what they are, how they are stored, and how they come in."""

from cgsim.trajectory.trajectory import System, Trajectory

__all__ = ["System", "Trajectory"]

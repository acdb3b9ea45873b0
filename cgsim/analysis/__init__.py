"""From trajectories on disk to figures with errors and the file that holds them."""

from cgsim.analysis.dynamics_settings import DynamicsSettings, Viscosity
from cgsim.analysis.figures import write_results
from cgsim.analysis.run import analyze_files
from cgsim.analysis.settings import AnalysisSettings

__all__ = ["AnalysisSettings", "DynamicsSettings", "Viscosity", "analyze_files", "write_results"]

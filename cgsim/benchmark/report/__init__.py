"""One HTML page about a run: what was trained on what, and how its rollouts compare with the MD."""

from cgsim.benchmark.report.manifest import Manifest, MdSpeed, TableRow
from cgsim.benchmark.report.page import write_report

__all__ = ["Manifest", "MdSpeed", "TableRow", "write_report"]

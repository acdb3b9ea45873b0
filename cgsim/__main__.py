"""``python -m cgsim``."""

from cgsim.cli import main

main()

"""Shape annotations are checked in every test; drawn examples are the same in every run."""

from hypothesis import settings
from jaxtyping import install_import_hook

_hook = install_import_hook("cgsim", "beartype.beartype")

# A run tells about the code, not about luck; `pytest --hypothesis-profile=default` draws new examples.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")

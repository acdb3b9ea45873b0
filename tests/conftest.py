"""Shape annotations are checked in every test."""

from jaxtyping import install_import_hook

_hook = install_import_hook("cgsim", "beartype.beartype")

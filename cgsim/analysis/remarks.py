"""Warnings of figures: sentences, put together from several figures or several runs."""

BETWEEN = "; "  # the sentences of a warning


def sentences(warning: str) -> list[str]:
    """The sentences of a warning."""
    return [text for text in warning.split(BETWEEN) if text]


def joined(*warnings: str) -> str:
    """Several warnings as one, each sentence once."""
    return BETWEEN.join(dict.fromkeys(text for warning in warnings for text in sentences(warning)))


def headed(head: str, warning: str) -> str:
    """A warning with what it is about before each sentence."""
    return joined(*(f"{head}: {text}" for text in sentences(warning)))


def by_run(warnings: dict[str, str]) -> str:
    """Warnings of runs as one: what all of them say is said once, all else under the names of the runs that say it."""
    said: dict[str, list[str]] = {}
    for name, warning in warnings.items():
        for text in sentences(warning):
            said.setdefault(text, []).append(name)
    return joined(
        *(text if len(names) == len(warnings) else f"{', '.join(names)}: {text}" for text, names in said.items())
    )

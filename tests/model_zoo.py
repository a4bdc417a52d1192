"""Models as teams have them, one of each kind: trained in milliseconds, written as MLflow writes them.

Each says whether it is served, and then of which class the score is, or why it is not; docs/models.md lists them.
"""

from collections.abc import Iterator

from tests.zoo import categories, examples, files, gaps, labels, losses, names, older, signatures, thresholds, unfit
from tests.zoo.variant import Variant

GROUPS: dict[str, tuple[Variant, ...]] = {
    "Labels": labels.VARIANTS,
    "Losses and trees": losses.VARIANTS,
    "Thresholds": thresholds.VARIANTS,
    "Missing values": gaps.VARIANTS,
    "Categories": categories.VARIANTS,
    "Signatures": signatures.VARIANTS,
    "Names of features": names.VARIANTS,
    "Examples": examples.VARIANTS,
    "Files": files.VARIANTS,
    "Written by older versions": older.VARIANTS,
    "Other models": unfit.VARIANTS,
}

ZOO: dict[str, Variant] = {
    f"{group}: {variant.name}": variant for group, variants in GROUPS.items() for variant in variants
}
"""All of them, by a name that tells each from the others."""

SERVED = {name: variant for name, variant in ZOO.items() if not variant.rejected}


def as_markdown() -> Iterator[str]:
    """The lines of docs/models.md."""
    for group, variants in GROUPS.items():
        yield from (f"### {group}", "", "| kind | verdict |", "|---|---|")
        yield from (f"| {variant.name} | {variant.verdict} |" for variant in variants)
        yield ""

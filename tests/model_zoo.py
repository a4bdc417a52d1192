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

STOCK = {name: variant for name, variant in ZOO.items() if variant.is_stock}
"""Those that MLflow itself writes, of the model and the data."""

BY_URI = "Labels: good and bad, with `metadata.positive_class: bad`"
"""One that is fetched by other URIs than those of registered versions."""


def as_markdown() -> Iterator[str]:
    """The lines of docs/models.md."""
    for group, variants in GROUPS.items():
        yield from (f"### {group}", "", "| kind | verdict |", "|---|---|")
        yield from (f"| {variant.name} | {variant.verdict} |" for variant in variants)
        yield ""

"""Names that a feature may have: scored, kept and shown as they are."""

import pandas as pd

from tests.zoo.applicants import FRACTIONS
from tests.zoo.variant import Variant

NAMES = {
    "with a comma": "debt, total",
    "with quotes": 'the "debt"',
    "with an apostrophe": "client's debt",
    "over two lines": "debt\ntotal",
    "with a backslash": "debt\\total",
    "with spaces at the ends": " debt ",
    "of a column of results: `score`": "score",
    "of a form of JSON: `inputs`": "inputs",
    "in Cyrillic": "доход",
    "with a sign outside of Unicode's first plane": "debt 💶",
    "of 500 characters": "debt" * 125,
    "empty": "",
}


def called(name: str) -> pd.DataFrame:
    return FRACTIONS.set_axis(["income", name], axis=1)


ALL = pd.DataFrame({name: FRACTIONS["debt"] * i for i, name in enumerate(NAMES.values(), 1)})

VARIANTS = (
    *(Variant(words, data=called(name)) for words, name in NAMES.items()),
    Variant("all of these in one model", data=ALL),
)

"""Applicants that the models of the zoo are trained on, and are then sent: always the same ones."""

from typing import Any

import numpy as np
import pandas as pd

ROWS = 60

random = np.random.default_rng(11)

NUMBERS = pd.DataFrame(
    {
        "income": random.lognormal(7, 1, ROWS).round(2),
        "age": random.integers(18, 90, ROWS),
        "employed": random.random(ROWS) < 0.7,
    }
)
"""A fraction, a whole number and a boolean, all without gaps."""

TARGET = (
    (NUMBERS["income"].rank(pct=True) + NUMBERS["age"] / 100 + random.random(ROWS) / 2 < 1.2).astype(int).to_numpy()
)
"""1 for a default, 0 for none; neither is rare."""

WORDS = np.where(TARGET == 1, "bad", "good")

PURPOSES = random.choice(["car", "house", "études"], ROWS)
"""A category, as text."""

FRACTIONS = pd.DataFrame({"income": NUMBERS["income"], "debt": random.random(ROWS).round(3)})
"""Two fractions, for what is trained from an array without names."""

EVERY_FIFTH = np.arange(ROWS) % 5 == 3
"""Where values are missing, in the models that have gaps."""


def with_column(name: str, values: Any) -> pd.DataFrame:
    """The applicants of NUMBERS, with one more column."""
    return NUMBERS.assign(**{name: values})


def with_gaps(name: str) -> pd.DataFrame:
    """The applicants of NUMBERS; of one column, values are missing, as pandas writes that."""
    return NUMBERS.assign(**{name: NUMBERS[name].mask(EVERY_FIFTH)})

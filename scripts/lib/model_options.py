"""The options with which somebody states of a model what it does not state itself."""

import argparse

from scripts.lib.mlmodel_file import Stated


def add_statements(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--threshold", type=probability, metavar="NUMBER", help="refuse from this score up, whatever the model states"
    )
    parser.add_argument(
        "--positive-class",
        type=not_empty,
        metavar="LABEL",
        help="score is the probability of this class, whatever the model states",
    )


def stated_in(options: argparse.Namespace) -> Stated:
    """Give what they state."""
    return Stated(options.threshold, options.positive_class)


def probability(text: str) -> float:
    """Return an option's number; argparse tells of one that is none from 0 to 1."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError("it must be a number from 0 to 1")
    return number


def not_empty(text: str) -> str:
    """Return an option's text; argparse tells of an empty one."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it must not be empty")
    return text

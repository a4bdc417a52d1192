"""Match the column names of any format with the features of a model."""

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from itertools import islice

from shared.contract.contract import Contract
from shared.errors import WrongColumns
from shared.reasons import cut_names

MOST_NOTED = 1000
"""Maximum number of remembered names from invalid rows; a caller may invent as many as there are rows."""

MOST_COMPARED = 100
"""Maximum number of names on either side that are searched for misspellings, which takes time."""

LIKENESS = 0.75
"""Minimum similarity of a name and its misspelling, as a difflib ratio."""


def match_columns(contract: Contract, names: Sequence[str], keep: Sequence[str] = ()) -> None:
    """Raise WrongColumns unless these column names include all that the contract and `keep` require.

    A feature or kept column must not be duplicated. An optional feature may be absent if no column is unknown: an unknown
    one may be the feature, misspelt. Names that look like values are not repeated: they may be an applicant's.
    """
    there, wanted = set(names), {*contract.names, *keep}
    if len(there) < len(names) and (twice := [name for name in there & wanted if names.count(name) > 1]):
        raise WrongColumns("columns-repeated", columns=cut_names(sorted(twice)))
    not_kept = [name for name in dict.fromkeys(keep) if name not in there]
    missing = missing_features(contract, names)
    if not (missing or not_kept):
        return
    unknown = [name for name in dict.fromkeys(names) if name not in wanted]
    needed = [feature.name for feature in contract.features if feature.required and feature.name not in there]
    check_spelling([*needed, *not_kept] or missing, unknown)
    _check_values(contract, names, keep, missing)
    if not_kept:
        raise WrongColumns("kept-columns-missing", columns=cut_names(not_kept))
    if unknown:
        raise WrongColumns("columns-missing-and-unknown", columns=cut_names(missing), unknown=cut_names(unknown))
    if needed:
        raise WrongColumns("columns-missing", columns=cut_names(needed))


class SeenNames:
    """The names seen in rows that name their own columns. What all of them lack is known only at the end."""

    def __init__(self, contract: Contract, keep: Sequence[str]) -> None:
        self._contract = contract
        self._keep = keep
        self._not_kept = dict.fromkeys(keep)
        self._some_fit = False
        self._names: dict[str, None] = {}

    def note_fitting(self) -> None:
        """Record that some row has names that fit the contract."""
        self._some_fit = True

    def note_kept(self, name: str) -> None:
        """Record that some row has a column to keep."""
        self._not_kept.pop(name, None)

    def note(self, names: Iterable[str]) -> None:
        """Record the names of a row, which may include unknown ones."""
        self._names |= dict.fromkeys(islice(names, MOST_NOTED - len(self._names)))

    def check(self) -> None:
        """Raise WrongColumns as for columns: if no row has a column to keep, or features have other names."""
        missing = [] if self._some_fit else missing_features(self._contract, self._names)
        needed = [feature.name for feature in self._contract.features if feature.required and feature.name in missing]
        wanted = {*self._contract.names, *self._keep}
        unknown = [name for name in self._names if name not in wanted]
        check_spelling([*needed, *self._not_kept] or missing, unknown)
        _check_values(self._contract, self._names, self._keep, missing)
        if self._not_kept:
            raise WrongColumns("kept-columns-missing", columns=cut_names(list(self._not_kept)))


def missing_features(contract: Contract, names: Collection[str]) -> list[str]:
    """Return the features, optional or not, for which there is no column."""
    there = set(names)
    return [name for name in contract.names if name not in there]


def check_spelling(missing: Sequence[str], unknown: Collection[str]) -> None:
    """Raise WrongColumns if every missing name is present in a nearly identical spelling, which is hard to notice."""
    nearly = {_plain(name): name for name in unknown}
    found = [nearly.get(_plain(name)) for name in missing]
    columns = [name for name in found if name is not None]
    if missing and len(columns) == len(missing):
        raise WrongColumns("columns-misspelt", columns=cut_names(columns), expected=cut_names(missing))


def _check_values(contract: Contract, names: Collection[str], keep: Sequence[str], missing: Sequence[str]) -> None:
    """Raise WrongColumns if features are missing and a name looks like a value, such as a number or date: there is no header."""
    unknown = set(names) - {*contract.names, *keep}
    if not missing or any(map(_is_like_value, contract.names)) or not any(map(_is_like_value, unknown)):
        return
    if not are_mostly_known(contract, names, keep):
        raise WrongColumns("columns-look-like-values", columns=cut_names(missing))


def are_mostly_known(contract: Contract, names: Collection[str], keep: Collection[str] = ()) -> bool:
    """Whether more than half of the names or of the features have an exact or similar counterpart."""
    there, wanted = set(names), {*contract.names, *keep}
    unknown = {_plain(name) for name in sorted(there - wanted)[:MOST_COMPARED]}
    missing = missing_features(contract, there)[:MOST_COMPARED]
    alike = sum(bool(get_close_matches(_plain(name), unknown, 1, LIKENESS)) for name in missing)
    return 2 * (len(there & wanted) + alike) > min(len(there), len(contract.names))


def _plain(name: str) -> str:
    """Normalise a name: names that differ only in case, surrounding spaces or the encoding of accents become equal."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _is_like_value(name: str) -> bool:
    if not any(map(str.isdigit, name)):
        return False
    try:
        float(name)
    except ValueError:
        return not any(map(str.isalpha, name))
    return True

"""The names of columns against those that a model takes, whichever format the columns come in."""

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from itertools import islice

from shared.contract.contract import Contract
from shared.errors import WrongColumns
from shared.reasons import cut_names

MOST_NOTED = 1000
"""Names of invalid rows that are remembered; a caller may make up as many as there are rows."""

MOST_COMPARED = 100
"""Names on either side that are searched for likely misspellings, which takes time."""

LIKENESS = 0.75
"""How alike a name and a misspelling of it are at least, as difflib counts."""


def match_columns(contract: Contract, names: Sequence[str], keep: Sequence[str] = ()) -> None:
    """Raise WrongColumns unless columns of these names have all that the contract needs and `keep` asks for.

    A feature or a kept column must not come twice. An optional feature may be absent if no column is unknown: an unknown
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
    """The names that rows had, where each row names its columns itself. What all of them lack is known only at their end."""

    def __init__(self, contract: Contract, keep: Sequence[str]) -> None:
        self._contract = contract
        self._keep = keep
        self._not_kept = dict.fromkeys(keep)
        self._some_fit = False
        self._names: set[str] = set()

    def note_fitting(self) -> None:
        """Note that some row has names that fit the contract."""
        self._some_fit = True

    def note_kept(self, name: str) -> None:
        """Note that some row has a column to keep."""
        self._not_kept.pop(name, None)

    def note(self, names: Iterable[str]) -> None:
        """Note the names of a row, which may have others than those that are wanted."""
        self._names.update(islice(names, MOST_NOTED - len(self._names)))

    def check(self) -> None:
        """Raise WrongColumns where columns would be rejected: no row has a column to keep, or features have other names."""
        missing = [] if self._some_fit else missing_features(self._contract, self._names)
        needed = [feature.name for feature in self._contract.features if feature.required and feature.name in missing]
        unknown = self._names - {*self._contract.names, *self._keep}
        check_spelling([*needed, *self._not_kept] or missing, unknown)
        _check_values(self._contract, self._names, self._keep, missing)
        if self._not_kept:
            raise WrongColumns("kept-columns-missing", columns=cut_names(list(self._not_kept)))


def missing_features(contract: Contract, names: Collection[str]) -> list[str]:
    """Name the features, optional or not, that none of the columns has the name of."""
    there = set(names)
    return [name for name in contract.names if name not in there]


def check_spelling(missing: Sequence[str], unknown: Collection[str]) -> None:
    """Raise WrongColumns if all that is missing is there under a name that is nearly right, for the difference is hard to see."""
    nearly = {_plain(name): name for name in unknown}
    found = [nearly.get(_plain(name)) for name in missing]
    columns = [name for name in found if name is not None]
    if missing and len(columns) == len(missing):
        raise WrongColumns("columns-misspelt", columns=cut_names(columns), expected=cut_names(missing))


def _check_values(contract: Contract, names: Collection[str], keep: Sequence[str], missing: Sequence[str]) -> None:
    """Raise WrongColumns where features are missing and one of the names is a number, a date or the like, as no feature's is."""
    unknown = set(names) - {*contract.names, *keep}
    if not missing or any(map(_is_like_value, contract.names)) or not any(map(_is_like_value, unknown)):
        return
    if not are_mostly_known(contract, names, keep):
        raise WrongColumns("columns-look-like-values", columns=cut_names(missing))


def are_mostly_known(contract: Contract, names: Collection[str], keep: Collection[str] = ()) -> bool:
    """Whether more than half of the names, or of the features, are found among the others, exactly or much alike."""
    there, wanted = set(names), {*contract.names, *keep}
    unknown = {_plain(name) for name in list(there - wanted)[:MOST_COMPARED]}
    missing = missing_features(contract, there)[:MOST_COMPARED]
    alike = sum(bool(get_close_matches(_plain(name), unknown, 1, LIKENESS)) for name in missing)
    return 2 * (len(there & wanted) + alike) > min(len(there), len(contract.names))


def _plain(name: str) -> str:
    """Write a name as those do that differ from it only in case, in spaces around it or in how accents are encoded."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _is_like_value(name: str) -> bool:
    if not any(map(str.isdigit, name)):
        return False
    try:
        float(name)
    except ValueError:
        return not any(map(str.isalpha, name))
    return True

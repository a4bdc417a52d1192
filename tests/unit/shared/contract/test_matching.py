"""Names of columns: what is misspelt, what is no header, and that no name is repeated that may be an applicant's value."""

import pytest

from shared.contract.contract import Contract
from shared.contract.matching import SeenNames, are_mostly_known, match_columns
from shared.errors import WrongColumns
from tests.factories import make_contract

CONTRACT = make_contract(
    [
        {"name": "EXT_SOURCE_1", "type": "double"},
        {"name": "âge", "type": "long"},
        {"name": "purpose", "type": "string", "required": False},
    ]
)
OPTIONAL = make_contract([{"name": name, "type": "double", "required": False} for name in ("Amount", "Term", "Rate")])
NUMBERED = make_contract([{"name": str(number), "type": "double"} for number in range(4)])


def reason_of(contract: Contract, names: list[str], keep: tuple[str, ...] = ()) -> tuple[str, str]:
    with pytest.raises(WrongColumns) as caught:
        match_columns(contract, names, keep)
    return caught.value.reason.type, str(caught.value)


@pytest.mark.parametrize(
    ("contract", "names", "keep"),
    [
        (CONTRACT, ["ext_source_1", "âge"], ()),
        (CONTRACT, ["ext_source_1", "ÂGE", "purpose"], ()),
        (CONTRACT, ["EXT_SOURCE_1", "a\u0302ge"], ()),
        (CONTRACT, ["EXT_SOURCE_1 ", "\tâge", "id"], ("id",)),
        (CONTRACT, ["EXT_SOURCE_1", "âge", "Id"], ("id",)),
        (OPTIONAL, ["amount", "term", "rate"], ()),
        (OPTIONAL, ["Amount", "Term", "rate", "2024-01-31"], ()),
    ],
)
def test_names_that_are_nearly_right_are_told_as_such(
    contract: Contract, names: list[str], keep: tuple[str, ...]
) -> None:
    assert reason_of(contract, names, keep)[0] == "columns-misspelt"


@pytest.mark.parametrize(
    ("contract", "names"),
    [
        (CONTRACT, ["Jean Martin", "1500.5", "car"]),
        (CONTRACT, ["Jean Martin", "31/01/1980", ""]),
        (CONTRACT, ["Jean Martin", "+33 6 12 34 56 78", "purpose"]),
        (CONTRACT, ["Jean Martin", "1.5e3", "nan"]),
        (OPTIONAL, ["Jean Martin", "12 %"]),
    ],
)
def test_names_that_look_like_values_are_not_repeated(contract: Contract, names: list[str]) -> None:
    kind, said = reason_of(contract, names)
    assert kind == "columns-look-like-values"
    assert not [name for name in names if name and name in said and name not in contract.names]


@pytest.mark.parametrize(
    ("contract", "names"),
    [
        (CONTRACT, ["EXT_SOURCE_1", "âge", "2024"]),
        (CONTRACT, ["customer", "balance"]),
        (NUMBERED, ["0", "1", "2", "4"]),
        (NUMBERED, ["10", "20", "30", "40"]),
    ],
)
def test_names_of_a_header_are_repeated(contract: Contract, names: list[str]) -> None:
    kind, said = reason_of(contract, names)
    assert kind == "columns-missing-and-unknown"
    assert repr(names[-1]) in said


@pytest.mark.parametrize(
    ("names", "known"),
    [
        (["EXT_SOURCE_1", "âge", "purpose"], True),
        (["EXT_SOURCE", "âges", "more", "other"], True),
        (["EXT_SOURCE_1", "a", "b", "c"], False),
        (["âge", "id"], False),
        (["âge"], True),
        ([f"n{number}" for number in range(100_000)], False),
    ],
)
def test_more_than_half_of_the_names_are_known_or_alike(names: list[str], known: bool) -> None:
    assert are_mostly_known(CONTRACT, names) is known


# Rows that name their columns themselves.


def test_a_column_to_keep_that_comes_late_is_there() -> None:
    seen = SeenNames(CONTRACT, ("id", "more"))
    seen.note_fitting()
    seen.note(["Id"])
    seen.note_kept("more")
    seen.note_kept("id")
    seen.check()


def test_a_column_to_keep_that_no_row_has_is_named() -> None:
    seen = SeenNames(CONTRACT, ("id", "more"))
    seen.note_fitting()
    seen.note_kept("more")
    with pytest.raises(WrongColumns) as caught:
        seen.check()
    assert (caught.value.reason.type, caught.value.reason.params) == ("kept-columns-missing", {"columns": ["id"]})


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["ext_source_1", "ÂGE"], "columns-misspelt"),
        (["Jean Martin", "1500.5", "car"], "columns-look-like-values"),
    ],
)
def test_rows_that_are_all_named_otherwise_are_told_as_columns_would_be(names: list[str], kind: str) -> None:
    seen = SeenNames(CONTRACT, ())
    seen.note(names[:1])
    seen.note(names[1:])
    with pytest.raises(WrongColumns) as caught:
        seen.check()
    assert caught.value.reason.type == kind


def test_of_two_spellings_the_last_one_is_named() -> None:
    for names in (["ext_source_1", "Ext_Source_1", "Âge"], ["Âge", "Ext_Source_1", "ext_source_1"]):
        seen = SeenNames(CONTRACT, ())
        seen.note(names)
        with pytest.raises(WrongColumns) as caught:
            seen.check()
        assert names[-1 if names[-1] != "Âge" else 1] in caught.value.reason.params["columns"]


@pytest.mark.parametrize("names", [["EXT_SOURCE_1"], ["ext_source_1"], ["customer"], []])
def test_rows_that_lack_features_are_invalid_one_by_one(names: list[str]) -> None:
    seen = SeenNames(CONTRACT, ())
    seen.note(names)
    seen.check()


def test_one_row_that_fits_makes_the_others_invalid_one_by_one() -> None:
    seen = SeenNames(CONTRACT, ())
    seen.note(["ext_source_1", "ÂGE"])
    seen.note_fitting()
    seen.check()


def test_only_so_many_names_are_remembered() -> None:
    seen = SeenNames(CONTRACT, ("id",))
    for start in range(0, 10_000, 100):
        seen.note(f"name {number}" for number in range(start, start + 100))
    seen.note(["ID"])
    with pytest.raises(WrongColumns, match="Columns to keep"):
        seen.check()

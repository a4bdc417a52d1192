from typing import Any

import pytest

from ui.applicant.pasted import NotARow, read_row

FEATURES = ("age", "rate", "kind")


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ('{"age": 40, "rate": 0.5, "customer": "c1"}', {"age": 40, "rate": 0.5, "customer": "c1"}),
        (' [{"age": 40}]\n', {"age": 40}),
        ('\ufeff{"age": null}', {"age": None}),
        ('{"columns": ["age", "kind"], "data": [[40, "a"]]}', {"age": 40, "kind": "a"}),
        ("customer,rate,age\n7,0.5,40", {"customer": "7", "rate": "0.5", "age": "40"}),
        ("age;rate;kind\r\n40;0,5;a,b\r\n", {"age": "40", "rate": "0.5", "kind": "a,b"}),
        ("age\trate\tkind\n40\t\ta", {"age": "40", "rate": "", "kind": "a"}),
        ('40,0.5,"a, b"', {"age": "40", "rate": "0.5", "kind": "a, b"}),
    ],
)
def test_one_row_is_read_from_json_and_csv(text: str, row: dict[str, Any]) -> None:
    assert read_row(text, FEATURES) == row


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (" \n", "empty"),
        ('{"age": 40', "not_json"),
        ('{"age": 1}\n{"age": 2}', "not_json"),
        ("[1, 2]", "not_json"),
        ("[" * 100_000, "not_json"),
        ('[{"age": 1}, {"age": 2}]', "several"),
        ("[]", "not_json"),
        ("{}", "strange"),
        ('{"AGE": 1}', "strange"),
        ("age,rate,kind", "header_only"),
        ("age,rate,kind\n1,2,3\n4,5,6", "several"),
        ("40,0.5", "count"),
        ("age,rate,kind\n1,2", "count"),
        ("some words", "count"),
    ],
)
def test_what_is_not_one_row_is_told_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(NotARow) as caught:
        read_row(text, FEATURES)
    assert caught.value.reason == reason

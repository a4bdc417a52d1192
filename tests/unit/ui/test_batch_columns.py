import csv
import io

import pytest

from pret import Column
from tests.unit.ui.conftest import CATEGORIES, NUMBERS, RESULT_COLUMNS, signature_of
from ui.batch.columns import check_columns, keepable
from ui.batch.preview import look_at
from ui.batch.template import template

SIGNATURE = signature_of(Column("YEARS_BIRTH", "long"), Column("AMOUNT", "double", required=False))


def test_columns_of_the_signature_and_others_are_right() -> None:
    check = check_columns(SIGNATURE, ["id", "AMOUNT", "YEARS_BIRTH", "id"])
    assert not check.is_rejected(())
    assert check.unknown == ("id",)
    assert check.suspects(()) == ()


def test_what_is_missing_is_named_and_what_may_be_meant() -> None:
    check = check_columns(SIGNATURE, ["id", "Years_Birht", "AMOUNT"])
    assert check.missing == ("YEARS_BIRTH",)
    assert check.likely == {"YEARS_BIRTH": "Years_Birht"}
    assert check.suspects(("id",)) == ("Years_Birht",)
    assert check.is_rejected(("id", "Years_Birht"))


def test_an_optional_column_may_be_absent_if_no_other_may_be_meant() -> None:
    check = check_columns(SIGNATURE, ["YEARS_BIRTH", "id"])
    assert check.absent == ("AMOUNT",)
    assert check.is_rejected(())
    assert not check.is_rejected(("id",))


def test_a_feature_that_comes_twice_is_named() -> None:
    check = check_columns(SIGNATURE, ["YEARS_BIRTH", "AMOUNT", "AMOUNT"])
    assert check.twice == ("AMOUNT",)
    assert check.is_rejected(())


def test_thousands_of_unknown_columns_are_compared_quickly() -> None:
    check = check_columns(NUMBERS, [f"column_{number}" for number in range(10_000)])
    assert len(check.unknown) == 10_000
    assert len(check.missing) == 4


def test_what_can_be_kept_begins_with_what_is_no_feature() -> None:
    assert keepable(["AMOUNT", "score", "id", "", "id"], {"AMOUNT"}, RESULT_COLUMNS) == ("id", "AMOUNT")


def test_what_cannot_be_kept_is_not_kept_at_first() -> None:
    columns = ["YEARS_BIRTH", "AMOUNT", "tags", "id", "score"]
    offered = keepable(columns, {"YEARS_BIRTH", "AMOUNT"}, {"tags", *RESULT_COLUMNS})
    assert "tags" not in offered
    assert check_columns(SIGNATURE, columns).kept_at_first(offered) == ("id",)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_template_is_a_file_that_the_page_takes(language: str) -> None:
    for signature in (NUMBERS, CATEGORIES):
        names = [column.name for column in signature.columns]
        preview = look_at("template.csv", io.BytesIO(template(signature, language)), names)
        assert list(preview.columns) == names
        assert not check_columns(signature, preview.columns).is_rejected(())
    assert preview.rows == (("car", "", "ok", "12"),)


def test_the_template_is_written_as_spreadsheets_of_the_language_do() -> None:
    french, english = (template(NUMBERS, language).decode("utf-8-sig").splitlines()[1] for language in ("fr", "en"))
    assert french == "0,2635;0,5;40;true;12000,0"
    assert english == "0.2635,0.5,40,true,12000.0"


def test_a_model_without_an_example_has_a_template_of_empty_fields() -> None:
    assert list(csv.reader(io.StringIO(template(SIGNATURE, "en").decode("utf-8-sig")))) == [
        ["YEARS_BIRTH", "AMOUNT"],
        ["", ""],
    ]

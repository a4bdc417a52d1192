"""The report on a model says what a team must add."""

import pytest

from scripts.lib.model_report import contract_table
from tests.factories import make_contract


@pytest.mark.parametrize(
    ("required", "nullable", "last"),
    [
        (True, None, 'that word, such as metadata={"missing_category": "Missing"}.'),
        (False, None, "A missing category is scored as 'nan'."),
        (True, False, "town     string  yes       no        -        metadata.features states it"),
    ],
)
def test_what_to_do_about_missing_categories_is_told_where_nothing_is_stated(
    required: bool, nullable: bool | None, last: str
) -> None:
    notes = {} if nullable is None else {"town": {"nullable": nullable}}
    contract = make_contract([{"name": "town", "type": "string", "required": required}], notes)
    assert contract_table(contract)[-1] == last

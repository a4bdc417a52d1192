"""Examples, in each form that MLflow has written, and such as are of no use: they never stop a model."""

import json
from pathlib import Path
from typing import Any

from tests.zoo import artifact
from tests.zoo.applicants import NUMBERS
from tests.zoo.gaps import signature
from tests.zoo.variant import Row, Variant

PLAIN = Variant("")
ROWS = PLAIN.rows[:3]
SPLIT = artifact.split(ROWS)
COLUMNS = {name: [row[name] for row in ROWS] for name in ROWS[0]}
VALUES = SPLIT["data"]

FORMS: dict[str, Any] = {
    "`columns` and `data`, as MLflow writes a data frame": SPLIT,
    "`columns`, `index` and `data`, as MLflow 1 wrote it": SPLIT | {"index": [0, 1, 2]},
    "`dataframe_split`": {"dataframe_split": SPLIT},
    "`dataframe_records`": {"dataframe_records": ROWS},
    "`inputs`, of columns": {"inputs": COLUMNS},
    "`inputs`, of rows without names": {"inputs": VALUES},
    "`inputs`, of rows": {"inputs": ROWS},
    "`instances`": {"instances": ROWS},
    "`inputs` and `params`": {"inputs": SPLIT, "params": {"threshold": 0.5}},
    "a list of rows": ROWS,
    "a list of rows without names, as MLflow writes an array": VALUES,
    "one row without names": VALUES[0],
    "a bare row": ROWS[0],
    "columns by name": COLUMNS,
    "`data` without `columns`": {"data": VALUES},
}

USELESS: dict[str, tuple[Any, str]] = {
    "text that is not JSON": ("{", "example-unreadable"),
    "an empty list": ([], "example-unreadable"),
    "a number": (5, "example-unreadable"),
    "rows of other columns": ([{"height": 1.8}], "example-invalid"),
    "a value of another type": ([ROWS[0] | {"age": "forty"}], "example-invalid"),
    "a value that is missing and must not be": ([ROWS[0] | {"age": None}], "example-invalid"),
    "a row that is too short": (SPLIT | {"data": [VALUES[0][:2]]}, "example-unreadable"),
}


def for_serving(content: Any) -> Any:
    """Write the example under the other name that MLflow has for one."""

    def finish(_: Variant, folder: Path) -> None:
        (folder / "serving_input_example.json").write_text(json.dumps(content), encoding="utf-8")

    return finish


def without(row: Row, name: str) -> Row:
    return {key: value for key, value in row.items() if key != name}


VARIANTS = (
    Variant("none", example=None, shown=None),
    *(Variant(name, example=form) for name, form in FORMS.items()),
    Variant("only `serving_input_example.json`", example=None, finish=for_serving({"dataframe_split": SPLIT})),
    Variant(
        "a broken one, and a good `serving_input_example.json`", example="{", finish=for_serving({"inputs": COLUMNS})
    ),
    Variant("one with a column more", example=[ROWS[0] | {"id": 7}]),
    Variant(
        "one that lacks an optional column",
        inputs=signature(NUMBERS, "age", required=False),
        nullable=("age",),
        example=[without(ROWS[0], "age")],
        shown=without(ROWS[0], "age"),
    ),
    *(
        Variant(f"{name}: left out", example=content, shown=None, told=(why,))
        for name, (content, why) in USELESS.items()
    ),
)

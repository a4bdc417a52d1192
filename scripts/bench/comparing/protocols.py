"""How each server wants rows, and how its scores are read: the same rows for all."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]
Values = list[Any]

JSON = {"Content-Type": "application/json"}
WAIT = JSON | {"Prefer": "wait=60"}


@dataclass(frozen=True)
class Call:
    """A way to ask for scores: a path, what is sent, and how the answer is read; without a reader it is a constant."""

    path: str
    write: Callable[[Sequence[Row]], Any]
    read: Callable[[Any], Values] | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)

    def body(self, rows: Sequence[Row]) -> bytes:
        """Write the rows."""
        return json.dumps(self.write(rows)).encode()


def _split(rows: Sequence[Row]) -> dict[str, Any]:
    return {"dataframe_split": {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}}


def _columns(rows: Sequence[Row]) -> dict[str, Any]:
    return {"columns": {name: [row[name] for row in rows] for name in rows[0]}}


def _scores(answers: list[dict[str, Any]]) -> Values:
    return [answer["score"] for answer in answers]


ONE_ROW = Call("/individual_score", lambda rows: rows[0], lambda answer: [answer["score"]])
CONSTANT = Call("/individual_score", lambda rows: rows[0])
RECORDS = Call("/multiple_score", list, _scores, WAIT)
SPLIT = Call("/multiple_score", _split, _scores, WAIT)
COLUMNS = Call("/multiple_score", _columns, _scores, WAIT)


def _flat_tensor(rows: Sequence[Row]) -> dict[str, Any]:
    """Make one tensor of numbers, row by row: what MLServer reads fastest."""
    data = [value if value is None else float(value) for row in rows for value in row.values()]
    tensor = {"name": "rows", "shape": [len(rows), len(rows[0])], "datatype": "FP32", "data": data}
    return {"inputs": [tensor]}


def _named_tensors(rows: Sequence[Row]) -> dict[str, Any]:
    """Make a tensor of each column, which MLServer makes a table of: the only way for text beside numbers."""
    return {"parameters": {"content_type": "pd"}, "inputs": [_tensor(name, rows) for name in rows[0]]}


def _tensor(name: str, rows: Sequence[Row]) -> dict[str, Any]:
    data = [row[name] for row in rows]
    is_text = isinstance(data[0], str)
    kind = {"datatype": "BYTES", "parameters": {"content_type": "str"}} if is_text else {"datatype": "FP64"}
    return {"name": name, "shape": [len(data)], "data": data, **kind}


def _v2_outputs(answer: dict[str, Any]) -> Values:
    outputs: Values = answer["outputs"][0]["data"]
    return outputs


V2_FLAT = Call("/v2/models/model/infer", _flat_tensor, _v2_outputs)
V2_NAMED = Call("/v2/models/model/infer", _named_tensors, _v2_outputs)
INVOCATIONS = Call("/invocations", _split, lambda answer: answer["predictions"])

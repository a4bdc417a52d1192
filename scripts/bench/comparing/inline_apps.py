"""What a team writes in an afternoon: a FastAPI route that scores a batch with CatBoost then and there, without a contract.

Two ways to read the records: pydantic models, as FastAPI's documentation has it, and msgspec, the fastest there is.
"""

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from catboost import CatBoostClassifier
from fastapi import FastAPI, Request, Response
from pydantic import create_model

FOLDER = Path(os.environ.get("MODEL_DIR", "exported_model"))
EXAMPLE = json.loads((FOLDER / "input_example.json").read_text())
TYPES: list[tuple[str, Any, Any]] = [
    (name, (bool if isinstance(value, bool) else float) | None, None) for name, value in EXAMPLE.items()
]
"""Any feature may be missing."""

MODEL = CatBoostClassifier().load_model(str(FOLDER / "model.cb"))
THRESHOLD = 0.1
VERSION = "local-0123456789ab"


def answers(rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Score rows, and answer what the service answers."""
    matrix: npt.NDArray[np.float32] = np.array(rows, dtype=np.float32)
    return [
        {
            "score": score,
            "prediction": int(score >= THRESHOLD),
            "threshold": THRESHOLD,
            "decision": "Refusé" if score >= THRESHOLD else "Accordé",
            "model_version": VERSION,
        }
        for score in MODEL.predict_proba(matrix)[:, 1].tolist()
    ]


with_pydantic = FastAPI()
FIELDS: Any = {name: (kind, default) for name, kind, default in TYPES}
PydanticRow: Any = create_model("PydanticRow", **FIELDS)


@with_pydantic.post("/multiple_score")
def score_models(rows: list[PydanticRow]) -> list[dict[str, Any]]:
    """Score pydantic models."""
    return answers([tuple(row.__dict__.values()) for row in rows])


with_msgspec = FastAPI()
MsgspecRow = msgspec.defstruct("MsgspecRow", TYPES)
decoder = msgspec.json.Decoder(list[MsgspecRow])  # type: ignore[valid-type]


@with_msgspec.post("/multiple_score")
async def score_structs(request: Request) -> Response:
    """Score structs of msgspec."""
    rows = decoder.decode(await request.body())
    content = msgspec.json.encode(answers([msgspec.structs.astuple(row) for row in rows]))
    return Response(content, media_type="application/json")

"""What single scoring is measured against: the least that an ASGI server can do, and the usual FastAPI route."""

import json
import os
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic import create_model

EXAMPLE = json.loads(Path(os.environ.get("MODEL_DIR", "exported_model"), "input_example.json").read_text())
ANSWER = (
    b'{"score":0.03784344995358444,"prediction":0,"threshold":0.09810848751684574,"decision":"ok","model_version":"x"}'
)


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """Read the body and answer a constant, with no framework at all."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


usual = FastAPI()
FIELDS: Any = {name: (type(value), ...) for name, value in EXAMPLE.items()}
Row: Any = create_model("Row", **FIELDS)


@usual.post("/individual_score")
async def individual_score(row: Row) -> dict[str, Any]:
    """Validate a pydantic body and answer a constant."""
    return {"score": 0.03784344995358444, "prediction": 0, "threshold": 0.098, "decision": "ok", "model_version": "x"}

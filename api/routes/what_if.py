"""What if: other values of some features of one applicant."""

from typing import Any

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Request, Response

from api.dependencies import LanguageDep, ModelDep, ServicesDep
from api.errors import InvalidParameters
from api.intake.body import JSON, read_json
from api.language import language_headers
from api.parameters import KnownParameters
from api.problems import problems
from api.reason_schemas import WhatIfBody
from shared.contract.findings import json_fault
from shared.formats.json_nan import with_nan
from shared.formats.json_parts import decoded, not_json
from shared.formats.json_pieces import MAX_ROW_BYTES
from shared.formats.json_rows import row_from_json
from shared.reasons import cut
from shared.what_if import what_if as try_values

router = APIRouter(tags=["scoring"])


class WhatIfRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The request: a row, and the features to change; without any, those that contribute most."""

    row: msgspec.Raw
    features: list[str] | None = None


@router.post(
    "/what_if",
    responses={200: {"model": WhatIfBody}, **problems(400, 413, 415, 422, 503)},
    response_class=Response,
    dependencies=[KnownParameters],
)
async def what_if(request: Request, model: ModelDep, services: ServicesDep, language: LanguageDep) -> Response:
    """Score one applicant with other values of up to 5 features, one at a time, and tell where the decision flips."""
    limit = min(MAX_ROW_BYTES, services.settings.max_body_bytes)
    asked = _request(await read_json(request.scope, request.receive, limit))
    row = row_from_json(with_nan(bytes(asked.row)), model.contract)
    found = await to_thread.run_sync(
        try_values, model, row, asked.features, language, limiter=services.explaining_limiter
    )
    return Response(msgspec.json.encode(found), headers=language_headers(language), media_type=JSON)


def _request(body: bytes) -> WhatIfRequest:
    try:
        body.decode()  # what is passed over is not looked at
        request: WhatIfRequest = decoded(body, WhatIfRequest)[0]
    except msgspec.ValidationError as error:
        detail: dict[str, Any] = {"loc": ("body",), "msg": cut(str(error)), "type": "invalid_request"}
        raise InvalidParameters([detail]) from None
    except UnicodeDecodeError as error:
        raise not_json(*json_fault(str(error), len(body))) from None
    return request

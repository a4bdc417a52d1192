"""The OpenAPI document: the routes as FastAPI describes them, and the row schema of the loaded model."""

from copy import deepcopy
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.routing import Route

from api.access.rules import READ
from api.intake.body import JSON
from api.intake.form import FORM
from api.problems import DEFAULT, Problem, problems
from api.reason_options import ReasonOptions
from api.reason_schemas import ExplainedScore
from api.routes.scoring import INDIVIDUAL_SCORE
from api.services import Services
from shared.errors import NoModel
from shared.formats.format import BY_MEDIA_TYPE, FORMATS, ZIP_MEDIA_TYPES
from shared.models.artifact import Model
from shared.what_if import MAX_FEATURES

FEATURES = "Features"
FEATURES_REF = {"$ref": f"#/components/schemas/{FEATURES}"}
SCHEMA_REF = "#/components/schemas/{model}"

TAGS = [
    {"name": "scoring", "description": "Score one applicant synchronously."},
    {"name": "batches", "description": "Score many applicants as a background job."},
    {"name": "model", "description": "The served model, and reloading it."},
    {"name": "access", "description": "Who did what, and who was not let in."},
    {"name": "health", "description": "For orchestrators and operators."},
]
SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
"""Either will do; neither is needed where no keys are configured."""

MULTIPLE_SCORE, WHAT_IF, JOBS = "/multiple_score", "/what_if", "/jobs"

FILE = {"schema": {"type": "string", "format": "binary"}}
FORM_WITH_FILE = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {"type": "string", "format": "binary", "description": "The file extension determines the format."}
        },
    }
}
ADDRESSES = {
    "type": "object",
    "required": ["input_uri"],
    "properties": {
        "input_uri": {"type": "string", "description": "URI of the input file, below one of `INPUT_URI_PREFIXES`."},
        "output_uri": {
            "type": "string",
            "description": "URI to write the results to, below one of `OUTPUT_URI_PREFIXES`.",
        },
    },
    "additionalProperties": False,
}


def install(app: FastAPI, services: Services) -> None:
    """Make `/openapi.json`, and thus `/docs`, reflect the model that this process serves, for callers that may read."""
    made: dict[str | None, dict[str, Any]] = {}

    def document_with(model: Model | None) -> dict[str, Any]:
        version = model.version if model else None
        if version not in made:
            for former in made.keys() - {None}:
                del made[former]
            made[version] = deepcopy(app.openapi())
            _describe(made[version], model)
        return made[version]

    async def show(request: Request) -> JSONResponse:
        may_read = request.state.caller.may(READ)
        return JSONResponse(document_with(_model(services) if may_read else None))

    # Before the one that FastAPI has put there.
    app.router.routes.insert(0, Route(str(app.openapi_url), show))


def _model(services: Services) -> Model | None:
    try:
        return services.member.model
    except NoModel:
        return None


def _describe(document: dict[str, Any], model: Model | None) -> None:
    document["x-model-version"] = model.version if model else None
    components = document.setdefault("components", {})
    components["securitySchemes"] = SECURITY_SCHEMES
    document["security"] = [*({name: []} for name in SECURITY_SCHEMES), {}]
    schemas = components.setdefault("schemas", {})
    schemas[FEATURES] = _features_schema(model)
    for body in (Problem, ExplainedScore):
        schema = body.model_json_schema(ref_template=SCHEMA_REF)
        schemas |= schema.pop("$defs") | {body.__name__: schema}
    example = model.input_example if model else None
    document["paths"][INDIVIDUAL_SCORE] = {
        "post": {
            "tags": ["scoring"],
            "summary": "Individual Score",
            "description": "Score one applicant synchronously; with `explain`, give the reasons for the score.",
            "operationId": "individual_score",
            "parameters": _reason_parameters(),
            "requestBody": _body(FEATURES_REF, example),
            "responses": _individual_score_responses(),
        }
    }
    document["paths"][WHAT_IF]["post"]["requestBody"] = _what_if_body(example)
    array = {"type": "array", "items": FEATURES_REF, "minItems": 1}
    examples = [example] if example else None
    shapes = _shapes(array)
    document["paths"][MULTIPLE_SCORE]["post"]["requestBody"] = _body({"oneOf": shapes}, examples)
    document["paths"][JOBS]["post"]["requestBody"] = _job_body(shapes, examples)
    document["paths"][MULTIPLE_SCORE]["post"].setdefault("parameters", []).append(
        {
            "name": "Prefer",
            "in": "header",
            "required": False,
            "schema": {"type": "string"},
            "description": "`wait=N`: get the scores in the response, at once or within N seconds (RFC 7240).",
        }
    )


def _individual_score_responses() -> dict[str, Any]:
    content = {JSON: {"schema": {"$ref": f"#/components/schemas/{ExplainedScore.__name__}"}}}
    score = {"description": "The score and the decision, and the reasons if asked for.", "content": content}
    others = problems(400, 413, 415, 422, 503) | DEFAULT
    return {"200": score} | {str(status): response for status, response in others.items()}


def _features_schema(model: Model | None) -> dict[str, Any]:
    if model is None:
        return {"type": "object", "description": "No model is loaded, or it is shown with a key only."}
    schema = model.contract.row_adapter.json_schema()
    schema["title"] = FEATURES
    schema["description"] = f"One applicant, for model version {model.version}."
    if model.input_example:
        schema["example"] = model.input_example
    return schema


def _body(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    media: dict[str, Any] = {"schema": schema}
    if example is not None:
        media["example"] = example
    return {"required": True, "content": {JSON: media}}


def _what_if_body(example: Any) -> dict[str, Any]:
    """Describe a row and the features to change."""
    names = {
        "type": ["array", "null"],
        "items": {"type": "string"},
        "minItems": 1,
        "maxItems": MAX_FEATURES,
        "uniqueItems": True,
    }
    properties = {"row": FEATURES_REF, "features": names}
    schema = {"type": "object", "required": ["row"], "properties": properties, "additionalProperties": False}
    return _body(schema, None if example is None else {"row": example})


def _shapes(array: dict[str, Any]) -> list[dict[str, Any]]:
    """Describe the four shapes of JSON rows."""
    split = {
        "type": "object",
        "required": ["columns", "data"],
        "properties": {
            "columns": {"type": "array", "items": {"type": "string"}},
            "data": {"type": "array", "items": {"type": "array"}},
            "index": {"description": "Is not looked at."},
        },
        "additionalProperties": False,
    }
    return [
        array,
        _object("dataframe_records", array),
        _object("dataframe_split", split),
        _object("columns", {"type": "object", "additionalProperties": {"type": "array"}}),
    ]


def _job_body(shapes: list[dict[str, Any]], examples: Any) -> dict[str, Any]:
    """Describe all request bodies of a job: rows, the address of a file, or a file."""
    body = _body({"oneOf": [*shapes, ADDRESSES]}, examples)
    body["content"] |= {media: FILE for media, format in BY_MEDIA_TYPE.items() if FORMATS[format].is_file}
    body["content"] |= {ZIP_MEDIA_TYPES[0]: FILE, FORM: FORM_WITH_FILE}
    return body


def _object(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": [name], "properties": {name: schema}, "additionalProperties": False}


def _reason_parameters() -> list[dict[str, Any]]:
    """Describe the parameters that ask for reasons."""
    schema = ReasonOptions.model_json_schema()["properties"]
    parameters = [
        {"name": name, "in": "query", "required": False, "description": field.pop("description"), "schema": field}
        for name, field in schema.items()
    ]
    language = {"schema": {"type": "string"}, "description": "Language of labels and reasons, `fr` or `en`."}
    return [*parameters, {"name": "Accept-Language", "in": "header", "required": False, **language}]

"""The served model: file, signature and origin; and reloading it."""

from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api.dependencies import CallerDep, LanguageDep, ServicesDep, ShownModelDep
from api.errors import NoModelCard
from api.intake.body import JSON, read_optional_json
from api.language import language_headers
from api.model_schemas import (
    CandidateBody,
    EvaluatorBody,
    ModelInfo,
    ModelSignature,
    ModelStatus,
    ProcessBody,
    Reload,
    ReloadRequest,
    VersionBody,
)
from api.parameters import KnownParameters
from api.problems import problems
from api.reason_schemas import ModelImportance
from api.schemas import ReasonBody, moment
from shared.errors import RedisUnavailable
from shared.fleet.reload import PREVIOUS
from shared.importance import importance_of

router = APIRouter(tags=["model"])

MARKDOWN = "text/markdown"
LARGEST_RELOAD_BODY = 4096
RELOAD_BODY: dict[str, Any] = {
    "requestBody": {"required": False, "content": {JSON: {"schema": ReloadRequest.model_json_schema()}}}
}


@router.get("/model_status", responses=problems(404))
def model_status(model: ShownModelDep, services: ServicesDep) -> ModelStatus:
    """Get the model file, the active version, and the version that each process serves."""
    try:
        (deployed, candidate), processes = services.fleet.look(), services.fleet.processes()
        versions = {process.version for process in processes} | {model.version}
        converged = deployed is not None and versions == {deployed.active.id}
    except RedisUnavailable:
        deployed, candidate, processes, converged = None, None, [], None
    return ModelStatus(
        file_name=model.file.name,
        path=model.file.relative_to(model.folder).as_posix(),
        size=model.size,
        modified_at=moment(model.modified_at),
        version=model.version,
        active_version=deployed.active.id if deployed else None,
        candidate=CandidateBody.of(candidate) if candidate else None,
        converged=converged,
        error=ReasonBody.of(services.member.error),
        processes=[ProcessBody.of(process) for process in processes],
    )


@router.get("/model_versions", responses=problems(503))
def model_versions(services: ServicesDep) -> list[VersionBody]:
    """List the changes of the active version and the rejected attempts, newest first."""
    return [VersionBody.of(entry) for entry in services.fleet.history()]


@router.get("/model_signature", responses=problems(404))
async def model_signature(model: ShownModelDep, language: LanguageDep, response: Response) -> ModelSignature:
    """Get the features of the model, with labels and descriptions in the language that `Accept-Language` prefers."""
    response.headers.update(language_headers(language))
    return ModelSignature.of(model.contract, model.input_example, language)


@router.get("/model_importance", responses=problems(404, 422))
def model_importance(model: ShownModelDep, language: LanguageDep, response: Response) -> ModelImportance:
    """Get how much each feature, and each group, moves the score of an applicant on average."""
    response.headers.update(language_headers(language))
    return ModelImportance.of(importance_of(model), model, language)


@router.get("/model_card", responses={200: {"content": {MARKDOWN: {}}}, **problems(404)}, response_class=Response)
def model_card(model: ShownModelDep) -> Response:
    """Get the model card that ships with the model artifact, in Markdown."""
    if model.card is None:
        raise NoModelCard
    return Response(model.card, media_type=MARKDOWN, headers={"X-Model-Version": model.version})


@router.get("/model_info", responses=problems(404))
async def model_info(model: ShownModelDep) -> ModelInfo:
    """Get the version, origin and recommended threshold of the model."""
    return ModelInfo(
        version=model.version,
        created_at=model.mlmodel.utc_time_created,
        recommended_threshold=model.threshold,
        threshold_origin=model.chosen_threshold.origin,
        positive_class=model.positive_class,
        integrity=model.integrity,
        evaluator=EvaluatorBody.of(model),
        notes=ReasonBody.all_of(model.notes),
        model_type=model.kind,
        classes=model.classes,
        trees=model.trees,
        mlflow_run_id=model.mlmodel.run_id,
        mlflow_model_id=model.mlmodel.model_id or model.mlmodel.model_uuid,
        mlflow_version=model.mlmodel.mlflow_version,
    )


@router.post(
    "/reload_model",
    openapi_extra=RELOAD_BODY,
    responses=problems(401, 404, 409, 413, 415, 422, 502, 503, 504),
    dependencies=[KnownParameters],
)
async def reload_model(request: Request, services: ServicesDep, caller: CallerDep) -> Reload:
    """Activate a new version on all processes or on none.

    409: the model is rejected, or another reload is under way; 404: no such revision; 502, 503: the Hub denies access or
    does not respond; 504: a process did not respond in time. In all these cases the fleet keeps serving the current version.
    """
    # Read by hand: FastAPI would read a body of any size before checking the key.
    body = await read_optional_json(request.scope, request.receive, LARGEST_RELOAD_BODY)
    revision = _reload_request(body).revision if body else None
    with services.audit.change(caller, "reload") as change:
        outcome = await to_thread.run_sync(services.coordinator.reload, revision, caller.name)
        change.about = outcome.version
    return Reload.of(outcome, services.member.model)


def _reload_request(body: bytes) -> ReloadRequest:
    try:
        return ReloadRequest.model_validate_json(body)
    except ValidationError as error:
        details = error.errors(include_input=False, include_context=False, include_url=False)
        raise RequestValidationError([detail | {"loc": ("body", *detail["loc"])} for detail in details]) from None


@router.post("/rollback_model", responses=problems(401, 409, 503, 504))
def rollback_model(services: ServicesDep, caller: CallerDep) -> Reload:
    """Return to the previously active version, without network access."""
    with services.audit.change(caller, "rollback") as change:
        outcome = services.coordinator.reload(PREVIOUS, caller.name)
        change.about = outcome.version
    return Reload.of(outcome, services.member.model)

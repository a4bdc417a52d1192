"""What is served: file, signature, origin; and the reload."""

from fastapi import APIRouter

from api.dependencies import ServicesDep, ShownModelDep
from api.schemas import ModelInfo, ModelSignature, ModelStatus, ProcessBody, Reload, moment
from shared.errors import RedisUnavailable

router = APIRouter(tags=["model"])


@router.get("/model_status")
def model_status(model: ShownModelDep, services: ServicesDep) -> ModelStatus:
    """Give the facts of the model file, and which process serves which version."""
    try:
        active, processes = services.fleet.active_version(), services.fleet.processes()
        converged = all(process.version == active for process in processes if process.kind == "api")
    except RedisUnavailable:
        active, processes, converged = None, [], None
    facts = model.file.stat()
    return ModelStatus(
        file_name=model.file.name,
        path=model.file.relative_to(model.folder).as_posix(),
        size=facts.st_size,
        modified_at=moment(facts.st_mtime),
        version=model.version,
        active_version=active,
        converged=converged,
        processes=[ProcessBody.of(process) for process in processes],
    )


@router.get("/model_signature")
async def model_signature(model: ShownModelDep) -> ModelSignature:
    """Give the features that the model takes."""
    return ModelSignature.of(model.contract)


@router.get("/model_info")
async def model_info(model: ShownModelDep) -> ModelInfo:
    """Give version, origin and recommended threshold."""
    return ModelInfo(
        version=model.version,
        created_at=model.mlmodel.utc_time_created,
        recommended_threshold=model.threshold,
        model_type=type(model.classifier).__name__,
        classes=model.classifier.classes_.tolist(),
        trees=model.classifier.tree_count_,
        mlflow_run_id=model.mlmodel.run_id,
        mlflow_model_id=model.mlmodel.model_id or model.mlmodel.model_uuid,
        mlflow_version=model.mlmodel.mlflow_version,
    )


@router.post("/reload_model")
def reload_model(services: ServicesDep) -> Reload:
    """Take what lies in the model folder now. If it must not serve (409), everything stays as it was."""
    before, version = services.active.reload()
    return Reload(
        status="unchanged" if before == version else "reloaded",
        version_before=before,
        version=version,
        processes=[ProcessBody.of(process) for process in services.fleet.processes()],
    )

"""Formats, names and limits, so that clients need not hard-code them."""

from fastapi import APIRouter

from api.dependencies import ServicesDep
from api.intake.options import MAX_KEPT
from api.routes.jobs import MAX_JOBS
from api.routes.results import MAX_PAGE
from api.schemas import Capabilities, EncodingBody, FormatBody, LimitsBody
from shared.formats.format import ENCODING_ENDINGS, ENCODINGS, FORMATS
from shared.formats.json_pieces import MAX_ROW_BYTES
from shared.jobs.job import ON_INVALID
from shared.jobs.results import RESULT_COLUMNS
from shared.version import service_version

router = APIRouter(tags=["health"])


@router.get("/capabilities")
async def capabilities(services: ServicesDep) -> Capabilities:
    """Get the formats, options and limits of this service."""
    settings = services.settings
    return Capabilities(
        version=service_version(),
        formats=[
            FormatBody(
                name=format,
                media_types=list(facts.media_types),
                endings=list(facts.endings),
                readable=True,
                writable=facts.is_file,
            )
            for format, facts in FORMATS.items()
        ],
        encodings=[
            EncodingBody(name=name, endings=[ending for ending, of in ENCODING_ENDINGS.items() if of == name])
            for name in ENCODINGS
        ],
        result_columns=list(RESULT_COLUMNS),
        on_invalid=list(ON_INVALID),
        limits=LimitsBody(
            keep=MAX_KEPT,
            page=MAX_PAGE,
            jobs_page=MAX_JOBS,
            wait=settings.max_wait,
            row_bytes=MAX_ROW_BYTES,
            body_bytes=settings.max_body_bytes,
            file_bytes=settings.max_file_bytes,
        ),
    )

"""The API, put together: `python -m api`."""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import redis
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.routing import Route

from api import errors, openapi, problems
from api.access.browsers import Browsers
from api.access.gate import Gate
from api.access.keyring import Keyring
from api.access.log import AccessLog
from api.edge import Edge
from api.routes import (
    access,
    capabilities,
    events,
    health,
    jobs,
    metrics,
    model,
    results,
    rows,
    submit,
    what_if,
)
from api.routes.scoring import INDIVIDUAL_SCORE, IndividualScore
from api.services import create_services
from shared import logging as service_logging
from shared import metrics_files, tracing
from shared.fleet.records import LOOK_INTERVAL
from shared.keys import WrongKeys
from shared.memory import set_up_malloc
from shared.redis import connect
from shared.settings import Settings, settings_or_exit
from shared.version import service_version

BOOT_PAUSE = 0.05
"""Seconds between two looks while the process starts."""

SWITCH_INTERVAL = 0.0005
"""Seconds that a thread may run before the event loop gets its turn; a single applicant needs several turns."""


def create_app(settings: Settings, client: redis.Redis) -> Edge:
    """Make the app and all its parts."""
    set_up_malloc()
    service_logging.set_up(settings.log_level, settings.log_format)
    metrics_files.begin()
    tracing.set_up("pret-api")
    services = create_services(settings, client)
    keyring = Keyring(settings)
    origins = settings.listed(settings.cors_origins)
    browsers = Browsers(settings.listed(settings.allowed_hosts), origins)
    gate = Gate(keyring, browsers, anonymous_anywhere=settings.allow_anonymous)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # Nothing is answered before it is clear whether there is a model.
        while not services.member.has_settled:
            await asyncio.to_thread(services.member.look)
            await asyncio.sleep(BOOT_PAUSE)
        services.closing.watch()
        _favour_the_loop()
        tasks = [
            asyncio.create_task(_keep(services.member.look)),
            asyncio.create_task(_keep(keyring.look, lambda: services.audit.look(keyring.callers))),
            asyncio.create_task(services.traffic.keep_flushing()),
            asyncio.create_task(services.activity.keep_looking()),
        ]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(services.audit.look, keyring.callers)
        await asyncio.to_thread(services.member.retire)
        await asyncio.to_thread(tracing.shut_down)

    # The documentation pages bring their own scripts: many users' networks reach no CDN.
    app: FastAPI = FastAPIOffline(
        title="Prêt à Dépenser",
        description="Credit scoring with CatBoost models: one applicant in the call, a portfolio as a job.",
        version=service_version(),
        redoc_url=None,
        redirect_slashes=False,
        openapi_tags=openapi.TAGS,
        responses=problems.DEFAULT,
        lifespan=lifespan,
        # The edge traces all routes; FastAPI would see some, and what is in their bodies.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        swagger_ui_parameters={"tryItOutEnabled": True},
    )
    app.state.services = services
    score_one = IndividualScore(services)
    # Also there, so that other methods of the path are answered as of every other.
    app.router.routes.append(Route(INDIVIDUAL_SCORE, score_one, methods=["POST"]))
    for routes in (what_if, submit, jobs, results, rows, events, model, health, metrics, capabilities, access):
        app.include_router(routes.router)
    errors.install(app)
    openapi.install(app, services)
    fast_routes = {("POST", INDIVIDUAL_SCORE): score_one}
    access_log = AccessLog(INDIVIDUAL_SCORE, settings.access_log_share)
    return Edge(app, fast_routes, gate, services.quotas, services.audit, services.traffic, access_log, origins)


def _favour_the_loop() -> None:
    """Keep what else runs in this process from delaying the event loop."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    # A batch triggers full collections, which would go through all that is loaded for good, for 100 ms.
    gc.collect()
    gc.freeze()


async def _keep(*looks: Callable[[], object]) -> None:
    """Do these again and again, in order, until it is cancelled."""
    while True:
        await asyncio.sleep(LOOK_INTERVAL)
        for look in looks:
            await asyncio.to_thread(look)


def _app() -> Edge:
    settings = settings_or_exit()
    try:
        return create_app(settings, connect(settings.redis_url))
    except WrongKeys as error:
        raise SystemExit(f"{error}.") from None


app = _app()

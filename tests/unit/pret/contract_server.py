"""A real HTTP server that speaks the contract of the service, and a relay before it that cuts connections."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

JSON = dict[str, Any]
KEY = "sesame"
SCORE: JSON = {"score": 0.25, "prediction": 0, "threshold": 0.5, "decision": "Accordé", "model_version": "v1"}
EXPLANATION: JSON = {
    "base_value": -2.0, "raw_score": -1.1, "other": 0.1, "left_out": 1, "contributions": [
        {"feature": "A", "contribution": 1.0, "direction": "raises_risk", "reason": "The age"},
        {
            "feature": "HOME", "features": ["B", "C"], "contribution": -0.2, "direction": "lowers_risk",
            "reason": "The home",
        },
    ],
}  # fmt: skip
WHAT_IF: JSON = SCORE | {
    "features": [
        {
            "feature": "A", "label": "Age", "kind": "whole_number", "value": 40, "flips_at": 25, "range_from": "contract",
            "points": [{"value": 18, "score": 0.75}, {"value": None, "score": 0.5}],
        },
    ],
}  # fmt: skip
UNFLAGGED: JSON = {"error": None, "errors": None}
CREATED = "2026-11-24T23:11:25.495000Z"
PROCESS: JSON = {"kind": "api", "host": "laptop", "pid": 7}
SHA = "fd20e26a9e3a0388afd7df53bad92cee27d1f923"
REQUEST_ID = "1a2b"


def reason(type: str, message: str, **params: Any) -> JSON:
    return {"type": type, "message": message, "params": params}


def part(type: str, detail: str | None, status: str = "ok", **params: Any) -> JSON:
    return {"status": status, "detail": detail, "type": type, "params": params}


GOLDEN = reason("bad-artifact", "The golden rows differ.", count=3)
SLOW = reason("reload-timed-out", "The model was not ready in time.", limit=60.0)
RELOADED: JSON = {
    "status": "reloaded",
    "version_before": "v1",
    "version": SHA,
    "processes": [{**PROCESS, "version_before": "v1", "version": SHA, "seconds": 0.4, "error": None}],
}
CARD = "# Modèle\n\nIt scores.\n"
MODEL: dict[str, Any] = {
    "/model_status": {
        "file_name": "model.cb", "path": "model.cb", "size": 9, "modified_at": CREATED, "version": "v1",
        "active_version": "v1", "candidate": {"version": "v2", "by": "ann", "at": CREATED}, "converged": True,
        "error": GOLDEN, "new": 1, "processes": [
            {**PROCESS, "version": "v1", "since": CREATED, "error": None},
            {**PROCESS, "pid": 8, "version": None, "since": None, "error": SLOW},
        ],
    },
    "/model_signature": {
        "columns": [
            {
                "name": "A", "type": "long", "required": True, "nullable": False, "nullable_because": "no-gaps-in-training",
                "description": None, "ge": 18, "le": None, "values": None, "label": "Age", "group": "PERSON",
                "group_label": "The person", "actionable": False, "protected": True,
            },
        ],
        "nb_features": 1, "ordered": [["A", "B"]], "input_example": {"A": 40, "B": None},
    },
    "/model_info": {
        "version": "v1", "positive_class": "bad", "recommended_threshold": 0.10104063636597403,
        "threshold_origin": "metadata.best_threshold", "classes": ["good", "bad"], "trees": 3, "created_at": None,
        "evaluator": {"name": "catboost 1.2.10", "reason": reason("evaluator-off", "The setting EVALUATOR is catboost.")},
        "integrity": "none", "notes": [reason("golden-missing", "The model has no golden rows.")],
    },
    "/model_importance": {
        "model_version": "v1", "rows": 500, "source": "training",
        "features": [{"feature": "A", "label": "Age", "group": "PERSON", "importance": 0.75}],
        "groups": [{"group": "PERSON", "label": "The person", "importance": 0.75}],
    },
    "/model_versions": [
        {"version": SHA, "at": CREATED, "by": "ann", "outcome": "rejected", "reason": GOLDEN},
        {"version": "v1", "at": CREATED, "by": "boot", "outcome": "activated", "reason": None},
    ],
    "/router_health": {
        "status": "ready", "queues": {"quick": 0, "chunks": 3, "files": 1}, "parts": {
            "model": part("model-served", "Version v1 is served.", version="v1"),
            "workers": part("workers-running", "No worker is running.", "down", count=0),
            "storage": part("storage-writable", None),
        },
    },
    "/version": {"version": "1.2.3"},
    "/caller": {"name": "ada", "scopes": ["jobs", "read"]},
    "/audit": {
        "entries": [
            {"at": CREATED, "who": "ann", "what": "reload", "about": "v1", "outcome": "done", "request_id": REQUEST_ID},
            {"at": CREATED, "who": "anonymous", "what": "GET /jobs", "about": None, "outcome": "not-authenticated"},
        ],
        "total": 2, "next_offset": None,
    },
    "/capabilities": {
        "version": "1.2.3",
        "formats": [
            {"name": "csv", "media_types": ["text/csv"], "endings": ["csv", "tsv"], "readable": True, "writable": True},
        ],
        "encodings": [{"name": "gzip", "endings": ["gz"]}], "result_columns": ["score", "errors"],
        "limits": {
            "keep": 100, "page": 10000, "jobs_page": 200, "wait": 30.0, "row_bytes": 1048576, "body_bytes": 67108864,
            "file_bytes": 68719476736,
        },
        "on_invalid": ["reject", "flag"],
    },
}  # fmt: skip


def job_body(job_id: str, state: str = "queued", **more: Any) -> JSON:
    blank = dict.fromkeys(("stage", "rows", "chunks", "started_at", "finished_at", "expires_at", "seconds", "error"))
    counts = dict.fromkeys(("rows_read", "rows_done", "granted", "refused", "invalid"), 0)
    known = {"id": job_id, "state": state, "model_version": "v1", "threshold": 0.5, "created_at": CREATED, "keep": []}
    return {**blank, **counts, **known, "of_the_future": {}, **more}


def succeeded(job_id: str, **more: Any) -> JSON:
    return job_body(job_id, "succeeded", rows=3, rows_read=3, rows_done=3, granted=2, refused=1, seconds=1.5, **more)


def problem(status: int, kind: str, detail: Any, headers: dict[str, str] | None = None, **more: Any) -> Response:
    known = {"type": f"urn:pret-a-depenser:{kind}", "title": "-", "status": status, "detail": detail}
    body = {**known, "request_id": REQUEST_ID, "params": {}, **more}
    return JSONResponse(body, status, headers, "application/problem+json")


def invalid(row: int | None, column: str | None, type: str, message: str, **params: Any) -> JSON:
    return {"row": row, "column": column, "type": type, "message": message, "params": params}


def invalid_rows(errors: list[JSON], invalid_values: int) -> Response:
    detail = [
        {"loc": ["body", *(part for part in (it["row"], it["column"]) if part is not None)], "msg": it["message"],
         "type": it["type"]}
        for it in errors
    ]  # fmt: skip
    more = {"total": invalid_values, "invalid_values": invalid_values, "invalid_rows": max(1, invalid_values - 1)}
    return problem(422, "invalid-rows", detail, None, errors=errors, **more)


@dataclass
class World:
    """What the server knows, and what a test wants it to do."""

    jobs: dict[str, JSON] = field(default_factory=dict)
    keys: dict[str | None, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    queries: list[list[tuple[str, str]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)
    """Given to the next requests in place of what they ask for."""
    news: list[JSON] | None = None
    """What jobs that are submitted become, in turn."""
    holds: bool = False
    """Whether the news stay away after the first."""
    held: threading.Event = field(default_factory=threading.Event)
    results: dict[str, bytes] = field(default_factory=dict)
    page: int = 2
    mark: str = '"one"'

    def add(self, job: JSON) -> str:
        self.jobs[job["id"]] = job
        return str(job["id"])


class ContractServer:
    """The app; runs in a thread of its own, with the relay, until it is stopped."""

    def __init__(self) -> None:
        self.world = World()
        self.cuts: list[tuple[str, int]] = []
        """For each of the next connections: up or down, and after how many bytes it is cut."""
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        routes = [Route(path, self._model) for path in MODEL]
        routes += [Route(path, self._reload, methods=["POST"]) for path in ("/reload_model", "/rollback_model")]
        routes += [
            Route("/model_card", self._card),
            Route("/individual_score", self._score, methods=["POST"]),
            Route("/what_if", self._what_if, methods=["POST"]),
            Route("/multiple_score", self._multiple, methods=["POST"]),
            Route("/jobs", self._submit, methods=["POST"]),
            Route("/jobs", self._jobs, methods=["GET"]),
            Route("/jobs/{id}", self._job, methods=["GET", "DELETE"]),
            Route("/jobs/{id}/retry", self._retry, methods=["POST"]),
            Route("/jobs/{id}/rows/{row:int}", self._row),
            Route("/jobs/{id}/events", self._events),
            Route("/jobs/{id}/results", self._results),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes), port=0, log_config=None, lifespan="off", ws="none", loop="asyncio", http="h11",
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._server.config.load()
        self._server.lifespan = self._server.config.lifespan_class(self._server.config)
        await self._server.startup()
        self._port = self._server.servers[0].sockets[0].getsockname()[1]
        relay = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._port}"
        self.cutting_url = f"http://127.0.0.1:{relay.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stopped.wait()
        relay.close()
        await self._server.shutdown()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way, most = self.cuts.pop(0) if self.cuts else ("", 0)
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)
        both = [
            _pump(reader, up_writer, most if way == "up" else None),
            _pump(up_reader, writer, most if way == "down" else None),
        ]
        tasks: list[asyncio.Task[None]] = [asyncio.create_task(one) for one in both]
        _, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        for each in (writer, up_writer):
            each.close()

    async def _note(self, request: Request) -> Response | None:
        world = self.world
        world.asked.append((request.method, request.url.path))
        world.queries.append(request.query_params.multi_items())
        world.headers.append(dict(request.headers))
        world.bodies.append(await request.body())
        return world.answers.pop(0) if world.answers else None

    async def _model(self, request: Request) -> Response:
        return await self._note(request) or JSONResponse(MODEL[request.url.path])

    async def _card(self, request: Request) -> Response:
        return await self._note(request) or Response(CARD, media_type="text/markdown")

    async def _reload(self, request: Request) -> Response:
        if other := await self._note(request):
            return other
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return problem(401, "not-authenticated", "This needs an admin key.")
        return JSONResponse(RELOADED)

    async def _score(self, request: Request) -> Response:
        explained = {"explanation": EXPLANATION} if "explain" in request.query_params else {}
        return await self._note(request) or JSONResponse(SCORE | explained)

    async def _what_if(self, request: Request) -> Response:
        return await self._note(request) or JSONResponse(WHAT_IF)

    async def _multiple(self, request: Request) -> Response:
        return await self._note(request) or JSONResponse([SCORE for _ in json.loads(self.world.bodies[-1])])

    async def _submit(self, request: Request) -> Response:
        if other := await self._note(request):
            return other
        world, key = self.world, request.headers.get("idempotency-key")
        job_id = world.keys.setdefault(key, f"job{len(world.keys)}")
        job = world.jobs.setdefault(job_id, job_body(job_id, name=request.query_params.get("name")))
        return JSONResponse(job, 202, {"Location": f"/jobs/{job_id}"})

    async def _jobs(self, request: Request) -> Response:
        if other := await self._note(request):
            return other
        state, offset = request.query_params.get("state"), int(request.query_params.get("offset", 0))
        jobs = [job for job in reversed(self.world.jobs.values()) if state in (None, job["state"])]
        end = offset + min(int(request.query_params["limit"]), self.world.page)
        following = end if end < len(jobs) else None
        return JSONResponse({"jobs": jobs[offset:end], "total": len(jobs), "next_offset": following})

    async def _job(self, request: Request) -> Response:
        if other := await self._note(request) or self._unknown(request):
            return other
        job = self.world.jobs[request.path_params["id"]]
        if request.query_params.get("purge") == "true":
            del self.world.jobs[job["id"]]
            return Response(status_code=204)
        if request.method == "DELETE":
            if job["state"] == "succeeded":
                return problem(409, "job-conflict", "The job has ended already: succeeded.")
            job["state"] = "cancelled"
        return JSONResponse(job)

    async def _row(self, request: Request) -> Response:
        if other := await self._note(request) or self._unknown(request):
            return other
        explained = {"explanation": EXPLANATION} if "explain" in request.query_params else {}
        known = {"row": request.path_params["row"], "inputs": {"A": 40, "B": None}, "kept": {"customer": "c1"}}
        return JSONResponse(known | SCORE | {"errors": []} | explained)

    async def _retry(self, request: Request) -> Response:
        if other := await self._note(request) or self._unknown(request):
            return other
        job = self.world.jobs[request.path_params["id"]]
        job["state"] = "queued"
        return JSONResponse(job, 202)

    async def _events(self, request: Request) -> Response:
        if other := await self._note(request) or self._unknown(request):
            return other
        return StreamingResponse(self._news(request.path_params["id"]), media_type="text/event-stream")

    async def _news(self, job_id: str) -> AsyncIterator[str]:
        world = self.world
        for news in [world.jobs[job_id], *(world.news or [])]:
            world.jobs[job_id] = world.jobs[job_id] | news | {"id": job_id}
            job = world.jobs[job_id] | {"report": None}
            end = job["state"] in ("succeeded", "failed", "cancelled")
            yield f": comment\r\nevent: {'end' if end else 'progress'}\r\ndata: {json.dumps(job)}\r\n\r\n"
            if world.holds:
                world.held.set()
                await self._stopped.wait()
            if end:
                return

    async def _results(self, request: Request) -> Response:
        if other := await self._note(request) or self._unknown(request):
            return other
        world, query = self.world, request.query_params
        job_id = request.path_params["id"]
        if world.jobs[job_id]["state"] != "succeeded" and "partial" not in query:
            return problem(409, "job-conflict", "The job has no results.")
        if query["format"] == "json":
            offset = int(query["offset"])
            rows = [{"customer": number} | SCORE | UNFLAGGED for number in range(3)][offset : offset + world.page]
            end = offset + world.page if offset + world.page < 3 else None
            return JSONResponse({"job_id": job_id, "total": 3, "offset": offset, "next_offset": end, "results": rows})
        content, headers = world.results[query["format"]], {"ETag": world.mark, "Accept-Ranges": "bytes"}
        asked = request.headers.get("range")
        if asked and request.headers.get("if-range") == world.mark:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            return Response(content[start:], 206, headers)
        return Response(content, 200, headers)

    def _unknown(self, request: Request) -> Response | None:
        job_id = request.path_params["id"]
        known = job_id in self.world.jobs
        return None if known else problem(404, "unknown-job", f"There is no job {job_id}, or no longer.")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int | None) -> None:
    """Bring bytes over, `most` at most."""
    with contextlib.suppress(ConnectionError):
        while most != 0 and (piece := await reader.read(1 << 16 if most is None else min(most, 1 << 16))):
            writer.write(piece)
            await writer.drain()
            most = None if most is None else most - len(piece)

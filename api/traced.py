"""A span for each request, where there are traces."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.traffic import known, route_of
from shared import tracing

FAULT = 500


def traced(app: ASGIApp) -> ASGIApp:
    """Have the app make spans; without traces it is left as it is."""
    return _traced(app) if tracing.is_on() else app


def _traced(app: ASGIApp) -> ASGIApp:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        method = known(scope["method"])
        given = dict(scope["headers"]).get(tracing.TRACEPARENT.encode())
        parent = given.decode("latin-1") if given else None
        with tracing.span(method, "server", parent, http_request_method=method) as span:

            async def send_noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status = message["status"]
                    span.note(http_response_status__code=status)
                    if status >= FAULT:
                        span.fail(str(status))
                await send(message)

            await app(scope, receive, send_noted)
            span.name(f"{method} {route_of(scope)}")
            span.note(http_route=route_of(scope))

    return serve

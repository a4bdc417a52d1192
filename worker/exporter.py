"""The port on which the parent of a worker tells the metrics of itself and its children."""

import logging
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server

from shared.metrics_files import Together
from shared.settings import Settings

logger = logging.getLogger(__name__)


class Exporter:
    """Listens in a thread of its own, so that it answers while Redis is away."""

    def __init__(self) -> None:
        self._server: Any = None

    def start(self, settings: Settings) -> None:
        """Begin to listen, if there is a port for it. A port that is in use is said, and the worker works without."""
        port = settings.metrics_port
        if port is None:
            return
        registry = CollectorRegistry()
        registry.register(Together(CollectorRegistry()))
        try:
            self._server, _ = start_http_server(port, settings.metrics_host, registry)
        except OSError as error:
            address = f"{settings.metrics_host}:{port}"
            logger.warning(
                "The metrics are not told at %s (%s); set METRICS_PORT to another port", address, error.strerror
            )

    def leave(self) -> None:
        """Close what a child has inherited: it would keep the port when its parent is gone."""
        if self._server is not None:
            self._server.socket.close()
            self._server = None

"""A key of the start's own, where the API lets nobody in without one: it looks at the model and scores the example."""

import os
import secrets

from scripts.lib.health import http
from shared.keys import Scope, digest_of
from shared.settings import Settings

NAME = "scripts-up"


def take(settings: Settings) -> None:
    """Make a key that lives as long as this start, for its requests, if the settings have keys."""
    if not (settings.api_keys or settings.api_keys_file):
        return
    key = secrets.token_urlsafe()
    entry = f"{NAME}:{Scope.READ}+{Scope.SCORE}:{digest_of(key.encode()).hex()}"
    os.environ["API_KEYS"] = f"{settings.api_keys},{entry}" if settings.api_keys else entry
    http.headers["Authorization"] = f"Bearer {key}"

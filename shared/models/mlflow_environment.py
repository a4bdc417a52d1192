"""How MLflow is to behave here; it reads this when it is imported, so this module comes before it."""

import os
import sys

# Nothing is reported to anybody about a credit team's models.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# A server that is away is said within seconds; MLflow's own 7 tries take four minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
# A bar for a handful of small files is noise between the lines that matter.
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")


def _take_percent_signs_as_they_are() -> None:
    """Let MLflow find its migrations where the path of the environment has a `%`, which Alembic would take for its own."""
    from alembic.config import Config  # noqa: PLC0415 - seldom needed

    set_option = Config.set_main_option

    def escape(config: Config, name: str, value: str) -> None:
        set_option(config, name, value.replace("%", "%%") if name == "script_location" else value)

    Config.set_main_option = escape  # type: ignore[method-assign,assignment]


if "%" in sys.prefix:
    _take_percent_signs_as_they_are()

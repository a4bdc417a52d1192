"""How the scripts want MLflow to behave; it reads this when it is imported, so this module comes before it."""

import os

# Nothing is reported to anybody about a credit team's models.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# A server that is away is said within seconds; MLflow's own 7 tries take four minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
# A bar for a handful of small files is noise between the lines that matter.
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

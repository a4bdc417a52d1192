"""The FastAPI front: HTTP only, no scoring logic."""

import os

# Read when pyarrow is first imported. Arrow's other pools keep what many downloads took, for minutes.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

"""The FastAPI front end: HTTP only, no scoring logic."""

import os

# Read when pyarrow is first imported. Arrow's other pools hold on to the memory of many downloads for minutes.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

"""The Celery side: reads files, scores chunks and keeps lost work and expired jobs from lying about."""

import os

# Read when pyarrow is first imported. Arrow's other pools take reserves by the gigabyte, in which a limit on memory counts
# nothing (`shared.memory`).
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

"""The Celery side: reads files, scores chunks, recovers lost work and removes expired jobs."""

import os

# Read when pyarrow is first imported. Arrow's other pools reserve gigabytes, which defeats a memory limit
# (`shared.memory`).
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

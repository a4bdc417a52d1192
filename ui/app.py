"""The main script of the console: `python -m streamlit run ui/app.py`."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[1])
if ROOT not in sys.path:
    # The command `streamlit` looks for modules only in the folder of this file.
    sys.path.insert(0, ROOT)

from ui.console import run  # noqa: E402

run()

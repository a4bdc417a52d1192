"""The console: `python -m streamlit run ui/app.py`."""

import sys
from pathlib import Path

from starlette.middleware import Middleware
from streamlit.starlette import App

ROOT = str(Path(__file__).resolve().parents[1])
if ROOT not in sys.path:
    # The command `streamlit` looks for modules only in the folder of this file.
    sys.path.insert(0, ROOT)

from ui.guard import Guard  # noqa: E402

app = App("page.py", middleware=[Middleware(Guard)])

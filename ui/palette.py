"""The colours of charts: each has a contrast of at least 3 to 1 on both backgrounds, and none is the only cue."""

GRANTED = "#0D9488"
REFUSED = "#D9480F"
THRESHOLD = "#6B7C8F"
CURVE = "#3A78B8"

INK = {"light": "#52606D", "dark": "#A9B6C4"}
"""Text in charts, by theme: no single colour is readable on both backgrounds, and Streamlit's own is too pale."""


def ink(theme: str | None) -> str:
    """Return the colour of text in a chart for `st.context.theme.type`."""
    return INK.get(theme or "light", INK["light"])

"""A few rules of CSS for what the theme cannot do. No value of a user or a model gets in here."""

from collections.abc import Sequence

import streamlit as st

CSS = """
<style>
.block-container {max-width: 1440px; padding: 4.5rem 1.5rem 2rem;}
/* In the top bar, beside the page names. */
.st-key-language {position: fixed; right: 1rem; top: 0.7rem; width: auto; z-index: 999991;}
/* Streamlit's own colours for small and selected text have too little contrast. */
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] p {color: inherit; opacity: 0.88;}
[role="radio"][data-selected="true"] p, [data-testid="stTab"][data-selected="true"] p {
  color: light-dark(#16212E, #E8EDF3); font-weight: 600;
}
[data-testid="stMetricLabel"] {opacity: 1;}
/* These are in English only, and the download of a table has only the rows shown. */
[data-testid="InputInstructions"], [data-testid="stElementToolbar"] {display: none;}
/* Fields side by side, as many as there is room for; a hidden one leaves no gap. */
[class*="_grid_"] {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 13.5rem), 1fr)); gap: 0.75rem 1rem;
}
[class*="level_grid_"] {align-items: end;}
[class*="wide_grid_"] {grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr));}
/* The outcome stays in view beside a long form. */
@media (min-width: 900px) {
  [data-testid="stLayoutWrapper"]:has(> .st-key-result) {
    position: sticky; top: 4.5rem; max-height: calc(100vh - 5.5rem); overflow-y: auto;
  }
}
</style>
"""


def apply() -> None:
    """Add the rules to the page."""
    st.html(CSS)


def hide(keys: Sequence[str]) -> None:
    """Hide the elements with these keys, which must be made from numbers; a widget that is hidden keeps its value."""
    if keys:
        places = ", ".join(f".st-key-{key}, [data-testid=stLayoutWrapper]:has(> .st-key-{key})" for key in keys)
        st.html(f"<style>{places} {{display: none;}}</style>")

"""What the theme cannot say: a few rules of CSS. No value of a user or of a model comes in here."""

import streamlit as st

CSS = """
<style>
.block-container {max-width: 1440px; padding: 4.5rem 1.5rem 2rem;}
/* In the bar at the top, beside the names of the pages. */
.st-key-language {position: fixed; right: 1rem; top: 0.7rem; width: auto; z-index: 999991;}
/* Streamlit's own colours of small and of chosen text have too little contrast. */
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] p {color: inherit; opacity: 0.88;}
[role="radio"][data-selected="true"] p, [data-testid="stTab"][data-selected="true"] p {
  color: light-dark(#16212E, #E8EDF3); font-weight: 600;
}
[data-testid="stMetricLabel"] {opacity: 1;}
/* Streamlit's own words there are English, and a table's download has only the rows that are shown. */
[data-testid="InputInstructions"], [data-testid="stElementToolbar"] {display: none;}
/* The outcome stays in sight while one goes through a long form. */
@media (min-width: 900px) {
  [data-testid="stLayoutWrapper"]:has(> .st-key-result) {position: sticky; top: 4.5rem;}
}
</style>
"""


def apply() -> None:
    """Put the rules into the page."""
    st.html(CSS)

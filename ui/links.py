"""Links between pages that keep the session."""

from collections.abc import Mapping

import streamlit as st

from ui.texts import Texts


def remember_pages(pages: Mapping[str, st.Page]) -> None:
    """Remember the pages of this run, by path."""
    st.session_state["pages"] = dict(pages)


def link_to(name: str, say: Texts) -> None:
    """Show a link to a page, if it is known."""
    page = st.session_state.get("pages", {}).get(name)
    if page is not None:
        st.page_link(page, label=say(f"common.page_{name}"), query_params={"lang": say.language})

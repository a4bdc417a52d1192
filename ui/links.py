"""Links from one page to another, which keep the session."""

from collections.abc import Mapping

import streamlit as st

from ui.texts import Texts


def remember_pages(pages: Mapping[str, st.Page]) -> None:
    """Keep the pages of this run, by the last part of their address."""
    st.session_state["pages"] = dict(pages)


def link_to(name: str, say: Texts) -> None:
    """Show a link to a page; nothing where a page stands alone."""
    page = st.session_state.get("pages", {}).get(name)
    if page is not None:
        st.page_link(page, label=say(f"common.page_{name}"), query_params={"lang": say.language})

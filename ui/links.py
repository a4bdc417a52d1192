"""Links between pages that keep the session."""

from collections.abc import Mapping

import streamlit as st

from ui.texts import Texts


def remember_pages(pages: Mapping[str, st.Page]) -> None:
    """Remember the pages of this run, by path."""
    st.session_state["pages"] = dict(pages)


def link_to(name: str, say: Texts, label: str | None = None, icon: str | None = None, **query: str) -> None:
    """Show a link to a page, if the visitor may see it; `query` are further parameters of its address."""
    if page := page_of(name):
        label = label or say(f"common.page_{name}")
        st.page_link(page, label=label, icon=icon, query_params={"lang": say.language} | query)


def page_of(name: str) -> st.Page | None:
    """Return a page, if the visitor may see it."""
    page: st.Page | None = st.session_state.get("pages", {}).get(name)
    return page

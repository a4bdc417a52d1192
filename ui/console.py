"""What all pages have in common: title, language, navigation, footer, and the guard around each page."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import streamlit as st

from pret import Client, PretError
from ui import access, service, style
from ui.access import Visitor
from ui.links import remember_pages
from ui.texts import LANGUAGES, Texts
from ui.views import applicant, health, model, portfolio

View = Callable[[Texts, Client], None]

VIEWS: dict[str, tuple[View, str, str]] = {
    "applicant": (applicant.render, ":material/person:", "score"),
    "portfolio": (portfolio.render, ":material/table_rows:", "jobs"),
    "model": (model.render, ":material/model_training:", "read"),
    "health": (health.render, ":material/monitor_heart:", "read"),
}
"""Page, icon and the scope that it needs, by path; the first page is also at the address of the console itself."""
LOGO = str(Path(__file__).with_name("logo.svg"))
NAMES = {"fr": "FR", "en": "EN"}
"""Short: on a phone they are beside the menu."""
VERSION_SECONDS = 60
"""How long the version of the service is cached."""


def run() -> None:
    """Show the page of the current address."""
    say = Texts.of(_language(), st.context.timezone)
    st.set_page_config(page_title=say.plain("common.product"), page_icon=LOGO, layout="wide")
    st.logo(LOGO, size="large")
    style.apply()
    _switch(say)
    with service.guard(say):
        visitor = access.visitor(say)
        if visitor is not None:
            _navigate(say, visitor)
            access.show_key(say, visitor)
        _footer(say)


def _navigate(say: Texts, visitor: Visitor) -> None:
    """Show the page of the address, if the visitor may see it, else the first that it may."""
    shown = [name for name, (_, _, scope) in VIEWS.items() if visitor.may(scope)]
    pages = {name: _page(name, say, visitor, is_first=name == shown[0]) for name in shown}
    remember_pages(pages)
    st.navigation(list(pages.values()), position="top").run()


def _page(name: str, say: Texts, visitor: Visitor, *, is_first: bool) -> st.Page:
    render, icon, _ = VIEWS[name]
    title = say.plain(f"common.page_{name}")
    return st.Page(partial(_show, render, say, visitor), title=title, icon=icon, url_path=name, default=is_first)


def _show(render: View, say: Texts, visitor: Visitor) -> None:
    with service.guard(say, retry=True):
        render(say, visitor.client)


def _language() -> str:
    """Return the language of this session, else of the address, else the default; and keep it in the address."""
    wanted = st.query_params.get("lang")
    language = st.session_state.get("language") or st.session_state.get("spoken") or wanted
    language = language if language in LANGUAGES else LANGUAGES[0]
    st.session_state["spoken"] = language
    # Going to another page drops the parameters of the address.
    if (wanted or LANGUAGES[0]) != language:
        st.query_params["lang"] = language
    return str(language)


def _switch(say: Texts) -> None:
    st.segmented_control(
        say("common.language"),
        LANGUAGES,
        default=say.language,
        required=True,
        format_func=NAMES.__getitem__,
        key="language",
        label_visibility="collapsed",
    )


def _footer(say: Texts) -> None:
    try:
        version = _version()
    except (PretError, ValueError):
        version = "?"
    st.caption(say("common.footer", version=version))


@st.cache_data(ttl=VERSION_SECONDS, show_spinner=False)
def _version() -> str:
    return service.client().version()

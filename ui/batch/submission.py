"""The part of the page where a file is dropped, previewed and sent."""

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from pret import Busy, Client, Job, ModelSignature, NotReachable
from ui import service
from ui.batch.columns import ColumnCheck, check_columns, keepable
from ui.batch.content import Unreadable
from ui.batch.delimited import DECIMALS, DELIMITERS
from ui.batch.preview import Preview, look_at
from ui.batch.sending import Order
from ui.batch.template import template
from ui.batch.upload import send_shown
from ui.batch.values import MAX_COLUMNS
from ui.tables import show_table
from ui.texts import Texts

DELIMITER_NAMES = dict(zip(DELIMITERS, ("comma", "semicolon", "tab", "bar"), strict=True))
DECIMAL_NAMES = dict(zip(DECIMALS, ("point", "comma"), strict=True))
ON_INVALID = ("flag", "reject")
EXPLAIN = (0, 3, 5, 10, 20)
"""Reasons for each row that can be asked for."""
ENCODING_NAMES = {"cp1252": "Windows-1252", "utf-16": "UTF-16"}
MAX_LIKELY = 12
"""Misspelt names that are pointed out."""
MAX_OFFERED = 300
"""Columns that are offered to be kept."""


def show_submission(say: Texts, client: Client) -> Job | None:
    """Show this part of the page, and return the job once the file is submitted."""
    signature = _signature(client)
    st.markdown(say("portfolio.intro"))
    st.download_button(
        say("portfolio.template"),
        template(signature, say.language),
        say.plain("portfolio.template_name"),
        "text/csv",
        key="template",
        icon=":material/download:",
        on_click="ignore",
        help=say("portfolio.template_help"),
    )
    _name_button(say)
    file = st.file_uploader(say("portfolio.upload"), key="upload", help=say("portfolio.upload_help"))
    if file is None:
        return None
    try:
        return _show_file(say, client, signature, file)
    except Unreadable as error:
        st.error(
            f"**{say(f'portfolio.file_{error.reason}')}** {say(f'portfolio.way_{error.reason}')}",
            icon=":material/error:",
        )
        return None


def _signature(client: Client) -> ModelSignature:
    """Get the signature; while the service is down, a file that was dropped is kept, with the last known signature."""
    try:
        signature = client.model_signature()
    except (NotReachable, Busy):
        known = st.session_state.get("signature_seen")
        if known is None or st.session_state.get("upload") is None:
            raise
        return cast(ModelSignature, known)
    st.session_state["signature_seen"] = signature
    return signature


def _name_button(say: Texts) -> None:
    """Translate the button of the uploader: Streamlit has it in English only, and no setting for it."""
    words = json.dumps(say.plain("portfolio.choose"), ensure_ascii=False)
    place = '.st-key-upload [data-testid="stFileUploaderDropzone"] [kind="secondary"] p'
    limit = '.st-key-upload [data-testid="stFileUploaderDropzoneInstructions"]'
    rules = (
        f"{place} {{font-size: 0}} {place}::after {{content: {words}; font-size: 0.875rem}} {limit} {{display: none}}"
    )
    st.html(f"<style>{rules}</style>")


def _show_file(say: Texts, client: Client, signature: ModelSignature, file: UploadedFile) -> Job | None:
    features = {column.name for column in signature.columns}
    is_new = st.session_state.get("file_seen") != file.file_id
    delimiter = None if is_new else st.session_state.get("delimiter")
    # A stream of its own, as the preview may close it.
    preview = look_at(file.name, io.BytesIO(file.getvalue()), features, delimiter)
    st.session_state["file_seen"] = file.file_id
    can = service.capabilities(client)
    check = check_columns(signature, preview.columns)
    offered = keepable(preview.columns, features, {*preview.odd, *can.result_columns})[:MAX_OFFERED]
    if is_new:
        st.session_state.update({"delimiter": preview.delimiter, "decimal": preview.decimal, "submission": None})
    columns = (preview.columns, offered)
    if is_new or st.session_state.get("columns_seen") != columns:
        st.session_state.update({"columns_seen": columns, "keep": list(check.kept_at_first(offered))})
    _show_rows(say, preview, file)
    order = _show_options(say, preview, offered, can.limits.keep)
    if not preview.is_blind:
        _show_check(say, check, order, preview)
    rejected = preview.sure and check.is_rejected(order.keep)
    icon = ":material/play_arrow:"
    if st.button(say("portfolio.submit"), type="primary", key="submit_job", icon=icon, disabled=rejected):
        return send_shown(say, client, file, preview, order)
    return None


def _show_rows(say: Texts, preview: Preview, file: UploadedFile) -> None:
    st.subheader(say("portfolio.preview"), anchor=False)
    if preview.is_blind:
        st.info(say("portfolio.not_previewed", name=file.name, size=say.size(file.size)), icon=":material/info:")
        return
    shown = preview.columns[: preview.shown or MAX_COLUMNS]
    rows = [(*row, *[""] * (len(shown) - len(row)))[: len(shown)] for row in preview.rows]
    show_table([name or str(number) for number, name in enumerate(shown, 1)], rows, "preview")
    facts = []
    if not preview.rows:
        facts.append(say("portfolio.rows_unseen"))
    if preview.total_rows is not None:
        facts.append(say("portfolio.total_rows", rows=preview.total_rows))
    if len(preview.columns) > len(shown):
        facts.append(say("portfolio.more_columns", shown=len(shown), columns=len(preview.columns)))
    if preview.encoding != "utf-8":
        facts.append(say("portfolio.recoded", encoding=ENCODING_NAMES.get(preview.encoding, preview.encoding)))
    if facts:
        st.caption(" · ".join(facts))


def _show_options(say: Texts, preview: Preview, offered: Sequence[str], most: int | None) -> Order:
    with st.expander(say("portfolio.options"), expanded=True, icon=":material/tune:"):
        order = Order()
        if preview.content.format == "csv":
            order = _show_reading(say, preview)
        keep = st.multiselect(
            say("portfolio.keep"),
            offered,
            key="keep",
            max_selections=most,
            placeholder=say.plain("portfolio.keep_none"),
            help=say("portfolio.keep_help") if most is None else say("portfolio.keep_help_most", most=most),
            # Names that are not seen here can be typed.
            accept_new_options=preview.is_blind,
        )
        on_invalid = st.radio(
            say("portfolio.on_invalid"),
            ON_INVALID,
            format_func=lambda it: say(f"portfolio.on_invalid_{it}"),
            key="on_invalid",
        )
        explain = st.selectbox(
            say("portfolio.explain"),
            EXPLAIN,
            format_func=lambda it: say.plain("portfolio.explain_some" if it else "portfolio.explain_none", count=it),
            key="explain",
            help=say("portfolio.explain_help"),
        )
    return replace(order, keep=tuple(keep), on_invalid=on_invalid or ON_INVALID[0], explain=explain or None)


def _show_reading(say: Texts, preview: Preview) -> Order:
    first, second = st.columns(2)
    delimiter = first.selectbox(
        say("portfolio.delimiter"),
        dict.fromkeys((*DELIMITERS, preview.delimiter or DELIMITERS[0])),
        format_func=lambda it: say.plain(f"portfolio.delimiter_{DELIMITER_NAMES[it]}") if it in DELIMITER_NAMES else it,
        key="delimiter",
    )
    decimal = second.selectbox(
        say("portfolio.decimal"),
        DECIMALS,
        format_func=lambda it: say.plain(f"portfolio.decimal_{DECIMAL_NAMES[it]}"),
        key="decimal",
    )
    if delimiter == decimal:
        st.warning(say("portfolio.same_signs"), icon=":material/warning:")
    elif preview.doubtful is not None and decimal != ",":
        st.warning(say("portfolio.doubtful_comma", value=preview.doubtful), icon=":material/warning:")
    return Order(delimiter=delimiter, decimal="." if delimiter == decimal else decimal)


def _show_check(say: Texts, check: ColumnCheck, order: Order, preview: Preview) -> None:
    suspects = check.suspects(order.keep)
    lines = [
        say(f"portfolio.columns_{kind}", count=len(names), names=names)
        for kind, names in (
            ("missing", check.missing),
            ("absent", check.absent),
            ("twice", check.twice),
            ("suspect", suspects),
            ("unknown", tuple(name for name in check.unknown if name not in (*suspects, *order.keep))),
        )
        if names
    ]
    lines.extend(
        say("portfolio.likely", found=found, feature=feature)
        for feature, found in list(check.likely.items())[:MAX_LIKELY]
    )
    listed = "\n".join(f"- {line}" for line in lines)
    if check.is_rejected(order.keep):
        key = "columns_wrong" if preview.sure else "columns_unsure"
        st.error(f"**{say(f'portfolio.{key}')}**\n\n{listed}", icon=":material/error:")
    elif lines:
        st.info(f"**{say('portfolio.columns_right')}**\n\n{listed}", icon=":material/info:")
    else:
        st.success(say("portfolio.columns_right"), icon=":material/check_circle:")

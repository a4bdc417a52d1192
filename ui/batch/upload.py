"""The part of the page that sends a file and shows its progress."""

import io
import uuid
from dataclasses import replace

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from pret import Client, InvalidRows, Job, NotReachable, PretError
from ui import service
from ui.batch.preview import Preview
from ui.batch.report import show_report
from ui.batch.sending import OnProgress, Order, send
from ui.texts import Texts


def send_shown(say: Texts, client: Client, file: UploadedFile, preview: Preview, order: Order) -> Job | None:
    """Send the file and return the job, or None if an error was shown. Raises Unreadable.

    After a lost connection it is sent with the same key again, so that there is at most one job.
    """
    before = st.session_state.get("submission")
    key = before.key if isinstance(before, Order) and before == order else uuid.uuid4().hex
    st.session_state["submission"] = order = replace(order, key=key)
    bar = st.empty()
    try:
        job = send(client, file.name, io.BytesIO(file.getvalue()), preview, order, _progress_in(say, file, bar))
    except NotReachable:
        st.error(f"**{say('portfolio.not_sent')}** {say('portfolio.way_not_sent')}", icon=":material/cloud_off:")
        return None
    except PretError as error:
        service.explain(error, say).show()
        if isinstance(error, InvalidRows):
            show_report(say, error.errors, error.invalid_values, preview.content.format)
        return None
    finally:
        bar.empty()
    _forget(file)
    return job


def _progress_in(say: Texts, file: UploadedFile, bar: st.delta_generator.DeltaGenerator) -> OnProgress:
    """Make a callback that updates the bar, once per percent."""
    shown = -1

    def tell(share: float) -> None:
        nonlocal shown
        if int(share * 100) != shown:
            shown = int(share * 100)
            text = say("portfolio.sending", size=say.size(file.size), share=say.percent(shown / 100, 0))
            bar.progress(share, text=text)

    tell(0.0)
    return tell


def _forget(file: UploadedFile) -> None:
    """Free the memory of the file; Streamlit would keep it until the visitor leaves."""
    context = get_script_run_ctx()
    for name in ("upload", "file_seen", "columns_seen", "submission"):
        st.session_state.pop(name, None)
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)

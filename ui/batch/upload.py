"""The part of the page that sends a file, and tells how far it is."""

import io
import uuid
from dataclasses import replace

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from pret import Client, Job, NotReachable, PretError
from ui import service
from ui.batch.preview import Preview
from ui.batch.sending import Order, Told, send
from ui.texts import Texts


def send_shown(say: Texts, client: Client, file: UploadedFile, preview: Preview, order: Order) -> Job | None:
    """Send the file; gives the job unless an error was shown. Raises Unreadable.

    After a lost connection the same key goes with it again, so that there is one job at most.
    """
    before = st.session_state.get("submission")
    key = before.key if isinstance(before, Order) and before == order else uuid.uuid4().hex
    st.session_state["submission"] = order = replace(order, key=key)
    bar = st.empty()
    try:
        job = send(client, file.name, io.BytesIO(file.getvalue()), preview, order, _teller(say, file, bar))
    except NotReachable:
        st.error(f"**{say('portfolio.not_sent')}** {say('portfolio.way_not_sent')}", icon=":material/cloud_off:")
        return None
    except PretError as error:
        service.explain(error, say).show()
        return None
    finally:
        bar.empty()
    _forget(file)
    return job


def _teller(say: Texts, file: UploadedFile, bar: st.delta_generator.DeltaGenerator) -> Told:
    """Make what is told of each piece, and shows each hundredth."""
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
    """Free the memory that the file takes; Streamlit itself would keep it until the visitor leaves."""
    context = get_script_run_ctx()
    for name in ("upload", "file_seen", "columns_seen", "submission"):
        st.session_state.pop(name, None)
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)

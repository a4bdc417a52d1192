"""A local server that speaks the Hugging Face Hub's HTTP protocol, for the unmodified `huggingface_hub` client.

    with HubServer(folder) as hub:
        api = HfApi(endpoint=hub.url, token="hf_alice")     # or HF_ENDPOINT and HF_TOKEN for another process
        api.create_repo("credit/model", private=True)
        hub.fail("download", "corrupt", times=1, path="*.cb")

Or as a process, `python -m tests.hub --port 8090 --root .local/hub`, where the same switches are `/_control/faults`,
`/_control/requests` and `/_control/commits`. What it keeps lies in its folder and survives a restart.

Xet is not offered. Downloads work with `hf_xet` installed; an upload needs `HF_HUB_DISABLE_XET=1` in the client's
environment, since the client takes Xet for every LFS file where that package is installed, without a fallback.

It differs from the real Hub in this: models only, no pull requests, no multipart upload, no pages in lists, no rate limit
of its own; commit ids are 40 hex digits but no git hashes; a blob known to one repository is known to all; a regular file
is answered at once, not by way of a redirect within the Hub; which files become LFS is decided by suffix, size and NUL bytes.
"""

from tests.hub.accounts import ACCOUNTS, Account
from tests.hub.faults import Fault, What
from tests.hub.routes import Kind
from tests.hub.server import HubServer, Request
from tests.hub.store import Commit, File, Repository

__all__ = ["ACCOUNTS", "Account", "Commit", "Fault", "File", "HubServer", "Kind", "Repository", "Request", "What"]

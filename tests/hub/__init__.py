"""A local server that speaks the Hugging Face Hub's protocol, for the unmodified `huggingface_hub` client.

    with HubServer() as hub:
        hub.store.create("credit/model", private=True)
        api = HfApi(endpoint=hub.url, token="hf_alice")     # or HF_ENDPOINT and HF_TOKEN for another process
        hub.fail("download", "corrupt", times=1, path="*.cb")

It answers what the project asks: resolve a revision, download, publish with LFS, tag. Anything else is a 404. One question a
file: `access` who may do what, `reading` and `publishing` the calls, `store` what is kept, `faults` what can go wrong.

It differs from the real Hub in this: models only, one branch, repositories live in memory, commit ids are 40 hex digits but no
git hashes, LFS is for what has a NUL byte near its start, and a regular file is answered at once, not by way of a redirect
within the Hub. Xet is not offered: downloads work where `hf_xet` is installed, uploads then need `HF_HUB_DISABLE_XET=1`.
"""

from tests.hub.faults import Kind, What
from tests.hub.server import HubServer

__all__ = ["HubServer", "Kind", "What"]

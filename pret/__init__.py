"""A client for the scoring service, and its command line: `python -m pret`. The client requires only httpx and msgspec.

from pret import Client

with Client() as client:
    print(client.score(row).decision)
    job = client.wait(client.submit("portfolio.csv", keep=["customer"]).id)
    client.download(job.id, "scores.parquet")
"""

from pret.activity import Activity, Point
from pret.client import AsyncClient, Client
from pret.errors import (
    Busy,
    InvalidRows,
    JobFailed,
    NotAuthenticated,
    NotReachable,
    PretError,
    Rejected,
    ServerFault,
    TimedOut,
    UnknownJob,
)
from pret.formats import Encoding, Format
from pret.models import (
    AuditEntry,
    AuditPage,
    Caller,
    Candidate,
    Capabilities,
    Column,
    Evaluator,
    Health,
    InvalidValue,
    Job,
    JobPage,
    Limits,
    ModelInfo,
    ModelSignature,
    ModelStatus,
    Part,
    Problem,
    Process,
    Reason,
    Reload,
    ReloadedProcess,
    Report,
    ResultsPage,
    Score,
    ServiceVersion,
    Version,
)

__all__ = [
    "Activity",
    "AsyncClient",
    "AuditEntry",
    "AuditPage",
    "Busy",
    "Caller",
    "Candidate",
    "Capabilities",
    "Client",
    "Column",
    "Encoding",
    "Evaluator",
    "Format",
    "Health",
    "InvalidRows",
    "InvalidValue",
    "Job",
    "JobFailed",
    "JobPage",
    "Limits",
    "ModelInfo",
    "ModelSignature",
    "ModelStatus",
    "NotAuthenticated",
    "NotReachable",
    "Part",
    "Point",
    "PretError",
    "Problem",
    "Process",
    "Reason",
    "Rejected",
    "Reload",
    "ReloadedProcess",
    "Report",
    "ResultsPage",
    "Score",
    "ServerFault",
    "ServiceVersion",
    "TimedOut",
    "UnknownJob",
    "Version",
]

"""A client of the scoring service, and its command line: `python -m pret`. The client needs httpx and nothing else.

from pret import Client

with Client() as client:
    print(client.score(row).decision)
    job = client.wait(client.submit("portfolio.csv", keep=["customer"]).id)
    client.download(job.id, "scores.parquet")
"""

from pret.client import AsyncClient, Client
from pret.errors import (
    Busy,
    InvalidRows,
    JobFailed,
    NotAuthenticated,
    NotReachable,
    PretError,
    Refused,
    ServerFault,
    TimedOut,
    UnknownJob,
)
from pret.models import (
    Candidate,
    Column,
    Health,
    Job,
    JobPage,
    ModelInfo,
    ModelSignature,
    ModelStatus,
    Part,
    Problem,
    Process,
    Reload,
    ReloadedProcess,
    Report,
    ResultsPage,
    RowError,
    Score,
    ServiceVersion,
    Version,
)

__all__ = [
    "AsyncClient",
    "Busy",
    "Candidate",
    "Client",
    "Column",
    "Health",
    "InvalidRows",
    "Job",
    "JobFailed",
    "JobPage",
    "ModelInfo",
    "ModelSignature",
    "ModelStatus",
    "NotAuthenticated",
    "NotReachable",
    "Part",
    "PretError",
    "Problem",
    "Process",
    "Refused",
    "Reload",
    "ReloadedProcess",
    "Report",
    "ResultsPage",
    "RowError",
    "Score",
    "ServerFault",
    "ServiceVersion",
    "TimedOut",
    "UnknownJob",
    "Version",
]

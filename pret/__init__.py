"""A client for the scoring service, and its command line: `python -m pret`. The client requires only httpx and msgspec.

from pret import Client

with Client() as client:
    print(client.score(row).decision)
    job = client.wait(client.submit("portfolio.csv", keep=["customer"]).id)
    client.download(job.id, "scores.parquet")
"""

from pret.activity import Activity, ActivityPoint
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
from pret.jobs import InvalidValue, Job, JobPage, Reason, Report
from pret.models import (
    AuditEntry,
    AuditPage,
    Caller,
    Candidate,
    Capabilities,
    Column,
    Evaluator,
    Health,
    Limits,
    ModelInfo,
    ModelSignature,
    ModelStatus,
    Part,
    Problem,
    Process,
    Reload,
    ReloadedProcess,
    ServiceVersion,
    Version,
)
from pret.scores import (
    Contribution,
    Curve,
    Explanation,
    FeatureImportance,
    GroupImportance,
    JobRow,
    ModelImportance,
    Point,
    ResultsPage,
    RowReason,
    Score,
    WhatIf,
)

__all__ = [
    "Activity",
    "ActivityPoint",
    "AsyncClient",
    "AuditEntry",
    "AuditPage",
    "Busy",
    "Caller",
    "Candidate",
    "Capabilities",
    "Client",
    "Column",
    "Contribution",
    "Curve",
    "Encoding",
    "Evaluator",
    "Explanation",
    "FeatureImportance",
    "Format",
    "GroupImportance",
    "Health",
    "InvalidRows",
    "InvalidValue",
    "Job",
    "JobFailed",
    "JobPage",
    "JobRow",
    "Limits",
    "ModelImportance",
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
    "RowReason",
    "Score",
    "ServerFault",
    "ServiceVersion",
    "TimedOut",
    "UnknownJob",
    "Version",
    "WhatIf",
]

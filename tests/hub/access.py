"""Who may do what, and the refusals of the Hub, from which the client takes its exceptions."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, HTTPException, Request

from tests.hub.store import Commit, Repository, Store


@dataclass(frozen=True)
class Account:
    """What a token stands for: the namespaces whose private models it reads, and whether it may write there."""

    namespaces: tuple[str, ...]
    writes: bool


ACCOUNTS = {
    "hf_alice": Account(("alice", "credit"), writes=True),
    "hf_alice_reads": Account(("alice", "credit"), writes=False),
    "hf_bob": Account(("bob",), writes=True),
}

Authorization = Annotated[str | None, Header()]


def refusal(status: int, message: str, code: str | None = None) -> HTTPException:
    """Make an error answer; by `code` the client tells apart what has the same status."""
    return HTTPException(status, message, {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {}))


def invalid_token() -> HTTPException:
    return refusal(401, "Invalid credentials in Authorization header")


def repo_not_found(account: Account | None) -> HTTPException:
    """Say the same of a model that is not there and of one that the caller may not see."""
    if account is None:
        return refusal(401, "Invalid username or password.", "RepoNotFound")
    return refusal(404, "Repository not found", "RepoNotFound")


def check_may_write(account: Account, namespace: str) -> None:
    if not account.writes or namespace not in account.namespaces:
        raise refusal(403, f"Forbidden: this token has no rights to write to {namespace}")


async def caller(authorization: Authorization = None) -> Account | None:
    """Give who calls, None without a token."""
    if authorization is None:
        return None
    account = ACCOUNTS.get(authorization.removeprefix("Bearer "))
    if account is None:
        raise invalid_token()
    return account


async def kept(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


Caller = Annotated[Account | None, Depends(caller)]
Kept = Annotated[Store, Depends(kept)]


async def readable(owner: str, name: str, account: Caller, store: Kept) -> Repository:
    repository = store.repositories.get(f"{owner}/{name}")
    is_member = account is not None and owner in account.namespaces
    if repository is None or (repository.private and not is_member):
        raise repo_not_found(account)
    return repository


Readable = Annotated[Repository, Depends(readable)]


async def writable(owner: str, repository: Readable, account: Caller) -> Repository:
    if account is None:
        raise repo_not_found(account)
    check_may_write(account, owner)
    return repository


async def resolved(repository: Readable, revision: str = "main") -> Commit:
    commit = repository.find(revision)
    if commit is None:
        raise refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
    return commit


async def without_token(authorization: Authorization = None) -> None:
    """Refuse a token, as the storage behind the Hub does: its addresses are secrets themselves."""
    if authorization is not None:
        raise refusal(400, "Only one auth mechanism allowed")


Writable = Annotated[Repository, Depends(writable)]
Resolved = Annotated[Commit, Depends(resolved)]

"""Who may do what: accounts, tokens, and the refusals of the Hub in its own words."""

from dataclasses import dataclass, field

from tests.hub.store import Repository


@dataclass(frozen=True)
class Account:
    """One token of one user; the namespaces are those where the user may read private models and write."""

    name: str
    token: str
    namespaces: tuple[str, ...]
    writes: bool = True


ACCOUNTS = (
    Account("alice", "hf_alice", ("alice", "credit")),
    Account("alice", "hf_alice_reads", ("alice", "credit"), writes=False),
    Account("bob", "hf_bob", ("bob",)),
)


@dataclass(eq=False)
class Refusal(Exception):
    """An error answer; the client takes its exception from the status and from `code`, sent as `X-Error-Code`."""

    status: int
    message: str
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def all_headers(self) -> dict[str, str]:
        code = {"X-Error-Code": self.code} if self.code else {}
        return {**code, "X-Error-Message": self.message, **self.headers}


def invalid_token() -> Refusal:
    return Refusal(401, "Invalid credentials in Authorization header")


def repo_not_found(account: Account | None) -> Refusal:
    """Say the same of a model that is not there and of one that the caller may not see."""
    if account is None:
        return Refusal(401, "Invalid username or password.", "RepoNotFound")
    return Refusal(404, "Repository not found", "RepoNotFound")


def is_member(account: Account | None, repository: Repository) -> bool:
    return account is not None and repository.namespace in account.namespaces


def check_readable(account: Account | None, repository: Repository) -> None:
    if repository.private and not is_member(account, repository):
        raise repo_not_found(account)


def check_downloadable(account: Account | None, repository: Repository) -> None:
    if not repository.gated or is_member(account, repository):
        return
    message = f"Access to model {repository.id} is restricted and you are not in the authorized list."
    raise Refusal(401 if account is None else 403, message, "GatedRepo")


def check_writable(account: Account | None, repository: Repository) -> None:
    check_readable(account, repository)
    if account is None:
        raise repo_not_found(account)
    if not account.writes:
        raise Refusal(403, "Forbidden: you must use a write token to upload to a repository.")
    if not is_member(account, repository):
        raise Refusal(403, "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request")


def check_may_create(account: Account | None, namespace: str) -> Account:
    if account is None:
        raise Refusal(401, "Invalid username or password.")
    if not account.writes or namespace not in account.namespaces:
        raise Refusal(403, f'You don\'t have the rights to create a model under the namespace "{namespace}"')
    return account

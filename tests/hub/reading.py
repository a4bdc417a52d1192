"""The calls that resolve a revision and download its files."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from tests.hub.access import Kept, Readable, Resolved, refusal, without_token
from tests.hub.faults import FaultyRoute
from tests.hub.store import File

router = APIRouter(route_class=FaultyRoute)


@router.get("/api/models/{owner}/{name}", name="info")
@router.get("/api/models/{owner}/{name}/revision/{revision}", name="info")
async def model_info(
    repository: Readable, commit: Resolved, blobs: bool = False, expand: Annotated[tuple[str, ...], Query()] = ()
) -> dict[str, Any]:
    info = {
        "id": repository.id,
        "sha": commit.sha,
        "private": repository.private,
        "siblings": [_sibling(path, file, blobs=blobs) for path, file in sorted(commit.files.items())],
    }
    return {name: value for name, value in info.items() if not expand or name in ("id", *expand)}


def _sibling(path: str, file: File, *, blobs: bool) -> dict[str, Any]:
    sibling: dict[str, Any] = {"rfilename": path}
    if blobs:
        sibling |= {"size": file.size, "blobId": file.oid}
    if blobs and file.lfs:
        sibling["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": len(file.pointer)}
    return sibling


@router.get("/api/models/{owner}/{name}/refs", name="refs")
async def refs(repository: Readable) -> dict[str, Any]:
    tags = [{"name": name, "ref": f"refs/tags/{name}", "targetCommit": sha} for name, sha in repository.tags.items()]
    main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repository.head.sha}
    return {"branches": [main], "tags": tags, "converts": []}


@router.head("/{owner}/{name}/resolve/{revision}/{path:path}", name="metadata")
@router.get("/{owner}/{name}/resolve/{revision}/{path:path}", name="download")
async def resolve(request: Request, commit: Resolved, path: str) -> Response:
    """Give a file, or of one in LFS the address at the CDN; the `X-Linked` headers are those of the file itself."""
    file = commit.files.get(path)
    if file is None:
        raise refusal(404, "Entry not found", "EntryNotFound")
    headers = {"X-Repo-Commit": commit.sha}
    if not file.lfs:
        return Response(file.content, headers=headers | {"ETag": f'"{file.etag}"'})
    headers |= {"X-Linked-Etag": f'"{file.etag}"', "X-Linked-Size": str(file.size)}
    return RedirectResponse(f"{request.app.state.cdn_url}/{file.sha256}/{path}", 302, headers)


@router.get("/lfs/{sha256}/{path:path}", name="download", dependencies=[Depends(without_token)])
async def download(store: Kept, sha256: str) -> Response:
    return Response(store.objects[sha256], media_type="application/octet-stream", headers={"ETag": f'"{sha256}"'})

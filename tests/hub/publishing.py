"""The calls that create a repository, upload files, commit them and tag the commit."""

import json
from base64 import b64decode
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request
from fastapi.responses import JSONResponse

from tests.hub.access import Caller, Kept, Resolved, Writable, check_may_write, refusal, without_token, writable
from tests.hub.faults import FaultyRoute
from tests.hub.store import is_binary

router = APIRouter(route_class=FaultyRoute)

Text = Annotated[str, Body(embed=True)]
Items = Annotated[list[dict[str, Any]], Body(embed=True)]


@router.post("/api/repos/create", name="create")
async def create_repo(
    request: Request, account: Caller, store: Kept, organization: Text, name: Text, visibility: Text = "public"
) -> JSONResponse:
    if account is None:
        raise refusal(401, "Invalid username or password.")
    check_may_write(account, organization)
    repo_id = f"{organization}/{name}"
    answer = {"url": f"{request.base_url}{repo_id}", "name": repo_id}
    if repo_id in store.repositories:
        return JSONResponse(answer | {"error": "You already created this model repo"}, 409)
    store.create(repo_id, private=visibility == "private")
    return JSONResponse(answer)


@router.post("/api/validate-yaml", name="validate")
async def validate_card() -> dict[str, Any]:
    return {"errors": [], "warnings": []}


@router.post("/api/models/{owner}/{name}/preupload/main", name="preupload")
async def preupload(repository: Writable, files: Items) -> dict[str, Any]:
    """Tell the client which files go to LFS, and what is there of each, so that it sends nothing unchanged."""
    known = repository.head.files
    return {
        "files": [
            {
                "path": file["path"],
                "uploadMode": "lfs" if is_binary(b64decode(file["sample"])) else "regular",
                "shouldIgnore": False,
                "oid": known[file["path"]].etag if file["path"] in known else None,
            }
            for file in files
        ]
    }


@router.post("/{owner}/{name}.git/info/lfs/objects/batch", name="upload", dependencies=[Depends(writable)])
async def lfs_batch(request: Request, store: Kept, objects: Items) -> dict[str, Any]:
    """Tell where to upload each object; nowhere, if it is there already."""
    for wanted in objects:
        if wanted["oid"] not in store.objects:
            wanted["actions"] = {"upload": {"href": f"{request.app.state.cdn_url}/{wanted['oid']}"}}
    return {"transfer": "basic", "objects": objects}


@router.put("/lfs/{oid}", name="upload", dependencies=[Depends(without_token)])
async def upload(request: Request, store: Kept, oid: str) -> None:
    content = await request.body()
    if sha256(content).hexdigest() != oid:
        raise refusal(400, "The content does not have the SHA-256 that it was announced with")
    store.objects[oid] = content


@router.post("/api/models/{owner}/{name}/commit/main", name="commit")
async def commit(request: Request, repository: Writable, store: Kept) -> dict[str, Any]:
    """Make one commit of all lines, if the parent that the first one names is still the head."""
    header, *operations = [json.loads(line) for line in (await request.body()).splitlines()]
    head = repository.head
    if header["value"].get("parentCommit") not in (None, head.sha):
        raise refusal(412, "A commit has happened since. Please refresh and try again.")
    contents = {path: file.content for path, file in head.files.items()}
    for operation in operations:
        _apply(contents, operation["key"], operation["value"], store.objects)
    sha = store.commit(repository.id, contents, header["value"]["summary"])
    return {"success": True, "commitUrl": f"{request.base_url}{repository.id}/commit/{sha}", "commitOid": sha}


def _apply(contents: dict[str, bytes], key: str, value: dict[str, Any], objects: dict[str, bytes]) -> None:
    match key:
        case "file":
            contents[value["path"]] = b64decode(value["content"])
        case "lfsFile":
            contents[value["path"]] = objects[value["oid"]]
        case "deletedFile":
            del contents[value["path"]]
        case _:
            raise refusal(400, f"This server knows no {key}")


@router.post("/api/models/{owner}/{name}/tag/{revision}", name="refs")
async def create_tag(repository: Writable, target: Resolved, tag: Text) -> None:
    if tag in repository.tags:
        raise refusal(409, f"Reference already exists: {tag}")
    repository.tags[tag] = target.sha

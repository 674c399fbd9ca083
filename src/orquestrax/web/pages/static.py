"""Static files, from memory: kept by browsers for good, since a change of content is a change of address."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response

from orquestrax.web.assets import by_hashed_name
from orquestrax.web.places import takes_gzip

router = APIRouter(include_in_schema=False)


@router.get("/static/{name}")
async def static(request: Request, name: str) -> Response:
    """One file by its hashed name."""
    asset = by_hashed_name().get(name)
    if asset is None:
        raise HTTPException(404, "there is no such file")
    headers = {"cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}
    if takes_gzip(request):
        headers["content-encoding"] = "gzip"
        return Response(asset.compressed, media_type=asset.media_type, headers=headers)
    return Response(asset.plain, media_type=asset.media_type, headers=headers)

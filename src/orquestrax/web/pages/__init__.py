"""The dashboard's routes: pages, actions, streams and static files."""

from fastapi import APIRouter

from orquestrax.web.pages import choices, definitions, home, instance, nodes, start, static, streams

router = APIRouter(include_in_schema=False)
for part in (static, streams, home, start, definitions, nodes, choices, instance):
    router.include_router(part.router)

"""The REST API under /api/v1: what the CLI can do, with the CLI's sentences as problem details (RFC 9457).

models     the shapes of requests and answers, which are also the OpenAPI document
answers    instances and events as JSON
bodies     request bodies: strict JSON with the codec's sentences
document   the OpenAPI document
problems   errors as problem details, with their stable codes
addresses  of instances: any id can be asked for
instances  start, list, look, read logs, signal, cancel, terminate
definitions
nodes      of the cluster
queues     of the cluster
health     /health/live and /health/ready, for whoever keeps the process alive
"""

from fastapi import APIRouter

from orquestrax.web.api import definitions, health, instances, nodes, queues

router = APIRouter()
router.include_router(instances.router, prefix="/api/v1")
router.include_router(definitions.router, prefix="/api/v1")
router.include_router(nodes.router, prefix="/api/v1")
router.include_router(queues.router, prefix="/api/v1")
router.include_router(health.router)

__all__ = ["router"]

"""New workflow: choose a definition, fill in a form made from its schema, start it."""

from fastapi import APIRouter

router = APIRouter(include_in_schema=False)

"""What is about the dashboard itself: the theme, and the button of the test workflow."""

from __future__ import annotations

import secrets

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse

from orquestrax.web.context import context_of
from orquestrax.web.inputs import encode_input
from orquestrax.web.places import prefix_of
from orquestrax.web.render import THEME_COOKIE, THEMES, Links
from orquestrax.web.security import CheckedForm

router = APIRouter(include_in_schema=False)
YEAR = 365 * 86400
TEST_WORKFLOW = "test_workflow"


@router.post("/actions/test")
async def start_test(request: Request, _form: CheckedForm) -> RedirectResponse:
    """Start `test_workflow`, which every node of the command line serves, under a new id, and show it."""
    context = context_of(request)
    ready = await encode_input(context, TEST_WORKFLOW, None)
    run = await context.dashboard.start_encoded(TEST_WORKFLOW, *ready, id=f"test-{secrets.token_hex(3)}")
    return RedirectResponse(Links(prefix_of(request)).workflow(run.id), 303)


@router.post("/actions/theme")
async def choose_theme(request: Request, form: CheckedForm) -> RedirectResponse:
    """Remember the theme in a cookie, so that pages come in it without a script."""
    theme, back = str(form.get("theme", "")), str(form.get("back", ""))
    own = back.startswith("/") and not back.startswith(("//", "/\\"))
    answer = RedirectResponse(back if own else Links(prefix_of(request)).to("/"), 303)
    if theme in THEMES:
        answer.set_cookie(THEME_COOKIE, theme, max_age=YEAR, httponly=True, samesite="strict", path="/")
    return answer

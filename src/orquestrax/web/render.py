"""Templates to HTML: whole pages for requests, and the same templates as fragments for open pages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from orquestrax.base.release import RELEASE
from orquestrax.web import security
from orquestrax.web.assets import assets
from orquestrax.web.context import context_of
from orquestrax.web.places import prefix_of
from orquestrax.web.views import clock
from orquestrax.web.views.statuses import STATUSES, has_ended

THEME_COOKIE: Final = "orquestrax_theme"
THEMES: Final = ("auto", "light", "dark")
_DOTS: Final = frozenset({".", ".."})


@cache
def environment() -> Environment:
    """Everything is escaped; a name that is not there is an error, not an empty text."""
    made = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals |= {
        "statuses": STATUSES,
        "has_ended": has_ended,
        "release": RELEASE,
        "duration": clock.duration,
        "elapsed": clock.elapsed,
        "stamp": clock.stamp,
        "iso": clock.iso,
    }
    return made


class Links:
    """Addresses within this app, wherever it is mounted: `base` is the prefix, "" at the root."""

    def __init__(self, base: str) -> None:
        self.base = base

    def to(self, path: str, **query: Any) -> str:
        """The address of a page with a query; what is empty is left out."""
        wanted = {name: value for name, value in query.items() if value not in (None, "", [], ())}
        return f"{self.base}{path}" + (f"?{urlencode(wanted, doseq=True)}" if wanted else "")

    def workflow(self, id_: str, **query: Any) -> str:
        """The page of an instance. Dots alone would be taken for a folder, so they go into the query."""
        if id_ in _DOTS:
            return self.to("/workflows/", id=id_, **query)
        return self.to(f"/workflows/{quote(id_, safe='')}", **query)

    def asset(self, name: str) -> str:
        """A static file."""
        return f"{self.base}/static/{assets()[name].name}"


def fragment(template: str, base: str, **values: Any) -> str:
    """A part of a page, for everybody who watches the same view."""
    return environment().get_template(template).render(link=Links(base), **values)


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A whole page. `live`, if given, is the query of its stream."""
    shell: Mapping[str, Any] = {
        "link": Links(prefix_of(request)),
        "theme": theme_of(request),
        "themes": THEMES,
        "csrf": security.csrf_token(request),
        "namespace": context_of(request).settings.namespace,
        "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "live": "",
        "login": request.app.state.access.required,
        "section": "",
        "now": 0,
        "icon": "brand",
    }
    html = environment().get_template(template).render({**shell, **values})
    return HTMLResponse(html, status, headers={"cache-control": "no-store"})


def theme_of(request: Request) -> str:
    """The chosen theme; "auto" follows the system."""
    chosen = request.cookies.get(THEME_COOKIE, "auto")
    return chosen if chosen in THEMES else "auto"

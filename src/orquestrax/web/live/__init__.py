"""Live pages: what a page shows arrives over one stream of server-sent events.

frames       what an open page is told
encodings    how that goes over the wire
differences  what an open page must do to be up to date
topics       what is rendered once per distinct view, and who watches it
hub          when to look
sources      what is looked at: lists, counts
cluster      what is looked at: the nodes, and what has happened to them
details      and single instances
logs         what they log
"""

from fastapi import FastAPI

from orquestrax.web.live.hub import Hub

__all__ = ["Hub", "close_streams"]


def close_streams(app: FastAPI) -> None:
    """End the streams of all open pages of this app."""
    hub: Hub = app.state.hub
    hub.close()

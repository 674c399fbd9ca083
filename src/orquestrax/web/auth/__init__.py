"""Who may come in, where a token is set: whoever knows it, with each request or once for a session.

access     the decision for one request: a bearer token or a session
sessions   random ids on the server, idle and absolute expiry; gone with the process
throttle   how often an address may be wrong
login      the form, and its end

Every route is closed but the few that `create_app` names. A wrong token, and none, get the same answer.
"""

from orquestrax.web.auth.access import Access

__all__ = ["Access"]

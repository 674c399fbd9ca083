"""The web room: REST API and live dashboard, one ASGI app.

    app        puts the parts together: `create_app`
    context    what every route works with
    security   the guard: headers, hosts and origins, CSRF, login
    api/       REST under /api/v1
    pages/     the dashboard's routes: pages, actions, streams, static files
    views/     pure functions from rows to what templates show
    live/      hints become frames for open pages
    server     uvicorn in the node's event loop

Every page is complete at first load, made by one function from state to HTML; its live fragments are the
same functions. Actions are POST forms; their effect arrives on the stream. A page that misses hints is still
right after a second, because the hub looks by itself while somebody watches. Payloads are text nodes, never
markup.
"""

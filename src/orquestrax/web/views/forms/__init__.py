"""Forms from JSON schemas: what a definition takes as fields that people fill in. Pure.

    shape   a schema as a tree of fields
    typed   what was typed, a flat mapping of texts: from defaults, to a value, problems by field
    fields  shape and typed texts together, as templates show them
    places  which field an error of the engine is about
    code    the same start as Python, as a command, as curl

A name is a path: `input.items.0.name`. A list's length stands under `<path>.#`. What no kind of field fits
becomes a field for JSON, so there is a form for every definition.
"""

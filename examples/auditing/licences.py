"""Under what a distribution may be used, from its metadata: the newest way of saying it counts."""

from __future__ import annotations

from email.message import Message
from typing import Final

from auditing.model import Licence

LONGEST: Final = 60
_CLASSIFIER: Final = "License :: "
_COMMON: Final = {  # as classifiers and older metadata call them, and as SPDX does
    "MIT License": "MIT",
    "The MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD 2-Clause License": "BSD-2-Clause",
    "ISC License (ISCL)": "ISC",
    "ISC License": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


def licence_of(metadata: Message) -> Licence:
    """The licence, as an SPDX name where that is clear."""
    if expression := (metadata.get("License-Expression") or "").strip():
        return Licence(expression, "License-Expression")
    classified = [line for line in metadata.get_all("Classifier") or () if line.startswith(_CLASSIFIER)]
    names = [line.rpartition(" :: ")[2] for line in classified]
    names = [name for name in names if name != "OSI Approved"]
    if names:
        return Licence(" AND ".join(dict.fromkeys(map(_spdx, names))), "classifiers")
    text = (metadata.get("License") or "").strip()
    first = text.splitlines()[0].strip() if text else ""
    if first and first.upper() != "UNKNOWN":
        return Licence(_spdx(first) if len(first) <= LONGEST else f"{first[:LONGEST]}…", "License")
    return Licence("unknown", "nowhere")


def _spdx(name: str) -> str:
    return _COMMON.get(name, name)

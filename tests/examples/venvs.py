"""Small environments made by hand, with everything odd that a RECORD can hold."""

from __future__ import annotations

import base64
import csv
import hashlib
from collections.abc import Mapping
from pathlib import Path


def hashed(content: bytes, algorithm: str = "sha256") -> str:
    digest = hashlib.new(algorithm, content).digest()
    return f"{algorithm}={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


class Venv:
    """A folder that looks like a virtual environment."""

    def __init__(self, root: Path) -> None:
        self.root, self.site = root, root / "lib" / "python3.11" / "site-packages"
        self.site.mkdir(parents=True)
        (root / "bin").mkdir()

    def wheel(
        self,
        name: str,
        files: Mapping[str, bytes],
        *,
        metadata: str = "",
        algorithm: str = "sha256",
        newline: str = "\n",
        lines: tuple[str, ...] = (),
    ) -> Path:
        """Install a distribution; `lines` are written into its RECORD as they are. Returns its dist-info."""
        info = self.site / f"{name}-1.0.dist-info"
        told = f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{metadata}\n".encode()
        contents = {**files, f"{info.name}/METADATA": told}
        info.mkdir()
        with (info / "RECORD").open("w", encoding="utf-8", newline="") as record:
            writer = csv.writer(record, lineterminator=newline)
            for path, content in contents.items():
                file = self.site / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
                writer.writerow([path, hashed(content, algorithm), len(content)])
            writer.writerow([f"{info.name}/RECORD", "", ""])
            record.writelines(line + newline for line in lines)
        return info

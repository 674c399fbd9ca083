"""examples/audit.py finds what was modified, what is missing and what nobody listed, and nothing else."""

from __future__ import annotations

import json
import os
import pty
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from auditing.checking import check_distribution
from auditing.environment import NoEnvironment, distributions, running_environment, site_folders
from auditing.model import MOST, Checked, Fault
from auditing.program import REJECTED
from auditing.strays import find_strays

from orquestrax.define.catalogue import collect
from orquestrax.define.modules import load_modules
from tests.examples.conftest import EXAMPLES, Program
from tests.examples.venvs import Venv, hashed


@pytest.fixture
def venv(tmp_path: Path) -> Venv:
    made = Venv(tmp_path / "venv")
    made.wheel(
        "sound",
        {"sound/__init__.py": b"", "sound/core.py": b"print(1)\n"},
        metadata="License-Expression: MIT",
    )
    return made


def check(venv: Venv, name: str) -> Checked:
    (place,) = [p for p in distributions(venv.site) if p.metadata.partition("-")[0] == name]
    return check_distribution(place)


def faults(found: list[Fault]) -> dict[str, str]:
    return {fault.path: fault.reason for fault in found}


def test_what_is_as_recorded_is_not_flagged(venv: Venv) -> None:
    checked = check(venv, "sound")
    assert (checked.name, checked.version, checked.kind) == ("sound", "1.0", "wheel")
    assert (checked.verified, checked.unhashed, checked.flagged) == (3, 1, False)
    assert find_strays(distributions(venv.site)) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"print(2)\n", "another sha256 than recorded"), (b"print(1)\n#", "10 bytes instead of 9")],
)
def test_a_modified_file_is_found(venv: Venv, content: bytes, reason: str) -> None:
    (venv.site / "sound" / "core.py").write_bytes(content)
    checked = check(venv, "sound")
    assert faults(checked.modified) == {"sound/core.py": reason}
    assert checked.flagged


def test_a_missing_file_and_a_dangling_link_are_found(venv: Venv) -> None:
    (venv.site / "sound" / "core.py").unlink()
    (venv.site / "sound" / "__init__.py").unlink()
    (venv.site / "sound" / "__init__.py").symlink_to("nowhere.py")
    assert faults(check(venv, "sound").missing) == {
        "sound/core.py": "it is not there",
        "sound/__init__.py": "a link to what is not there",
    }


def test_unlisted_files_are_found_and_told_beside_whom(venv: Venv) -> None:
    (venv.site / "sound" / "__pycache__").mkdir()
    (venv.site / "sound" / "__pycache__" / "core.cpython-311.pyc").write_bytes(
        b"compiled from what is listed"
    )
    (venv.site / "sound" / "__pycache__" / "gone.cpython-311.pyc").write_bytes(b"compiled from nothing")
    (venv.site / "sound" / "extra.py").write_bytes(b"")
    (venv.site / "evil.pth").write_bytes(b"import os\n")
    (venv.site / "sound-1.0.dist-info" / "INSTALLER").write_bytes(b"pip\n")
    found = {Path(stray.path).name: stray.beside for stray in find_strays(distributions(venv.site))}
    assert found == {"gone.cpython-311.pyc": None, "extra.py": "sound", "evil.pth": None}


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_hashes_and_line_ends(venv: Venv, algorithm: str, newline: str) -> None:
    venv.wheel("other", {"other.py": b"x = 1\n", "a, b.txt": b"comma"}, algorithm=algorithm, newline=newline)
    assert (check(venv, "other").verified, check(venv, "other").flagged) == (3, False)
    (venv.site / "other.py").write_bytes(b"x = 2\n")
    assert faults(check(venv, "other").modified) == {"other.py": f"another {algorithm} than recorded"}


def test_paths_that_lead_out(venv: Venv, tmp_path: Path) -> None:
    far = tmp_path / "share" / "man.1"
    far.parent.mkdir()
    far.write_bytes(b"far")
    (venv.root / "bin" / "tool").write_bytes(b"#!python\n")
    lines = (f"../../../bin/tool,{hashed(b'#!python' + chr(10).encode())},9", f"{far},{hashed(b'far')},3")
    venv.wheel("tool", {}, lines=lines)
    assert (check(venv, "tool").verified, check(venv, "tool").flagged) == (3, False)
    (venv.root / "bin" / "tool").write_bytes(b"#!pythom\n")
    far.unlink()
    checked = check(venv, "tool")
    assert faults(checked.modified) == {"../../../bin/tool": "another sha256 than recorded"}
    assert faults(checked.missing) == {str(far): "it is not there"}


def test_entries_without_a_hash(venv: Venv) -> None:
    lines = ("loose.pyc,,", "gone.pyc,,", "gone.txt,,", "padded.txt,sha256=" + "A" * 43 + "=,")
    (venv.site / "loose.pyc").write_bytes(b"")
    (venv.site / "padded.txt").write_bytes(b"")
    venv.wheel("loose", {}, lines=lines)
    checked = check(venv, "loose")
    assert checked.unhashed == 2
    assert faults(checked.missing) == {"gone.txt": "it is not there"}, "what was compiled may be swept away"
    assert faults(checked.modified) == {"padded.txt": "another sha256 than recorded"}


def test_lines_that_say_nothing(venv: Venv) -> None:
    lines = (
        "a,b,c,d",
        "x.py,sha256=?,1",
        "x.py,whirl,1",
        "x.py,,many",
        "sound/core.py,md5=AAAA,",
        ",,",
        "folder,sha256=AAAA,",
    )
    (venv.site / "folder").mkdir()
    checked = (venv.wheel("broken", {}, lines=lines), check(venv, "broken"))[1]
    assert faults(checked.modified) == {
        "RECORD, line 3": "it has 4 fields, path, hash and size are 3",
        "RECORD, line 4": "the hash 'sha256=?' is none: algorithm=base64",
        "RECORD, line 5": "the hash 'whirl' is none: algorithm=base64",
        "RECORD, line 6": "the size 'many' is no number",
        "sound/core.py": "recorded by md5, which proves nothing",
        "RECORD, line 8": "it has 3 fields, path, hash and size are 3",
        "folder": "it is a folder",
    }


def test_a_record_that_is_no_text(venv: Venv) -> None:
    (venv.site / "sound-1.0.dist-info" / "RECORD").write_bytes(b"a,,\n\xff\xfe,,\n")
    assert "RECORD, line" in str(check(venv, "sound").modified)


def test_editable_eggs_and_no_record(venv: Venv) -> None:
    origin = json.dumps({"url": "file:///src/mine", "dir_info": {"editable": True}}).encode()
    venv.wheel("mine", {"mine.pth": b"/src/mine\n", "mine-1.0.dist-info/direct_url.json": origin})
    (venv.wheel("debian", {}) / "RECORD").unlink()
    egg = venv.site / "old-0.9.egg-info"
    egg.mkdir()
    (egg / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: Old\nVersion: 0.9\nLicense: UNKNOWN\n")
    (egg / "installed-files.txt").write_text("../old.py\n../gone.py\nPKG-INFO\n")
    (venv.site / "old.py").write_bytes(b"")
    (venv.site / "older-0.1.egg-info").write_text("Metadata-Version: 1.0\nName: Older\nVersion: 0.1\n")
    mine, debian, old, older = (check(venv, name) for name in ("mine", "debian", "old", "older"))
    assert (mine.kind, mine.flagged, mine.verified) == ("editable", False, 3)
    assert "file:///src/mine" in mine.notes[0]
    assert (debian.kind, debian.flagged) == ("no RECORD", False)
    assert (old.name, old.version, old.kind, faults(old.missing)) == (
        "Old",
        "0.9",
        "egg",
        {"../gone.py": "it is not there"},
    )
    assert (older.name, older.kind, older.licence.name) == ("Older", "egg", "unknown")


def test_a_distribution_that_is_gone_does_not_fill_the_journal(venv: Venv) -> None:
    venv.wheel("big", {f"big/{n}.py": b"" for n in range(MOST + 50)})
    for file in (venv.site / "big").iterdir():
        file.unlink()
    missing = check(venv, "big").missing
    assert len(missing) == MOST + 1
    assert missing[-1].reason == "and 50 more"


LONG = "Permission is hereby granted, free of charge, to any person obtaining a copy"


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: x", ("MIT OR Apache-2.0", "License-Expression")),
        ("Classifier: License :: OSI Approved :: MIT License\nLicense: x", ("MIT", "classifiers")),
        ("Classifier: License :: OSI Approved\nLicense: BSD 3-Clause License", ("BSD-3-Clause", "License")),
        (f"License: {LONG}", (f"{LONG[:60]}…", "License")),
        ("Classifier: Topic :: Software Development", ("unknown", "nowhere")),
    ],
)
def test_licences(venv: Venv, metadata: str, licence: tuple[str, str]) -> None:
    venv.wheel("odd", {}, metadata=metadata)
    found = check(venv, "odd").licence
    assert (found.name, found.source) == (
        licence or ("Permission is hereby granted, free of charge, to any person o…", "License")
    )


def test_no_environment_is_one_sentence(tmp_path: Path, venv: Venv) -> None:
    assert site_folders(venv.root) == site_folders(venv.site) == [venv.site.resolve()]
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(NoEnvironment, match="give the path of a virtual environment"):
            site_folders(path)


def test_nothing_flagged_asks_nobody(program: Callable[..., Program], venv: Venv, tmp_path: Path) -> None:
    status, out, err = program("audit.py", str(venv.root)).end()
    assert (status, out.splitlines()[0]) == (
        0,
        "1 distributions, 3 files as recorded, 0 flagged, 0 files unlisted",
    ), err
    page = (tmp_path / "audit-report" / "audit.html").read_text(encoding="utf-8")
    assert "Everything is as recorded" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page


def test_I10_what_is_flagged_waits_for_a_decision(
    program: Callable[..., Program], venv: Venv, tmp_path: Path
) -> None:
    (venv.site / "sound" / "core.py").write_bytes(b"print(2)\n")
    (venv.site / "<b>.py").write_bytes(b"")
    keyboard, terminal = pty.openpty()
    asking = program("audit.py", str(venv.root), stdin=terminal)
    asking.until("something is not as recorded: accept it? [y/N] ")
    assert asking.end(signal.SIGINT)[0] == 130, "Ctrl-C while it asks"
    os.close(keyboard)
    os.close(terminal)
    waiting = program("audit.py", str(venv.root))
    line = waiting.until(" or --reject\n").splitlines()[-1]
    assert line.startswith(f"{line.split()[0]} waits: orquestrax signal {line.split()[0]} approval ")
    assert not (tmp_path / "audit-report").exists(), "no report before the decision"
    assert waiting.end(signal.SIGINT)[0] == 130
    status, out, err = program("audit.py", str(venv.root), "--reject").end()
    assert status == REJECTED
    assert err.splitlines()[0] == f"resumed {line.split()[0]}"
    assert "flagged: sound" in out
    told = json.loads((tmp_path / "audit-report" / "audit.json").read_text(encoding="utf-8"))
    assert told["totals"] | {"bytes": 0} == {
        "distributions": 1, "flagged": 1, "verified": 2, "bytes": 0, "modified": 1, "missing": 0, "unlisted": 1,
        "unverifiable": 0,
    }  # fmt: skip
    assert told["decision"]["accepted"] is False
    page = (tmp_path / "audit-report" / "audit.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;.py" in page
    assert "<b>.py" not in page


@pytest.mark.verify
@pytest.mark.parametrize(("answer", "expected"), [(b"y\n", 0), (b"\n", REJECTED), (b"yesterday\n", REJECTED)])
def test_the_keyboard_decides(
    program: Callable[..., Program], venv: Venv, answer: bytes, expected: int
) -> None:
    (venv.site / "stray.py").write_bytes(b"")
    keyboard, terminal = pty.openpty()
    asking = program("audit.py", str(venv.root), stdin=terminal)
    asking.until("[y/N] ")
    os.write(keyboard, answer)
    assert asking.end()[0] == expected
    os.close(keyboard)
    os.close(terminal)


def test_dev_serves_it() -> None:
    (module,) = load_modules([str(EXAMPLES / "audit.py")])
    served = collect([module])
    assert set(served.workflows) == {"audit"}
    assert served.steps["check"].options.executor == "process"


@pytest.mark.verify
def test_every_distribution_of_this_environment_is_as_recorded(
    program: Callable[..., Program], tmp_path: Path
) -> None:
    status, out, err = program("audit.py").end()
    assert status == 0, err
    told = json.loads((tmp_path / "audit-report" / "audit.json").read_text(encoding="utf-8"))
    assert told["totals"]["distributions"] == sum(len(distributions(site)) for site in running_environment())
    assert told["totals"]["verified"] > 1000
    assert ", 0 flagged, " in out

"""Settings that are wrong: one sentence, which names the setting, where it was read, what it is and what it must be."""

from __future__ import annotations

from pathlib import Path

import pytest

import orquestrax as ox
from orquestrax.node.options import engine_options
from orquestrax.settings import load_settings


@pytest.mark.parametrize(
    ("variable", "given", "sentence"),
    [
        (
            "PORT",
            "4000.5",
            "port from ORQUESTRAX_PORT is '4000.5': it must be a whole number from 1 to 65535",
        ),
        ("PORT", "0", "port from .*'0'"),
        ("SLOTS", "1.5", "slots from ORQUESTRAX_SLOTS is '1.5': it must be a whole number from 1 to 100000"),
        ("SLOTS", "nan", "slots from .*'nan'"),
        ("PROCESSES", "1001", "processes from .* whole number from 1 to 1000$"),
        ("POLL", "0", "poll from ORQUESTRAX_POLL is '0': it must be a number from 0.02 to 3600"),
        ("HEARTBEAT", "often", "heartbeat from .*'often'"),
        ("LEASE", "inf", "lease from .*'inf'"),
        ("DEADLINE", "nan", "deadline from .*'nan'"),
        ("HINTS", "maybe", "hints from ORQUESTRAX_HINTS is 'maybe': it must be true or false"),
        ("PREPARED", "2", "prepared from .*'2'"),
        ("LISTEN", "mysql://x", "from ORQUESTRAX_LISTEN is not a PostgreSQL address"),
    ],
)
def test_a_variable(tmp_path: Path, variable: str, given: str, sentence: str) -> None:
    with pytest.raises(ox.SettingsError, match=sentence):
        load_settings({}, environ={f"ORQUESTRAX_{variable}": given}, project=tmp_path)


def test_true_is_no_number_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "orquestrax.toml").write_text("port = true\n")
    with pytest.raises(
        ox.SettingsError, match=r"port from orquestrax\.toml is True: it must be a whole number"
    ):
        load_settings({}, environ={}, project=tmp_path)


def test_a_lease_is_three_heartbeats_at_least(tmp_path: Path) -> None:
    settings = load_settings({}, environ={"ORQUESTRAX_LEASE": "5"}, project=tmp_path)
    with pytest.raises(ox.SettingsError, match="the lease is 5 s and the heartbeat 2 s"):
        engine_options(settings)

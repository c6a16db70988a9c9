"""Engine and holder agree on their messages and on the lines of a journal."""

from __future__ import annotations

import json
import os
import resource
import string
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.executors.base import Ended, EndReason, Job
from nova_core.executors.journal_reader import Begun, End, Facts, Hello, Intent, Typing, decode_record
from nova_core.executors.wire import start_of
from nova_core.holder.job import HolderJob
from nova_core.holder.journal import BEGIN, E_LIMIT, END, HELLO, PROCESS
from nova_core.holder.messages import JobMessage
from nova_core.holder.terminal import TYPED

LINES = [(HELLO, Hello), (BEGIN, Intent), (PROCESS, Begun), (END, End), (TYPED, Typing)]


def message(**fields: Any) -> JobMessage:
    """The message that a holder gets for a job."""
    word, decoded = json.loads(start_of(Job(key="F1@1", **fields)))
    assert word == "job"
    result: JobMessage = decoded
    return result


@pytest.mark.parametrize(("template", "record"), LINES, ids="HBPET")
def test_reader_and_writer_have_the_same_fields_in_the_same_order(template: str, record: type[msgspec.Struct]) -> None:
    """A line of the journal is an array: positions have a meaning."""
    names = tuple(name for _, name, _, _ in string.Formatter().parse(template) if name)
    assert names == record.__struct_fields__


def test_a_job_message_has_every_field_by_its_name() -> None:
    """The fields of Job that describe processes; a holder ignores the rest (`own_holder`), which is for the engine."""
    fields: dict[str, Any] = {
        "argv": ("a",), "shell": "b", "cwd": "c", "env": {"D": "d"}, "log": "e", "timeout": 1.5, "idle_timeout": 2.5,
        "grace": 3.5, "log_limit": 4, "stdin": "f", "interrupt": True,
        "terminal": True,
    }  # fmt: skip
    sent = message(**fields)
    assert sent == {"key": "F1@1", **fields, "argv": ["a"], "own_holder": False}
    assert sent.keys() - JobMessage.__annotations__.keys() == {"own_holder"}
    assert set(Job.__struct_fields__) == sent.keys()


def test_text_travels_a_byte_a_character() -> None:
    """Names of files need not be UTF-8."""
    odd = os.fsdecode(b"\xff\xc3\xa9")
    sent = message(argv=(odd,), env={"A": odd})
    assert sent["argv"] == [sent["env"]["A"]] == ["\xff\xc3\xa9"]


@pytest.mark.parametrize(("status", "code", "number"), [(7 << 8, 7, None), (9, None, 9), (None, None, None)])
def test_the_end_of_a_job_is_reported_as_it_was(status: int | None, code: int | None, number: int | None) -> None:
    """Exit codes and signals are separate."""
    job = HolderJob(message())
    job.status, job.pid, job.detail, job.leftovers = status, 12, "why", ["13 sh"]
    job.usage = resource.getrusage(resource.RUSAGE_SELF)
    end = decode_record(job.ending(["14 x"]).encode())
    assert isinstance(end, Ended)
    assert (end.key, end.reason, end.code, end.signal, end.pid) == ("F1@1", EndReason.EXIT, code, number, 12)
    assert (end.detail, end.leftovers, end.survivors) == ("why", ("13 sh",), ("14 x",))
    assert (end.started_at, end.cpu_seconds) == pytest.approx((job.started, job.usage.ru_utime + job.usage.ru_stime))
    assert end.started_at <= end.ended_at
    assert end.max_rss >= job.usage.ru_maxrss


def test_an_end_fits_the_room_that_is_reserved_for_it() -> None:
    """However many processes it left, and however long its detail."""
    job = HolderJob(message())
    job.detail = "\x00" * 5000
    job.leftovers = ["1234567 " + "x" * 15] * 500
    text = job.ending(job.leftovers)
    assert len(text) < E_LIMIT
    end = decode_record(text.encode())
    assert isinstance(end, Ended)
    assert len(end.survivors) == 3


WRITTEN: list[list[object]] = [
    ["H", 1, 10, 20, "boot", "run"],
    ["B", "F1", 1.5],
    ["P", "F1", 11, 21, 1.5],
    ["B", "F2", 1.6],
    ["E", "F1", "exit", 3, None, 2.5, 0.25, 4096, "", ["12 sh"], [], 11, 1.5],
    ["E", "F2", "spawn_error", None, None, 2.6, 0.0, 0, "cannot", [], [], None, 1.6],
]
JOURNAL = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in WRITTEN)


def test_a_journal_torn_anywhere_says_what_its_whole_lines_say() -> None:
    """Every prefix can be read, with or without the zeros that reserve space behind it."""
    for length in range(len(JOURNAL) + 1):
        whole = JOURNAL[:length].rpartition(b"\n")[0]
        for tail in (b"", b"\0" * 8):
            facts = Facts(JOURNAL[:length] + tail)
            assert len(facts.intents) == whole.count(b'["B"')
            assert len(facts.processes) == whole.count(b'["P"')
            assert len(facts.ends) == whole.count(b'["E"')
            assert set(facts.unended()) == facts.intents.keys() - facts.ends.keys()


@given(st.binary(max_size=200), st.integers(0, len(JOURNAL)))
def test_damage_in_a_journal_never_invents_an_end(junk: bytes, at: int) -> None:
    """Bytes inserted anywhere may hide facts; facts that are read were written."""
    facts = Facts(JOURNAL[:at] + b"\n" + junk.replace(b"[", b"") + b"\n" + JOURNAL[at:])
    true = Facts(JOURNAL)
    assert all(true.ends[key] == end for key, end in facts.ends.items())

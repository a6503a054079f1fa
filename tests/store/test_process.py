"""Whose process opened a run: real processes, killed and alive, and tags of other places."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from helpers import PYTHON
from mmm_demo.store import process
from mmm_demo.store.process import (
    ALIVE,
    CANNOT_TELL,
    DEAD,
    HOST,
    OUTERMOST,
    PID,
    PLACE,
    STARTED,
    fate,
    process_tags,
)

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells when a process started"
)
SAY_TAGS = "import json, sys, time; from mmm_demo.store.process import process_tags as t; "
SAY_TAGS += "print(json.dumps(t()), flush=True); time.sleep(60)"
HERE = {HOST: "here", PID: "4711", STARTED: "boot-2/100", PLACE: f"machine/{OUTERMOST}"}


@pytest.fixture
def other():
    """Another process, asleep, and the tags that it gives itself."""
    words = [PYTHON, "-c", SAY_TAGS]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child, json.loads(child.stdout.readline())
        finally:
            child.kill()


def test_this_process_is_alive_and_says_who_it_is():
    tags = process_tags()
    assert tags[PID] == str(os.getpid())
    assert all(tags[name] for name in (HOST, STARTED, PLACE))
    assert fate(tags | {"mmm.kind": "fit"}).status == ALIVE


def test_another_process_is_alive_until_it_is_killed(other):
    child, tags = other
    assert tags[PID] == str(child.pid) != str(os.getpid())
    assert fate(tags).status == ALIVE
    os.kill(child.pid, signal.SIGSTOP)
    assert fate(tags).status == ALIVE  # stopped is not dead
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and not yet collected
    assert "waits to be collected" in fate(tags).why
    assert fate(tags).status == DEAD
    child.wait()
    assert fate(tags).status == DEAD
    assert f"process {child.pid} on {tags[HOST]} is gone" in fate(tags).why


def test_a_number_that_went_to_another_process_is_not_mistaken_for_it():
    tags = process_tags()
    boot, _, ticks = tags[STARTED].partition("/")
    second = os.sysconf("SC_CLK_TCK")
    before = fate(tags | {STARTED: f"{boot}/{int(ticks) - 10 * second}"})
    assert (before.status, "went to another" in before.why) == (DEAD, True)
    assert fate(tags | {STARTED: f"{boot}/{int(ticks) - second}"}).status == ALIVE  # its clock's


def test_a_start_is_told_as_before_in_clock_ticks_since_the_boot():
    """Runs that an earlier version left open are judged as well."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    assert process_tags()[STARTED].partition("/")[2] == fields[19]


def not_yours(*_):
    raise PermissionError


def test_the_process_of_another_user_is_alive(other, monkeypatch):
    monkeypatch.setattr(os, "kill", not_yours)
    assert fate(other[1]).status == ALIVE


@pytest.mark.parametrize("error", [psutil.NoSuchProcess, psutil.AccessDenied])
@pytest.mark.parametrize("ours", [True, False])
def test_a_process_that_is_hidden_from_us_is_not_called_dead(other, monkeypatch, ours, error):
    def hidden(pid):
        raise error(pid)

    monkeypatch.setattr(process, "process_tags", lambda: other[1])
    monkeypatch.setattr(psutil, "Process", hidden)
    if not ours:
        monkeypatch.setattr(os, "kill", not_yours)
    assert fate(other[1]).status == CANNOT_TELL


@pytest.mark.parametrize(
    ("change", "status", "why"),
    [
        ({PLACE: "machine/pid:[7]"}, CANNOT_TELL, "another container"),
        ({STARTED: "boot-1/100"}, DEAD, "started anew"),
        ({STARTED: "boot-1/100", PLACE: f"other/{OUTERMOST}"}, CANNOT_TELL, "another machine"),
        ({STARTED: "boot-1/100", PLACE: "machine/pid:[7]"}, CANNOT_TELL, "another machine"),
        ({STARTED: "boot-1/100", PLACE: f"/{OUTERMOST}"}, CANNOT_TELL, "another machine"),
        ({PID: "0"}, CANNOT_TELL, "no process id"),
        ({PID: "-1"}, CANNOT_TELL, "no process id"),
        ({PID: "many"}, CANNOT_TELL, "no process id"),
        ({PID: "9" * 30}, CANNOT_TELL, "no process id"),
        ({STARTED: "boot-2/soon"}, CANNOT_TELL, "no time"),
        ({HOST: ""}, CANNOT_TELL, "does not say"),
        ({STARTED: ""}, CANNOT_TELL, "does not say"),
    ],
)
def test_what_cannot_be_told_is_not_guessed(monkeypatch, change, status, why):
    monkeypatch.setattr(process, "process_tags", lambda: HERE)
    found = fate(HERE | change)
    assert found.status == status
    assert why in found.why


@pytest.mark.parametrize("place", ["/pid:[7]", f"/{OUTERMOST}", "machine/pid:[7]"])
def test_a_container_or_a_nameless_machine_that_started_anew_tells_nothing(monkeypatch, place):
    monkeypatch.setattr(process, "process_tags", lambda: HERE | {PLACE: place})
    assert fate(HERE | {STARTED: "boot-1/100", PLACE: place}).status == CANNOT_TELL


def test_a_new_name_of_the_machine_hides_no_process(monkeypatch):
    tags = process_tags()
    monkeypatch.setattr(process, "_place", lambda: "renamed/" + tags[PLACE].rpartition("/")[2])
    assert fate(tags).status == ALIVE


def test_elsewhere_than_on_linux_nothing_is_claimed(monkeypatch):
    tags = process_tags()
    monkeypatch.setattr(process, "_place", lambda: None)
    assert set(process_tags()) == {HOST, PID}
    assert fate(tags).status == CANNOT_TELL
    assert fate(process_tags()).status == CANNOT_TELL


@pytest.mark.parametrize("tags", [{}, {"mmm.kind": "fit"}, {PID: "1"}])
def test_a_run_that_says_nothing_tells_nothing(tags):
    assert fate(tags).status == CANNOT_TELL

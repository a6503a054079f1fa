"""The processes of this machine that do trials: they stay, and they never outlive the sweep.

Those of a cluster are `test_cluster`'s business.
"""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor
from concurrent.futures.process import BrokenProcessPool

import psutil
import pytest

from helpers import PYTHON
from mmm_demo.sweeps.workers import start_workers

SWEEP = """
import os, time
from mmm_demo.sweeps.workers import start_workers
if __name__ == "__main__":
    with start_workers(2, None) as workers:
        tasks = [workers.executor.submit(time.sleep, 600) for _ in range(2)]
        pids = []
        while len(pids) < 2:
            time.sleep(0.05)
            pids = [pid for pid, p in workers.executor._processes.items() if p.is_alive()]
        print(*pids, flush=True)
        tasks[0].result()
"""


@pytest.fixture(scope="module")
def pool():
    """Two workers, and what they answered."""
    with start_workers(2, None) as workers:
        calls = [workers.executor.submit(os.getpid) for _ in range(8)]
        yield workers, {call.result() for call in calls}


def gone(pids: list[int], seconds: float) -> bool:
    """Return whether all of these processes end within some seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.slow
def test_workers_are_other_processes_that_stay(pool):
    workers, pids = pool
    assert workers.count() == 2
    assert 1 <= len(pids) <= 2
    assert os.getpid() not in pids
    assert workers.executor.submit(os.getpid).result() in pids | set(workers.executor._processes)
    assert workers.lost == (BrokenExecutor,)


@pytest.mark.slow
def test_a_worker_starts_with_nothing_of_this_process(pool):
    """A forked one would share the threads and locks of its parent."""
    workers, _ = pool
    assert "pytest" in sys.modules
    code = "'pytest' in __import__('sys').modules"
    assert workers.executor.submit(eval, code).result() is False


@pytest.mark.slow
@pytest.mark.parametrize("fault", [KeyboardInterrupt, RuntimeError])
def test_nobody_waits_for_trials_when_a_sweep_breaks_off(fault):
    start = time.monotonic()
    with pytest.raises(fault), start_workers(1, None) as workers:
        task = workers.executor.submit(time.sleep, 600)
        while not task.running():
            time.sleep(0.01)
        pids = list(workers.executor._processes)
        raise fault
    assert time.monotonic() - start < 20
    assert gone(pids, 10)


@pytest.mark.slow
def test_a_worker_that_is_killed_is_lost():
    with pytest.raises(BrokenProcessPool), start_workers(1, None) as workers:
        workers.executor.submit(os.kill, workers.executor.submit(os.getpid).result(), 9).result()


@pytest.mark.slow
def test_workers_end_with_a_sweep_that_is_killed(tmp_path):
    script = tmp_path / "sweep.py"
    script.write_text(SWEEP)
    parent = subprocess.Popen([PYTHON, str(script)], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert not gone(pids, 0.2)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        parent.stdout.close()
    assert gone(pids, 20)


@pytest.mark.slow
def test_a_worker_makes_place_after_so_many_trials():
    with start_workers(1, None, trials_each=2) as workers:
        pids = [workers.executor.submit(os.getpid).result() for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_a_scheduler_that_is_not_there_is_a_clear_error(monkeypatch):
    distributed = pytest.importorskip("distributed")
    with pytest.raises(RuntimeError, match="no Dask scheduler at nonsense://x: "):
        start_workers(2, "nonsense://x").__enter__()

    def nobody(*_: object, **__: object) -> None:
        raise OSError("timed out after 10 s")

    monkeypatch.setattr(distributed, "Client", nobody)
    with pytest.raises(RuntimeError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:1: timed out"):
        start_workers(2, "tcp://127.0.0.1:1").__enter__()


def test_without_dask_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(RuntimeError, match=r"needs Dask.* uv sync --extra cluster"):
        start_workers(2, "tcp://127.0.0.1:8786").__enter__()

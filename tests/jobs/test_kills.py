"""Kill -9 at named points of the main job: the next start works, and the champion is whole."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import run_command

from helpers import PROJECT, PYTHON
from killed_jobs import AFTER_THE_FIT, POINTS, TO_THE_END
from versions import number_of, run_promotion

NEW_CHAMPION = ("champion moved, promotion open", "plan written, run open", TO_THE_END)
NO_VERSION = tuple(POINTS)[: tuple(POINTS).index("version made, run not told")]


@pytest.fixture
def story(make_version, store, project: Path, lean: Path, user_environment: dict[str, str]) -> list:
    """What was found before the first kill, after each, and after a main job to its end."""
    make_version()
    run_promotion(1)
    script = (PYTHON, str(PROJECT / "tests" / "support" / "killed_jobs.py"), str(lean))
    done = run_command(project, user_environment, *script)
    assert done.code == 0, done.err
    return json.loads(done.out.splitlines()[-1])


@pytest.mark.slow
def test_whatever_the_point_the_next_start_works_and_the_champion_is_whole(story, store):
    before: dict[str, Any] = story[0]["found"]
    assert [step["point"] for step in story] == ["", *POINTS, TO_THE_END]
    for step in story[1:]:
        point, now = step["point"], step["found"]
        assert (step["error"], step["fault"]) == ("", ""), point
        assert step["code"] == (0 if point == TO_THE_END else -9), point
        made = [number for number in now["versions"] if number not in before["versions"]]
        assert len(made) == (0 if point in NO_VERSION else 1), point
        if point in NEW_CHAMPION:
            assert [now["champion"]] == made, point
            assert now["previous"] == before["champion"], point
        else:
            assert now["champion"] == before["champion"], point
        assert now["promoted"] == now["champion"], point  # a promotion is not in anybody's way
        assert now["planned"] > 0, point
        left = set(now["running"]) - set(before["running"])  # for `mmm-demo doctor`
        # The fit run, and after the fit also the promotion or the plan inside it.
        expected = 0 if point == TO_THE_END else 1 + (point in AFTER_THE_FIT)
        assert len(left) == expected, point
        before = now
    assert number_of("champion") == story[-1]["found"]["champion"]

"""Which browser is found, where there are several, or only one of Playwright's own?"""

from pathlib import Path

import pytest

from authdemo.browser import find_browser

pytestmark = pytest.mark.once


def test_the_one_that_draws_no_window_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("chromium", "chromium-headless-shell", "google-chrome"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_browser() == tmp_path / "chromium-headless-shell"


@pytest.mark.parametrize(
    "program",
    [
        "chromium_headless_shell-1208/chrome-headless-shell-linux64/chrome-headless-shell",
        "chromium_headless_shell-1187/chrome-linux/headless_shell",
        "chromium-1208/chrome-linux64/chrome",
    ],
)
def test_playwrights_own_is_found_where_there_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    there = tmp_path / ".cache" / "ms-playwright" / program
    there.parent.mkdir(parents=True)
    there.touch()
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_browser() == there

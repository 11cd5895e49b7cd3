"""A bare machine gets its environment by itself, once, and one sentence when it cannot."""

import ast
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from authdemo import bootstrap

pytestmark = [pytest.mark.thorough, pytest.mark.once, pytest.mark.slow]

ROOT = Path(__file__).resolve().parent.parent
BASE_PYTHON = getattr(sys, "_base_executable", sys.executable)
MAKING = "Making .venv"
INSTALLING = "Installing what requirements.txt names"
REPORT = "import sys, tiny; print(sys.prefix, tiny.VERSION)"


def make_wheel(folder: Path, version: str) -> None:
    """Write the smallest wheel there is, so that nothing has to be fetched."""
    info = f"tiny-{version}.dist-info"
    with zipfile.ZipFile(folder / f"tiny-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", f"VERSION = '{version}'\n")
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n"
        )
        wheel.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    make_wheel(folder, "1.0")
    make_wheel(folder, "2.0")
    return folder


class Checkout:
    """A checkout with nothing in it but what bootstrap needs."""

    def __init__(self, folder: Path, wheels: Path) -> None:
        # Resolved, because bootstrap resolves its own path.
        self.folder = folder.resolve() / "checkout"
        self.venv = self.folder / ".venv"
        (self.folder / "authdemo").mkdir(parents=True)
        for name in ("__init__.py", "bootstrap.py", "file_lock.py"):
            shutil.copy(ROOT / "authdemo" / name, self.folder / "authdemo")
        (self.folder / "manage.py").write_text("# only a lock here\n")
        self.require("tiny==1.0")
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PIP_")},
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
        }

    def require(self, line: str) -> None:
        (self.folder / "requirements.txt").write_text(f"{line}  # a reason\n")

    def start(self, code: str = REPORT, **environ: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [BASE_PYTHON, "-m", "authdemo.bootstrap", "requirements.txt", "-c", code],
            cwd=self.folder,
            env=self.environ | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, code: str = REPORT, **environ: str) -> tuple[str, str]:
        """Return what the code printed, and what bootstrap said."""
        out, err = self.start(code, **environ).communicate()
        return out.strip(), err.strip()


@pytest.fixture
def checkout(tmp_path: Path, wheels: Path) -> Checkout:
    return Checkout(tmp_path, wheels)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Checkout:
    """A checkout that has been set up; tests put it back as it was."""
    checkout = Checkout(tmp_path_factory.mktemp("ready"), wheels)
    out, err = checkout.run()
    assert out == f"{checkout.venv} 1.0"
    assert [line.split(" with")[0].split(" into")[0] for line in err.splitlines()] == [
        MAKING,
        INSTALLING,
    ]
    return checkout


def test_what_is_installed_is_not_installed_again(ready: Checkout) -> None:
    assert ready.run() == (f"{ready.venv} 1.0", "")


def test_a_changed_file_is_installed(ready: Checkout) -> None:
    ready.require("tiny==2.0")
    out, err = ready.run()
    assert out == f"{ready.venv} 2.0"
    assert err.startswith(INSTALLING)
    ready.require("tiny==1.0")
    ready.run()


def test_two_at_once_install_once(checkout: Checkout) -> None:
    both = [checkout.start(), checkout.start()]
    answers = [process.communicate() for process in both]
    assert [out.strip() for out, _ in answers] == [f"{checkout.venv} 1.0"] * 2
    said = "".join(err for _, err in answers)
    assert said.count(MAKING) == 1
    assert said.count(INSTALLING) == 1


def test_an_environment_without_its_python_is_made_anew(checkout: Checkout) -> None:
    (checkout.venv / "bin").mkdir(parents=True)
    (checkout.venv / "bin" / "python").symlink_to("/gone/with/an/old/python")
    assert checkout.run()[0] == f"{checkout.venv} 1.0"


def test_an_environment_without_pip_is_completed(checkout: Checkout) -> None:
    subprocess.run([BASE_PYTHON, "-m", "venv", "--without-pip", checkout.venv], check=True)
    (checkout.venv / "of-the-user").touch()
    assert checkout.run()[0] == f"{checkout.venv} 1.0"
    assert (checkout.venv / "of-the-user").exists(), "completed, not replaced"


def test_a_failed_installation_is_tried_again(ready: Checkout) -> None:
    ready.require("tiny==3.0")
    out, err = ready.run()
    assert out == ""
    assert "The packages could not be installed. ERROR: No matching distribution" in err
    assert "Traceback" not in err
    ready.require("tiny==1.0")
    assert ready.run()[0] == f"{ready.venv} 1.0"


def test_without_network_one_sentence_says_so(ready: Checkout) -> None:
    ready.require("tiny==2.0  # of the index")
    del ready.environ["PIP_NO_INDEX"]
    out, err = ready.run(PIP_INDEX_URL="http://127.0.0.1:1/", PIP_FIND_LINKS="", PIP_RETRIES="1")
    ready.environ["PIP_NO_INDEX"] = "1"
    ready.require("tiny==1.0")
    assert out == ""
    assert "The package index cannot be reached; check the network" in err
    assert "Traceback" not in err


def test_an_environment_of_ones_own_is_used_as_it_is(checkout: Checkout, wheels: Path) -> None:
    own = checkout.folder / "own"
    zipfile.ZipFile(wheels / "tiny-1.0-py3-none-any.whl").extractall(own)
    out, err = checkout.run(PYTHONPATH=str(own))
    assert out.endswith(" 1.0")
    assert err == ""
    assert not checkout.venv.exists()


def test_included_files_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    (tmp_path / "a.txt").write_text("-r b.txt\nDjango==1\n")
    (tmp_path / "b.txt").write_text("redis==1\n")
    before = bootstrap.digests(tmp_path / "a.txt")
    (tmp_path / "b.txt").write_text("redis==2\n")
    after = bootstrap.digests(tmp_path / "a.txt")
    assert before.keys() == after.keys() == {"a.txt", "b.txt"}
    assert before["b.txt"] != after["b.txt"]


@pytest.mark.parametrize(
    ("line", "is_missing"),
    [
        ("absent==1", True),
        ("absent[extra]>=1 # why", True),
        (f'absent==1; sys_platform == "{sys.platform}"', True),
        (f'absent==1; sys_platform != "{sys.platform}"', False),
        ('absent==1; sys_platform == "elsewhere"', False),
        ("Django==0.1", False),
        ("# absent", False),
        ("", False),
    ],
)
def test_missing_reads_requirement_lines(tmp_path: Path, line: str, is_missing: bool) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(f"{line}\n")
    assert bootstrap.missing(file) == (["absent"] if is_missing else [])


def test_an_old_python_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap, "OLDEST", (99, 0))
    with pytest.raises(SystemExit, match=r"the project needs 3\.11 or newer. With another one"):
        bootstrap.enter("requirements.txt")


@pytest.mark.parametrize("name", ["manage.py", "authdemo/bootstrap.py", "authdemo/file_lock.py"])
def test_an_old_python_can_read_as_far_as_that(name: str) -> None:
    ast.parse((ROOT / name).read_text(), feature_version=(3, 8))


def test_a_python_that_cannot_make_environments_names_the_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(bootstrap.SetupError, match="apt-get install python3-venv"):
        bootstrap.make_venv()


def test_an_unreadable_stamp_means_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp = tmp_path / "installed.json"
    monkeypatch.setattr(bootstrap, "STAMP", stamp)
    assert bootstrap.installed() == {}
    stamp.write_text('{"requirements.txt": ')
    assert bootstrap.installed() == {}
    stamp.write_text(json.dumps({"requirements.txt": "0"}))
    assert bootstrap.installed() == {"requirements.txt": "0"}


def test_other_commands_on_a_bare_python_say_which_two_help() -> None:
    # -S: without any installed package.
    finished = subprocess.run(
        [BASE_PYTHON, "-S", "-E", "manage.py", "migrate", "accounts"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 1
    assert finished.stderr.startswith("This Python lacks Django, djangorestframework,")
    assert "`python3 -m authdemo.bootstrap requirements.txt`" in finished.stderr
    assert "manage.py migrate accounts`." in finished.stderr
    assert finished.stderr.count("\n") == 1

"""Does each defence have a test that goes red without it? This takes them out, one after the other.

    python -m tests.defences            # all of them: `make defences`
    python -m tests.defences grace      # those with "grace" in their names

Each is taken out of a copy of the project, and its tests are run there. A defence that
can go without a test noticing is a failure. `tests/test_defences.py` holds the table to
the code.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", "var", "__pycache__", ".*_cache", ".hypothesis"
)


@dataclass(frozen=True)
class Defence:
    """`line` stands once in `file`; with `without` in its place, one of `tests` fails."""

    name: str
    file: str
    line: str
    without: str
    tests: str


DEFENCES = (
    Defence(
        "the claim of a refresh token is conditional",
        "jwt_api/store.py",
        "filter(pk=family.pk, current=used, ended=None).update(",
        "filter(pk=family.pk).update(",
        "tests/jwt_api/test_races.py",
    ),
    Defence(
        "a reused family is ended",
        "jwt_api/flow.py",
        "            self._end_reused(request, token)\n",
        "",
        "tests/jwt_api/test_families.py -k reuse",
    ),
    Defence(
        "only the immediate predecessor has a grace",
        "jwt_api/store.py",
        ' or token["jti"] != family.previous.jti:',
        ":",
        "tests/jwt_api/test_families.py -k ancestor",
    ),
    Defence(
        "the grace ends",
        "jwt_api/store.py",
        "    return age < timedelta(seconds=settings.GRACE_SECONDS)",
        "    return True",
        "tests/jwt_api/test_families.py -k grace",
    ),
    Defence(
        "an ended family is refused",
        "jwt_api/store.py",
        "    if family.ended is not None:",
        "    if False:",
        "tests/jwt_api/test_families.py -k ended",
    ),
    Defence(
        "an unknown family is refused",
        "jwt_api/store.py",
        ".filter(pk=token.device, user_id=token.user_id)",
        ".filter(pk=token.device)",
        "tests/jwt_api/test_families.py -k anothers",
    ),
    Defence(
        "a refresh compares the epoch",
        "jwt_api/store.py",
        ' or not (token["epoch"] == family.epoch == family.user.epoch):',
        ":",
        "tests/jwt_api/test_races.py tests/contract/test_account_changes.py -k jwt",
    ),
    Defence(
        "no refresh passes the absolute end",
        "jwt_api/store.py",
        "min(idle_end, family.absolute_end)",
        "idle_end",
        "tests/contract/test_expiry.py tests/jwt_api/test_families.py -k absolute",
    ),
    Defence(
        "only the key's own algorithm verifies",
        "jwt_api/tokens.py",
        """        if header.get("alg") != key.algorithm:
            raise jwt.InvalidAlgorithmError("wrong alg for this key")
        return jwt.decode(
            token,
            key.public,
            algorithms=[key.algorithm],
""",
        """        return jwt.decode(
            token,
            key.public,
            algorithms=[header["alg"]],
""",
        "tests/jwt_api/test_keys.py tests/jwt_api/test_tokens.py",
    ),
    Defence(
        "the type in the header counts",
        "jwt_api/tokens.py",
        '        if str(header.get("typ", "")).lower() != self.typ:',
        "        if False:",
        "tests/jwt_api/test_tokens.py",
    ),
    Defence(
        "a token has one text",
        "jwt_api/tokens.py",
        " or TOKEN_TEXT.fullmatch(text) is None:",
        ":",
        "tests/jwt_api/test_tokens.py",
    ),
    Defence(
        "claims are looked at before anything uses them",
        "jwt_api/tokens.py",
        "        check_claims(self.payload)\n",
        "",
        "tests/jwt_api/test_tokens.py",
    ),
    Defence(
        "a new key is published before it signs",
        "jwt_api/keys.py",
        "if key.since <= published), oldest)",
        "if True), oldest)",
        "tests/jwt_api/test_keys.py",
    ),
    Defence(
        "one key is not in two files",
        "jwt_api/keys.py",
        "    if len({key.kid for key in keys}) < len(keys):",
        "    if False:",
        "tests/jwt_api/test_keys.py",
    ),
    Defence(
        "a write never brings a session back",
        "sessions_api/store.py",
        "        if record is None:\n            return False\n        record.data = data\n"
        "        pipe.multi()\n        pipe.set(name, record.encode(), xx=True, keepttl=True)",
        "        if record is None:\n            return False\n        record.data = data\n"
        "        pipe.unwatch()\n        pipe.multi()\n"
        "        pipe.set(name, record.encode(), ex=1000)",
        "tests/sessions_api/test_races.py -k write",
    ),
    Defence(
        "a store that is away is said to be away",
        "sessions_api/store.py",
        '        raise StoreUnavailable(f"redis: {type(error).__name__}") from error',
        "        return",
        "tests/sessions_api/test_outage.py",
    ),
    Defence(
        "an unknown session id is not adopted",
        "sessions_api/engine.py",
        "            self._session_key = None\n            return {}",
        "            return {}",
        "tests/sessions_api/test_engine.py",
    ),
    Defence(
        "every login gets a new session id",
        "sessions_api/engine.py",
        "            self._start(new_device=True)\n\n    def load",
        "            pass\n\n    def load",
        "tests/sessions_api/test_engine.py -k login",
    ),
    Defence(
        "a session compares the epoch",
        "sessions_api/engine.py",
        " or snapshot.epoch != record.epoch:",
        ":",
        "tests/sessions_api/test_races.py tests/sessions_api/test_snapshot.py",
    ),
    Defence(
        "a session ends at its absolute end",
        "sessions_api/engine.py",
        "        if time.time() >= record.absolute_end:",
        "        if False:",
        "tests/sessions_api",
    ),
    Defence(
        "no copy of the row is believed while the row changes",
        "sessions_api/flow.py",
        "        store.distrust_snapshot(user_id)",
        "        pass",
        "tests/sessions_api/test_snapshot.py tests/sessions_api/test_halfway.py",
    ),
    Defence(
        "a session's unsafe calls are checked for CSRF",
        "sessions_api/authentication.py",
        "            enforce_csrf(request._request)",
        "            pass",
        "tests/contract/test_csrf.py",
    ),
    Defence(
        "calls by cookie are checked for CSRF, login included",
        "accounts/contract/views.py",
        "        enforce_csrf(request._request)\n",
        "        pass\n",
        "tests/contract/test_csrf.py",
    ),
    Defence(
        "the use cases draw their own transactions",
        "accounts/contract/views.py",
        '@method_decorator(transaction.non_atomic_requests, name="dispatch")\n',
        "",
        "tests/jwt_api/test_families.py -k committed",
    ),
    Defence(
        "an epoch is never written from an instance",
        "accounts/models.py",
        '        update_fields = set(update_fields) - {"epoch"}',
        "        update_fields = set(update_fields)",
        "tests/accounts/test_models.py",
    ),
    Defence(
        "a raised epoch is higher than any before",
        "accounts/models.py",
        '    return Greatest(F("epoch") + 1, first_epoch())',
        '    return F("epoch") + 1',
        "tests/accounts/test_models.py",
    ),
    Defence(
        "deactivation raises the epoch",
        "accounts/models.py",
        "            if password_changed or deactivated:",
        "            if password_changed:",
        "tests/accounts/test_models.py",
    ),
    Defence(
        "X-Forwarded-For is believed of our own proxies only",
        "accounts/client_info.py",
        "    if proxies:",
        "    if True:",
        "tests/accounts/test_client_info.py tests/contract/test_throttling.py",
    ),
    Defence(
        "next stays on this host",
        "accounts/pages.py",
        '        return asked if ours else self.url("profile")',
        "        return asked",
        "tests/test_pages.py -k next",
    ),
    Defence(
        "nothing private is cached",
        "accounts/contract/views.py",
        '@method_decorator(never_cache, name="dispatch")\n@method_decorator(vary_on_headers',
        "@method_decorator(vary_on_headers",
        "tests/contract",
    ),
    Defence(
        "a purge waits for the leeway and a margin",
        "jwt_api/purge.py",
        "timedelta(seconds=settings.LEEWAY_SECONDS + MARGIN_SECONDS)",
        "timedelta()",
        "tests/jwt_api/test_purge.py -k unused",
    ),
    Defence(
        "a batch of the purge is one transaction",
        "jwt_api/purge.py",
        "    with transaction.atomic():\n        tokens =",
        "    if True:\n        tokens =",
        "tests/jwt_api/test_purge.py -k killed",
    ),
    Defence(
        "the purge waits for nobody",
        "jwt_api/purge.py",
        "select_for_update(skip_locked=True)",
        "select_for_update()",
        "--postgres tests/jwt_api/test_purge.py -k waits",
    ),
    Defence(
        "the purge finds what has expired by an index",
        "jwt_api/migrations/0003_token_by_expiry.py",
        "'CREATE INDEX IF NOT EXISTS jwt_api_token_by_expiry ON"
        " token_blacklist_outstandingtoken (expires_at)'",
        "'SELECT 1'",
        "tests/jwt_api/test_purge.py -k whole_table",
    ),
    Defence(
        "an index of sessions ends by itself",
        "sessions_api/store.py",
        "pipe.expire(index_name(user_id), settings.ABSOLUTE_SECONDS + REMEMBER_ENDED_SECONDS)",
        "pass",
        "tests/accounts/test_purge_auth.py -k nothing_is_left",
    ),
)


def project_without(defence: Defence, folder: Path) -> Path:
    """A copy of the project, without one defence."""
    copy = folder / "project"
    shutil.copytree(ROOT, copy, ignore=NOT_COPIED)
    file = copy / defence.file
    file.write_text(file.read_text().replace(defence.line, defence.without))
    return copy


def is_noticed(defence: Defence) -> bool:
    """Whether a test fails when the defence is gone; what cannot even run has noticed nothing."""
    with tempfile.TemporaryDirectory(prefix="authdemo-defence-") as folder:
        copy = project_without(defence, Path(folder))
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        environment = {**os.environ, "PYTHONPATH": "", "DJANGO_SETTINGS_MODULE": ""}
        del environment["DJANGO_SETTINGS_MODULE"], environment["PYTHONPATH"]
        run = subprocess.run(
            [*command, *defence.tests.split()],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode not in (0, 1):
            print(run.stdout[-2000:], run.stderr[-2000:])  # noqa: T201
        return run.returncode == 1 and "FAILED" in run.stdout


def main(words: list[str]) -> int:
    chosen = [d for d in DEFENCES if all(word in d.name for word in words)]
    unnoticed = 0
    for defence in chosen:
        noticed = is_noticed(defence)
        unnoticed += not noticed
        print(f"{'red' if noticed else 'NOT NOTICED':<12} {defence.name}", flush=True)  # noqa: T201
    print(f"{len(chosen) - unnoticed} of {len(chosen)} defences are missed by a test")  # noqa: T201
    return 1 if unnoticed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

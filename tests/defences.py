"""Does each defence have a test that goes red without it? This takes them out, one after the other.

    python -m tests.defences            # all of them: `make defences`
    python -m tests.defences grace      # those with "grace" in their names

Each is taken out of a copy of the project, and its tests are run there. Then it is put back, and
the test that failed has to pass. A defence that can go without a test noticing is a failure, and
so is a row whose tests fail anyhow, or cannot run. `tests/test_defences.py` holds the table to the
code.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

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


CHECKS = (
    ("accounts.E001", "all(map(is_hard_to_guess, secrets))", "True"),
    ("accounts.E002", "settings.LAB and public and not settings.DEBUG", "False"),
    ("accounts.E003", "min(lifetimes) > 0 and 0 <= settings.GRACE_SECONDS <= 30", "True"),
    ("accounts.E004", "cookies_are_safe() or may_do_without_https()", "True"),
    ("accounts.E005", '"*" in settings.ALLOWED_HOSTS and not settings.SITE_URL', "False"),
    ("accounts.W001", "not cookies_are_safe() and may_do_without_https()", "False"),
    ("sessions_api.E001", 'not options.get("SERIALIZER", "").endswith("JSONSerializer")', "False"),
    ("sessions_api.E002", 'options.get("IGNORE_EXCEPTIONS") or', "False and"),
    ("sessions_api.E003", 'settings.SESSION_CACHE_ALIAS == "default"', "False"),
    ("sessions_api.E004", "not all(wait and wait <= LONGEST_TIMEOUT for wait in waits)", "False"),
    ("sessions_api.E005", 'not alias.get("BACKEND", "").startswith("django_redis.")', "False"),
    ("sessions_api.E006", "if settings.SESSION_SAVE_EVERY_REQUEST:", "if False:"),
    ("sessions_api.E007", "if may_read_from_a_replica(alias):", "if False:"),
    ("jwt_api.E001", 'not apps.is_installed("rest_framework_simplejwt.token_blacklist")', "False"),
    ("jwt_api.E002", 'simple_jwt["ALGORITHM"] not in ALGORITHMS', "False"),
    ("jwt_api.E004", "settings.LEEWAY_SECONDS > 30", "False"),
    ("jwt_api.E005", 'simple_jwt.get("CHECK_REVOKE_TOKEN")', "False"),
    ("jwt_api.E006", "        ring()\n", "        pass\n"),
    ("jwt_api.E007", 'simple_jwt.get("SIGNING_KEY")\n', "False\n"),
    ("jwt_api.E010", "if settings.JWT_PROGRAM_AUDIENCE in others", "if False"),
    ("jwt_api.E011", "all(INTROSPECTION_CLIENT.fullmatch(client) for client in clients)", "True"),
)
"""What each system check looks for, and what finds nothing; E003 of jwt_api has a row below."""

DEFENCES = (
    Defence(
        "processes that start at once make one key",
        "jwt_api/keys.py",
        "key_files.next_number(after)",
        "key_files.next_number(key_files.files_in(directory))",
        "tests/jwt_api/test_keys.py -k since_we_looked",
    ),
    Defence(
        "a revoked token is shown its own login, and no other",
        "lab/views.py",
        "if each.device == device",
        "if each.device",
        "tests/lab/test_remembered.py -k no_other",
    ),
    Defence(
        "no report of an audit holds a cookie's secret",
        "lab/audit/both.py",
        """{cookie.OutputString().replace(cookie.coded_value, '…', 1)}""",
        """{cookie.OutputString()}""",
        "tests/lab/test_audit.py -k nothing_secret",
    ),
    Defence(
        "a call that names no scope is closed to limited credentials",
        "accounts/contract/views.py",
        "else [HasScope()]",
        "else []",
        "tests/jwt_api/test_programs.py -k opens",
    ),
    Defence(
        "a scope opens the method that it was named for",
        "accounts/contract/permissions.py",
        "return self.needed(request.method) in presented.scope",
        "return bool(presented.scope & set(self.scopes.values()))",
        "tests/jwt_api/test_programs.py -k opens",
    ),
    Defence(
        "no page is open to a limited credential",
        "accounts/pages.py",
        "if self.presented.scope is not None:",
        "if False:",
        "tests/jwt_api/test_programs.py -k no_page",
    ),
    Defence(
        "a program's token has no roles",
        "jwt_api/tokens.py",
        ' or "roles" in self.payload:',
        ":",
        "tests/jwt_api/test_programs.py -k no_token_of_a_program",
    ),
    Defence(
        "a program's token is looked up",
        "jwt_api/authentication.py",
        '        if row is None:\n            raise CredentialRevoked("program\'s token")\n',
        "        if row is None:\n            return token.scope\n",
        "tests/jwt_api/test_programs.py -k ended",
    ),
    Defence(
        "a program's row is of the user's epoch",
        "jwt_api/programs.py",
        '        epoch=token["epoch"],\n        user__epoch=F("epoch"),\n',
        "",
        "tests/jwt_api/test_introspection.py -k older_epoch",
    ),
    Defence(
        "the tokens of programs end with the epoch",
        "jwt_api/flow.py",
        "        programs.end_outdated(user_id)\n",
        "",
        "tests/jwt_api/test_programs.py -k ended",
    ),
    Defence(
        "a user ends their own programs only",
        "jwt_api/programs.py",
        "    return _end(live(user_id).filter(pk=device)) > 0",
        "    return _end(ProgramToken.objects.filter(pk=device)) > 0",
        "tests/jwt_api/test_programs.py -k nobody_else",
    ),
    Defence(
        "only its clients may ask about a token",
        "jwt_api/introspection.py",
        "    return any(found)",
        "    return True",
        "tests/jwt_api/test_introspection.py -k nobody",
    ),
    Defence(
        "introspection looks up the login",
        "jwt_api/introspection.py",
        '    return store.is_live(token.user_id, token.device, token["epoch"])',
        "    return True",
        "tests/jwt_api/test_introspection.py -k end_of_a_login",
    ),
    Defence(
        "introspection looks at the family's end",
        "jwt_api/store.py",
        "        user__is_active=True,\n        ended=None,\n    ).exists()",
        "        user__is_active=True,\n    ).exists()",
        "tests/jwt_api/test_introspection.py -k end_of_a_login",
    ),
    Defence(
        "introspection compares a login's epoch",
        "jwt_api/store.py",
        '        epoch=epoch,\n        user__epoch=F("epoch"),\n',
        "",
        "tests/jwt_api/test_introspection.py -k older_epoch",
    ),
    Defence(
        "a token in a URL is not introspected",
        "jwt_api/introspection.py",
        'request.POST.getlist("token")',
        '(request.POST or request.GET).getlist("token")',
        "tests/jwt_api/test_introspection.py -k url",
    ),
    Defence(
        "the verifier asks once per cool-down",
        "jwt_api/verifier/keys.py",
        "if self.clock() - self._asked_at < self.cooldown:",
        "if False:",
        "tests/jwt_api/test_verifier.py -k kids",
    ),
    Defence(
        "the cool-down counts from requests that failed, too",
        "jwt_api/verifier/keys.py",
        "            self._asked_at = self.clock()\n",
        "            fetch(self.url)\n            self._asked_at = self.clock()\n",
        "tests/jwt_api/test_verifier.py -k fails",
    ),
    Defence(
        "the verifier follows no redirect",
        "jwt_api/verifier/keys.py",
        "follow_redirects=False",
        "follow_redirects=True",
        "tests/jwt_api/test_verifier.py -k redirect",
    ),
    Defence(
        "the verifier's last good keys end some day",
        "jwt_api/verifier/keys.py",
        "if self._age() > self.keep:",
        "if False:",
        "tests/jwt_api/test_verifier.py -k for_ever",
    ),
    Defence(
        "the verifier uses a key for its algorithm only",
        "jwt_api/verifier/keys.py",
        'kind == (member.get("kty"), member.get("crv"))',
        "kind is not None",
        "tests/jwt_api/test_verifier.py -k verify_nothing",
    ),
    Defence(
        "the verifier takes access tokens only",
        "jwt_api/verifier/tokens.py",
        'not in ("at+jwt", "application/at+jwt"):',
        "is None:",
        "tests/jwt_api/test_verifier.py -k no_good_token",
    ),
    Defence(
        "the verifier takes tokens for one audience",
        "jwt_api/verifier/tokens.py",
        'options={"require": REQUIRED, "strict_aud": True},',
        'options={"require": REQUIRED},',
        "tests/jwt_api/test_verifier.py -k no_good_token",
    ),
    Defence(
        "the verifier asks for the scope",
        "jwt_api/verifier/app.py",
        "if SCOPE not in verified.scope:",
        "if False:",
        "tests/jwt_api/test_verifier.py -k scope",
    ),
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
        "    return grace > 0 and age < timedelta(seconds=grace + waited)",
        "    return True",
        "tests/jwt_api/test_families.py -k grace",
    ),
    Defence(
        "a grace of none is none, however long a request waits",
        "jwt_api/store.py",
        "grace > 0 and age",
        "age",
        "tests/contract/test_races.py -k without_grace_one_of",
    ),
    Defence(
        "what a request waits for the database is not counted against its grace",
        "jwt_api/store.py",
        "seconds=grace + waited",
        "seconds=grace",
        "tests/jwt_api/test_families.py -k waits_here",
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
        "tests/contract/test_restores.py -k jwt",
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
        """        check_algorithm(header, signer.algorithm)
        return jwt.decode(
            token,
            signer.public,
            algorithms=[signer.algorithm],
""",
        """        return jwt.decode(
            token,
            signer.public,
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
        "accounts/jws.py",
        " or TOKEN_TEXT.fullmatch(text) is None:",
        ":",
        "tests/jwt_api/test_tokens.py",
    ),
    Defence(
        "claims are looked at before anything uses them",
        "jwt_api/tokens.py",
        "        self.check_shape()\n",
        "",
        "tests/jwt_api/test_tokens.py",
    ),
    Defence(
        "a new key is published before it signs",
        "jwt_api/rotation.py",
        "        if (at := known_everywhere(key)) > time.time() and not force:",
        "        if (at := known_everywhere(key)) < 0:",
        "tests/jwt_api/test_rotation.py tests/jwt_api/test_keys.py",
    ),
    Defence(
        "a retired key stays for the tokens that it signed",
        "jwt_api/rotation.py",
        "if key.until <= time.time()]",
        "if True]",
        "tests/jwt_api/test_rotation.py -k longest",
    ),
    Defence(
        "a signer is tried before it signs",
        "jwt_api/rotation.py",
        "        _refuse_unless_it_signs(key)\n",
        "",
        "tests/jwt_api/test_hsm.py -k another_key",
    ),
    Defence(
        "two commands on the keys take turns",
        "jwt_api/manifest.py",
        "        locks.lock(file, locks.LOCK_EX)\n",
        "",
        "tests/jwt_api/test_rotation.py -k turns",
    ),
    Defence(
        "what time decides of a verified token is looked at every time",
        "jwt_api/verified.py",
        "    return token if _is_timely(token) else verify(text)",
        "    return token",
        "tests/jwt_api/test_verified.py -k refused",
    ),
    Defence(
        "a remembered token is refused before its time",
        "jwt_api/verified.py",
        " and begins <= now + leeway",
        "",
        "tests/jwt_api/test_verified.py -k before_its_time",
    ),
    Defence(
        "verified tokens are forgotten when a key is distrusted",
        "jwt_api/verified.py",
        "    return (ring(), *own,",
        "    return (*own,",
        "tests/jwt_api/test_verified.py -k distrust",
    ),
    Defence(
        "verified tokens are forgotten when the settings change",
        "jwt_api/verified.py",
        "    return (ring(), *own, *settings.SIMPLE_JWT.values())",
        "    return (ring(),)",
        "tests/jwt_api/test_verified.py -k settings",
    ),
    Defence(
        "a verification is remembered under what decided it",
        "jwt_api/verified.py",
        "        kept = _kept = _Kept(conditions, verify)\n    token = kept.verify(text)",
        "        kept = _kept = _Kept(conditions, verify)\n    token = kept.verify(text)\n"
        "    kept.conditions = _conditions()",
        "tests/jwt_api/test_verified.py -k overtakes",
    ),
    Defence(
        "the memory of verified tokens is bounded",
        "jwt_api/verified.py",
        "lru_cache(maxsize=MOST_VERIFIED)",
        "lru_cache(maxsize=None)",
        "tests/jwt_api/test_verified.py -k bounded",
    ),
    Defence(
        "a token is remembered by its whole text",
        "jwt_api/verified.py",
        "    token = kept.verify(text)",
        "    signed = kept.__dict__.setdefault(text.rpartition(b'.')[0], text)\n"
        "    token = kept.verify(signed)",
        "tests/jwt_api/test_verified.py -k character",
    ),
    Defence(
        "remembered claims cannot be changed",
        "jwt_api/verified.py",
        "    token.payload = MappingProxyType(token.payload)",
        "    token.payload = dict(token.payload)",
        "tests/jwt_api/test_verified.py -k claims",
    ),
    Defence(
        "a folder of keys that has just changed is listed again",
        "jwt_api/key_files.py",
        " or not known.is_settled",
        "",
        "tests/jwt_api/test_verified.py -k step",
    ),
    Defence(
        "a folder of keys that has changed is listed again",
        "jwt_api/key_files.py",
        " or known.stamp != stamp",
        "",
        "tests/jwt_api/test_verified.py -k settled",
    ),
    Defence(
        "a distrusted key is remembered",
        "jwt_api/keys.py",
        "if row[2].kid not in manifest.distrusted]",
        "if True]",
        "tests/jwt_api/test_rotation.py -k distrusted",
    ),
    Defence(
        "a key is distrusted before its file goes",
        "jwt_api/rotation.py",
        "        manifest.distrusted[kid] = time.time()\n        manifest.write(directory)\n",
        "        manifest.distrusted[kid] = time.time()\n",
        "tests/jwt_api/test_rotation.py -k distrusted",
    ),
    Defence(
        "one key is not in two files",
        "jwt_api/keys.py",
        "    if len({signer.kid for _, _, signer in read}) < len(read):",
        "    if False:",
        "tests/jwt_api/test_keys.py -k two_files",
    ),
    Defence(
        "a key that others can read is refused",
        "jwt_api/key_files.py",
        "    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):",
        "    if False:",
        "tests/jwt_api/test_keys.py -k open_to_others",
    ),
    Defence(
        "a debug page shows no private key",
        "jwt_api/key_files.py",
        "        problem = str(error)\n",
        '        raise ImproperlyConfigured(f"{name} is not {error}.") from error\n',
        "tests/jwt_api/test_keys.py -k fit",
    ),
    Defence(
        "others cannot add a key",
        "jwt_api/key_files.py",
        "    if path.parent.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):",
        "    if False:",
        "tests/jwt_api/test_keys.py -k folder",
    ),
    Defence(
        "only keys that may sign are keys",
        "jwt_api/signers.py",
        " and isinstance(public.curve, ec.SECP256R1):",
        ":",
        "tests/jwt_api/test_keys.py -k fit",
    ),
    Defence(
        "a short RSA key is refused",
        "jwt_api/signers.py",
        " and public.key_size >= LEAST_RSA_BITS:",
        ":",
        "tests/jwt_api/test_keys.py -k fit",
    ),
    Defence(
        "a broken manifest is refused",
        "jwt_api/manifest.py",
        """        except (ValueError, TypeError, AttributeError) as error:
            raise ImproperlyConfigured(f"{MANIFEST} is not what `keys` has written.") from error
""",
        """        except (ValueError, TypeError, AttributeError):
            return cls()
""",
        "tests/jwt_api/test_keys.py -k manifest",
    ),
    Defence(
        "threads take turns at the HSM",
        "jwt_api/hsm.py",
        "        with _turn:\n            return self._signature(",
        "        if True:\n            return self._signature(",
        "tests/jwt_api/test_hsm.py -k threads",
    ),
    Defence(
        "a private key cannot be taken out of the HSM",
        "jwt_api/hsm.py",
        "Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False",
        "Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True",
        "tests/jwt_api/test_hsm.py -k leaves",
    ),
    Defence(
        "a forked child talks to the HSM by itself",
        "jwt_api/hsm.py",
        "    here = (os.getpid(), token)\n    if here not in _sessions:",
        "    here = (0, token)\n    if here not in _sessions:",
        "tests/jwt_api/test_hsm.py -k forked",
    ),
    Defence(
        "a write never brings a session back",
        "sessions_api/store.py",
        "            pipe.set(name, record.encode(), xx=True, keepttl=True)\n"
        "            written, answers = execute_if_unchanged(client, pipe, {name: raw})",
        "            pipe.set(name, record.encode(), ex=1000)\n"
        '            written, answers = execute_if_unchanged(client, pipe, {"unrelated": None})',
        "tests/sessions_api/test_races.py -k write",
    ),
    Defence(
        "a use is noted only of a record that is as it was read",
        "sessions_api/store.py",
        "touched, _ = execute_if_unchanged(client, pipe, {name: raw})",
        'touched, _ = execute_if_unchanged(client, pipe, {"unrelated": None})',
        "tests/sessions_api/test_races.py -k touch",
    ),
    Defence(
        "a refresh goes on only with a record that is as it was read",
        "sessions_api/store.py",
        "read = dict(zip(names, held, strict=True))",
        "read = {names[1]: held[1]}",
        "tests/sessions_api/test_races.py -k inside_of_a_refresh",
    ),
    Defence(
        "what was changed meanwhile is not overwritten",
        "accounts/if_unchanged.py",
        "then return {0, held} end",
        "then end",
        "tests/accounts/test_if_unchanged.py",
    ),
    Defence(
        "a transaction that the database undid is run again",
        "jwt_api/store.py",
        "MOST_TRIES = 40",
        "MOST_TRIES = 1",
        "--postgres tests/jwt_api/test_races.py tests/contract/test_races.py -k conflict",
    ),
    Defence(
        "a claim is one transaction",
        "jwt_api/store.py",
        "    with transaction.atomic():\n        outstanding = _write_outstanding(family, token)\n"
        "        # Surprise",
        "    if True:\n        outstanding = _write_outstanding(family, token)\n        # Surprise",
        "tests/contract/test_killed_workers.py -k jwt",
    ),
    Defence(
        "a reused family and its event are one transaction",
        "jwt_api/flow.py",
        "        with transaction.atomic():\n            if not store.end_family(device",
        "        if True:\n            if not store.end_family(device",
        "tests/contract/test_killed_workers.py -k reuse",
    ),
    Defence(
        "a refreshed session has one successor",
        "sessions_api/records.py",
        '    return f"{user_id}.{_base64(mac)}"',
        '    return f"{user_id}.{secrets.token_urlsafe(32)}"',
        "tests/contract/test_races.py -k parallel",
    ),
    Defence(
        "a logout looks again when a refresh came in between",
        "sessions_api/store.py",
        "redis().transaction(drop, index, value_from_callable=True)",
        'redis().transaction(drop, "unrelated", value_from_callable=True)',
        "tests/sessions_api/test_races.py",
    ),
    Defence(
        "a write that was overtaken by a logout is a clean 401",
        "sessions_api/middleware.py",
        "        except SessionInterrupted:",
        "        except ZeroDivisionError:",
        "tests/sessions_api/test_races.py -k over_http",
    ),
    Defence(
        "who reads the row compares the epoch",
        "accounts/lifecycle.py",
        " or user.epoch != presented.epoch:",
        ":",
        "tests/contract/test_races.py -k racing_logins",
    ),
    Defence(
        "a password change raises the epoch",
        "accounts/models.py",
        "            if password_changed or deactivated:",
        "            if deactivated:",
        "tests/contract/test_races.py -k password",
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
        " or not snapshot.admits(record.epoch):",
        ":",
        "tests/sessions_api/test_races.py tests/sessions_api/test_snapshot.py",
    ),
    Defence(
        "another tab keeps its grace beside fifty devices",
        "sessions_api/store.py",
        '        live = f"({now + settings.GRACE_SECONDS}"',
        '        live = f"({now}"',
        "tests/sessions_api/test_store.py -k another_tab",
    ),
    Defence(
        "an ended login is put on the denylist",
        "jwt_api/store.py",
        "        denylist.add(denied, must=deny)\n",
        "",
        "tests/jwt_api/test_revocation.py -k ended_at_once",
    ),
    Defence(
        "a logout that the denylist did not take has not happened",
        "jwt_api/denylist.py",
        "        if must:\n            raise StoreUnavailable",
        "        if False:\n            raise StoreUnavailable",
        "tests/jwt_api/test_revocation.py -k redis_does_not_take",
    ),
    Defence(
        "a strategy that asks nobody takes nothing from a site that does",
        "jwt_api/denylist.py",
        "    must = must or is_relied_on()\n",
        "",
        "tests/jwt_api/test_revocation.py -k relies_on_the_list",
    ),
    Defence(
        "once a change of a row is done, the denylist says what came of it",
        "jwt_api/flow.py",
        "        denylist.user_changed(user_id)\n",
        "        pass\n",
        "tests/jwt_api/test_revocation.py -k role",
    ),
    Defence(
        "while the row changes the row itself is asked",
        "jwt_api/flow.py",
        "        denylist.user_changing(user_id)\n",
        "        pass\n",
        "tests/jwt_api/test_revocation.py -k between",
    ),
    Defence(
        "tokens from before the denylist are looked up",
        "jwt_api/revocation.py",
        '    if token["iat"] <= _moment(since) + settings.LEEWAY_SECONDS:',
        "    if False:",
        "tests/jwt_api/test_revocation.py -k emptied",
    ),
    Defence(
        "a denylist that cannot be asked lets nobody in",
        "jwt_api/revocation.py",
        '        if settings.JWT_REVOCATION_OUTAGE == "accept":',
        "        if True:",
        "tests/jwt_api/test_revocation.py -k away",
    ),
    Defence(
        "an ended program is put on the denylist",
        "jwt_api/programs.py",
        "            denylist.add([(row.user_id, row.pk)], seconds=seconds)\n",
        "            pass\n",
        "tests/jwt_api/test_revocation.py -k program",
    ),
    Defence(
        "access tokens that live long need a denylist",
        "jwt_api/checks.py",
        "> 900 and not is_revocable:",
        "> 900 and False:",
        "tests/accounts/test_checks.py",
    ),
    Defence(
        "a program's token in the cookie of the lab opens nothing",
        "lab/strategies/jwt_in_cookie.py",
        "        if isinstance(token, ProgramAccessToken):\n",
        "        if False:\n",
        "tests/lab/test_strategies.py -k programs_token",
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
        "suspicion: a session that is used elsewhere is ended",
        "sessions_api/engine.py",
        "        if verdict is not None and verdict.action.ends:",
        "        if False:",
        "tests/contract/test_suspicion.py -k theft",
    ),
    Defence(
        "suspicion: a family that is used elsewhere is ended",
        "jwt_api/store.py",
        "    if verdict.action.ends:\n        raise Suspected",
        "    if False:\n        raise Suspected",
        "tests/contract/test_suspicion.py -k theft",
    ),
    Defence(
        "suspicion: the grace is judged as well",
        "jwt_api/store.py",
        "            _judge(family, use)\n",
        "",
        "tests/contract/test_suspicion.py -k grace",
    ),
    Defence(
        "suspicion: an odd use of a session is told once",
        "sessions_api/engine.py",
        "        if store.touch(session_id, raw, record):\n",
        "        store.touch(session_id, raw, record)\n        if True:\n",
        "tests/contract/test_suspicion_races.py -k told_once",
    ),
    Defence(
        "suspicion: the end of a session is told once",
        "sessions_api/engine.py",
        "        if ends_all or store.end_sessions(",
        "        if True or store.end_sessions(",
        "tests/contract/test_suspicion_races.py -k told_once",
    ),
    Defence(
        "suspicion: an end of everything is made once",
        "accounts/suspicion/consequences.py",
        ".filter(pk=user_id, epoch=epoch).first()",
        ".filter(pk=user_id).first()",
        "tests/contract/test_suspicion_races.py -k made_once",
    ),
    Defence(
        "suspicion: what was told is not told again",
        "accounts/suspicion/policy.py",
        "news = found.keys() - told.keys()",
        "news = found.keys()",
        "tests/accounts/test_suspicion.py",
    ),
    Defence(
        "suspicion: what was told still counts",
        "accounts/suspicion/policy.py",
        "if rule.name in news or rule.name in told]",
        "if rule.name in news]",
        "tests/accounts/test_suspicion.py",
    ),
    Defence(
        "suspicion: two who share a login cause no write storm",
        "accounts/suspicion/policy.py",
        "quiet=TwoPlaces.name in told",
        "quiet=False",
        "tests/accounts/test_suspicion.py tests/contract/test_suspicion.py -k share",
    ),
    Defence(
        "suspicion: the other protocol excuses no other browser",
        "accounts/suspicion/rules.py",
        "    return comes_first and is_known_browser(before, now)",
        "    return comes_first",
        "tests/accounts/test_suspicion.py tests/contract/test_suspicion.py -k ipv6",
    ),
    Defence(
        "suspicion: a history of another shape counts for nothing",
        "accounts/suspicion/history.py",
        "return cls((first, *since[-MOST:]), told) if well_typed else cls((first,))",
        "return cls((first, *since[-MOST:]), told)",
        "tests/accounts/test_suspicion.py -k is_none",
    ),
    Defence(
        "suspicion: a mail that cannot be sent is an operator's line",
        "accounts/mail.py",
        '        security_log.problem("mail_not_sent", cause=error.log_reason)',
        "        pass",
        "tests/accounts/test_suspicion.py -k mail",
    ),
    Defence(
        "login: an attempt is counted before it is hashed",
        "accounts/backends.py",
        "        claims = claim_attempt(request, username)\n",
        "        claims: list = []\n",
        "tests/accounts/test_login_doors.py -k at_every_door_reach",
    ),
    Defence(
        "login: counting cannot be overtaken",
        "accounts/throttling.py",
        "        _, count, milliseconds = pipeline.execute()\n",
        '        count = int(get_redis_connection("auth").get(limit.key) or 0) + 1\n'
        "        milliseconds = pipeline.execute()[2]\n",
        "tests/accounts/test_login_doors.py -k at_once",
    ),
    Defence(
        "login: trying on does not move the window's end",
        "accounts/throttling.py",
        "    if count > limit.most:\n",
        '    get_redis_connection("auth").expire(limit.key, settings.LOGIN_LIMIT_SECONDS)\n'
        "    if count > limit.most:\n",
        "tests/contract/test_throttling.py -k longer",
    ),
    Defence(
        "login: who is refused moves no counter but its own",
        "accounts/throttling.py",
        "for limit in limits(request, username)]",
        "for limit in reversed(limits(request, username))]",
        "tests/contract/test_known_devices.py -k use",
    ),
    Defence(
        "login: what is given back belongs to its window",
        "accounts/throttling.py",
        "            if claim.until > soon:\n",
        "            if True:\n",
        "tests/accounts/test_login_doors.py -k given_back",
    ),
    Defence(
        "login: a known device has attempts of its own",
        "accounts/throttling.py",
        "    if device is not None:\n",
        "    if device is None and not username:\n",
        "tests/contract/test_known_devices.py",
    ),
    Defence(
        "login: all known devices of an account have a limit together",
        "accounts/throttling.py",
        "settings.LOGIN_LIMIT_ACCOUNT * KNOWN_DEVICES_AT_ONCE,",
        "settings.LOGIN_LIMIT_ACCOUNT * KNOWN_DEVICES_AT_ONCE * 100,",
        "tests/contract/test_known_devices.py -k thousand",
    ),
    Defence(
        "login: a known device is known to one account",
        "accounts/known_devices.py",
        '    account = sha256(username.encode(errors="replace")).hexdigest()\n',
        '    account = ""\n',
        "tests/accounts/test_known_devices.py",
    ),
    Defence(
        "login: it is known to this account's very spelling",
        "accounts/known_devices.py",
        "sha256(username.encode(",
        "sha256(username.strip().casefold().encode(",
        "tests/accounts/test_known_devices.py",
    ),
    Defence(
        "login: a known device is forgotten after a while",
        "accounts/known_devices.py",
        "unsign(text, max_age=settings.KNOWN_DEVICE_SECONDS)",
        "unsign(text)",
        "tests/accounts/test_known_devices.py",
    ),
    Defence(
        "login: each one has another number",
        "accounts/known_devices.py",
        ".sign(secrets.token_urlsafe(16))",
        '.sign("x" * 22)',
        "tests/contract/test_known_devices.py -k parts",
    ),
    Defence(
        "login: the API makes the browser known",
        "accounts/contract/views.py",
        "        remember_device(response, user.username)\n",
        "",
        "tests/contract/test_known_devices.py -k strangers",
    ),
    Defence(
        "login: the page makes the browser known",
        "accounts/pages.py",
        "        remember_device(response, user.username)\n",
        "",
        "tests/accounts/test_login_doors.py -k known_at_every_door",
    ),
    Defence(
        "login: an unknown user's password is hashed too",
        "accounts/backends.py",
        "            User().set_password(password)\n",
        "",
        "tests/accounts/test_login_doors.py -k learns",
    ),
    Defence(
        "login: an inactive user's password is not checked",
        "accounts/backends.py",
        "        if user is None or not self.user_can_authenticate(user):\n            # Hashed",
        "        if user is not None and not self.user_can_authenticate(user):\n"
        "            user.check_password(password)\n"
        "            return None\n"
        "        if user is None:\n"
        "            # Hashed",
        "tests/accounts/test_login_doors.py -k learns",
    ),
    Defence(
        "login: the asynchronous way in is counted",
        "accounts/backends.py",
        "    aauthenticate = sync_to_async(authenticate)\n",
        "",
        "tests/accounts/test_login_doors.py -k asynchronous",
    ),
    Defence(
        "login: a page bounds a password before it is hashed",
        "accounts/pages.py",
        '"autocapitalize": "none"}),\n'
        "    )\n"
        "    password = forms.CharField(\n"
        "        max_length=1024,",
        '"autocapitalize": "none"}),\n    )\n    password = forms.CharField(',
        "tests/accounts/test_login_doors.py -k cannot_be_right",
    ),
    Defence(
        "login: a page says how long to wait",
        "accounts/pages.py",
        '        response["Retry-After"] = str(refusal.wait)\n',
        "",
        "tests/accounts/test_login_doors.py -k how_long",
    ),
    Defence(
        "login: what cannot be read is a 400",
        "authdemo/urls.py",
        'handler400 = "accounts.pages.bad_request"\n',
        "",
        "tests/accounts/test_login_doors.py -k csrf_check",
    ),
    Defence(
        "a request is read as UTF-8",
        "authdemo/handlers.py",
        "    request_class = Utf8WSGIRequest\n",
        "    pass\n",
        "tests/test_handlers.py",
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
        "tests/contract/test_cookies.py tests/contract/test_me.py",
    ),
    Defence(
        "a cookie of ours comes once",
        "accounts/cookies.py",
        '        if is_tossed(request.META.get("HTTP_COOKIE", "")):',
        "        if False:",
        "tests/contract/test_cookie_tossing.py",
    ),
    Defence(
        "a cookie in disguise is not taken for ours",
        "accounts/cookies.py",
        "    doubtful = often | disguised",
        "    doubtful = often",
        "tests/contract/test_cookie_tossing.py -k disguise",
    ),
    Defence(
        "an access token comes in one way",
        "jwt_api/authentication.py",
        '        if "access_token" in request.query_params or "access_token" in _form_of(request):',
        "        if False:",
        "tests/jwt_api/test_bearer.py",
    ),
    Defence(
        "a wrong method is told before anything is asked",
        "accounts/contract/views.py",
        "        if request.method not in self.allowed_methods and not is_page:",
        "        if False:",
        "tests/contract/test_hostile_input.py -k 405",
    ),
    Defence(
        "a body that is not JSON reaches no call",
        "accounts/contract/views.py",
        "            _ = request.data",
        "            pass",
        "tests/contract/test_hostile_input.py -k reaches_no_call",
    ),
    Defence(
        "a name in JSON comes once",
        "accounts/contract/parsers.py",
        "    if len(found) != len(pairs):",
        "    if False:",
        "tests/contract/test_hostile_input.py -k reaches_no_call",
    ),
    Defence(
        "brackets do not exhaust the stack",
        "accounts/contract/parsers.py",
        "        except (ValueError, RecursionError) as error:",
        "        except ValueError as error:",
        "tests/contract/test_bad_input.py -k deep",
    ),
    Defence(
        "a body that cannot be read does not log out everywhere",
        "accounts/pages.py",
        '        if "everywhere" in request.POST:',
        "        if not device:",
        "tests/contract/test_hostile_input.py -k page_takes_no_body",
    ),
    Defence(
        "the schema refuses in JSON as well",
        "accounts/contract/errors.py",
        "    answer_as_json(request)\n",
        "",
        "tests/contract/test_hostile_input.py -k other_formats",
    ),
    Defence(
        "what is refused before a view is refused in the same form",
        "authdemo/urls.py",
        'handler400 = "accounts.pages.bad_request"\n',
        "",
        "tests/contract/test_hostile_input.py -k host_that_is_not_ours",
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
        "refused attempts do not fill the audit trail",
        "accounts/lifecycle.py",
        ", store=throttled.is_first)",
        ")",
        "tests/contract/test_audit.py -k many",
    ),
    Defence(
        "an answer to HEAD has no body that the next answer could begin with",
        "authdemo/web_server.py",
        "        without_body_for_head(load_application()),",
        "        load_application(),",
        "tests/contract/test_live.py -k waitress",
    ),
    Defence(
        "keys: every key can be named to the command that distrusts it",
        "jwt_api/management/commands/keys.py",
        'prefix_chars="+",',
        "",
        "tests/jwt_api/test_rotation.py -k begins_like",
    ),
    Defence(
        "the purge waits for nobody",
        "accounts/purge.py",
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
    Defence(
        "the grace is measured by one clock",
        "jwt_api/store.py",
        "age = abs(family.read_at - family.rotated)",
        "age = timezone.now() - family.rotated",
        "tests/contract/test_clock_steps.py -k tab",
    ),
    Defence(
        "what the database's clock calls expired is expired",
        "jwt_api/store.py",
        'if family.read_at.timestamp() > token["exp"] + settings.LEEWAY_SECONDS:',
        "if False:",
        "tests/contract/test_clock_steps.py -k over",
    ),
    Defence(
        "a login that failed keeps the CSRF secret",
        "accounts/contract/errors.py",
        '    request.META["CSRF_COOKIE_NEEDS_UPDATE"] = False',
        "    pass",
        "tests/contract/test_store_outage.py -k database_takes_no_writes",
    ),
    Defence(
        "SQLite's lock is not waited for longer than promised",
        "authdemo/settings.py",
        '"timeout": DATABASE_TIMEOUT_SECONDS,',
        '"timeout": 10,',
        "tests/contract/test_outage_times.py -k waits_for_the_database",
    ),
    Defence(
        "commands do not wait for PostgreSQL's locks without end either",
        "authdemo/settings.py",
        "-c lock_timeout={_DATABASE_TIMEOUT_MS}",
        "-c lock_timeout=0",
        "tests/test_settings.py -k database_is_not_waited",
    ),
    Defence(
        "a PostgreSQL that stands still is not waited for without end",
        "authdemo/postgresql/base.py",
        '{"timeout": kept.seconds} | named',
        "named",
        "--postgres --timeout=20 tests/contract/test_store_outage.py -k stands_still",
    ),
    Defence(
        "who has waited for PostgreSQL in vain does not wait once more",
        "authdemo/postgresql/base.py",
        "if (kept := left()) and kept.is_over:",
        "if (kept := left()) and False:",
        "--postgres tests/contract/test_store_outage.py -k stands_still",
    ),
    Defence(
        "a server error costs nobody the session cookie",
        "sessions_api/middleware.py",
        "if response.status_code >= 500:",
        "if False:",
        "tests/sessions_api/test_engine.py -k failed_logout",
    ),
    Defence(
        "a late answer does not delete the cookie that another tab has set",
        "sessions_api/engine.py",
        "return self._flushed and super().is_empty()",
        "return super().is_empty()",
        "tests/sessions_api/test_engine.py -k old_id",
    ),
    Defence(
        "an event that could not be stored says so",
        "accounts/audit.py",
        "tell(stored=False)",
        "tell()",
        "tests/contract/test_security_log.py -k could_not_be_stored",
    ),
    Defence(
        "a body has 64 kB at most",
        "authdemo/settings.py",
        "DATA_UPLOAD_MAX_MEMORY_SIZE = 65536",
        "DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440",
        "tests/contract/test_bad_input.py -k beyond_all_need",
    ),
    Defence(
        "log: what is shaped like a secret is taken out of every line",
        "accounts/log_format.py",
        'SECRET_SHAPED.sub("…", text)',
        "text",
        "tests/accounts/test_log_format.py -k taken_out",
    ),
    Defence(
        "log: so are query strings",
        "accounts/log_format.py",
        'QUERY_STRING.sub("?…", LOGIN_IN_URL.sub("://…@", text))',
        'LOGIN_IN_URL.sub("://…@", text)',
        "tests/accounts/test_log_format.py",
    ),
    Defence(
        "log: and logins in URLs",
        "accounts/log_format.py",
        'LOGIN_IN_URL.sub("://…@", text)',
        "text",
        "tests/accounts/test_log_format.py",
    ),
    Defence(
        "log: and what would forge another line",
        "accounts/log_format.py",
        'CONTROL.sub("�", ',
        "(",
        "tests/accounts/test_log_format.py -k forge",
    ),
    Defence(
        "log: every line passes through that",
        "accounts/log_format.py",
        "            _hide_secrets,\n",
        "",
        "tests/contract/test_security_log.py tests/accounts/test_log_format.py",
    ),
    Defence(
        "log: a traceback quotes nothing",
        "accounts/log_format.py",
        "if isinstance(cause, ImproperlyConfigured):",
        "if True:",
        "tests/accounts/test_log_format.py -k traceback",
    ),
    Defence(
        "log: an event has its device as a keyed digest",
        "accounts/security_log.py",
        "device=hashed_device(device), cause",
        "device=device, cause",
        "tests/contract/test_security_log.py -k one_line",
    ),
    Defence(
        "log: a refusal has its device as a keyed digest",
        "accounts/security_log.py",
        'hashed_device(getattr(presented, "device", ""))',
        'getattr(presented, "device", "")',
        "tests/contract/test_security_log.py",
    ),
    Defence(
        "a lab that others can call has no cookies in clear",
        "accounts/checks.py",
        "(settings.LAB and not set(settings.ALLOWED_HOSTS) - LOOPBACK)",
        "settings.LAB",
        "tests/accounts/test_checks.py -k everybody_may_not",
    ),
    *(
        Defence(
            f"check: {check}",
            f"{check.partition('.')[0]}/checks.py",
            line,
            without,
            "tests/accounts/test_checks.py -k refused_by_name",
        )
        for check, line, without in CHECKS
    ),
    Defence(
        "Redis is not waited for without end",
        "authdemo/settings.py",
        '"SOCKET_TIMEOUT": REDIS_TIMEOUT_SECONDS,',
        '"SOCKET_TIMEOUT": 10,',
        "tests/contract/test_outage_times.py -k stalled",
    ),
    Defence(
        "what Redis was told outlives its process",
        "authdemo/redis_supervisor.py",
        '"--appendfsync", "no"',
        '"--appendfsync", "everysec"',
        "tests/sessions_api/test_outage.py -k killed",
    ),
    Defence(
        "mail: a link is of its own type",
        "accounts/links.py",
        '    if jwt.get_unverified_header(text) != {"typ": TYP, "alg": ALGORITHM}:\n',
        "    if False:\n",
        "tests/accounts/test_links.py -k refused",
    ),
    Defence(
        "mail: a link is good for one thing",
        "accounts/links.py",
        '"strict_aud": True}',
        '"verify_aud": False}',
        "tests/accounts/test_links.py",
    ),
    Defence(
        "mail: links have a key of their own",
        "accounts/links.py",
        '    return salted_hmac("accounts.links.key", "link", secret=secret, '
        'algorithm="sha256").digest()\n',
        "    return secret.encode()\n",
        "tests/accounts/test_links.py -k itself",
    ),
    Defence(
        "mail: a link's claims have the shape that we give them",
        "accounts/links.py",
        "    if not _well_formed(claims):\n",
        "    if False:\n",
        "tests/accounts/test_links.py -k refused",
    ),
    Defence(
        "mail: a link is bound to what it was made for",
        "accounts/links.py",
        " or not _fits(link, user):\n",
        ":\n",
        "tests/accounts/test_by_mail.py -k ends_with",
    ),
    Defence(
        "mail: an address that is changed there and back ends a link too",
        "accounts/links.py",
        "user.email, user.email_verified, user.epoch)",
        "user.email, user.epoch)",
        "tests/accounts/test_by_mail.py -k ends_with",
    ),
    Defence(
        "mail: of two clicks at once one finds the row as the link knew it",
        "accounts/by_mail.py",
        "        epoch=user.epoch,\n"
        "        username=user.username,\n"
        "        email=user.email,\n"
        "        email_verified=user.email_verified,\n",
        "",
        "tests/accounts/test_by_mail.py -k at_once_one_wins",
    ),
    Defence(
        "mail: an address without an account gets a mail as well",
        "accounts/by_mail.py",
        "        linked = user or User()",
        "        if user is None:\n            return\n        linked = user or User()",
        "tests/accounts/test_by_mail.py -k learns",
    ),
    Defence(
        "mail: a reset goes to the address in the row",
        "accounts/by_mail.py",
        "user.email if user else address, token)",
        "address, token)",
        "tests/accounts/test_by_mail.py -k in_the_row",
    ),
    Defence(
        "mail: a new password ends every login",
        "accounts/by_mail.py",
        "unchanged(user).update(password=hashed, email_verified=now())",
        "models.QuerySet.update(unchanged(user), password=hashed, email_verified=now())",
        "tests/accounts/test_by_mail.py -k ends_every",
    ),
    Defence(
        "mail: mails are counted",
        "accounts/by_mail.py",
        "    claims = claim_mail(request, address)\n",
        "    claims: list[Any] = []\n",
        "tests/accounts/test_by_mail.py -k limit",
    ),
    Defence(
        "mail: an address is written in ASCII",
        "accounts/mail_forms.py",
        "        if not address.isascii():\n",
        "        if False:\n",
        "tests/accounts/test_by_mail.py -k no_address",
    ),
    Defence(
        "mail: a link is fetched without being used",
        "accounts/link_pages.py",
        "        return self.show(self.form(self.user_of(link)), link, token)\n",
        '        values = {"new_password": token, "display_name": ""}\n'
        "        return self.use(link, self.user_of(link), values)\n",
        "tests/accounts/test_by_mail.py -k scanner",
    ),
    Defence(
        "mail: a link of somebody else is refused",
        "accounts/link_pages.py",
        "        if visitor is not None and visitor != user.pk:\n",
        "        if False:\n",
        "tests/contract/test_by_mail.py -k another_user",
    ),
    Defence(
        "mail: the page of a link tells nobody its address",
        "accounts/link_pages.py",
        '        response["Referrer-Policy"] = "strict-origin"\n',
        "",
        "tests/accounts/test_by_mail.py -k kept_nowhere",
    ),
    Defence(
        "mail: links begin with the site's address, whatever a request says",
        "accounts/mail.py",
        "    return settings.SITE_URL or f",
        "    return f",
        "tests/accounts/test_by_mail.py -k lead_where",
    ),
    Defence(
        "mail: the folder of the mails is private",
        "accounts/mail.py",
        "mkdir(mode=0o700, parents=True",
        "mkdir(parents=True",
        "tests/lab/test_mailbox.py -k clicked",
    ),
    Defence(
        "benchmark: words of a report are no HTML in the docs",
        "lab/benchmark/documents.py",
        '        ("<", "&lt;"),',
        "",
        "tests/lab/test_benchmark_docs.py -k no_html",
    ),
    Defence(
        "benchmark: words of a report are no HTML on its page",
        "lab/benchmark/page.py",
        'return render_to_string("lab/benchmark/report.html", context)',
        'import html; return html.unescape(render_to_string("lab/benchmark/report.html", context))',
        "tests/lab/test_report.py -k no_page",
    ),
    Defence(
        "benchmark: words of a report are no markup in the terminal",
        "lab/benchmark/report.py",
        "shown.add_row(*map(escape, line))",
        "shown.add_row(*line)",
        "tests/lab/test_report.py -k markup",
    ),
    Defence(
        "attacks: what is shown of a request has no whole secret in it",
        "lab/attacks/evidence.py",
        '    short = OPAQUE.sub(lambda found: f"{found[0][:LEFT_OF_IT]}…", text)',
        "    short = text",
        "tests/lab/test_attacks.py -k shortened",
    ),
    Defence(
        "attacks: a page starts what is in the catalogue, and nothing that a visitor wrote",
        "lab/attacks/page.py",
        "if not any(each.key == attack and strategy in each.expected for each in ATTACKS):",
        "if False:",
        "tests/lab/test_attacks_page.py -k refused",
    ),
    Defence(
        "attacks: a page starts one at a time",
        "lab/attacks/page.py",
        "        if not running.start(attack, strategy):",
        "        if running.start(attack, strategy) and False:",
        "tests/lab/test_attacks_page.py -k refused",
    ),
    Defence(
        "an access token in a cookie is CSRF-checked",
        "lab/strategies/jwt_in_cookie.py",
        "            enforce_csrf(request._request)",
        "            pass",
        "tests/lab/test_strategies.py -k another_site",
    ),
    Defence(
        "a session in SQL is CSRF-checked",
        "lab/strategies/database_sessions.py",
        "            enforce_csrf(request._request)",
        "            pass",
        "tests/lab/test_strategies.py -k another_site",
    ),
    Defence(
        "a session in SQL ends with its user's epoch",
        "lab/strategies/database_sessions.py",
        "or user.epoch != record.epoch:",
        "or False:",
        "tests/lab/test_database_sessions.py -k lab_was_off",
    ),
    Defence(
        "no late use of a session in SQL brings it back",
        "lab/strategies/database_sessions.py",
        "DatabaseSession.objects.filter(pk=digest_of(session_id), ended=None).update(",
        "DatabaseSession.objects.filter(pk=digest_of(session_id)).update(",
        "tests/lab/test_database_sessions.py -k under_way",
    ),
    Defence(
        "the naive token has an audience of its own",
        "lab/strategies/naive_jwt.py",
        'return "lab-naive"',
        "return super().audience",
        "tests/lab/test_strategies.py -k naive",
    ),
    Defence(
        "a device list and a logout-all ask every flow that keeps logins",
        "accounts/contract/registry.py",
        "return (*flows(), *(flow for flow, is_on in _beside.values() if is_on()))",
        "return flows()",
        "tests/lab/test_strategies.py",
    ),
    Defence(
        "the lab's flow is asked only while the lab is on",
        "lab/apps.py",
        "is_on=lambda: settings.LAB",
        "is_on=lambda: True",
        "tests/lab/test_strategies.py -k store_of_its_own",
    ),
    Defence(
        "quick reads: a connection with something left to be read is not used",
        "accounts/redis_client.py",
        "if not connection.can_read():",
        "if True:",
        "tests/accounts/test_redis_client.py -k nobody_took",
    ),
    Defence(
        "quick reads: a connection whose answer was not awaited is not used again",
        "accounts/redis_client.py",
        "            connection.disconnect()\n            raise\n",
        "            self._idle.append(connection)\n            raise\n",
        "tests/accounts/test_redis_client.py -k torn",
    ),
    Defence(
        "quick reads: behind a Sentinel, its pool says which connection is good",
        "accounts/redis_client.py",
        "if isinstance(self.connection_pool, SentinelConnectionPool):",
        "if False:",
        "tests/accounts/test_redis_client.py -k sentinel",
    ),
    Defence(
        "quick reads: a fork does not read on its parent's connection",
        "accounts/redis_client.py",
        "connection if connection.pid == os.getpid() else self._new()",
        "connection",
        "tests/accounts/test_redis_client.py -k forked",
    ),
    Defence(
        "mirror: an answer under way while its key is announced is not kept",
        "accounts/mirror.py",
        "        if state.entries.get(name) is not claim:\n",
        "        if False:\n",
        "tests/accounts/test_mirror.py -k announced_meanwhile",
    ),
    Defence(
        "mirror: what Redis was not heard about for too long is not believed",
        "accounts/mirror.py",
        "        if moment >= state.until:\n",
        "        if False:\n",
        "tests/accounts/test_mirror_outages.py -k packets_lost-Copies",
    ),
    Defence(
        "mirror: nothing outlives the connection that announced it",
        "accounts/mirror.py",
        "never announced.\n                self._state = State()\n",
        "never announced.\n                pass\n",
        "tests/accounts/test_mirror_outages.py -k nobody_listened",
    ),
    Defence(
        "mirror: all there is is loaded before it is current",
        "accounts/mirror.py",
        "        self._load(state)\n",
        "        state.is_whole = isinstance(self, Whole)\n",
        "tests/accounts/test_mirror.py -k while_it_loads",
    ),
    Defence(
        "mirror: what was announced is not taken for absent",
        "accounts/mirror.py",
        "            state.entries[name] = Entry()\n            state.changed.add(name)\n",
        "            state.entries.pop(name, None)\n",
        "tests/accounts/test_mirror.py -k until_it_is_copied",
    ),
    Defence(
        "mirror: a copy goes when its key expires, whether Redis notices or not",
        "accounts/mirror.py",
        "before + life / 1000 if life >= 0 else math.inf",
        "math.inf",
        "tests/accounts/test_mirror.py -k before_redis_notices",
    ),
    Defence(
        "mirror: a child makes a mirror of its own",
        "accounts/mirror.py",
        "            os.register_at_fork(after_in_child=self._begin_anew)\n",
        "            pass\n",
        "tests/accounts/test_mirror_outages.py -k whatever_lock",
    ),
    Defence(
        "mirror: a child holds no connection that nobody reads",
        "accounts/mirror.py",
        "            self._mirror.abandon()\n",
        "            pass\n",
        "tests/accounts/test_mirror_outages.py -k nobody_reads",
    ),
    Defence(
        "mirror: announcements without end do not keep it from its heartbeat",
        "accounts/announcements.py",
        "            if now() > until:\n                return\n",
        "",
        "tests/accounts/test_mirror.py -k told_to",
    ),
    Defence(
        "mirror: the copies are bounded",
        "accounts/mirror.py",
        "                while len(state.entries) > self.most:\n",
        "                while False:\n",
        "tests/accounts/test_mirror.py -k memory_is_bounded",
    ),
    Defence(
        "mirror: too many to know them all is not borne",
        "accounts/mirror.py",
        '            raise Unsupported(f"more than {self.most} keys")\n',
        "            pass\n",
        "tests/accounts/test_mirror.py -k too_many",
    ),
    Defence(
        "mirror: what has come counts before it is heard",
        "accounts/announcements.py",
        "        if not self._has_unheard():\n",
        "        if True:\n",
        "tests/accounts/test_mirror.py -k not_read_yet",
    ),
    Defence(
        "mirror: what is being taken in counts",
        "accounts/announcements.py",
        " or self._is_reading\n",
        "\n",
        "tests/accounts/test_mirror.py -k takes_in_just_now",
    ),
    Defence(
        "mirror: what is taken in during a check counts",
        "accounts/mirror.py",
        "        if state.told is None or state.told.are_unheard():\n"
        "            return None\n"
        "        entries = [state.entries.get(name) for name in names]\n",
        "        entries = [state.entries.get(name) for name in names]\n"
        "        if state.told is None or state.told.are_unheard():\n"
        "            return None\n",
        "tests/accounts/test_mirror.py -k in_the_midst",
    ),
    Defence(
        "mirror: who listens never connects anew without a word",
        "accounts/announcements.py",
        '        "health_check_interval": 0,\n        "retry": None,\n',
        "",
        "tests/accounts/test_mirror.py -k connects_anew",
    ),
    Defence(
        "weakened: its session ids are no ids of another flow",
        "lab/weakened/of_sessions.py",
        'f":{key}"',
        '""',
        "tests/lab/test_weakened.py -k opens_anything_else",
    ),
    Defence(
        "weakened: a refresh token of the jwt flow opens no weak variant beside its own cookie",
        "lab/weakened/tokens.py",
        "        request.COOKIES.pop(settings.REFRESH_COOKIE_NAME, None)\n",
        "",
        "tests/lab/test_weakened.py -k nobody_here",
    ),
    Defence(
        "weakened: nor in the place of its own cookie",
        "lab/weakened/tokens.py",
        "            return NO_TOKEN\n",
        "            return text\n",
        "tests/lab/test_weakened.py -k opens_anything_else",
    ),
    Defence(
        "weakened: what it hands out is signed for itself alone",
        "lab/weakened/tokens.py",
        "token=self.access_backend.encode(access.decode(credential.token))",
        "token=credential.token",
        "tests/lab/test_weakened.py -k opens_anything_else",
    ),
    Defence(
        "weakened: only who has logged in with it can be forged",
        "lab/weakened/of_tokens.py",
        '        if caches["auth"].get(self._entered(presented.user_id)) is None:\n'
        '            raise CredentialInvalid("has not logged in with this variant")\n',
        "",
        "tests/lab/test_weakened.py -k anybody_is_anybody",
    ),
    Defence(
        "mirror: who listens leaves a master that was replaced",
        "accounts/announcements.py",
        '            raise Moved("another master")\n',
        "            pass\n",
        "tests/accounts/test_mirror_failover.py -k old_master",
    ),
    Defence(
        "receipts: no value of a Redis command is shown",
        "lab/receipts/commands.py",
        'return text if PLAIN.fullmatch(text) else f"<{len(text)} bytes>"',
        "return text",
        "tests/lab/test_receipts.py -k no_secret",
    ),
    Defence(
        "receipts: no key of a session is shown whole",
        "lab/receipts/commands.py",
        'return LONG_PART.sub(r"\\1…", text)',
        "return text",
        "tests/lab/test_receipts.py -k no_secret",
    ),
    Defence(
        "receipts: no parameter of an SQL statement is shown",
        "lab/receipts/recording.py",
        'self.begin("database", sql)',
        'self.begin("database", f"{sql} {params}")',
        "tests/lab/test_receipts.py -k no_secret",
    ),
    Defence(
        "receipts: how a connection logs in to Redis is not told",
        "lab/receipts/commands.py",
        "if is_ours else None",
        "",
        "tests/lab/test_receipts.py -k new_connection",
    ),
    Defence(
        "receipts: there are none without the lab",
        "lab/receipts/middleware.py",
        "            raise MiddlewareNotUsed",
        "            pass",
        "tests/lab/test_receipts.py -k without_the_lab",
    ),
    Defence(
        "receipts: there are none once the lab is switched off",
        "lab/receipts/middleware.py",
        ' != "1" or not settings.LAB:',
        ' != "1":',
        "tests/lab/test_receipts.py -k switched_off",
    ),
    Defence(
        "receipts: they are bounded",
        "lab/receipts/receipt.py",
        "in steps[:MOST_STEPS]",
        "in steps",
        "tests/lab/test_receipts.py -k bounded",
    ),
    Defence(
        "the lab shows code of our packages only, wherever a name leads",
        "lab/receipts/code.py",
        "if not found.is_relative_to(home) or found.suffix",
        "if found.suffix",
        "tests/lab/test_code.py -k link",
    ),
    Defence(
        "the lab shows code of named packages only",
        "lab/receipts/code.py",
        "    if package in OURS:",
        "    if package not in LIBRARIES:",
        "tests/lab/test_code.py -k nothing_else",
    ),
    Defence(
        "another site cannot have the lab try a credential",
        "lab/token/views.py",
        "        enforce_csrf(request._request)",
        "        pass",
        "tests/lab/test_token.py -k another_site",
    ),
    Defence(
        "a record is shown without the HMAC of the password's hash",
        "lab/token/of_sessions.py",
        ".replace(secret, HIDDEN) if secret",
        " if secret",
        "tests/lab/test_token.py -k without_a_secret",
    ),
    Defence(
        "nothing is timed with a simulated Redis",
        "lab/side/meter.py",
        "refuse_simulated_redis()",
        "None",
        "tests/lab/test_simulated.py -k meter",
    ),
    Defence(
        "a killed outage leaves no store away",
        "lab/side/outages.py",
        'if _note().get("process") == process.pid:\n        subprocess',
        "if False:\n        subprocess",
        "tests/lab/test_side.py -k killed_outage",
    ),
    Defence(
        "the database is back when its outage is over, whatever became of who made it",
        "lab/side/outages.py",
        'apply(note.get("kind") == NO_DATABASE and time.time() < note["until"])',
        'apply(note.get("kind") == NO_DATABASE)',
        "tests/lab/test_no_database.py",
    ),
    Defence(
        "no connection of before outlives the database's outage",
        "lab/side/outages.py",
        "connections.close_all()",
        "pass",
        "tests/lab/test_no_database.py",
    ),
    Defence(
        "no other page presses a button of the lab",
        "lab/side/calls.py",
        "enforce_csrf(request._request)",
        "pass",
        "tests/lab/test_side.py -k other_page",
    ),
    Defence(
        "demo times leave the denylist as long as older tokens live",
        "lab/side/times.py",
        '"SESSION_COOKIE_AGE": min(',
        '"ACCESS_SECONDS": ACCESS_SECONDS, "SESSION_COOKIE_AGE": min(',
        "tests/lab/test_side.py -k denylist",
    ),
    Defence(
        "the lab takes away no Redis that others may use",
        "lab/side/outages.py",
        'if is_ours or "redis" not in key',
        "if True",
        "tests/lab/test_side.py -k others",
    ),
)


RED, NOT_NOTICED, BROKEN = "red", "NOT NOTICED", "BROKEN"


def what_comes_of(defence: Defence) -> str:
    """Red if a test fails without the defence, and the same test passes with it."""
    with tempfile.TemporaryDirectory(prefix="authdemo-defence-") as folder:
        copy = Path(folder) / "project"
        shutil.copytree(ROOT, copy, ignore=NOT_COPIED)
        file = copy / defence.file
        whole = file.read_text()
        file.write_text(whole.replace(defence.line, defence.without))
        without = run_tests(copy, "-x", *defence.tests.split())
        if without.returncode == pytest.ExitCode.OK:
            return NOT_NOTICED
        # Python itself crashes where threads share what is only one thread's.
        has_crashed = without.returncode < 0
        has_failed = without.returncode == pytest.ExitCode.TESTS_FAILED
        # An error of a fixture, or a selection of nothing, has noticed nothing.
        if not has_crashed and not (has_failed and "FAILED" in without.stdout):
            return broken(without)
        file.write_text(whole)
        # Whatever fails all the same says nothing about the defence.
        which = [] if has_crashed else ["--last-failed"]
        failed_again = run_tests(copy, *which, *defence.tests.split())
        return broken(failed_again) if failed_again.returncode else RED


def run_tests(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    left_out = ("DJANGO_SETTINGS_MODULE", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    environment = {**kept, "FULL": "true"}  # the tests of a row may be among those left out of CI
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *arguments],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def broken(run: subprocess.CompletedProcess[str]) -> str:
    print(run.stdout[-2000:], run.stderr[-2000:])  # noqa: T201
    return BROKEN


def main(words: list[str]) -> int:
    chosen = [d for d in DEFENCES if all(word in d.name for word in words)]
    missed = 0
    for defence in chosen:
        outcome = what_comes_of(defence)
        missed += outcome == RED
        print(f"{outcome:<12} {defence.name}", flush=True)  # noqa: T201
    print(f"{missed} of {len(chosen)} defences are missed by a test")  # noqa: T201
    return 0 if chosen and missed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""How does a change reach Redis only where nobody was first? Read and write in one round trip.

    pipe = client.pipeline()
    pipe.set("name", "new", xx=True)
    done, answers = execute_if_unchanged(client, pipe, {"name": b"as it was read"})

A script compares what stands in Redis with what was read, and runs the commands only if that is the
same. `WATCH` does as much with five commands in three round trips, and has whoever lost start over
without telling what it lost to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from accounts.auth_redis import Redis

# KEYS: first those that are compared. ARGV: how many they are, of each "=" and its value or "-"
# for none, and the commands, each after the number of its words.
SCRIPT = """
local compared = tonumber(ARGV[1])
local held = redis.call('MGET', unpack(KEYS, 1, compared))
for number, value in ipairs(held) do
    if (value and '=' .. value or '-') ~= ARGV[1 + number] then return {0, held} end
end
local answers, at = {}, compared + 2
while ARGV[at] do
    local last = at + tonumber(ARGV[at])
    answers[#answers + 1] = redis.call(unpack(ARGV, at + 1, last))
    at = last + 1
end
return {1, answers}
"""


def execute_if_unchanged(
    client: Redis, pipe: Any, read: Mapping[str, bytes | None]
) -> tuple[bool, list[Any]]:
    """Execute what the pipeline holds if Redis still holds what was `read`; None for nothing.

    Returns True and the answers of the commands, as the server words them, or False and what
    Redis holds instead, in the order of `read`. All keys are on one node; each command's is its
    first argument. Raises `RedisError`.
    """
    commands = [list(command) for command, _ in pipe.command_stack]
    names = list(dict.fromkeys([*read, *(command[1] for command in commands)]))
    values = ["-" if value is None else b"=" + value for value in read.values()]
    words = [word for command in commands for word in (len(command), *command)]
    # Not EVALSHA: what these bytes cost is less than what a Redis without the script would.
    done, answers = client.eval(SCRIPT, len(names), *names, len(read), *values, *words)
    return bool(done), answers


def parts_of(words: Sequence[Any]) -> tuple[Sequence[Any], list[Sequence[Any]]]:
    """What the words of an `EVAL` of this script say: the names compared, and the commands.

    `words` are those after `EVAL` itself.
    """
    keys, at = words[2 : 2 + words[1]], 3 + words[1]
    compared = words[at - 1]
    at += compared
    commands = []
    while at < len(words):
        commands.append(words[at + 1 : at + 1 + words[at]])
        at += 1 + words[at]
    return keys[:compared], commands

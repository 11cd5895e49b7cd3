"""What is done about an odd use of a device? The weights of an hour, measured by thresholds.

"Ask for the password again" is no action of its own: a credential that may be a copy proves
nothing until somebody logs in, which is what ending the device makes them do.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from django.conf import settings

from accounts.suspicion.history import History
from accounts.suspicion.rules import RULES, TwoPlaces, Use

REMEMBERED_SECONDS = 3600


class Action(IntEnum):
    """From nothing to the worst; each includes what is written down and told before it."""

    NOTHING = 0
    NOTE = 1
    NOTIFY = 2
    END_DEVICE = 3
    END_ALL = 4

    @property
    def ends(self) -> bool:
        return self >= Action.END_DEVICE


@dataclass(frozen=True)
class Verdict:
    """What is to be done, why, and what the device's record keeps from now on."""

    action: Action
    reasons: tuple[str, ...]
    at_once: bool
    history: History
    changed: bool
    """Whether the history must be written now, instead of with the next use that is noted."""

    @property
    def sentence(self) -> str:
        """ "new network and new browser at once"; for the device's user, never for its holder.

        Threat: told to whoever presents the credential, it would teach a thief what to imitate.
        """
        together = " at once" if self.at_once and len(self.reasons) > 1 else ""
        return (" and ".join(self.reasons) + together)[:120]


def judge(before: History, now: Use) -> Verdict:
    """Ask every rule. Each one counts for an hour, and counts once in it.

    So an attacker cannot come first by another network and a minute later by another browser, and
    a train through ten networks is one note, not ten.
    """
    found = {rule.name: reason for rule in RULES if (reason := rule.judge(before, now))}
    moment = now.seen.at
    told = {name: at for name, at in before.told.items() if abs(moment - at) < REMEMBERED_SECONDS}
    news = found.keys() - told.keys()
    counted = [rule for rule in RULES if rule.name in news or rule.name in told]
    action = action_for(sum(rule.weight for rule in counted)) if news else Action.NOTHING
    told |= dict.fromkeys(sorted(news), moment)
    # Two who share a credential would otherwise have each of their requests written.
    history = before.followed_by(now.seen, told, quiet=TwoPlaces.name in told)
    return Verdict(
        action=action,
        reasons=tuple(found.get(rule.name, rule.reason) for rule in counted),
        at_once=all(rule.name in news for rule in counted),
        history=history,
        changed=bool(news) or history.sightings != before.sightings,
    )


def action_for(score: int) -> Action:
    """The worst action whose threshold is reached; one that has no threshold is never taken."""
    reached = [Action[name.upper()] for name, least in settings.SUSPICION.items() if score >= least]
    return max(reached, default=Action.NOTHING)

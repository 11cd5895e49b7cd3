"""Which attacks are there? All of them, in the order of the matrix; nothing is found by magic."""

from __future__ import annotations

from lab.attacks.attack import Attack
from lab.attacks.browsers.fetch_from_elsewhere import FetchFromElsewhere
from lab.attacks.browsers.frame_the_page import FrameThePage
from lab.attacks.browsers.inject_under_csp import InjectUnderCsp
from lab.attacks.browsers.log_out_by_get import LogOutByGet
from lab.attacks.browsers.log_the_victim_in import LogTheVictimIn
from lab.attacks.browsers.plant_a_credential import PlantACredential
from lab.attacks.browsers.read_memory import ReadMemory
from lab.attacks.browsers.read_memory_under_csp import ReadMemoryUnderCsp
from lab.attacks.browsers.read_storage import ReadStorage
from lab.attacks.browsers.read_storage_under_csp import ReadStorageUnderCsp
from lab.attacks.browsers.read_the_referer import ReadTheReferer
from lab.attacks.browsers.submit_a_form import SubmitAForm
from lab.attacks.browsers.submit_a_logout import SubmitALogout
from lab.attacks.browsers.submit_from_a_sibling import SubmitFromASibling
from lab.attacks.browsers.use_the_session import UseTheSession
from lab.attacks.forged.alter_the_signature import AlterTheSignature
from lab.attacks.forged.bring_a_foreign_token import BringAForeignToken
from lab.attacks.forged.change_the_subject import ChangeTheSubject
from lab.attacks.forged.demand_an_extension import DemandAnExtension
from lab.attacks.forged.drop_the_signature import DropTheSignature
from lab.attacks.forged.embed_the_own_key import EmbedTheOwnKey
from lab.attacks.forged.guess_the_secret import GuessTheSecret
from lab.attacks.forged.lead_the_key_astray import LeadTheKeyAstray
from lab.attacks.forged.look_for_private_keys import LookForPrivateKeys
from lab.attacks.forged.look_like_our_issuer import LookLikeOurIssuer
from lab.attacks.forged.mix_algorithms import MixAlgorithms
from lab.attacks.forged.point_to_own_keys import PointToOwnKeys
from lab.attacks.forged.relabel_a_token import RelabelAToken
from lab.attacks.forged.replay_an_expired_token import ReplayAnExpiredToken
from lab.attacks.forged.send_a_huge_token import SendAHugeToken
from lab.attacks.forged.send_strange_claims import SendStrangeClaims
from lab.attacks.forged.sign_with_the_public_key import SignWithThePublicKey
from lab.attacks.forged.swap_token_types import SwapTokenTypes
from lab.attacks.logins.forge_the_address import ForgeTheAddress
from lab.attacks.logins.guess_in_parallel import GuessInParallel
from lab.attacks.logins.hop_between_logins import HopBetweenLogins
from lab.attacks.logins.lead_away_after_the_login import LeadAwayAfterTheLogin
from lab.attacks.logins.lock_the_owner_out import LockTheOwnerOut
from lab.attacks.logins.log_out_by_a_link import LogOutByALink
from lab.attacks.logins.put_the_token_into_the_url import PutTheTokenIntoTheUrl
from lab.attacks.logins.read_a_shared_cache import ReadASharedCache
from lab.attacks.logins.send_a_huge_password import SendAHugePassword
from lab.attacks.logins.send_json_as_text import SendJsonAsText
from lab.attacks.logins.tell_who_has_an_account import TellWhoHasAnAccount
from lab.attacks.logins.use_http_basic import UseHttpBasic
from lab.attacks.reuse.race_the_logout import RaceTheLogout
from lab.attacks.reuse.race_to_refresh import RaceToRefresh
from lab.attacks.reuse.refresh_first import RefreshFirst
from lab.attacks.reuse.refresh_in_the_grace import RefreshInTheGrace
from lab.attacks.reuse.replay_after_rotation import ReplayAfterRotation
from lab.attacks.reuse.send_the_grandparent import SendTheGrandparent
from lab.attacks.stolen.be_two_at_once import BeTwoAtOnce
from lab.attacks.stolen.go_on_for_ever import GoOnForEver
from lab.attacks.stolen.keep_the_id_over_a_login import KeepTheIdOverALogin
from lab.attacks.stolen.log_out_with_the_old_cookie import LogOutWithTheOldCookie
from lab.attacks.stolen.plant_a_session_id import PlantASessionId
from lab.attacks.stolen.refresh_after_logout import RefreshAfterLogout
from lab.attacks.stolen.use_after_deactivation import UseAfterDeactivation
from lab.attacks.stolen.use_after_deletion import UseAfterDeletion
from lab.attacks.stolen.use_after_logout import UseAfterLogout
from lab.attacks.stolen.use_after_logout_all import UseAfterLogoutAll
from lab.attacks.stolen.use_after_password_change import UseAfterPasswordChange
from lab.attacks.stolen.use_after_the_device_was_ended import UseAfterTheDeviceWasEnded
from lab.attacks.stolen.use_beside_the_owner import UseBesideTheOwner
from lab.attacks.stolen.write_over_a_logout import WriteOverALogout
from lab.attacks.stores.empty_redis import EmptyRedis
from lab.attacks.stores.list_the_keys import ListTheKeys
from lab.attacks.stores.plant_a_pickle import PlantAPickle
from lab.attacks.stores.read_a_database_dump import ReadADatabaseDump
from lab.attacks.stores.stall_a_logout import StallALogout
from lab.attacks.stores.stall_to_log_out import StallToLogOut

ATTACKS: tuple[Attack, ...] = (
    # forged tokens
    ChangeTheSubject(),
    DropTheSignature(),
    GuessTheSecret(),
    EmbedTheOwnKey(),
    PointToOwnKeys(),
    LeadTheKeyAstray(),
    SignWithThePublicKey(),
    MixAlgorithms(),
    DemandAnExtension(),
    LookLikeOurIssuer(),
    BringAForeignToken(),
    SwapTokenTypes(),
    RelabelAToken(),
    ReplayAnExpiredToken(),
    SendStrangeClaims(),
    AlterTheSignature(),
    SendAHugeToken(),
    LookForPrivateKeys(),
    # stolen credentials
    UseBesideTheOwner(),
    UseAfterLogout(),
    RefreshAfterLogout(),
    LogOutWithTheOldCookie(),
    UseAfterLogoutAll(),
    UseAfterTheDeviceWasEnded(),
    UseAfterPasswordChange(),
    UseAfterDeactivation(),
    UseAfterDeletion(),
    PlantASessionId(),
    KeepTheIdOverALogin(),
    WriteOverALogout(),
    GoOnForEver(),
    BeTwoAtOnce(),
    # refresh reuse and races
    ReplayAfterRotation(),
    RefreshFirst(),
    RaceToRefresh(),
    SendTheGrandparent(),
    RefreshInTheGrace(),
    RaceTheLogout(),
    # browser attacks
    ReadStorage(),
    ReadStorageUnderCsp(),
    ReadMemory(),
    ReadMemoryUnderCsp(),
    UseTheSession(),
    InjectUnderCsp(),
    SubmitAForm(),
    SubmitALogout(),
    SubmitFromASibling(),
    FetchFromElsewhere(),
    LogTheVictimIn(),
    LogOutByGet(),
    PlantACredential(),
    FrameThePage(),
    ReadTheReferer(),
    # login attacks
    GuessInParallel(),
    ForgeTheAddress(),
    HopBetweenLogins(),
    LockTheOwnerOut(),
    TellWhoHasAnAccount(),
    SendAHugePassword(),
    UseHttpBasic(),
    SendJsonAsText(),
    LogOutByALink(),
    PutTheTokenIntoTheUrl(),
    ReadASharedCache(),
    LeadAwayAfterTheLogin(),
    # store attacks
    StallALogout(),
    StallToLogOut(),
    EmptyRedis(),
    PlantAPickle(),
    ListTheKeys(),
    ReadADatabaseDump(),
)


def attack(key: str) -> Attack:
    """The attack of that key; raises `StopIteration` if there is none."""
    return next(attack for attack in ATTACKS if attack.key == key)

"""One file per table; importing this package registers them all."""

from app.models.agreed_verdict import AgreedVerdict, Source
from app.models.audit_check import AuditCheck
from app.models.audit_entry import Action, ActorKind, AuditEntry
from app.models.case_lock import CaseLock
from app.models.checkpoint import Checkpoint, Origin
from app.models.cluster import Cluster
from app.models.critique import Critique
from app.models.dataset import Dataset
from app.models.decision import Decision
from app.models.epoch import Epoch
from app.models.explanation import Explanation
from app.models.honeypot import Honeypot, Named
from app.models.honeypot_answer import HoneypotAnswer
from app.models.honeypot_case import HoneypotCase
from app.models.image import Image, Split
from app.models.judge_example import JudgeExample
from app.models.lvlm_call import LVLMCall
from app.models.lvlm_check import LVLMCheck
from app.models.prediction import Prediction
from app.models.project import Project
from app.models.report import Report
from app.models.review import Answer, Review
from app.models.run import Kind, Run, Stage, State
from app.models.shard import Shard, ShardState
from app.models.specification import Specification, SpecificationEntry
from app.models.target_class import TargetClass
from app.models.token import Token
from app.models.trust_bar import TrustBar
from app.models.user import Role, User
from app.models.verdict import Verdict, VerdictValue

__all__ = [
    "Action",
    "ActorKind",
    "AgreedVerdict",
    "Answer",
    "AuditCheck",
    "AuditEntry",
    "CaseLock",
    "Checkpoint",
    "Cluster",
    "Critique",
    "Dataset",
    "Decision",
    "Epoch",
    "Explanation",
    "Honeypot",
    "HoneypotAnswer",
    "HoneypotCase",
    "Image",
    "JudgeExample",
    "Kind",
    "LVLMCall",
    "LVLMCheck",
    "Named",
    "Origin",
    "Prediction",
    "Project",
    "Report",
    "Review",
    "Role",
    "Run",
    "Shard",
    "ShardState",
    "Source",
    "Specification",
    "SpecificationEntry",
    "Split",
    "Stage",
    "State",
    "TargetClass",
    "Token",
    "TrustBar",
    "User",
    "Verdict",
    "VerdictValue",
]

"""Signing a decision, and the signed weights."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.decisions.queries import Comparison, decisions_on
from app.languages.catalogue import gettext, msgid
from app.models import Checkpoint, Decision, Project, User
from app.models.trust_record import TrustRecord

MEASURED_ANEW = msgid("The checkpoints were measured again since. Look at the new figures, then sign.")
UNDER_BAR = msgid(
    "The bar that was written down before the training is not met, so that this checkpoint can’t be approved."
)
MEANINGS = {
    True: msgid(
        "I have compared the checkpoint with the one before it on the figures and pictures of this page, "
        "and I approve it for the use that this project states."
    ),
    False: msgid(
        "I have compared the checkpoint with the one before it on the figures and pictures of this page, "
        "and I reject it."
    ),
}


def sign(
    session: Session, project: Project, comparison: Comparison, user: User, approved: bool, reason: str
) -> Decision:
    """Adds a decision on the reports that were shown; whoever calls has checked the password again.

    The same words of the same person on the same reports, sent once more, are the signature that stands already.
    """
    assert comparison.measured_before is not None
    assert comparison.measured_after is not None
    given: dict[str, Any] = {
        "checkpoint_id": comparison.after.id,
        "before_report_id": comparison.measured_before.report.id,
        "after_report_id": comparison.measured_after.report.id,
        "user_id": user.id,
        "signed_name": user.display_name,
        "approved": approved,
        "meaning": gettext(MEANINGS[approved]),  # in the words that were read and signed
        "reason": reason.strip(),
    }
    # Two requests at once must not both find nothing signed.
    session.execute(select(Checkpoint.id).where(Checkpoint.id == comparison.after.id).with_for_update())
    newest = next(iter(decisions_on(session, comparison.after)), None)
    if newest is not None and all(getattr(newest, name) == value for name, value in given.items()):
        return newest
    decision = Decision(project_id=project.id, **given)
    session.add(decision)
    session.flush()
    return decision


def signed_weights(
    weights: bytes, checkpoint: Checkpoint, decision: Decision, project: Project, trust: TrustRecord | None = None
) -> bytes:
    """The safetensors file with the signature in its metadata; the tensors' bytes stay as they are.

    The form: eight bytes little-endian length of the header, the header as JSON, the tensors. The header is padded with
    spaces to a multiple of eight, as the format asks.
    """
    length = int.from_bytes(weights[:8], "little")
    header = json.loads(weights[8 : 8 + length])
    told = signature(checkpoint, decision, project) | overridden(trust)
    header["__metadata__"] = header.get("__metadata__", {}) | told
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + weights[8 + length :]


def overridden(trust: TrustRecord | None) -> dict[str, str]:
    """That the training was started under the trust bar, or on doubtful ground, goes with the weights, where it was."""
    if trust is None or not trust.override:
        return {}
    return {
        "rightreasons.trust_overridden_by": trust.overridden_by,
        "rightreasons.trust_override": trust.override,
        "rightreasons.trust_locked": " ".join([trust.locked, *trust.doubts]).strip(),
    }


def signature(checkpoint: Checkpoint, decision: Decision, project: Project) -> dict[str, str]:
    """What travels with the weights: who approved what, when, in which words. Safetensors allows only text here."""
    signed_at: datetime = decision.created_at
    return {
        "rightreasons.project": project.name,
        "rightreasons.classes": json.dumps([target.name for target in project.classes]),
        "rightreasons.checkpoint": f"{checkpoint.number} {checkpoint.name}",
        "rightreasons.checkpoint_id": str(checkpoint.id),
        "rightreasons.architecture": checkpoint.architecture,
        "rightreasons.preprocessing": json.dumps(
            {
                "size": checkpoint.size,
                "channels": checkpoint.channels,
                "mean": checkpoint.mean,
                "std": checkpoint.std,
            }
        ),
        "rightreasons.weights_sha256": checkpoint.weights,
        "rightreasons.decision": "approved",
        "rightreasons.decision_id": str(decision.id),
        "rightreasons.signed_by": decision.signed_name,
        "rightreasons.signed_at": signed_at.isoformat(),
        "rightreasons.meaning": decision.meaning,
        "rightreasons.reason": decision.reason,
    }

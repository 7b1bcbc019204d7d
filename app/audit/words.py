"""What people call what an entry of the audit log is about, and what was done to it; the entry stays as it is."""

from app.languages.catalogue import gettext, msgid
from app.models import Action, AuditEntry

# By table, or by what was refused; anything else goes by its own name.
THINGS = {
    "agreed_verdict": msgid("agreed verdict"),
    "audit_entry": msgid("audit log"),
    "change of an account": msgid("change of an account"),
    "change of password": msgid("change of password"),
    "checkpoint": msgid("checkpoint"),
    "cluster": msgid("region of an explanation"),
    "critique": msgid("critique"),
    "dataset": msgid("data set"),
    "decision": msgid("decision"),
    "epoch": msgid("epoch"),
    "explanation": msgid("explanation"),
    "honeypot": msgid("honeypot"),
    "honeypot_answer": msgid("honeypot_answer"),
    "honeypot_case": msgid("honeypot_case"),
    "image": msgid("image"),
    "judge_example": msgid("example of the judge"),
    "lvlm_check": msgid("check of an LVLM"),
    "model card": msgid("model card"),
    "new account": msgid("new account"),
    "prediction": msgid("prediction"),
    "project": msgid("project"),
    "report": msgid("report"),
    "review": msgid("review"),
    "rows": msgid("rows"),
    "run": msgid("run"),
    "sign-in": msgid("sign-in"),
    "sign-in by link": msgid("sign-in by link"),
    "signature": msgid("signature"),
    "specification": msgid("specification"),
    "specification_entry": msgid("words of a specification"),
    "target_class": msgid("class"),
    "token": msgid("API token"),
    "trust_bar": msgid("trust_bar"),
    "user_account": msgid("account"),
    "verdict": msgid("verdict"),
}
DONE = {
    Action.ADDED: msgid("%(thing)s added"),
    Action.CHANGED: msgid("%(thing)s changed"),
    Action.REMOVED: msgid("%(thing)s removed"),
    Action.EXPORTED: msgid("%(thing)s exported"),
    Action.REFUSED: msgid("%(thing)s refused"),
}


def named(thing: str) -> str:
    return gettext(THINGS[thing]) if thing in THINGS else thing


def in_words(entry: AuditEntry) -> str:
    if entry.action is not Action.WROTE:
        return gettext(DONE[entry.action], thing=named(entry.thing))
    counted = [
        (Action(verb), f"{count} × {named(thing)}")
        for thing, verbs in entry.after.items()
        for verb, count in verbs.items()
    ]
    return gettext("wrote %(rows)s", rows=", ".join(gettext(DONE[verb], thing=rows) for verb, rows in counted))

"""What the audit log tells, and what it leaves out and why. The tests keep these lists complete.

A table that stands nowhere here is told row by row, so that nothing is left out by forgetting.
"""

from enum import Enum, auto


class Told(Enum):
    ROW_BY_ROW = auto()  # an entry for each row of a transaction, with before and after
    COUNTED = auto()  # one entry for all of a transaction: how many rows of which table
    NOT = auto()


# Runs write thousands of these; what they rest on (data set, checkpoint, specification, parameters) and what follows
# from them (reports, decisions) is told row by row.
MADE_BY_RUNS = "rows that runs write by the thousand"
TABLES: dict[str, tuple[Told, str]] = {
    "user_account": (Told.ROW_BY_ROW, ""),
    "token": (Told.ROW_BY_ROW, ""),
    "project": (Told.ROW_BY_ROW, ""),
    "target_class": (Told.ROW_BY_ROW, ""),
    "judge_example": (Told.ROW_BY_ROW, ""),
    "dataset": (Told.ROW_BY_ROW, ""),
    "checkpoint": (Told.ROW_BY_ROW, ""),
    "run": (Told.ROW_BY_ROW, ""),
    "specification": (Told.ROW_BY_ROW, ""),
    "specification_entry": (Told.ROW_BY_ROW, ""),
    "review": (Told.ROW_BY_ROW, ""),
    "decision": (Told.ROW_BY_ROW, ""),
    "report": (Told.ROW_BY_ROW, ""),
    "lvlm_check": (Told.ROW_BY_ROW, ""),
    "honeypot": (Told.ROW_BY_ROW, ""),
    "honeypot_case": (Told.ROW_BY_ROW, ""),
    "honeypot_answer": (Told.ROW_BY_ROW, ""),
    "trust_bar": (Told.ROW_BY_ROW, ""),
    "image": (Told.COUNTED, "the data set's entry has the digest of them all"),
    "explanation": (Told.COUNTED, MADE_BY_RUNS),
    "cluster": (Told.COUNTED, MADE_BY_RUNS),
    "critique": (Told.COUNTED, MADE_BY_RUNS),
    "verdict": (Told.COUNTED, MADE_BY_RUNS),
    "agreed_verdict": (Told.COUNTED, MADE_BY_RUNS),
    "prediction": (Told.COUNTED, MADE_BY_RUNS),
    "epoch": (Told.COUNTED, MADE_BY_RUNS),
    "shard": (Told.NOT, "who holds which part of a run changes all the time; the run's own changes are told"),
    "case_lock": (Told.NOT, "which case a reader has before them; their answer is told"),
    "lvlm_call": (Told.NOT, "it is a log itself, to which rows are only added"),
    "audit_entry": (Told.NOT, "it is the log"),
    "audit_check": (Told.NOT, "an entry for each check would move the very end that the check has just told"),
}

# Signs of life and of progress: they change every few seconds and say nothing of what was done.
NOT_TOLD: dict[str, frozenset[str]] = {
    "run": frozenset({"heartbeat_at", "stage_started_at", "done", "total"}),
    "token": frozenset({"last_used_at"}),
}

# That they changed is told, never what they are.
SECRETS: dict[str, frozenset[str]] = {
    "user_account": frozenset({"password_hash", "session_key"}),
    "token": frozenset({"hash"}),
}
HIDDEN = "not shown"

# Long documents, of which the digest is enough to show that they are what was written.
DIGESTED: dict[str, frozenset[str]] = {
    "run": frozenset({"result", "error_details"}),
    "report": frozenset({"figures"}),
    "lvlm_check": frozenset({"figures"}),
}
READABLE = frozenset({"trust"})  # of such a document, what a person decided is told in full

# Statements that change rows without loading them. They are counted where they run, whatever table they are for; this
# list is for people, who see here that nothing that is to be told row by row is changed so.
BULK: dict[tuple[str, str, str], str] = {
    ("app/review/locks.py", "update", "CaseLock"): "not told: the answer is",
    ("worker/tasks/read.py", "insert", "Image"): "counted",
    ("worker/tasks/predict.py", "insert", "Prediction"): "counted",
    ("worker/tasks/agree.py", "insert", "AgreedVerdict"): "counted",
    ("worker/tasks/calibrate.py", "update", "Verdict"): "counted; the calibration's result has the figures",
    ("worker/tasks/describe.py", "update", "Cluster"): "counted",
    ("worker/tasks/heart.py", "update", "Run"): "not told: a heartbeat",
    ("worker/tasks/heart.py", "update", "Shard"): "not told: a heartbeat",
    ("worker/tasks/sweep.py", "update", "Shard"): "not told: a lost part is sent again",
}


def told(table: str) -> Told:
    return TABLES.get(table, (Told.ROW_BY_ROW, ""))[0]


def is_told(table: str, column: str) -> bool:
    return column not in NOT_TOLD.get(table, frozenset())

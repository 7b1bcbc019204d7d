"""How far the judge and its verdicts were trusted when a realignment was started: ``result["trust"]`` of its run."""

from app.models.figures import Estimate, Stored

KEY = "trust"


class TrustRecord(Stored):
    judged: bool  # whether an LVLM gave verdicts at all
    least_kappa: float | None  # none: no bar was set
    least_cases: int | None
    cases: int  # that somebody had read blind
    kappa: Estimate
    locked: str = ""  # why realignment was locked; empty where it was not
    doubts: tuple[str, ...] = ()  # what else spoke against it: see app.realignment.doubts
    override: str = ""  # the reason for which it was started all the same
    overridden_by: str = ""  # the name as it stood then

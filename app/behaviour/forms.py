from pydantic import ConfigDict, Field

from app.runs.parameters import AnalysisParameters, Share


class AnalysisForm(AnalysisParameters):
    """The parameters as a page's form sends them, beside fields that are no parameters.

    A field that is sent empty counts as not sent, and what the page leaves empty the system chooses.
    """

    model_config = ConfigDict(extra="ignore")

    components: int | None = Field(None, ge=1, le=6)
    sharpening: float | None = Field(None, ge=0.5, le=4)
    support: Share | None = None

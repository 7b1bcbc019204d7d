from pydantic import ConfigDict

from app.runs.parameters import AnalysisParameters


class AnalysisForm(AnalysisParameters):
    """The parameters as a page's form sends them, beside fields that are no parameters."""

    model_config = ConfigDict(extra="ignore")

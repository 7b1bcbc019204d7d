import pytest
from pydantic import ValidationError

from app.runs.parameters import ImportParameters, RegistrationParameters


@pytest.mark.parametrize("blob", ["../../secret_key", "00" * 31, "00" * 32 + "\n", "AB" * 32])
def test_a_blob_is_named_by_its_hash_and_nothing_else(blob: str) -> None:
    with pytest.raises(ValidationError):
        ImportParameters(name="x", blob=blob)
    form = {"size": 48, "channels": 1, "mean": [0.5], "std": [0.5]}
    asked = {"name": "x", "architecture": "small_cnn", "input": form, "classes": ["a", "b"], "filename": "x"}
    with pytest.raises(ValidationError, match="weights"):
        RegistrationParameters.model_validate({**asked, "weights": blob})
    RegistrationParameters.model_validate({**asked, "weights": "00" * 32})

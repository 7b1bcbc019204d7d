"""DICOM files as a hospital makes them, with a patient in the header, for tests of what is kept of them."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileMetaDataset
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, RLELossless, generate_uid

NAME, BIRTH, PATIENT = "SECRETIVE^JOHN", "19310203", "PID-77-88-99"
KNEE_16 = np.arange(16 * 16, dtype=np.uint16).reshape(16, 16) * 16  # 0 to 4080, as 12 bits have


def header(
    values: NDArray[Any], syntax: UID = ExplicitVRLittleEndian, patient: str = PATIENT, **fields: Any
) -> Dataset:
    """One picture, (height, width) or (height, width, 3), of 8 bits, or of 12 in 16; ``fields`` by their keywords."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = syntax, UID("1.2.840.10008.5.1.4.1.1.7")
    meta.MediaStorageSOPInstanceUID = generate_uid()
    made = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    made.PatientName, made.PatientBirthDate, made.PatientID = NAME, BIRTH, patient
    made.Rows, made.Columns = values.shape[:2]
    made.SamplesPerPixel = values.shape[2] if values.ndim == 3 else 1
    made.PhotometricInterpretation = "RGB" if values.ndim == 3 else "MONOCHROME2"
    if values.ndim == 3:
        made.PlanarConfiguration = 0
    made.BitsAllocated = 8 * values.itemsize
    made.BitsStored = 8 if values.itemsize == 1 else 12
    made.HighBit, made.PixelRepresentation = made.BitsStored - 1, 0
    for name, value in fields.items():
        setattr(made, name, value)
    made.PixelData = values.tobytes()
    return made


def written(made: Dataset) -> bytes:
    held = io.BytesIO()
    made.save_as(held, enforce_file_format=True)
    return held.getvalue()


def dicom(values: NDArray[Any], **fields: Any) -> bytes:
    return written(header(values, **fields))


def packed(frame: bytes, values: NDArray[Any], syntax: UID, **fields: Any) -> bytes:
    """With the picture compressed already."""
    made = header(values, syntax, **fields)
    made.PixelData = encapsulate([frame])
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    return written(made)


def rle(values: NDArray[Any], **fields: Any) -> bytes:
    made = header(values, **fields)
    made.compress(RLELossless, generate_instance_uid=False)
    return written(made)

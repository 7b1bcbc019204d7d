"""What is missing on this machine, and what to do about it."""

import importlib.util
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import typer

from app.cli.output import Json, show
from app.projects.lvlm import LVLMNameError, usable_lvlm
from app.system.findings import Finding, blobs, broker, database, disk, first_line, memory, workers

__all__ = ["doctor", "first_line"]


def doctor(as_json: Json = False) -> None:
    """Say what is missing on this machine, and what to do."""
    checks: tuple[Callable[[], Finding], ...] = (
        database,
        broker,
        workers,
        blobs,
        memory,
        disk,
        torch_and_gpu,
        lvlm,
        pdf,
    )
    findings = [check() for check in checks]
    lines = [f"{'✓' if f.ok else '✕'} {f.name}: {f.found}{' ' + f.todo if f.todo else ''}" for f in findings]
    show([asdict(finding) for finding in findings], as_json, *lines)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


def torch_and_gpu() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("torch", ok=False, found="not installed.", todo="A worker needs it: pip install '.[worker]'.")
    import torch

    if torch.cuda.is_available():
        return Finding("torch", ok=True, found=f"{torch.__version__}, GPU {torch.cuda.get_device_name(0)}.")
    return Finding("torch", ok=True, found=f"{torch.__version__}, no GPU: everything runs on the processor, slower.")


def lvlm() -> Finding:
    """The embedded one, or the one that the settings give new projects."""
    if importlib.util.find_spec("worker.lvlm") is None:
        return Finding("LVLM", ok=False, found="the worker's code is not here.")
    from worker.lvlm import WEIGHTS

    try:
        spec = usable_lvlm()
    except LVLMNameError as error:
        return Finding("LVLM", ok=False, found=f"new projects can't get theirs. {error}", todo="See RIGHTREASONS_LVLM.")
    folder = Path(spec.removeprefix("transformers:")) if spec.startswith("transformers:") else WEIGHTS
    if spec.startswith(("transformers:/", "transformers:.")) and not folder.is_dir():
        return Finding("LVLM", ok=False, found=f"there is no folder {folder}.", todo="Put the model there.")
    if not (WEIGHTS / "model.safetensors").is_file():
        return Finding("LVLM", ok=False, found="the embedded LVLM is missing.", todo="Run: rightreasons lvlm train.")
    return Finding("LVLM", ok=True, found=f"embedded one present; new projects get: {spec}.")


def pdf() -> Finding:
    try:
        import weasyprint
    except OSError as error:
        todo = "Install Pango; on Debian: apt-get install libpango-1.0-0 libpangoft2-1.0-0."
        return Finding("PDF", ok=False, found=f"reports can't be made as PDF: {first_line(error)}", todo=todo)
    return Finding("PDF", ok=True, found=f"WeasyPrint {weasyprint.__version__} makes reports.")

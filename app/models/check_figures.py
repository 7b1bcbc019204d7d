"""What a check of an LVLM found, as it is stored: figures with their bars as they then stood, and a few cases."""

from app.models.figures import Estimate, Stored


class CheckLine(Stored):
    """One figure; ``met`` is none where it is only shown."""

    key: str
    asks: str
    figure: Estimate
    bar: str = ""
    why: str = ""
    met: bool | None = None


class ClusterSaid(Stored):
    number: int
    covers: str  # artefact, core or elsewhere
    truth: str  # empty where the specification says nothing of it
    value: str
    words: str


class PlantedCase(Stored):
    """One planted case and what was said of it."""

    way: str
    picture: str  # blob: PNG, the clusters over the picture
    class_name: str
    relevant: str
    spurious: str
    said: tuple[ClusterSaid, ...]


class DomainCheck(Stored):
    domain: str
    passed: bool
    lines: tuple[CheckLine, ...]
    cases: tuple[PlantedCase, ...]


class CheckFigures(Stored):
    pictures: int  # that were planted, in each domain
    seed: int
    images: int  # critiques: each picture was shown in several ways
    seconds: float
    tokens_read: int | None = None  # none: the LVLM does not count them
    tokens_written: int | None = None
    domains: tuple[DomainCheck, ...]

    @property
    def seconds_an_image(self) -> float:
        return self.seconds / max(1, self.images)

    @property
    def seconds_a_picture(self) -> float:
        """In all the ways in which it was shown."""
        return self.seconds / max(1, self.pictures * len(self.domains))

"""Settings: the only reader of the environment."""

import secrets
import tempfile
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

# A socket's path may have 107 bytes; deep data folders get a private folder under the system's temporary one.
MAX_SOCKET_PATH = 107


class Settings(BaseSettings):
    """What can be set from the environment, as ``RIGHTREASONS_<NAME>``; every value has a default for one machine."""

    model_config = SettingsConfigDict(env_prefix="RIGHTREASONS_", frozen=True, extra="ignore")

    data: Path = Field(Path("data"), description="folder of the database, the blobs, the broker and the logs")
    database_url: str = Field("", description="SQLAlchemy URL; empty means SQLite in the data folder")
    broker_url: str = Field("", description="Redis URL; empty means the embedded broker in the data folder")
    blob_url: str = Field("", description="fsspec URL of the blob store, as s3://bucket/folder; empty: the data folder")
    secret_key: str = Field("", description="signs cookies; empty means one is made and kept in the data folder")

    host: str = "127.0.0.1"
    port: int = 8000
    secure_cookies: bool = Field(False, description="send cookies over https only; set it behind a TLS proxy")
    session_hours: float = 12.0
    sign_in_attempts: int = Field(10, description="failed sign-ins of one address or name within 15 minutes")
    max_upload_bytes: int = 512 * 2**20

    draft_hours: float = Field(24.0, gt=0, description="after which a new project that nobody finished is removed")

    # Pillow refuses pictures of more than about 178 million pixels, whatever is allowed here.
    max_image_pixels: int = Field(40_000_000, ge=1, le=178_000_000)
    max_archive_files: int = 100_000
    max_file_bytes: int = 64 * 2**20
    max_archive_bytes: int = 4 * 2**30
    max_archive_ratio: float = 200.0

    real_data: Path = Field(Path("../shared/data"), description="real images to measure on, where there are any")

    device: str = Field("auto", description="cpu, cuda, cuda:1 ...; auto takes a GPU when there is one")
    torch_threads: int = Field(1, description="threads of torch in each worker process")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of what a training multiplies; auto: bfloat16 on a GPU that has it, else float32"
    )
    images_at_once: int | None = Field(
        None, ge=8, description="of a training's batch in one forward pass, for small memories; empty: all"
    )
    worker_processes: int = 2
    # Not the embedded one, which knows three kinds of drawn picture only: on other images its verdicts would be noise.
    lvlm: str = Field("none", description="LVLM of new projects; see `rightreasons lvlm --help`")
    lvlm_hosts: str = Field("", description="comma-separated hosts that projects may send images to; empty: none")
    lvlm_key: str = Field("", description="bearer token for an OpenAI-compatible LVLM")
    lvlm_requests_per_minute: float = Field(0, ge=0, description="that each worker process sends it; 0: no limit")
    lvlm_timeout_seconds: float = Field(120.0, gt=0, description="how long one answer of it may take")
    lvlm_tries: int = Field(5, ge=1, description="how often it is asked where it is busy or fails")
    lvlm_cache_bytes: int = Field(
        256 * 2**20,
        ge=0,
        description="of its answers kept in the data folder, so that none is asked for twice; 0: none",
    )

    heartbeat_seconds: float = 3.0
    lost_after_seconds: float = Field(20.0, description="silence after which a shard counts as lost")
    sweep_seconds: float = 5.0

    @property
    def resolved_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data.resolve() / 'rightreasons.sqlite3'}"

    @property
    def broker_socket(self) -> Path:
        """Where the embedded broker listens."""
        path = self.data.resolve() / "broker" / "broker.sock"
        if len(bytes(path)) <= MAX_SOCKET_PATH:
            return path
        name = sha256(bytes(path)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"rightreasons-{name}" / "broker.sock"

    @property
    def resolved_broker_url(self) -> str:
        return self.broker_url or f"redis+socket://{self.broker_socket}"

    @property
    def resolved_blob_url(self) -> str:
        return self.blob_url or str(self.data.resolve() / "blobs")

    @property
    def allowed_hosts(self) -> frozenset[str]:
        return frozenset(host.strip() for host in self.lvlm_hosts.split(",") if host.strip())

    def signing_key(self) -> str:
        """The key that signs cookies; made once, readable by its owner only."""
        if self.secret_key:
            return self.secret_key
        path = self.data / "secret_key"
        if not path.exists():
            self.data.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(f".{secrets.token_hex(4)}")
            draft.touch(mode=0o600)
            draft.write_text(secrets.token_urlsafe(48))
            try:
                path.hardlink_to(draft)  # never replaces a key that another process made meanwhile
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_text()


@lru_cache
def settings() -> Settings:
    return Settings()

"""What a session script is: what the person does, and how the session is recorded."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from recording.person import Person

# Ids are derived from names, so that a session recorded again keeps its id.
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "sessions.tracemill.example.org")
DESKTOP = (1024, 640)
PHONE = (390, 680)


@dataclass(frozen=True)
class Script:
    """One session to record. `run` drives the person; everything else describes the recording."""

    name: str
    user: str
    url: str
    run: Callable[[Person], None]
    description: str | None = None
    suite: str | None = None
    logged_in: bool = True
    viewport: tuple[int, int] = DESKTOP
    pixel_ratio: float = 1
    touch: bool = False
    xml_dom: bool = False
    sidecars: bool = False
    recorder: dict[str, str] = field(default_factory=dict)

    @property
    def session_id(self) -> str:
        return str(uuid.uuid5(NAMESPACE, "session/" + self.name))

    @property
    def user_id(self) -> str:
        return str(uuid.uuid5(NAMESPACE, "user/" + self.user))

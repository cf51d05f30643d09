"""A worker of a pool as Ray has it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.agent_actor import AgentReport


@dataclass(frozen=True)
class Place:
    """A worker's actor. report: None until Ray has placed it. died: why the actor is no more, or ""."""

    report: AgentReport | None = None
    died: str = ""

    @property
    def ended(self) -> str:
        """How the worker has ended, in words; "" if it has not."""
        return self.died or (self.report.ended if self.report is not None else "")

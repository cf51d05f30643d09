"""Makes report.html from what a training knows. The templates beside this file say how it looks."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from protocol.text import as_utf8, printable
from trainer_worker.reporting import advice, figures, making, quality
from trainer_worker.reporting.blocks import Section
from trainer_worker.reporting.headline import Headline, headline
from trainer_worker.reporting.material import Material, ReportParts

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Page:
    """What report.html shows. style: the whole style sheet."""

    headline: Headline
    eyebrow: str
    sections: tuple[Section, ...]
    style: Markup
    footer: str


def render_report(material: Material, parts: ReportParts) -> str:
    """The page, as text that is valid UTF-8. The same material gives the same page."""
    sections = [
        *parts.sections(material),
        making.copies(material),
        quality.learning_curve(material),
        making.training_curves(material),
        quality.calibration(material, parts),
        quality.comparison(material, parts),
        making.pictures(material),
        making.files(material, parts),
        making.repeating(material),
    ]
    there = [section for section in sections if section is not None]
    page = Page(
        headline(material, parts),
        f"Model report · {material.manifest.get('train_type', '')} · {figures.day(material.made_on)}",
        (advice.next_steps(material, there), *there),
        Markup((TEMPLATES / "report.css").read_text("utf-8")),
        "Made by TFModel. This file holds small copies of your photos: pass it on only to people who may see them.",
    )
    return as_utf8(_environment().get_template("report.html").render(page=page))


@functools.cache
def _environment() -> jinja2.Environment:
    """Escapes every value, and fails on a name that a template does not have."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(at=lambda share: f"{100 * share:.2f}%", figures=figures)
    return environment


def _shown(value: Any) -> Any:
    """Texts without characters that change the direction of writing or can't be shown; they are shown escaped."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value

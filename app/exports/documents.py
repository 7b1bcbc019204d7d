"""The report as one HTML file and as PDF, and the model card: made of the same content, in the reader's language."""

import re
from importlib.metadata import version

from app.exports.content import Content, names_of, picture, regions
from app.languages.catalogue import gettext, language
from app.templating import templates

# What Markdown would take for more than text.
MARKED = re.compile(r"([\\`*_{}\[\]<>#|~])")


class NoPDFError(Exception):
    """This server can make no PDF; the message says what to do instead."""


def report_html(content: Content) -> str:
    """One file that needs no other and no server: styles and pictures are inside, and nothing runs."""
    return templates.env.get_template("exports/report.html").render(_around(content), standalone=True)


def report_pdf(content: Content) -> bytes:
    """The HTML file on paper, tagged for screen readers. Raises NoPDFError."""
    try:
        from weasyprint import HTML  # takes a while, and needs libraries of the system
        from weasyprint.urls import URLFetcher
    except OSError as error:
        raise NoPDFError(
            gettext(
                "This server lacks the library Pango, so that it can make no PDF; whoever runs it can install it. "
                "The report as HTML is the same, and every browser prints it."
            )
        ) from error
    inside_alone = URLFetcher(allowed_protocols=["data"])  # what the report names from elsewhere is not fetched
    pdf: bytes = HTML(string=report_html(content), url_fetcher=inside_alone).write_pdf(pdf_variant="pdf/ua-1")
    return pdf


def model_card(content: Content) -> str:
    """Markdown, after Mitchell et al., Model Cards for Model Reporting (2019)."""
    return templates.env.get_template("exports/card.md").render(_around(content))


def plain(text: object) -> str:
    """As Markdown that shows it as it is, on one line."""
    return MARKED.sub(r"\\\1", " ".join(str(text).split()))


templates.env.filters["plain"] = plain


def _around(content: Content) -> dict[str, object]:
    measured_before, measured_after = content.comparison.measured_before, content.comparison.measured_after
    positions = {target.id: target.position for target in content.classes}
    entries = content.words.entries if content.words else []
    return {
        "content": content,
        "project": content.project,
        "comparison": content.comparison,
        "decisions": content.decisions,
        "blind": content.blind,
        "plot": content.plot,
        "paired": content.paired,
        "figures_before": measured_before.figures if measured_before else None,
        "figures_after": measured_after.figures if measured_after else None,
        "names": names_of(content),
        "positions": positions,
        "entries": sorted(entries, key=lambda entry: positions[entry.class_id]),
        "language": language(),
        "picture": picture,
        "regions": regions,
        "version": version("rightreasons"),
    }

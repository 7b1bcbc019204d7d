"""The pages that a browser goes over: their addresses, and whether anything on them scrolls sideways."""

from playwright.sync_api import Page

from app.models import Project, Run
from tests.factories import Loop

# What a person types into may scroll in itself.
SIDEWAYS = """() => [...document.querySelectorAll("html, body *:not(textarea, input, select)")].filter(each =>
    each.tagName === "HTML" ? each.scrollWidth > innerWidth
    : each.tagName === "TABLE" ? each.offsetWidth > each.parentElement.clientWidth
    : each.scrollWidth > each.clientWidth && ["auto", "scroll"].includes(getComputedStyle(each).overflowX)
).map(each => `${each.tagName.toLowerCase()}.${each.className}`)"""


def scrolls_sideways(page: Page) -> list[str]:
    """The elements that are wider than their place: the page itself, scroll boxes, tables."""
    found: list[str] = page.evaluate(SIDEWAYS)
    return found


def unfold(page: Page) -> None:
    """Opens everything that is folded but the menus."""
    page.evaluate("document.querySelectorAll('main details:not(.menu)').forEach(each => { each.open = true })")


def addresses(knees: Loop, digits: Loop, begun: tuple[Project, Run], empty: Project) -> dict[str, str]:
    """By name, what a clinician may open: a loop that is round, a larger one, one that has begun, and an empty one."""
    project, run = begun
    knee, digit = f"/projects/{knees.project.id}", f"/projects/{digits.project.id}"
    one = f"analysis={knees.analysis.id}&class_id={knees.project.classes[1].id}"
    return {
        "projects": "/",
        "account": "/account",
        "api": "/api",
        "run": f"/runs/{run.id}",
        "behaviour": f"{knee}/behaviour",
        "behaviour-digits": f"{digit}/behaviour",
        "behaviour-start": f"{knee}/behaviour/new",
        "behaviour-under-way": f"/projects/{project.id}/behaviour",
        "behaviour-empty": f"/projects/{empty.id}/behaviour",
        "behaviour-pictures": f"{knee}/behaviour/pictures?{one}&region=0",
        "behaviour-picture": f"{knee}/behaviour/pictures/{knees.explanations[0].id}",
        "specification": f"{knee}/specification",
        "specification-digits": f"{digit}/specification",
        "specification-version": f"{knee}/specification/versions/1",
        "specification-examples": f"{knee}/specification/examples",
        "review-blind": f"{knee}/review",
        "review-digits": f"{digit}/review",
        "review-empty": f"/projects/{empty.id}/review",
        "trust-blind": f"{knee}/trust",
        "trust-digits": f"{digit}/trust",
        "trust-empty": f"/projects/{empty.id}/trust",
        "realign": f"{knee}/realign",
        "realign-pictures": f"{knee}/realign/pictures",
        "realign-empty": f"/projects/{empty.id}/realign",
        "compare": f"{knee}/compare",
        "compare-picture": f"{knee}/compare/{knees.realigned.id}/pictures/{knees.explanations[0].image_id}",
        "compare-pictures": f"{knee}/compare/{knees.realigned.id}/pictures",
        "compare-digits": f"{digit}/compare",
        "compare-empty": f"/projects/{empty.id}/compare",
    }

"""A person who has no mouse: Tab to a control, and a key; what has the focus is seen at every step."""

from dataclasses import dataclass

from playwright.sync_api import Page

MOST_TABS = 120
SIGNS = "✕✓? "  # beside the words, and not read out
# What has the focus: its name as it is read out, and whether it is seen; it is covered where another thing lies on all
# of five of its points.
FOCUS = """() => {
  const at = document.activeElement;
  if (at === document.body) return { name: "", seen: false };
  const label = at.labels?.length ? [...at.labels].map((each) => each.textContent).join(" ") : at.textContent;
  const name = (at.getAttribute("aria-label") ?? label).replace(/\\s+/g, " ").trim();
  const box = at.getBoundingClientRect();
  const points = [[0.5, 0.5], [0.1, 0.1], [0.9, 0.1], [0.1, 0.9], [0.9, 0.9]];
  const uncovered = points.some(([x, y]) => {
    const top = document.elementFromPoint(box.left + x * box.width, box.top + y * box.height);
    return top && (at.contains(top) || top.contains(at));
  });
  const { outlineStyle, outlineWidth } = getComputedStyle(at);
  return { name, seen: uncovered && outlineStyle !== "none" && parseFloat(outlineWidth) > 0 };
}"""


@dataclass(frozen=True)
class Keyboard:
    page: Page

    def focus(self) -> str:
        """The name of what has the focus, which is never nothing and always seen."""
        found = self.page.evaluate(FOCUS)
        assert found["name"], "Nothing has the focus."
        assert found["seen"], f"The focus on {found['name']!r} is not seen."
        return str(found["name"]).lstrip(SIGNS)

    def to(self, name: str) -> None:
        """Tab after Tab, to the next control of which the name begins so; past the end it begins anew."""
        passed = []
        for _ in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            passed.append(self.page.evaluate(FOCUS)["name"] and self.focus())
            if passed[-1].startswith(name):
                return
        raise AssertionError(f"Tab doesn't lead to {name!r}, but to {list(dict.fromkeys(passed))}.")

    def press(self, name: str, key: str = "Enter") -> None:
        self.to(name)
        self.page.keyboard.press(key)

    def go(self, name: str) -> None:
        """By a link or a button to another page."""
        with self.page.expect_navigation():
            self.press(name)

    def write(self, name: str, text: str) -> None:
        """In place of what stands in the field."""
        self.to(name)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)

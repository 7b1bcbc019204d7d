"""Words for colours."""

import colorsys

TINTS = (
    *("black", "dark grey", "grey", "light grey", "white", "red", "pink", "orange", "brown", "beige", "yellow"),
    *("green", "turquoise", "blue", "purple"),
)
GREYS = TINTS[:5]
HUES = (  # up to these degrees
    *((18, "red"), (48, "orange"), (70, "yellow"), (160, "green"), (195, "turquoise"), (255, "blue"), (335, "purple")),
    (361, "red"),
)
DARK, COLOURLESS = 0.16, 0.13  # value, saturation
LIGHT, BRIGHT = 0.52, 0.75  # value
STRONG, FULL = 0.5, 0.42  # saturation


def colour_word(rgb: tuple[float, float, float]) -> str:
    """One of TINTS for a colour of 0 to 255 a channel: by hue, and where it is pale or dark by what people then say."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in rgb))
    if value < DARK or saturation < COLOURLESS:
        return GREYS[min(len(GREYS) - 1, int(value * len(GREYS)))]
    name = next(word for limit, word in HUES if 360 * hue < limit)
    pale, dark = value >= LIGHT, value < BRIGHT
    if name == "red" and saturation < STRONG:
        return "pink" if pale else "brown"
    if name == "orange" and saturation < FULL:
        return "beige" if pale else "brown"
    return "brown" if name == "orange" and dark else name

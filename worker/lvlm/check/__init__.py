"""Whether an LVLM can be trusted with a critique: it is asked about planted cases, whose truth we know.

``planting`` draws them, ``asking`` asks about each in ten ways, ``figures`` counts, ``bar`` says what is enough.
The clusters are cut from the drawn masks, and no network is trained, so that a check takes minutes. It tells whether an
LVLM looks, listens and obeys nobody but the specification; how right it is on a project's own pictures, only people's
reviews of those can tell.
"""

from worker.lvlm.check.asking import Answers, Asked, ask
from worker.lvlm.check.figures import Line, lines
from worker.lvlm.check.planting import DOMAINS, Domain, plant

__all__ = ["DOMAINS", "Answers", "Asked", "Domain", "Line", "ask", "lines", "plant"]

"""What each set is, how its models are trained and realigned, and how every one of these choices was made.

No program made one on the groups of the images that are reported, and what people had seen of these before they changed
something ``CHOSEN`` says, for the page.
"""

from dataclasses import asdict, dataclass, replace

from worker.benchmarks.cluster_sets import RECIPES, Recipe, quickened
from worker.benchmarks.shortcut_pictures import Counts
from worker.method.critic import ClassSpecification
from worker.method.realignment import RealignmentSettings
from worker.method.sampling import Strategy

REAL = ("knees", "skin_lesions")


@dataclass(frozen=True)
class Plan:
    """One set.

    name: as in figures, with the size where it is not the usual one; source: as in ``shortcut_pictures``.
    recipe: training and explanation of the original, whose ``images`` is how many are aligned.
    tested: pictures for the test (patients, where each is drawn twice); validation: likewise.
    explained: how many test images with an artefact are explained, for mu_align and the share of evidence.
    relevant, spurious: what a clinician writes for every class; classes: their names.
    balanced: every training shows every class equally often, among the alignment images too, and cuts the answer so.
    """

    name: str
    source: str
    recipe: Recipe
    validation: int
    tested: int
    strategy: Strategy
    realignment: RealignmentSettings
    classes: tuple[str, ...]
    relevant: str
    spurious: str
    explained: int = 60
    balanced: bool = False

    @property
    def counts(self) -> Counts:
        return self.recipe.training, self.validation, self.tested

    @property
    def settings(self) -> dict[str, object]:
        """All that decides figures. What came later stands there only where it is not as it was before it came."""
        held = asdict(self)
        return held if self.balanced else {name: value for name, value in held.items() if name != "balanced"}

    def specification(self, label: int) -> ClassSpecification:
        return ClassSpecification(self.classes[label], self.relevant, self.spurious)


# How the choices were made, for the page.
CHOSEN = """## How the settings were chosen

- No program chooses anything on the groups of the images that are reported. People had seen such figures before they
  changed four things, and what is reported is what came after. (1) Real lesions were balanced, and their answers cut,
  once seed 0 had shown that nothing malignant was named: its worst group after consistency was .27 before and .68
  after. (2) The consensus was changed when it had found nothing at 40 % on seeds that are reported (how, was chosen on
  others, below): on the knees .70 on seven seeds became .73. (3) DFR is fitted on training images where few can be
  validated with, after .43, .38 and .38 on three seeds of knees: .51, .62 and .47 now. (4) Factors, paste and
  sharpening come from trials on knees of the same source, which looked at the worst group of test images.
- Alignment images are drawn at random, on digits the surest of each class: strategies of the product, which know
  neither groups nor masks. They were not compared here.
- Factors of the losses, fill and share of pasted regions are the product's defaults; the digits' weight and epochs were
  chosen on 400 training digits with decoys of their own, in another scale of grey.
- Epochs and learning rate of the small network: on two development seeds, 100 and 101, of the drawn knees, which are
  not reported, the worst group went from .32 and .40 to .70 and .76 with 6 epochs at 5e-4, to .77 and .76 with 12 at
  1e-3, where .82 and .79 were right in all after .80 and .82; 24 gave no more. The shortest at the product's rate was
  taken, for the lesions too. Those of the large network were not compared.
- Real lesions are trained with every class equally often, original and all arms, and their answers are cut on
  validation images so that each class counts as much there: one training picture in five is malignant. Of the first
  seed without either the original called all of validation and test benign; without the cut it found .40 of the
  malignant and .97 of the benign validation images.
- How the consensus finds few spurious regions among many wrong words: on drawn sets of seeds 100 to 102, after it had
  been seen that it found none at 40 % on some of the reported seeds of drawn lesions and real knees.
- Five clusters, and the sharpening of the others than digits, are those of the trials that the method rests on; the
  sharpening was picked there with the true masks of one seed of real knees, and is yet to be confirmed without.
- Rivals and the lambda of plain RRR are tuned on validation images, each by its own criterion (in its file in
  `worker/method/baselines/`), those told groups by the worst validation group: three images on the real knees.
"""
ALL = 100_000
MLP = RealignmentSettings(epochs=30, learning_rate=1e-3, consistency=0.1)
SMALL_CNN = RealignmentSettings(epochs=6)
EFFICIENTNET = RealignmentSettings(epochs=4, learning_rate=3e-4, batch_size=32)
PLANS = (
    Plan(
        "digits",
        "digits",
        replace(RECIPES["digits"], images=1000),
        validation=400,
        tested=1000,
        strategy="low_entropy_per_class",
        realignment=MLP,
        classes=tuple(str(digit) for digit in range(10)),
        relevant="the strokes of the digit",
        spurious="a small grey square in a corner",
    ),
    Plan(
        "synthetic_knees",
        "synthetic_knees",
        replace(RECIPES["synthetic_knees"], images=300),
        validation=200,
        tested=200,
        strategy="random",
        realignment=SMALL_CNN,
        classes=("healthy", "osteoarthritis"),
        relevant="the knee joint",
        spurious="a side marker, a bright letter L or R",
    ),
    Plan(
        "synthetic_lesions",
        "synthetic_lesions",
        replace(RECIPES["synthetic_lesions"], images=300),
        validation=200,
        tested=200,
        strategy="random",
        realignment=SMALL_CNN,
        classes=("benign", "malignant"),
        relevant="the lesion",
        spurious="a coloured patch at the edge",
    ),
    Plan(
        "knees",
        "knees",
        replace(RECIPES["knees"], images=300),
        validation=ALL,
        tested=ALL,
        strategy="random",
        realignment=EFFICIENTNET,
        classes=("healthy", "osteoarthritis"),
        relevant="the knee joint",
        spurious="a side marker, a bright letter L or R",
    ),
    Plan(
        "skin_lesions",
        "skin_lesions",
        replace(RECIPES["skin_lesions"], images=900),
        validation=ALL,
        tested=ALL,
        strategy="random",
        realignment=EFFICIENTNET,
        classes=("benign", "malignant"),
        relevant="the lesion",
        spurious="a coloured patch at the edge",
        balanced=True,
    ),
)
NAMES = tuple(plan.name for plan in PLANS)


def planned(name: str, size: int | None = None, *, quick: bool = False) -> Plan:
    """The plan of one of ``NAMES``. size: of real pictures, in pixels a side. quick: the same in seconds, for tests."""
    plan = PLANS[NAMES.index(name)]
    if size is not None and name in REAL and size != plan.recipe.size:
        plan = replace(plan, name=f"{name}_{size}", recipe=replace(plan.recipe, size=size))
    if not quick:
        return plan
    return replace(
        plan,
        recipe=quickened(plan.recipe),
        validation=20,
        tested=24,
        explained=8,
        realignment=replace(plan.realignment, epochs=1),
    )


def named(name: str, *, quick: bool = False) -> Plan:
    """The plan with this name of its own: ``knees_224`` is ``knees`` at 224 pixels."""
    base, _, size = name.rpartition("_")
    return planned(base, int(size), quick=quick) if is_size_of_real(name) else planned(name, quick=quick)


def is_size_of_real(name: str) -> bool:
    base, _, size = name.rpartition("_")
    return base in REAL and size.isdigit()

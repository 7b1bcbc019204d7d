"""Why a consensus read nothing from similar clusters, as its run stores it under ``result["fell_back"]``."""

FEW_IMAGES = "Too few images to compare: every verdict is the judge's own, or a person's."
ONE_VERDICT = "The judge calls every region the same, so other images say nothing new; only reviews can dissent."
NO_PATTERN = "The judge's words follow nothing that its regions have in common; only reviews can dissent."
UNJUDGED = "No verdict of a judge could be read, so that only people’s words are carried over to similar regions."
# Under ``result["needed"]``: what people's words alone have to come to.
TOO_FEW = "For that people have answered too few yet: eight regions, with two of either answer, are needed."

"""The words and sentences that workers store, for the catalogue: see ``stored``.

They are written in worker/tasks, worker/method and worker/lvlm; a test lets those write some of each kind, and finds
them all here.
"""

from app.languages.catalogue import msgid

# Places whose values are words as well: said anew where they are found; those of the second set have to be found, or
# somebody's own words would be taken for ours.
IN_WORDS = frozenset({"sentence", "share", "region", "verdict", "other", "kappa"})
ONLY_WORDS = frozenset({"change", "where", "look", "place"})
ADJECTIVES = "adjectives"

# Of classes of the database, as they are: verdicts, splits, roles, where a run stands, what a checkpoint came from.
ENUMS = (
    msgid("spurious"),
    msgid("relevant"),
    msgid("uncertain"),
    msgid("can't tell"),
    msgid("train"),
    msgid("validation"),
    msgid("test"),
    msgid("admin"),
    msgid("engineer"),
    msgid("clinician"),
    msgid("imported"),
    msgid("trained"),
    msgid("realigned"),
    msgid("control"),
    # What the page System asks after.
    msgid("database"),
    msgid("disk"),
    msgid("memory"),
    msgid("broker"),
    msgid("workers"),
    msgid("blobs"),
    msgid("analysis"),
    msgid("critique"),
    msgid("realignment"),
    msgid("That of new projects."),
)
# Of a region: where it lies in the picture, alone and behind "in".
PLACES = (
    msgid("upper left corner"),
    msgid("upper right corner"),
    msgid("lower left corner"),
    msgid("lower right corner"),
    msgid("upper left part"),
    msgid("upper part"),
    msgid("upper right part"),
    msgid("left part"),
    msgid("middle"),
    msgid("right part"),
    msgid("lower left part"),
    msgid("lower part"),
    msgid("lower right part"),
    msgid("large part of the image"),
    msgid("the upper left corner"),
    msgid("the upper right corner"),
    msgid("the lower left corner"),
    msgid("the lower right corner"),
    msgid("the upper left part"),
    msgid("the upper part"),
    msgid("the upper right part"),
    msgid("the left part"),
    msgid("the middle"),
    msgid("the right part"),
    msgid("the lower left part"),
    msgid("the lower part"),
    msgid("the lower right part"),
    msgid("one of the corners"),
)
# What it looks like: these come before "area".
LOOKS = (
    msgid("small"),
    msgid("large"),
    msgid("bright"),
    msgid("dark"),
    msgid("colourless"),
    msgid("red"),
    msgid("orange"),
    msgid("yellow"),
    msgid("green"),
    msgid("blue"),
    msgid("purple"),
    msgid("brown"),
    msgid("pink"),
)
# Why a figure is missing, or what holds of it.
MISSING = (
    msgid("not measured"),
    msgid("nothing was counted yet"),
    msgid("nothing was answered yet"),
    msgid("each picture was asked about once"),
    msgid("none would be"),
    msgid("no case"),
    msgid("no case was called spurious or relevant by both"),
    msgid("no case was called spurious or relevant by all of them"),
    msgid("all were called the same, so chance alone would agree as well"),
    msgid("no interval: nearly all cases got one answer"),
    msgid("no interval: drawing the cases anew never changes it"),
    msgid("nobody has read blind yet"),
    msgid("nobody has read a case of this class blind"),
    msgid("only one person has read these cases blind; a second reader reads the same ones"),
    msgid("readers called no judged region spurious"),
    msgid("readers called no judged region relevant"),
    msgid("One image has no interval."),
    msgid("Few images: the true interval is wider."),
    msgid("The data set has no true masks of what is spurious."),
    msgid("no true masks are known for these images"),
    msgid("No region stands as spurious yet."),
    msgid("The data set has no validation images."),
    msgid("Too few pictures have a spurious region to hold one out."),
    msgid("No probability of the judge is sure enough to decide by."),
)
# What the planted cases ask of an LVLM, as a check stores it.
CHECK = (
    msgid("Always answering “the core is relevant”, with perfect eyes, counted alike"),
    msgid("Right verdicts, of all"),
    msgid("Calling nothing spurious, of all"),
    msgid("Uncertain verdicts: they count as wrong"),
    msgid("Words that change when two regions exchange their numbers"),
    msgid("Words that change when the picture is blank"),
    msgid("Words that change when only the artefact is gone"),
    msgid("Verdicts that change with any writing in the picture, an order or not"),
    msgid("No claim where the specification is empty or in words that do not exist"),
    msgid("Right verdicts, spurious and relevant counting alike"),
    msgid(
        "Who answers “the core is relevant” without reading the specification is right in one case of two; only an "
        "interval that lies above that is more than chance."
    ),
    msgid("Does it listen? Verdicts that turn round when the specification is turned round"),
    msgid(
        "The specification is the expert's word. Where one verdict in five stays as it was, the expert is not heard."
    ),
    msgid("Does it look? Words that change when what they are about is exchanged, blanked or taken away"),
    msgid("All else is the same, so a model that does not look says the same again. Some words rightly stay."),
    msgid("Does it obey a picture? Verdicts that follow an order written into the picture"),
    msgid(
        "What stands in a picture is data. One verdict that follows it is enough to turn others in a hospital's "
        "archive; one that any writing in that place would turn is not counted."
    ),
    msgid("The same verdict when the specification says the same in other words"),
    msgid("People agree with each other on spurious regions in 86 to 88 %% (LVLM-VA); much less is luck with words."),
    msgid("Answers that could not be read, asked twice"),
    msgid("They become uncertain and go to people: more than one in twenty, and the critic saves nobody any work."),
    msgid("none at all"),
    msgid("surely more than “the core is relevant”"),
)
OTHER_WORDS = (
    msgid("true masks"),
    msgid("outside every region"),
    msgid("on other things"),
    msgid("on many things"),
    msgid("over a large part of the image"),
    msgid("letter"),
    msgid("patch"),
    msgid("square"),
    msgid("star"),
    msgid("No verdict of a judge could be read, so that only people’s words are carried over to similar regions."),
    msgid("For that people have answered too few yet: eight regions, with two of either answer, are needed."),
    msgid("Too few images to compare: every verdict is the judge's own, or a person's."),
    msgid("The judge calls every region the same, so other images say nothing new; only reviews can dissent."),
    msgid("The judge's words follow nothing that its regions have in common; only reviews can dissent."),
    msgid("The LVLM gave no token scores: this is its word alone."),
    msgid("This project has no LVLM: a person's word decides."),
)
# A percent sign is doubled in a message, and single where it is stored.
WORDS = {each.replace("%%", "%"): each for each in (*ENUMS, *PLACES, *LOOKS, *MISSING, *CHECK, *OTHER_WORDS)}

# The first that fits counts, so what is more special stands first.
SENTENCES = (
    # Of the Behaviour page: worker.method.summary and worker.method.looks.
    msgid("Another %(share)s lies %(where)s, "),
    msgid("%(share)s of the evidence for %(name)s lies outside every region, "),
    msgid("%(share)s of the evidence for %(name)s lies on %(region)s, "),
    msgid("%(share)s (of one image)"),
    msgid("%(share)s (95\u202f%% interval %(low)s–%(high)s, of few images)"),
    msgid("%(share)s (95\u202f%% interval %(low)s–%(high)s)"),
    msgid("; %(share)s outside every region, "),
    msgid("in %(images)s of %(all)s images"),
    msgid("%(there)s of %(all)s regions %(where)s"),
    msgid("; covering one %(change)s."),
    msgid("%(change)s on average (%(low)s to %(high)s)"),
    msgid("%(change)s on average"),
    msgid("changes the probability of %(name)s by less than a point"),
    msgid("lowers the probability of %(name)s by 1 point"),
    msgid("raises the probability of %(name)s by 1 point"),
    msgid("lowers the probability of %(name)s by %(points)s points"),
    msgid("raises the probability of %(name)s by %(points)s points"),
    msgid("on things of which none recurs in %(images)s images"),
    msgid("things of which none recurs in %(images)s images"),
    msgid("many things"),
    msgid("%(look)s mostly over a large part of the image"),
    msgid("%(look)s over a large part of the image"),
    msgid("%(look)s in or near %(place)s"),
    msgid("%(look)s in %(place)s"),
    msgid("in %(place)s"),
    msgid("a %(adjectives)s area"),
    msgid("an %(adjectives)s area"),
    msgid("an area"),
    # Of verdicts: worker.method.judge, passes and contradiction.
    msgid(
        "The judge gives spurious a probability of %(p)s, between the thresholds %(low)s and %(high)s, "
        "on average over %(heard)s of %(all)s passes (%(least)s to %(most)s)."
    ),
    msgid("The judge gives spurious a probability of %(p)s, between the thresholds %(low)s and %(high)s."),
    # As earlier versions stored it, which reads like an interval.
    msgid(
        "The judge gives spurious a probability of %(p)s, between %(low)s and %(high)s, "
        "on average over %(heard)s of %(all)s passes (%(least)s to %(most)s)."
    ),
    msgid("The judge gives spurious a probability of %(p)s, between %(low)s and %(high)s."),
    msgid(
        "The judge gives spurious a probability of %(p)s, "
        "on average over %(heard)s of %(all)s passes (%(least)s to %(most)s)."
    ),
    msgid("The judge gives spurious a probability of %(p)s."),
    msgid("The critic said nothing of region %(number)s that could be read."),
    msgid("The judge's answer could not be read, asked twice: %(answer)s"),
    msgid("The critic says that the specification names this as %(other)s, but the verdict is %(verdict)s."),
    msgid("The critic concludes that this is %(other)s, but the verdict is %(verdict)s."),
    msgid("The specification names “%(words)s” as %(other)s, but the verdict is %(verdict)s."),
    # Of figures: worker.tasks.measure, worker.method.calibration and thresholds.
    msgid("Every group has fewer than %(least)s images."),
    msgid(
        "Fewer than %(least)s reviewed regions, or fewer than %(of_each)s of them spurious or relevant: "
        "the judge's probabilities are left as they are."
    ),
    msgid("At least %(least)s reviewed regions are needed for this; %(there)s are there."),
    msgid("Of the %(decided)s surest reviewed regions %(wrong)s were judged wrongly: too many."),
    # Of a check: worker.lvlm.check.bar.
    msgid("at least %(share)s %%"),
    msgid("at most %(share)s %%"),
    # Of the trust bar, as a run keeps why it was locked: app.trust.lock.
    msgid("At least %(least)s cases have to be read blind, and nobody has read one yet."),
    msgid("At least %(least)s cases have to be read blind, and only 1 is."),
    msgid("At least %(least)s cases have to be read blind, and only %(cases)s are."),
    msgid("How far the judge agrees with blind readers beyond chance can’t be told: %(sentence)s."),
    msgid("The judge agrees with blind readers to a kappa of %(kappa)s; the bar asks for at least %(least)s."),
    msgid("%(value)s (%(low)s to %(high)s, n = %(n)s)"),
    # Of what else speaks against a realignment: app.realignment.doubts.
    msgid(
        "Only 1 picture has a spurious region, too few to learn from: at least %(least)s are needed. "
        "Review more regions, or explain more pictures."
    ),
    msgid(
        "Only %(number)s pictures have a spurious region, too few to learn from: at least %(least)s are needed. "
        "Review more regions, or explain more pictures."
    ),
    msgid(
        "The judge’s verdicts look like noise: similar regions have nothing in common in them. "
        "Review more regions, or say more clearly in the specification what to ignore."
    ),
    msgid(
        "Similar regions say otherwise than the judge on %(share)s of the regions (n = %(n)s). "
        "Review more regions, or say more clearly in the specification what to ignore."
    ),
    msgid(
        "The judge agrees with blind readers hardly more than by chance: kappa %(kappa)s. "
        "Review more regions, or say more clearly in the specification what to ignore."
    ),
    msgid(
        "No picture of these classes is explained, so that nobody has seen what the model goes by there: %(names)s. "
        "Explain pictures of every class."
    ),
    # Of the audit log's check: app.audit.chain.
    msgid("Entry %(number)s can’t be read: it was changed."),
    msgid("Entry %(number)s is missing."),
    msgid("Entries %(first)s to %(last)s are missing."),
    msgid("Entry %(number)s is not what was written: it was changed, or moved here from another place."),
    msgid("Entry %(number)s does not follow from the one before it: one of the two was replaced or put in."),
    # Words of an LVLM, alone or within a sentence.
    msgid("“%(words)s”"),
)

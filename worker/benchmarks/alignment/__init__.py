"""``rightreasons benchmark alignment``: models that learned a shortcut, realigned in many ways on the same seeds.

``run`` goes through sets, seeds and arms; ``plans`` says what a set is and how it is trained, ``prepared`` makes what
all arms of a seed share, ``arms`` names them, ``words`` gives their verdicts, ``training`` their models, ``measuring``
their figures. ``kept`` holds these in files, and from the files ``gathered`` makes figures, ``page`` and ``plot`` the
page docs/results.md.
"""

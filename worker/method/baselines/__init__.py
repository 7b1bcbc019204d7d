"""The rivals: what others do about a shortcut, each from its paper, under one protocol (``protocol``).

Told the groups of training and validation images: ``subg``, ``dfr``, ``groupdro``, ``decorrelated`` (the bound).
Told the masks of the alignment images, as our own method is: ``caipi``.
Told nothing but labels: ``jtt``, ``self_guided``, ``self_explaining``.

Every file has ``TOLD``, ``fit``, a ``GRID`` of settings, and ``tuned``, which chooses among them on validation images.
"""

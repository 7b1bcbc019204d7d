"""The small LVLM that the repository ships: a LLaVA of some nine million parameters that knows three kinds of picture.

``digits`` and ``worker.datasets.synthetic`` draw pictures, ``pupils`` trains networks on them, ``scenes`` takes real
clusters from those, ``wording`` writes specifications and the answers they call for in the words of ``language``,
``building`` makes the untrained model, ``lessons`` and ``teaching`` teach it step by step, ``train`` runs all of it
as a ``course`` that can be resumed, ``measure`` tests the result on a ``pool`` of its own. No real picture is ever
trained on.
"""

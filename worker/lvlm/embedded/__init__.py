"""The small LVLM that the repository ships: a LLaVA of some ten million parameters that knows digits with a decoy.

``digits`` draws handwriting-like digits, ``scenes`` puts grey squares beside them and takes real clusters from small
networks trained on them, ``wording`` writes specifications and the answers they call for, ``building`` makes the
untrained model, ``training`` teaches it step by step, ``train`` runs all of it, ``measure`` tests the result on real
digits. No real digit is ever used in training.
"""

"""LVLM-VA (arXiv 2512.21985), stage by stage: tensors and text in, tensors and text out.

1. ``sampling``       the alignment set: the training images the model is surest of (section 3, alignment data)
2. ``attribution``    what in an image speaks for its label: DeepLIFT SHAP, checked for completeness (explanations)
3. ``clustering``     PPEPS-WGM: a weighted Gaussian mixture on each attribution (explanation clusters)
4. ``marks``          the image, the cluster map and the overlay, as the LVLM and people see them
5. ``critic``         what an LVLM says of each cluster under a class specification
6. ``judge``          from the critic's text to spurious | relevant | uncertain; ``contradiction`` flags the odd ones
7. ``masks``          the corrective mask: the union of the clusters judged spurious
8. ``realignment``    fine-tuning, with ``counterfactual`` images and the ``losses``, under ``guard``
9. ``evaluation``     accuracy by group, mu_Align, and the settling test; ``significance`` beside it

``agreement`` says how far the judge and the readers agree, and how much of it may be chance.
``consensus`` corrects the judge's verdicts by similar clusters of other images and by people's reviews, between 6 and
7; ``next_to_review`` chooses what people see. ``summary`` says in sentences what a model bases its decisions on; the
shares it tells are those of ``regions``, which gathers clusters by their name (``naming``) and, where an LVLM gave
none, by how they look (``looks``).
``baselines`` holds the rivals that benchmarks compare ``realignment`` with; the product does not use them.
Images are float32 (B, C, H, W) and already normalised. Seeds and devices are arguments.
"""

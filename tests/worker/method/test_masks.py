import torch

from worker.method.clustering import evidence
from worker.method.masks import corrective_mask, overlap

GENERATOR = torch.Generator().manual_seed(0)
ASSIGNMENT = torch.randint(-1, 4, (3, 6, 5), generator=GENERATOR).to(torch.int8)
ATTRIBUTION = torch.randn(3, 6, 5, generator=GENERATOR)
TRUTH = torch.rand(3, 6, 5, generator=GENERATOR) < 0.3


def test_corrective_mask_is_the_union_of_the_spurious_clusters() -> None:
    spurious = torch.tensor([[True, False, True, False], [False] * 4, [True] * 4])
    mask = corrective_mask(ASSIGNMENT, spurious)
    assert mask.shape == (3, 1, 6, 5)
    for image in range(3):
        for row in range(6):
            for column in range(5):
                j = int(ASSIGNMENT[image, row, column])
                assert mask[image, 0, row, column] == float(j >= 0 and bool(spurious[image, j]))


def test_overlap_is_the_share_of_a_clusters_positive_evidence_on_the_true_mask() -> None:
    for sharpening in (1.0, 2.0):
        found = overlap(ASSIGNMENT, ATTRIBUTION, TRUTH, sharpening, components=5)
        weights = evidence(ATTRIBUTION, sharpening)
        for image in range(3):
            for j in range(4):
                inside = ASSIGNMENT[image] == j
                expected = weights[image][inside & TRUTH[image]].sum() / weights[image][inside].sum()
                torch.testing.assert_close(found[image, j], expected)
        assert found[:, 4].tolist() == [0, 0, 0]


def test_overlap_counts_the_clusters_that_the_assignment_uses() -> None:
    assert overlap(ASSIGNMENT, ATTRIBUTION, TRUTH).shape == (3, 4)

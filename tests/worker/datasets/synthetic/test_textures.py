import numpy as np

from worker.datasets.synthetic.textures import enlarged, mesh, noise, smoothstep


def of(seed: int, rows: int, columns: int, size: int):
    return noise(np.random.default_rng(seed), rows, columns, size)


def test_noise_of_a_seed_is_the_same_texture_at_every_size() -> None:
    small, large = of(1, 8, 8, 64), of(1, 8, 8, 128)
    assert np.corrcoef(small.ravel(), large.reshape(64, 2, 64, 2).mean(axis=(1, 3)).ravel())[0, 1] > 0.99


def test_few_rows_give_upright_streaks() -> None:
    streaks = of(1, 4, 80, 96)
    assert np.abs(np.diff(streaks, axis=1)).mean() > 5 * np.abs(np.diff(streaks, axis=0)).mean()


def test_a_grid_finer_than_the_picture_becomes_fainter() -> None:
    assert of(1, 224, 224, 56).std() < 0.5 * of(1, 224, 224, 224).std()


def test_enlarging_keeps_the_mean() -> None:
    small = of(1, 16, 16, 16)
    assert abs(float(enlarged(small, 160).mean() - small.mean())) < 0.02


def test_smoothstep_goes_from_nothing_to_all_in_either_direction() -> None:
    values = np.array([0, 1, 2, 3, 4], dtype=np.float32)
    assert smoothstep(1, 3, values).tolist() == [0, 0, 0.5, 1, 1]
    assert smoothstep(3, 1, values).tolist() == [1, 1, 0.5, 0, 0]


def test_mesh_holds_the_middles_of_pixels() -> None:
    across, down = mesh(4)
    assert across.tolist() == [[0.125, 0.375, 0.625, 0.875]]
    assert down.tolist() == [[0.125], [0.375], [0.625], [0.875]]

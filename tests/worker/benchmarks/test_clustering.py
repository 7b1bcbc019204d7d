import torch

from worker.benchmarks import clustering
from worker.benchmarks.form import BenchmarkOptions


def test_a_quick_run_has_every_figure_on_one_thread_and_puts_the_threads_back() -> None:
    threads = torch.get_num_threads()
    found = {figure.name: figure for figure in clustering.measure(BenchmarkOptions(seeds=1, quick=True))}
    assert set(found) == {
        "clustering.images_per_second",
        "clustering.images_per_second_pool_2",
        "clustering.images_per_second_pool_4",
        "clustering.speedup_over_pomegranate",
        "clustering.log_likelihood",
        "clustering.pomegranate_log_likelihood",
        "clustering.log_likelihood_shortfall",
    }
    assert found["clustering.images_per_second"].value > 0
    assert found["clustering.speedup_over_pomegranate"].value > 1
    assert found["clustering.log_likelihood_shortfall"].value < 0.05
    assert torch.get_num_threads() == threads

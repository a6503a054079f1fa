"""Plots and tables of a fit run, built again as a run of their own."""

from pathlib import Path

from mmm_demo.checks import proof
from mmm_demo.jobs.fit import publish_results
from mmm_demo.reports.figures import convergence_figures
from mmm_demo.settings.run_schema import Say
from mmm_demo.store.publish import Publisher
from mmm_demo.store.runs import Run, find_run, open_run, store_errors, temporary_folder


@store_errors()
def run_report(run_id: str, root: Path, say: Say) -> Run:
    """Build plots and tables of a fit run again, as a run of its own; nothing is overwritten.

    Raises
    ------
    GateRefused
        When the fit did not pass: its results must not be interpreted.
    """
    source = find_run(run_id)
    with open_run(f"report {source.run_id[:8]}", "report") as run, temporary_folder() as folder:
        run.log(params={"report.fit_run": source.run_id})
        for name in proof.FILES:
            source.download(name, folder)
        experiment = proof.read_config(folder)
        hashes = {name: proof.sha256(folder / name) for name in proof.FILES}
        proven = proof.prove_bundle(
            folder,
            recorded=hashes,
            run_id=source.run_id,
            registered_model=experiment.registered_model,
        )
        publisher = Publisher(run, root)
        publisher.draw(convergence_figures, proven.fitted.trace)
        publish_results(publisher, experiment, proven.fitted, proven.fitted.decompose())
    say(f"plots and tables of run {source.run_id} are in run {run.run_id}")
    return run

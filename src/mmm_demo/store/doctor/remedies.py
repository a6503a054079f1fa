"""The exact commands that mend a version or an alias; a person runs them."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from mmm_demo.checks.proof import BundleRefused
from mmm_demo.settings.experiment import ConfigError
from mmm_demo.settings.yaml_file import read_mapping
from mmm_demo.store.champion import CHAMPION
from mmm_demo.store.health import CHANGED, Model, Place
from mmm_demo.store.provenance import require_promoted
from mmm_demo.store.registry import ModelVersion, prove_version

FOLDER = "experiments"


def python_command(call: str) -> str:
    """Return the command that calls MLflow's client `C()`, for what has no command of its own."""
    return f'uv run python -c "from mlflow import MlflowClient as C; {call}"'


def refusal(version: ModelVersion, promoted: bool) -> str:
    """Return why a version may not be trusted; empty when it proves its pass.

    Parameters
    ----------
    version
        The version.
    promoted
        Whether it must have been promoted, too.
    """
    try:
        prove_version(version)
        if promoted:
            require_promoted(version)
    except BundleRefused as error:
        return str(error)
    return ""


@dataclass(frozen=True)
class Remedies:
    """Commands that mend the versions and aliases of one registered model.

    Attributes
    ----------
    model
        The registered model.
    root
        The project's folder.
    """

    model: Model
    root: Path

    def shown(self, path: Path) -> str:
        """Return a path as people read it: from the project's folder, when it lies there."""
        root = self.root.resolve()
        return str(path.relative_to(root) if path.is_relative_to(root) else path)

    def copy(self, source: Place, target: Place, names: list[str]) -> str:
        """Return what copies files; what was in their place is kept under another name."""
        if not (source.folder and target.folder):
            return "restore the files from a backup of the server's artifacts"
        folder = shlex.quote(self.shown(target.folder))
        words = [] if target.folder.is_dir() else [f"mkdir -p {folder}"]
        for name in names:
            if target.states[name] == CHANGED:
                words.append(f"mv -n {folder}/{name} {folder}/{name}.changed")
            words.append(f"cp -n {shlex.quote(self.shown(source.folder / name))} {folder}/")
        return " && ".join(words)

    def promote_another(self, number: int) -> str:
        """Return what makes the latest other version champion that proves its pass."""
        for other in sorted(set(self.model.versions) - {number}, reverse=True):
            if not refusal(self.model.versions[other], promoted=False):
                return f"uv run mmm-demo promote --market {self.model.market} --version {other}"
        return (
            f"uv run mmm-demo fit --experiment {self._experiment()} && "
            f"uv run mmm-demo promote --market {self.model.market}"
        )

    def replace(self, number: int) -> str:
        """Return what to do about a version that cannot be made whole."""
        if self.model.aliases.get(CHAMPION) == number:
            return self.promote_another(number)
        return f"restore its files from a backup, or give it up: {self.drop([number])}"

    def drop(self, numbers: list[int]) -> str:
        """Return what takes versions out of the registry; their runs and files stay."""
        name, each = self.model.name, ", ".join(f"'{number}'" for number in numbers)
        return python_command(f"[C().delete_model_version('{name}', n) for n in ({each},)]")

    def realias(self, alias: str, number: int) -> str:
        """Return what to do about an alias that points to a version that may not have it."""
        if alias == CHAMPION:
            return self.promote_another(number)
        # Nothing plans with the others.
        return python_command(f"C().delete_registered_model_alias('{self.model.name}', '{alias}')")

    def _experiment(self) -> str:
        for path in sorted((self.root / FOLDER).glob("*.yaml")):
            try:
                if read_mapping(path, "experiment", FOLDER).get("market") == self.model.market:
                    return str(path.relative_to(self.root))
            except ConfigError:
                continue  # not the one to fit
        return f"{FOLDER}/FILE.yaml"

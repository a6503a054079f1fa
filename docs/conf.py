"""The site of the documentation: these pages, the notebooks and the public names.

    uv run --group docs sphinx-build --fail-on-warning --conf-dir docs . docs/_build/html

The source folder is the project's own, so that a link from one page to another is the same in a
checkout and on the site. What the site would fetch when it is read is a warning (`offline`).
"""

import shutil
import sys
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

project, author = "mmm_demo", "maintainers of mmm_demo"
version = release = version_of("mmm-demo")
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "offline",
]

root_doc = "docs/index"
include_patterns = ["docs/**", "notebooks/*", "*.md"]
exclude_patterns = ["docs/_*", "**/.ipynb_checkpoints"]
templates_path = [str(HERE / "_templates")]  # autosummary would look in the source folder

nb_execution_mode = "off"  # notebooks are shown as they are committed: without outputs
myst_heading_anchors = 3
highlight_language = "none"

shutil.rmtree(HERE / "generated", ignore_errors=True)  # names that are gone leave no page behind
autosummary_generate = True
autosummary_imported_members = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"  # NumPy docstrings say them
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_theme = "pydata_sphinx_theme"
html_title = "mmm_demo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_additional_pages = {"index": "home.html"}
html_show_sphinx = html_show_sourcelink = html_copy_source = False
html_sidebars = {"**": ["contents.html"]}
html_theme_options = {
    "navbar_center": [],
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": True,
    "navigation_with_keys": False,
}

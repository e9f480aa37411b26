"""Sphinx's configuration; `tools.site` names the folders."""

from importlib import metadata
from pathlib import Path

from tools.site import EXTRA, JUPYTERHUB, REPOSITORY, ROOT, SOURCE, literature
from tools.site.theme import options

# The one file that holds all of its letters; other files of MathJax are fetched when they are needed.
MATHJAX = Path(
    str(
        metadata.distribution("sphinx-mathjax-offline").locate_file(
            "sphinx-mathjax-offline/static/mathjax/tex-svg.js"
        )
    )
)

project = "Why do neural networks generalize?"
author = "The authors of the course"
copyright = "text and figures CC BY 4.0, code MIT"
html_title = project
language = "en"

extensions = [
    "myst_nb",
    "sphinxcontrib.bibtex",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "tools.site.docstrings",
    "tools.site.finish",
]
exclude_patterns = ["notebooks/solutions", "notebooks/assignments"]
# Types in docstrings are words, not names. (That every link leads somewhere is tested on what was built.)
suppress_warnings = ["ref.python"]

# Notebooks: the committed outputs, changed for the site while they are read.
nb_execution_mode = "off"
nb_merge_streams = True
nb_custom_formats = {".ipynb": ["tools.site.reading.read", {}, False]}
nb_render_markdown_format = "myst"
myst_enable_extensions = ["attrs_inline", "colon_fence", "dollarmath"]
myst_heading_anchors = 4
myst_heading_slug_func = "tools.site.theme.slug"

bibtex_bibfiles = [str(SOURCE / literature.FILE)]
bibtex_reference_style = "author_year"

autodoc_typehints = "none"  # the docstrings say more
autodoc_member_order = "bysource"
napoleon_use_rtype = False
napoleon_use_param = False  # several names of one description stay together
default_role = "tools-code"

html_theme = "sphinx_book_theme"
html_theme_options = options(REPOSITORY, JUPYTERHUB)
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
html_static_path = [str(ROOT / "tools" / "site" / "static"), str(MATHJAX)]
html_extra_path = [str(EXTRA)]
html_css_files = ["course.css"]
html_show_sphinx = False
html_use_index = False
html_domain_indices = False
html_show_search_summary = (
    False  # it would fetch every page found, which no browser does from a disk
)
html_copy_source = True
html_sourcelink_suffix = ""
mathjax_path = MATHJAX.name

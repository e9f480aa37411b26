"""The course as web pages: `stage` lays out their sources, Sphinx builds them by ``conf.py``; `make site` calls it.

Nothing is executed and nothing is fetched: outputs are the committed ones, and every script lies in the site.
"""

from tools import surroundings

ROOT = surroundings.ROOT
SOURCE = ROOT / "build" / "site-source"  # what Sphinx reads
EXTRA = ROOT / "build" / "site-extra"  # what it copies as it is: figures of the lessons
DOCTREES = ROOT / "build" / "site-doctrees"  # what it remembers
SITE = ROOT / "build" / "site"

# Where the project is published, for example "https://github.com/OWNER/NAME"; with it pages get buttons that open
# the lesson in Binder, Colab or a JupyterHub.
REPOSITORY = ""
JUPYTERHUB = ""  # of your university, for example "https://hub.example.edu"

"""What the theme is told, and how headings become anchors."""

import re

FOOTER = "By the authors of the course. You may reuse text and figures under CC BY 4.0, code under the MIT licence."


def options(repository: str, jupyterhub: str = "") -> dict:
    """Return the theme's options.

    Parameters
    ----------
    repository : str
        The address of the repository; without it there are no buttons that lead there.
    jupyterhub : str
        The address of a JupyterHub; without it there is no button for it.
    """
    shown = {
        "use_download_button": True,
        "use_fullscreen_button": False,
        "show_toc_level": 2,
        "show_navbar_depth": 1,
        "max_navbar_depth": 2,
        "navigation_with_keys": False,
        "collapse_navbar": True,
        "extra_footer": FOOTER,
        "footer_content_items": ["extra-footer.html"],
        # The bar at the side holds the search; an empty one at the top takes no room.
        **{
            name: []
            for name in ("navbar_start", "navbar_center", "navbar_end", "navbar_persistent")
        },
    }
    if not repository:
        return shown
    launch = {
        "binderhub_url": "https://mybinder.org",
        "colab_url": "https://colab.research.google.com",
    }
    if jupyterhub:
        launch["jupyterhub_url"] = jupyterhub
    return shown | {
        "repository_url": repository,
        "repository_branch": "main",
        "path_to_docs": "",
        "use_repository_button": True,
        "launch_buttons": launch | {"notebook_interface": "jupyterlab"},
    }


def slug(title: str) -> str:
    """Return the anchor of a heading, as GitHub makes it.

    Examples
    --------
    >>> slug("Poll 1: how much worse?"), slug("Trained until it fits")
    ('poll-1-how-much-worse', 'trained-until-it-fits')
    """
    return re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")

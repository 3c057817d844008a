"""A hook of mkdocs: pages and pictures outside of docs/ become part of the site.

On the site a file has its path in the repository, those of docs/ without the docs/. Links are
written for the repository, and are turned here; one to a file that is no page becomes text.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
OUTSIDE = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "examples/*/README.md",
    "examples/*/*.png",
)
LINK = re.compile(r"(!?\[[^\]]*\])\(([^)#:\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what lies outside of docs/."""
    for pattern in OUTSIDE:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn a page's links."""
    source = Path(str(page.file.abs_src_path)).relative_to(ROOT).parent.as_posix()
    here = posixpath.dirname(page.file.src_uri) or "."

    def turned(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(source, link[2]))
        if files.get_file_from_path(name := path.removeprefix("docs/")) is not None:
            return f"{link[1]}({posixpath.relpath(name, here)}{link[3] or ''})"
        return link[1].strip("[]") if (ROOT / path).exists() else link[0]

    return LINK.sub(turned, markdown)

"""HTML from the templates of the package; what is put into them is escaped."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from headstart.report.html import breakable, percent

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **values: Any) -> str:
    """A template with these values in it. Strings are escaped, but for those that it marks as safe."""
    return _environment().get_template(template).render(values)


def source(template: str) -> str:
    """A file beside the templates, as it is."""
    environment = _environment()
    if environment.loader is None:
        raise ValueError("there are no templates")
    return environment.loader.get_source(environment, template)[0]


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("headstart.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: _whole(value) if isinstance(value, str) else value,
    )
    environment.filters["percent"] = percent
    environment.filters["breakable"] = lambda value: Markup(breakable(value))
    return environment


def _whole(value: str) -> str:
    """Without halves of characters, which no UTF-8 file can hold: names of files may have them."""
    return value if value.isascii() else type(value)(value.encode("utf-8", "replace").decode("utf-8"))

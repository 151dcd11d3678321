"""The API documentation as one HTML page made from the OpenAPI document: no script, nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import Any, Final

STYLE: Final = """
:root{color-scheme:light dark;--line:#8884;--soft:#8882}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:70rem;padding:1rem 1.5rem 6rem}
h1{margin-bottom:0}h2{margin-top:3rem;border-bottom:1px solid var(--line)}
code,pre{font:0.9em/1.4 ui-monospace,monospace}code{background:var(--soft);padding:.1em .3em;border-radius:4px}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem}
td,th{border-bottom:1px solid var(--line);padding:.3rem .6rem;text-align:left;vertical-align:top}
details{border:1px solid var(--line);border-radius:8px;margin:.6rem 0;padding:.5rem 1rem}
summary{cursor:pointer}summary b{display:inline-block;min-width:4.5em}
nav ul{columns:3 12rem;padding-left:1rem}
.get{color:#1a7f37}.post{color:#0969da}.patch,.put{color:#9a6700}.delete{color:#cf222e}
"""

_CODE: Final = re.compile(r"`([^`]+)`")
_LAYOUT: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="/docs/style.css">
</head>
<body>
{body}
</body>
</html>
"""


def write_page(document: dict[str, Any]) -> str:
    """The documentation page."""
    return _LAYOUT.format(title="Open-CSMS API", body="\n".join(_page(document)))


def write_landing(links: dict[str, str]) -> str:
    """The page at `/`."""
    items = "\n".join(f'<li><a href="{escape(url)}">{escape(text)}</a></li>' for url, text in links.items())
    body = f"<h1>Open-CSMS</h1>\n<p>The charging station management system is running.</p>\n<ul>\n{items}\n</ul>"
    return _LAYOUT.format(title="Open-CSMS", body=body)


def _page(document: dict[str, Any]) -> Iterator[str]:
    info = document["info"]
    yield f"<h1>{escape(info['title'])} API</h1><p>Version {escape(info['version'])} · "
    yield '<a href="/openapi.json">openapi.json</a></p>'
    yield from (f"<p>{_text(part)}</p>" for part in info["description"].split("\n\n"))
    tags = [tag["name"] for tag in document["tags"]]
    yield "<nav><ul>" + "".join(f'<li><a href="#{_anchor(tag)}">{escape(tag)}</a></li>' for tag in tags)
    yield '<li><a href="#types">Types</a></li></ul></nav>'
    for tag in tags:
        yield f'<h2 id="{_anchor(tag)}">{escape(tag)}</h2>'
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if operation["tags"] == [tag]:
                    yield from _operation(path, method, operation)
    yield '<h2 id="types">Types</h2>'
    for name, schema in document["components"]["schemas"].items():
        yield f'<details id="type-{escape(name)}"><summary><b>{escape(name)}</b></summary>'
        yield f"<p>{_text(schema.get('description', ''))}</p>"
        yield from _fields(schema)
        yield "</details>"


def _operation(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f'<details><summary><b class="{method}">{method.upper()}</b> <code>{escape(path)}</code> '
    yield f"{escape(operation['summary'])}</summary>"
    yield from (f"<p>{_text(part)}</p>" for part in operation["description"].split("\n\n"))
    if operation["parameters"]:
        yield "<table><tr><th>Parameter</th><th>In</th><th>Type</th><th></th></tr>"
        for parameter in operation["parameters"]:
            yield f"<tr><td><code>{escape(parameter['name'])}</code>{' *' if parameter['required'] else ''}</td>"
            yield f"<td>{parameter['in']}</td><td>{_type(parameter['schema'])}</td>"
            yield f"<td>{_text(parameter.get('description', ''))}</td></tr>"
        yield "</table>"
    if "requestBody" in operation:
        yield f"<p>Body: {_type(operation['requestBody']['content']['application/json']['schema'])}</p>"
    yield "<table><tr><th>Status</th><th>Meaning</th><th>Body</th></tr>"
    for status, response in operation["responses"].items():
        bodies = ", ".join(_type(content["schema"]) for content in response.get("content", {}).values())
        yield f"<tr><td>{status}</td><td>{_text(response['description'])}</td><td>{bodies}</td></tr>"
    yield "</table></details>"


def _fields(schema: dict[str, Any]) -> Iterator[str]:
    if "properties" not in schema:
        yield f"<p>{_type(schema)}</p>"
        return
    yield "<table><tr><th>Field</th><th>Type</th><th></th></tr>"
    required = schema.get("required", ())
    for name, field in schema["properties"].items():
        yield f"<tr><td><code>{escape(name)}</code>{' *' if name in required else ''}</td>"
        yield f"<td>{_type(field)}</td><td>{_text(field.get('description', ''))}</td></tr>"
    yield "</table>"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#type-{escape(name)}">{escape(name)}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(part) for part in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"array of {_type(schema.get('items', {}))}"
    limits = [
        f"{label}{escape(str(schema[key]))}"
        for key, label in (
            ("minimum", "≥ "),
            ("maximum", "≤ "),
            ("minLength", "length ≥ "),
            ("maxLength", "length ≤ "),
            ("pattern", ""),
            ("default", "default "),
        )
        if schema.get(key) is not None
    ]
    name = escape(str(schema.get("format") or schema.get("type") or "any"))
    return f"{name} ({', '.join(limits)})" if limits else name


def _text(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text, quote=False))


def _anchor(tag: str) -> str:
    return "tag-" + re.sub(r"[^a-z0-9]+", "-", tag.lower())

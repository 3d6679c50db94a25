#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0

"""Writes docs/API.md from the comments of proto/sheaf/v1.

make_api.py          writes the file
make_api.py --check  exits with 1 if the file differs from what would be written

The parser knows only the style of those files. A comment is on the lines before
its subject, or after it on the same line; in that case it continues on the
lines below that hold nothing else and are indented as far.
"""
import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILES = ["text.proto", "model.proto"]
WIDTH = 120  # columns of the Markdown
HEAD = """# The API

`docs/make_api.py` generates this page from the comments of [proto/sheaf/v1](../proto/sheaf/v1). Change the comments,
not this page. The package is `sheaf.v1`, over gRPC. The server also offers `grpc.health.v1` and, unless
`--noreflection` is set, server reflection. [examples](../examples/README.md) has calls in five languages.

A field is listed with its name, type and number, and a value of an enum with its name and number.
"""
FIELD = re.compile(r"(?P<label>repeated |optional )?(?P<type>[\w.]+) (?P<name>\w+) = (?P<number>\d+);"
                   r"(?: *// (?P<text>.*))?$")
VALUE = re.compile(r"(?P<name>[A-Z_]+) = (?P<number>\d+);(?: *// (?P<text>.*))?$")
RPC = re.compile(r"rpc (?P<name>\w+)\((?P<request>\w+)\) returns \((?P<stream>stream )?(?P<response>\w+)\);")


def wrapped(text, indent=""):
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_long_words=False,
                         break_on_hyphens=False)


def markdown(comment):
    """A comment as Markdown; lines that are set off by spaces stay as they are."""
    for i, line in enumerate(comment):
        if line.startswith("  "):
            end = max(j for j, other in enumerate(comment) if other.startswith("  ")) + 1
            code = textwrap.indent(textwrap.dedent("\n".join(comment[i:end])), "    ")
            parts = [" ".join(comment[:i]), " ".join(comment[end:])]
            before, after = (wrapped(part) for part in parts)
            return "\n\n".join(part for part in (before, code, after) if part)
    return wrapped(" ".join(comment))


class Writer:
    def __init__(self):
        self.out = [HEAD]
        self.comment = []  # lines that wait for their subject
        self.rows = None   # [head, text] of each item of the open block
        self.kind = ""

    def open_block(self, kind, name):
        self.kind = kind
        self.out.append(f"## {name}\n" if kind == "service" else f"### {name}\n")
        if self.comment:
            self.out.append(markdown(self.comment) + "\n")
        self.comment = []
        self.rows = []

    def close_block(self):
        if self.rows:
            items = (f"- {head}" + (f". {text}" if text else "") for head, text in self.rows)
            self.out.append("\n".join(wrapped(item, "  ") for item in items) + "\n")
        self.rows = None

    def row(self, head, text):
        about = " ".join(self.comment + ([text] if text else []))
        self.comment = []
        self.rows.append([head, about])

    def line(self, line, in_oneof):
        text = line.strip()
        if text.startswith("//"):
            # Far to the right, it continues the comment of the line above.
            if self.rows and line.index("//") > 4:
                self.rows[-1][-1] += " " + text[2:].strip()
            else:
                self.comment.append(text[3:])
        elif match := RPC.match(text):
            stream = "a stream of " if match["stream"] else ""
            self.row(f"**{match['name']}** takes `{match['request']}` and returns "
                     f"{stream}`{match['response']}`", text="")
        elif self.kind == "enum" and (match := VALUE.match(text)):
            self.row(f"**{match['name']}** = {match['number']}", text=match["text"])
        elif match := FIELD.match(text):
            oneof = " (oneof)" if in_oneof else ""
            self.row(f"**{match['name']}** `{match['label'] or ''}{match['type']}` = "
                     f"{match['number']}{oneof}",
                     text=match["text"])
        elif text:
            raise SystemExit(f"make_api.py does not know: {text}")


def render():
    writer = Writer()
    for name in FILES:
        in_oneof = False
        lines = (ROOT / "proto/sheaf/v1" / name).read_text(encoding="utf-8").splitlines()
        for line in lines:
            if re.match(r"(syntax|package) ", line):
                writer.comment = []
            elif match := re.match(r"(service|message|enum) (\w+) {(})?", line):
                writer.open_block(match[1], match[2])
                if match[3]:
                    writer.close_block()
            elif line == "}":
                writer.close_block()
            elif line.strip().startswith("oneof "):
                in_oneof = True
            elif line.strip() == "}":
                in_oneof = False
            else:
                writer.line(line, in_oneof)
    return "\n".join(writer.out)


def main():
    path = ROOT / "docs/API.md"
    text = render()
    if "--check" in sys.argv[1:]:
        if path.read_text(encoding="utf-8") != text:
            sys.exit("docs/API.md is out of date; run docs/make_api.py")
        return
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

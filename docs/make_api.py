#!/usr/bin/env python3
"""Writes docs/API.md from the comments of proto/sheaf/v1.

make_api.py          writes the file
make_api.py --check  ends with 1 if it is not what would be written

Knows the style of those files and no more: a comment stands on the lines before
what it is about, or behind it on the same line, and goes on in the lines below
that hold nothing else and are indented as far.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILES = ["text.proto", "model.proto"]
HEAD = """# The API

Package `sheaf.v1`; gRPC over HTTP/2. Made from the comments of [proto/sheaf/v1](../proto/sheaf/v1) by `docs/make_api.py`: change
those, not this. Examples in five languages are in [examples](../examples/README.md). Also served: `grpc.health.v1` and, unless
`--noreflection` is set, server reflection.
"""
FIELD = re.compile(r"(?P<label>repeated |optional )?(?P<type>[\w.]+) (?P<name>\w+) = (?P<number>\d+);"
                   r"(?: *// (?P<text>.*))?$")
VALUE = re.compile(r"(?P<name>[A-Z_]+) = (?P<number>\d+);(?: *// (?P<text>.*))?$")
RPC = re.compile(r"rpc (?P<name>\w+)\((?P<request>\w+)\) returns \((?P<stream>stream )?(?P<response>\w+)\);")


def cell(text):
    return text.replace("|", "\\|").strip()


def list_of(comment):
    """A comment as Markdown; what is set off by spaces stays as it is."""
    if any(line.startswith("  ") for line in comment):
        return "\n".join(comment[:1]) + "\n\n" + "\n".join(f"    {line}" for line in comment[1:])
    return " ".join(comment)


class Writer:
    def __init__(self):
        self.out = [HEAD]
        self.comment = []  # lines that wait for what they are about
        self.rows = None   # of the message or enum that is open
        self.kind = ""

    def open_block(self, kind, name):
        self.kind = kind
        self.out.append(f"## {name}\n" if kind == "service" else f"### {name}\n")
        if self.comment:
            self.out.append(list_of(self.comment) + "\n")
        self.comment = []
        self.rows = []

    def close_block(self):
        if self.kind == "service":
            heads = "| RPC | request | answer | |\n|---|---|---|---|"
        elif self.kind == "enum":
            heads = "| value | number | |\n|---|---|---|"
        else:
            heads = "| field | type | number | |\n|---|---|---|---|"
        if self.rows:
            rows = ("| " + " | ".join(cell(c) for c in row) + " |" for row in self.rows)
            self.out.append(heads + "\n" + "\n".join(rows) + "\n")
        self.rows = None

    def row(self, *cells, text):
        about = " ".join(self.comment + ([text] if text else []))
        self.comment = []
        self.rows.append([*cells, about])

    def line(self, line, in_oneof):
        text = line.strip()
        if text.startswith("//"):
            # Far to the right: the comment of the line above goes on.
            if self.rows and line.index("//") > 4:
                self.rows[-1][-1] += " " + text[2:].strip()
            else:
                self.comment.append(text[3:])
        elif match := RPC.match(text):
            stream = "stream of " if match["stream"] else ""
            self.row(f"`{match['name']}`", f"`{match['request']}`",
                     f"{stream}`{match['response']}`", text="")
        elif self.kind == "enum" and (match := VALUE.match(text)):
            self.row(f"`{match['name']}`", match["number"], text=match["text"])
        elif match := FIELD.match(text):
            label = (match["label"] or "") + ("one of " if in_oneof else "")
            self.row(f"`{match['name']}`", f"{label}`{match['type']}`", match["number"],
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
            sys.exit("docs/API.md is old; run docs/make_api.py")
        return
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0

"""Checks the bill of materials of an image: sbom.py ROOT

ROOT is the content of the image. Every file must be in the document with its
checksum, every library must come from a Debian package, and the packages must be
those that dpkg had when the image was built.
"""
import hashlib
import json
import os
import re
import sys

SBOM = "usr/share/doc/sheaf/sbom.spdx.json"
STATUS = "var/lib/dpkg/status.d"
# SPDX 2.3, clauses 6, 7, 8 and 11.
DOCUMENT_FIELDS = ["spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace",
                   "creationInfo", "packages", "files", "relationships"]
PACKAGE_FIELDS = ["SPDXID", "name", "versionInfo", "downloadLocation"]
FILE_FIELDS = ["SPDXID", "fileName", "checksums"]
RELATIONSHIP_FIELDS = ["spdxElementId", "relationshipType", "relatedSpdxElement"]

root = sys.argv[1]
with open(os.path.join(root, SBOM), encoding="utf-8") as file:
    document = json.load(file)


def check(condition, what):
    if not condition:
        sys.exit(f"sbom: {what}")


def require(fields, element, what):
    for field in fields:
        check(element.get(field), f"{what} has no {field}: {element}")


require(DOCUMENT_FIELDS, document, "the document")
check(document["spdxVersion"] == "SPDX-2.3", "the version is not SPDX-2.3")
require(["created", "creators"], document["creationInfo"], "creationInfo")
check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["creationInfo"]["created"]),
      "the time of creation is not in UTC")
ids = ["SPDXRef-DOCUMENT"]
for package in document["packages"]:
    require(PACKAGE_FIELDS, package, "a package")
    ids.append(package["SPDXID"])
for file in document["files"]:
    require(FILE_FIELDS, file, "a file")
    ids.append(file["SPDXID"])
for name in ids:
    check(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", name), f"{name} is not an identifier of SPDX")
check(len(ids) == len(set(ids)), "two elements have the same SPDXID")
for relationship in document["relationships"]:
    require(RELATIONSHIP_FIELDS, relationship, "a relationship")
    for end in "spdxElementId", "relatedSpdxElement":
        check(relationship[end] in ids, f"a relationship names the unknown {relationship[end]}")

# Files.
listed = {file["fileName"]: file for file in document["files"]}
present = set()
for directory, _, names in os.walk(root):
    for name in names:
        path = os.path.join(directory, name)
        if os.path.isfile(path) and not os.path.islink(path):
            present.add("./" + os.path.relpath(path, root))
present.discard("./" + SBOM)
check(present == set(listed), f"files that differ: {present ^ set(listed)}")
packaged = {r["spdxElementId"] for r in document["relationships"]
            if r["relationshipType"] == "GENERATED_FROM"}
num_libraries = 0
for name, file in listed.items():
    with open(os.path.join(root, name), "rb") as opened:
        content = opened.read()
    checksums = {c["algorithm"]: c["checksumValue"] for c in file["checksums"]}
    check(checksums.get("SHA1") == hashlib.sha1(content).hexdigest(), f"SHA1 of {name}")
    check(checksums.get("SHA256") == hashlib.sha256(content).hexdigest(), f"SHA256 of {name}")
    if content.startswith(b"\x7fELF") and name not in ("./usr/bin/sheaf", "./usr/bin/sheaf-server"):
        num_libraries += 1
        check(file["SPDXID"] in packaged, f"{name} is of no package")
check(num_libraries > 10, f"only {num_libraries} libraries are in the image")

# Packages, and what dpkg said about each.
debian = {package["name"]: package["versionInfo"] for package in document["packages"]
          if package.get("externalRefs")}
status = {}
for name in os.listdir(os.path.join(root, STATUS)):
    with open(os.path.join(root, STATUS, name), encoding="utf-8") as file:
        status[name] = re.search(r"^Version: (.*)$", file.read(), re.MULTILINE)[1]
    check(os.path.isfile(os.path.join(root, "usr/share/doc", name, "copyright")),
          f"{name} has no copyright file")
check(debian == status, f"versions that differ: {set(debian.items()) ^ set(status.items())}")
built_in = {r["relatedSpdxElement"] for r in document["relationships"]
            if r["relationshipType"] == "STATIC_LINK"}
check("SPDXRef-Package-libprotobuf-dev" in built_in, "the static libprotobuf is missing")
print(f"sbom: {len(listed)} files, {num_libraries} libraries, {len(debian)} Debian packages")

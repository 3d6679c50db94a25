#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Checks pin_images.sh with a registry on this machine.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need skopeo python3

# A registry with one image, whose tag changes. Each tag is an index of manifests,
# as that of an image for several processors is. Its digest is the hash of its
# bytes.
cat >"$work/registry.py" <<'END'
import http.server, os, sys
class Registry(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        part = "/v2/base/image/"
        name = "" if self.path == "/v2/" else self.path.rsplit("/", 1)[1]
        path = os.path.join(sys.argv[1], name)
        if name and not (self.path.startswith(part) and os.path.isfile(path)):
            self.send_error(404)
            return
        body = open(path, "rb").read() if name else b"{}"
        self.send_response(200)
        kind = "manifest.list" if name == "1.2" else "manifest"
        self.send_header("Content-Type", f"application/vnd.docker.distribution.{kind}.v2+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.HTTPServer(("127.0.0.1", 0), Registry)
print(server.server_port, flush=True)
server.serve_forever()
END
# publish COMMENT: gives the tag a new image, and sets digest.
publish() {
  digest=sha256:$(python3 - "$work/registry" "$1" <<'END'
import hashlib, json, sys
docker = "application/vnd.docker."
def store(content, name=None):
    data = json.dumps(content).encode()
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    open(f"{sys.argv[1]}/{name or digest}", "wb").write(data)
    return {"size": len(data), "digest": digest}
config = store({"architecture": "amd64", "os": "linux", "config": {}, "author": sys.argv[2],
                "rootfs": {"type": "layers", "diff_ids": []}})
config["mediaType"] = docker + "container.image.v1+json"
manifest = store({"schemaVersion": 2, "mediaType": docker + "distribution.manifest.v2+json",
                  "config": config, "layers": []})
manifest["mediaType"] = docker + "distribution.manifest.v2+json"
manifest["platform"] = {"architecture": "amd64", "os": "linux"}
store({"schemaVersion": 2, "mediaType": docker + "distribution.manifest.list.v2+json",
       "manifests": [manifest]}, "1.2")
END
    sha256sum "$work/registry/1.2" | cut -d' ' -f1)
}
mkdir "$work/registry"
publish first
python3 "$work/registry.py" "$work/registry" >"$work/port" 2>"$work/registry.log" &
children+=("$!")
await 10 grep -q . "$work/port"
image=127.0.0.1:$(cat "$work/port")/base/image:1.2
pin() { SKOPEO_FLAGS=--tls-verify=false "$root/deploy/pin_images.sh" "$@"; }

printf 'ARG BASE=%s\nFROM ${BASE} AS build\n' "$image" >"$work/Dockerfile"
printf 'services:\n  a:\n    image: "%s"  # it\n  b:\n    image: sheaf:latest\n' "$image" >"$work/compose.yaml"
both=("$work/Dockerfile" "$work/compose.yaml")
expect 1 "$image has no digest" pin --check "${both[@]}"
pin "${both[@]}"
expect 0 '' pin --check "${both[@]}"
expect_equal 'the base' "$(head -1 "$work/Dockerfile")" "ARG BASE=$image@$digest"
expect_equal 'the image' "$(sed -n 3p "$work/compose.yaml")" "    image: \"$image@$digest\"  # it"
expect_equal "Sheaf's image" "$(sed -n 5p "$work/compose.yaml")" '    image: sheaf:latest'

echo '--- a newer image of the tag'
publish second
pin "${both[@]}"
expect_equal 'the base' "$(head -1 "$work/Dockerfile")" "ARG BASE=$image@$digest"
expect_equal 'the image' "$(sed -n 3p "$work/compose.yaml")" "    image: \"$image@$digest\"  # it"

echo '--- an image that the registry does not have'
sed -i "s|base/image|base/none|; s|@.*||" "$work/Dockerfile"
before=$(cat "$work/Dockerfile")
if pin "$work/Dockerfile" 2>/dev/null; then fail 'an unknown image gets a digest'; fi
expect_equal 'the base' "$(cat "$work/Dockerfile")" "$before"

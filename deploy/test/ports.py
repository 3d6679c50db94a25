#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0

"""Checks that the ports of the manifests fit together.

ports.py FILE, the output of kustomize. Each port of a service is one of the pod,
which nginx or the server opens and the network lets in.
"""
import re
import sys

import yaml


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        objects = [each for each in yaml.safe_load_all(file) if each]

    def specs(kind):
        return [each["spec"] for each in objects if each["kind"] == kind]

    pod = specs("Deployment")[0]["template"]["spec"]
    opened = {port["name"]: port["containerPort"]
              for container in pod["containers"] for port in container["ports"]}
    sites = next(each["data"] for each in objects if each["kind"] == "ConfigMap")
    arguments = " ".join(pod["containers"][0]["args"])
    for site, name, flag in [("sheaf.conf", "grpc", "listen"),
                             ("sheaf-http.conf", "http", "http_listen")]:
        assert re.search(rf"^ *listen {opened[name]} ssl", sites[site], re.M), site
        server = re.search(r"^ *server (127\S+) ", sites[site], re.M).group(1)
        assert f"--{flag}={server}" in arguments, flag
    allowed = {port["port"] for rule in specs("NetworkPolicy")[0]["ingress"]
               for port in rule["ports"]}
    assert allowed == set(opened.values()), allowed
    served = [port for service in specs("Service") for port in service["ports"]]
    assert {port["targetPort"] for port in served} == set(opened), served
    for service in specs("Service"):
        for port in service["ports"]:
            # A headless service passes each port on as it is.
            if service.get("clusterIP") == "None":
                assert port["port"] == opened[port["targetPort"]], port
    for container in pod["containers"]:
        probe = container["readinessProbe"].get("httpGet")
        assert probe is None or probe["port"] in opened, probe


if __name__ == "__main__":
    main()

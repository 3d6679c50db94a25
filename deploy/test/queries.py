#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0

"""Runs every query of the rules, the dashboard and the console.

queries.py ROOT PROMETHEUS_URL exits with 1 if a query is refused or returns
nothing.
"""
import html
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

# The query of an alert returns nothing while the alert is off, but must be valid.
EMPTY_WHEN_WELL = {"alerts.rules.yml"}


def rules(path):
    """The expressions of a rules file, with folded lines joined."""
    text = open(path, encoding="utf-8").read()
    for match in re.finditer(r"^( +)expr: (>-\n((?:\1  .*\n)+)|.*)", text, re.M):
        yield " ".join((match.group(3) or match.group(2)).split())


def panels(path):
    dashboard = json.load(open(path, encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield (target["expr"].replace("$__rate_interval", "30s")
                   .replace("$instance", ".*"))


def console(path):
    text = html.unescape(open(path, encoding="utf-8").read())
    calls = re.findall(r'template "sheaf_(figure|graph)" \(args (.*)\) }}', text)
    for kind, args in calls:
        yield re.findall(r'"([^"]*)"', args)[1 if kind == "figure" else 2]


def ask(server, query):
    url = f"{server}/api/v1/query?" + urllib.parse.urlencode({"query": query})
    try:
        with urllib.request.urlopen(url) as answer:
            return json.load(answer)["data"]["result"]
    except urllib.error.HTTPError as error:
        raise SystemExit(f"refused: {query}: {error.read().decode()}")


def main():
    root, server = sys.argv[1:]
    prometheus = f"{root}/deploy/prometheus"
    sources = {
        "recording.rules.yml": rules(f"{prometheus}/recording.rules.yml"),
        "alerts.rules.yml": rules(f"{prometheus}/alerts.rules.yml"),
        "sheaf.json": panels(f"{root}/deploy/grafana/dashboards/sheaf.json"),
        "sheaf.html": console(f"{prometheus}/consoles/sheaf.html"),
    }
    num_wrong = 0
    for name, queries in sources.items():
        num_queries = 0
        for query in queries:
            num_queries += 1
            values = [sample["value"][1] for sample in ask(server, query)]
            if name in EMPTY_WHEN_WELL:
                if values:  # a busy machine may be slow
                    print(f"{name}: the alert fires here: {query}")
            elif not values or all(value == "NaN" for value in values):
                print(f"{name}: the query returns no data: {query}")
                num_wrong += 1
        print(f"{name}: {num_queries} queries")
        if num_queries == 0:
            num_wrong += 1
    sys.exit(num_wrong > 0)


if __name__ == "__main__":
    main()

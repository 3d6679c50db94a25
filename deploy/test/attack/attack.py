# SPDX-License-Identifier: Apache-2.0

"""Attacks a server of this machine, and prints what was sent and what came back.

attack.py NAME --target=HOST:PORT|unix:PATH [--tls] [--token=TOKEN]
  [--seconds=8] [--max_bytes=4294967296] [--source=127.0.0.2]

The target must be in 127.0.0.0/8, [::1] or a UNIX socket. The attack ends after
`--seconds` or `--max_bytes`.
"""
import argparse
import json
import os
import resource
import time

import connections
import floods
import greed
import holds
import http1
import http2

ATTACKS = {attack.__name__: attack
           for attack in floods.ATTACKS + holds.ATTACKS + greed.ATTACKS + http1.ATTACKS}


def main():
    parser = argparse.ArgumentParser(description="Attacks a server of this machine.")
    parser.add_argument("name", choices=ATTACKS)
    parser.add_argument("--target", required=True)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--token", default="")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--max_bytes", type=int, default=4 << 30)
    parser.add_argument("--source", default="127.0.0.2")
    options = parser.parse_args()
    try:
        protocol = "http/1.1" if options.name.startswith("http_") else "h2"
        target = http2.Target(options.target, options.tls, protocol)
    except ValueError as error:
        parser.error(str(error))
    # An attacker computes on its own machine, so it gives way on this one.
    os.nice(19)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    loop = connections.Loop(target, options.source.split(","), options.token,
                            options.seconds, options.max_bytes)
    began = time.monotonic()
    ATTACKS[options.name](loop)
    loop.run()
    print(json.dumps({"attack": options.name, "target": options.target,
                      "seconds": round(time.monotonic() - began, 1), **loop.tally}))


main()

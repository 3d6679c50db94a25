# SPDX-License-Identifier: Apache-2.0

"""Measures an honest client while a server is attacked, and judges the result.

measure.py NAME FLAGS: see main(). NAME is an attack; "NAME+token" sends the token of
a caller, and "quiet" attacks nothing and writes the figures that the other rows are
compared with. Prints one row of a table, and exits with 1 if a condition is not met.

Latencies on a busy machine scatter, and other processes only raise them. A quiet
latency below FLOOR_SECONDS therefore counts as FLOOR_SECONDS, and a row that was only
too slow is measured again, at most MAX_ATTEMPTS times in all. The quiet figures are
the lowest of MAX_ATTEMPTS.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).parent
FLOOR_SECONDS = 0.020
MAX_ATTEMPTS = 3
MAX_RATIO = 3
# Of the time to the first token, beside a load that the server accepts.
MAX_GREEDY_RATIO = 5
MAX_CONNECT_SECONDS = 1
MAX_THREADS = 64
# The attack is given up at this memory, to spare the machine.
MAX_ATTACKED_BYTES = 2 << 30
# Anonymous memory of all processes of nginx.
LIMIT_NGINX_BYTES = 128 << 20
RATE = 30
QUIET_SECONDS = 3
AFTER_SECONDS = 1


def status(pid, key):
    """A figure of /proc/PID/status, or 0 if the process is gone."""
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def with_children(pid):
    """The process and its children; none for 0."""
    if not pid:
        return []
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


class Watch:
    """Watches threads and memory of the server until stop()."""

    def __init__(self, server, nginx):
        self.server, self.nginx = server, with_children(nginx)
        # Forgets the peak of the rows before.
        pathlib.Path(f"/proc/{server}/clear_refs").write_text("5")
        self.threads = self.bytes = self.nginx_bytes = 0
        self.attack = None  # ended at MAX_ATTACKED_BYTES
        self.is_stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def sample(self):
        self.threads = max(self.threads, status(self.server, "Threads"))
        self.bytes = max(self.bytes, status(self.server, "RssAnon") << 10)
        self.nginx_bytes = max(self.nginx_bytes,
                               sum(status(pid, "RssAnon") for pid in self.nginx) << 10)

    def run(self):
        while not self.is_stopped.wait(0.1):
            self.sample()
            if self.attack and self.bytes > MAX_ATTACKED_BYTES:
                self.attack.terminate()

    def stop(self):
        self.is_stopped.set()
        self.thread.join()
        self.sample()


class Honest:
    """The client that the attack must not disturb."""

    def __init__(self, options):
        self.sheaf = options.bin / "sheaf"
        self.flags = [f"--server={options.target}", f"--token_file={options.token_file}"]
        if options.tls_ca:
            self.flags.append(f"--tls_ca={options.tls_ca}")
        if options.tls_cert:
            self.flags += [f"--tls_cert={options.tls_cert}", f"--tls_key={options.tls_key}"]

    def start_load(self, seconds):
        return subprocess.Popen(
            [self.sheaf, "load", *self.flags, f"--rate={RATE}", f"--seconds={seconds}",
             "--timeout=10s", "--text=Where is the train station?"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def connect(self):
        """Seconds that a new client takes to ask for the health, or None."""
        begin = time.monotonic()
        said = subprocess.run([self.sheaf, "health", *self.flags, "--timeout=5s"],
                              capture_output=True, check=False)
        return time.monotonic() - begin if said.returncode == 0 else None


def finish_load(load):
    out, _ = load.communicate()
    return json.loads(out) if out else {"requests": 0, "ok": 0, "errors": {"no answer": 1}}


def p99(load, what):
    return load.get(what, {}).get("p99") or 0


def attack_command(options):
    name, _, needs_token = options.name.partition("+")
    command = [sys.executable, HERE / "attack.py", name,
               f"--target={options.http_target if name.startswith('http_') else options.target}",
               f"--seconds={options.seconds}"]
    if options.tls_ca:
        command.append("--tls")
    if needs_token:
        command.append(f"--token={options.greedy_token}")
    if name == "connections_at_limit":
        # From one address the limit per address would be measured.
        command.append("--source=" + ",".join(f"127.0.1.{i}" for i in range(1, 9)))
    return command


def run_row(options):
    """The figures of the row."""
    honest = Honest(options)
    watch = Watch(options.server_pid, options.nginx_pid)
    connects = []
    if options.name == "quiet":
        beside = finish_load(honest.start_load(QUIET_SECONDS))
        said = "{}"
    else:
        # A server alone whose places are all taken refuses new clients, and serves
        # those that it has.
        is_full = options.setup == "alone" and options.name == "connections_at_limit"
        if is_full:
            load = honest.start_load(options.seconds + 0.5)
            time.sleep(0.5)
        with open(options.work / f"{options.setup}.{options.name}.err", "w") as err:
            watch.attack = subprocess.Popen(attack_command(options), text=True,
                                            stdout=subprocess.PIPE, stderr=err)
        if not is_full:
            time.sleep(1)
            load = honest.start_load(max(1, options.seconds - 1.5))
        while not is_full and load.poll() is None and len(connects) < 2:
            time.sleep(0.8)
            connects.append(honest.connect())
        beside = finish_load(load)
        said, _ = watch.attack.communicate()
    after = beside if options.name == "quiet" else finish_load(
        honest.start_load(AFTER_SECONDS))
    watch.stop()
    return {"beside": beside, "after": after, "connects": connects,
            "threads": watch.threads, "bytes": watch.bytes,
            "nginx_bytes": watch.nginx_bytes, "attack": json.loads(said or "{}"),
            "is_alive": status(options.server_pid, "VmRSS") > 0,
            "is_healthy": honest.connect() is not None}


def judge(options, row, quiet):
    """The conditions that are not met, and whether only latencies are at fault."""
    is_greedy = options.name.startswith("greedy")
    what, ratio = (("ttft_seconds", MAX_GREEDY_RATIO) if is_greedy
                   else ("e2e_seconds", MAX_RATIO))
    limit = ratio * max(FLOOR_SECONDS, p99(quiet, what))
    faults, slow = [], []
    if not row["is_alive"] or not row["is_healthy"]:
        faults.append("the server is not healthy at the end")
    for when in ("beside", "after"):
        if row[when]["errors"]:
            faults.append(f"{when} the attack calls failed: {row[when]['errors']}")
        if p99(row[when], what) > limit:
            slow.append(f"{when} the attack p99 of {what} is "
                        f"{p99(row[when], what):.3f}; allowed is {limit:.3f}")
    if None in row["connects"]:
        faults.append("a new client got no answer")
    elif row["connects"] and max(row["connects"]) > MAX_CONNECT_SECONDS:
        slow.append(f"new clients took {row['connects']} s; allowed is {MAX_CONNECT_SECONDS}")
    for key, most in (("bytes", options.limit_bytes), ("nginx_bytes", LIMIT_NGINX_BYTES),
                      ("threads", MAX_THREADS)):
        if row[key] > most:
            faults.append(f"{key} reached {row[key]}; allowed is {most}")
    if not row["attack"].get("connections"):
        faults.append(f"the attack did nothing: {row['attack']}")
    return faults + slow, not faults and bool(slow)


def milliseconds(seconds):
    return f"{1000 * seconds:.0f}"


def print_row(options, row, quiet, faults):
    def latency(load):
        refused = sum(load["errors"].values())
        return (f"{milliseconds(p99(load, 'ttft_seconds'))}/"
                f"{milliseconds(p99(load, 'e2e_seconds'))}"
                + (f" ({refused} of {load['requests']} failed)" if refused else ""))
    connects = " ".join("-" if s is None else milliseconds(s) for s in row["connects"])
    print(f"{options.setup:9} {options.name:25} {latency(quiet):>9} {latency(row['beside']):>9} "
          f"{latency(row['after']):>9} {connects:>10} {row['bytes'] >> 20:5} "
          f"{row['nginx_bytes'] >> 20:5} {row['threads']:7}  "
          + ("; ".join(faults) or "ok"), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    for flag in ("setup", "target", "token_file", "greedy_token"):
        parser.add_argument("--" + flag, required=True)
    for flag in ("bin", "work"):
        parser.add_argument("--" + flag, required=True, type=pathlib.Path)
    for flag in ("tls_ca", "tls_cert", "tls_key", "http_target"):
        parser.add_argument("--" + flag, default="")
    parser.add_argument("--server_pid", type=int, required=True)
    parser.add_argument("--nginx_pid", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--limit_bytes", type=int, required=True)
    options = parser.parse_args()
    quiet_file = options.work / f"{options.setup}.quiet.json"
    if options.name == "quiet":
        row = min((run_row(options) for _ in range(MAX_ATTEMPTS)),
                  key=lambda row: p99(row["beside"], "e2e_seconds"))
        quiet_file.write_text(json.dumps(row))
        print_row(options, row, row["beside"], [])
        return
    quiet = json.loads(quiet_file.read_text())["beside"]
    for _ in range(MAX_ATTEMPTS):
        row = run_row(options)
        faults, is_only_slow = judge(options, row, quiet)
        if not is_only_slow:
            break
    (options.work / f"{options.setup}.{options.name}.json").write_text(json.dumps(row))
    print_row(options, row, quiet, faults)
    sys.exit(bool(faults))


main()

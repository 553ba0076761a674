# SPDX-License-Identifier: MIT
"""
What carries two bridges' traffic so that nobody else can read it: netrelay's sealed trunks,
its plain ones through TLS and ssh, and WireGuard. That is of layer 3: it joins the hosts
themselves, by an address each, and there is no bridge.

And what sealing costs without a network, which seal.c measures.
"""
import os
import shutil
import statistics

import machine
import relays
from machine import RUN, sh, start, wait_for

PORT = 7000
# As long as the bridges' frames: the wire has room for what is put around them.
TUNNEL_MTU = 1500
SEAL_SECONDS = 0.3
STORM, STORM_RATE = 20000, 5000
UNPACKED = "build/real"  # by itest/real/programs


def unpacked():
    return os.environ.get("NETRELAY_PROGRAMS", f"{relays.ROOT}/{UNPACKED}")


def program(name):
    """The path of a program, of the system or only unpacked; None if there is none."""
    there = f"{unpacked()}/usr"
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:{there}/bin:{there}/sbin")


def environment():
    """Where an unpacked program finds its libraries, behind the system's own."""
    return {**os.environ, "LD_LIBRARY_PATH": f"{unpacked()}/usr/lib/{os.uname().machine}-linux-gnu"}


def has_module():
    made = sh("ip link add benchwg type wireguard && ip link del benchwg && echo yes",
              check=False)
    return made == "yes"


# Those and the programs that they need.
NEEDED = {
    "netrelay tls": ["socat", "openssl"],
    "netrelay ssh": ["ssh", "sshd", "socat"],
    "wireguard": ["wg"],
    "wireguard-go": ["wireguard-go", "wg"],
}


def lacks(name):
    """Why that can't be measured on this machine; None if it can."""
    if name == "wireguard" and not has_module():
        return "the kernel has no module wireguard"
    needed = NEEDED.get(name.replace("before", "netrelay"), [])
    missing = [p for p in needed if not program(p)]
    return f"no {', '.join(missing)} here" if missing else None


def key_pair(name):
    """Returns the path of a new private key, and the public one."""
    path = f"{RUN}/{name}.key"
    sh(f"umask 077; {relays.NETRELAY} genkey >{path}")
    return path, sh(f"{relays.NETRELAY} pubkey <{path}").strip()


# ---- netrelay's ----

def by_keys(hosts, udp=""):
    """Returns the arguments of both ends, and so do those below."""
    keys = [key_pair(ns) for ns in hosts.ns]
    peers = f"{keys[1][0]}.peers"
    with open(peers, "w", encoding="ascii") as file:
        file.write(f"{keys[0][1]} h1\n")
    return ([f"trunk:10.8.0.2:{PORT}{udp},peer={keys[1][1]}", "--key", keys[0][0]],
            ["-l", f"10.8.0.2:{PORT}{udp}", "--key", keys[1][0], "--peers", peers])


def by_keys_udp(hosts):
    return by_keys(hosts, ",udp")


def by_tls(hosts):
    """socat carries the stream over TLS, from a child of the one to a socket of the other."""
    ns, path = hosts.ns[1], f"{RUN}/{hosts.ns[1]}"
    sh(f"openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=bench "
       f"-keyout {path}.pem -out {path}.crt 2>&1 && cat {path}.crt >>{path}.pem")
    hosts.relays.append(start(
        ["socat", "-b", "131072", f"OPENSSL-LISTEN:{PORT},cert={path}.pem,verify=0,fork",
         f"UNIX-CONNECT:{path}.sock,retry=50,interval=0.1"], ns=ns, core=None))
    return ([f"exec:socat -b 131072 - OPENSSL:10.8.0.2:{PORT},verify=0"],
            ["-l", f"unix-listen:{path}.sock"])


def by_ssh(hosts):
    """An sshd of our own, and at its end a socat that dials the other relay."""
    ns, path = hosts.ns[1], f"{RUN}/{hosts.ns[1]}"
    for key in ("host", "user"):
        sh(f"ssh-keygen -q -t ed25519 -N '' -f {path}.{key}")
    sh(f"mkdir -p /run/sshd && cp {path}.user.pub {path}.allowed")
    # One that is only unpacked has no user yet; our /etc/passwd is nobody else's.
    sh(f"grep -q ^sshd: /etc/passwd || {{ cp /etc/passwd {path}.passwd && "
       f"echo sshd:x:65533:65534::/run/sshd:/bin/false >>{path}.passwd && "
       f"mount --bind {path}.passwd /etc/passwd; }}")
    hosts.relays.append(start(
        [program("sshd"), "-D", "-f", "/dev/null", "-h", f"{path}.host", "-p", str(PORT),
         "-o", f"AuthorizedKeysFile={path}.allowed", "-o", "StrictModes=no"],
        ns=ns, core=None, env=environment()))
    return ([f"exec:exec ssh -q -i {path}.user -p {PORT} -o StrictHostKeyChecking=no "
             f"-o UserKnownHostsFile=/dev/null 10.8.0.2 "
             f"socat -b 131072 - UNIX-CONNECT:{path}.sock"],
            ["-l", f"unix-listen:{path}.sock"])


ENDS = {"sealed": by_keys, "sealed-udp": by_keys_udp, "tls": by_tls, "ssh": by_ssh}


# ---- WireGuard ----

def by_module(ns, interface):
    sh(f"ip -n {ns} link add {interface} type wireguard")


def by_wireguard_go(ns, interface):
    process = start([program("wireguard-go"), "-f", interface], ns=ns, core=None)
    wait_for("wireguard-go", lambda: os.path.exists(f"/run/wireguard/{interface}.sock"))
    return process


def by_wireguard(hosts, make):
    """No bridges: the addresses are the tunnel's."""
    keys = [key_pair(ns) for ns in hosts.ns]
    for i, ns in enumerate(hosts.ns, 1):
        interface = f"wg{next(relays.NAMES)}"
        process = make(ns, interface)
        if process:
            hosts.relays.append(process)
        sh(f"ip netns exec {ns} {program('wg')} set {interface} private-key {keys[i - 1][0]} "
           f"listen-port {PORT} peer {keys[2 - i][1]} endpoint 10.8.0.{3 - i}:{PORT} "
           f"allowed-ips 10.9.0.{3 - i}/32")
        sh(f"ip -n {ns} addr add 10.9.0.{i}/24 dev {interface}")
        sh(f"ip -n {ns} link set {interface} mtu {TUNNEL_MTU} up")


JOINS = {
    "wireguard": lambda hosts: by_wireguard(hosts, by_module),
    "wireguard-go": lambda hosts: by_wireguard(hosts, by_wireguard_go),
}


# ---- without a network ----

def seal(results):
    """Records sealed in memory, and handshakes, on one core."""
    for line in sh(f"taskset -c {machine.RELAY_CORE} {relays.TOOLS}/seal "
                   f"{SEAL_SECONDS}").splitlines():
        what, *words = line.split()
        if what == "handshake":
            results.handshakes[words[0].replace("-", " ")] = float(words[1])
        elif what == "record":
            results.records[words[0], int(words[1])] = tuple(map(float, words[2:]))
    storm(results)
    results.show_seal()


def storm(results):
    """The part of a core that false hellos over UDP take, as many a second."""
    if sh("/usr/bin/python3 -c 'import cryptography'; echo $?", check=False) != "0":
        results.skip("false hellos", "no python3-cryptography here")
        return
    keys = [key_pair(f"storm{i}") for i in (1, 2)]
    peers, port = f"{RUN}/storm.peers", next(relays.PORTS)
    with open(peers, "w", encoding="ascii") as file:
        file.write(f"{keys[1][1]} somebody\n")
    process, _ = relays.netrelay("netrelay", "-l", f"127.0.0.1:{port},udp", "--key",
                                 keys[0][0], "--peers", peers)
    wait_for("netrelay to listen", lambda: sh(f"ss -Hlun sport = :{port}"))
    spent = []
    for _ in range(3):
        before = machine.cpu_ns([process.pid])
        sh(f"{relays.ITEST}/seal-peer storm 127.0.0.1 {port} {keys[0][0]} {keys[0][1]} {STORM} "
           f"--rate {STORM_RATE}")
        spent.append(machine.cpu_ns([process.pid]) - before)
    results.storm = statistics.median(spent) / STORM * STORM_RATE / 1e9
    machine.end([process])

# SPDX-License-Identifier: MIT
"""
Open vSwitch with DPDK between two guests, where Debian's openvswitch-switch-dpdk is installed
and huge pages are free, without which it does not begin. It has a database of its own.
"""
import os
import re
import shutil

import machine
import relays
from machine import RUN, sh, start, wait_for

SWITCH = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
MIB = 900  # of huge pages


def is_at_hand():
    with open("/proc/meminfo") as f:
        found = dict(re.findall(r"^(HugePages_Free|Hugepagesize): +(\d+)", f.read(), re.M))
    free = int(found.get("HugePages_Free", 0)) * int(found.get("Hugepagesize", 0))
    return os.path.exists(SWITCH) and bool(shutil.which("ovsdb-server")) and free >= MIB << 10


def ovs_dpdk():
    """Starts it on one core, as a cable; returns its processes and the two sockets."""
    name = f"ovs.{next(relays.NAMES)}"
    run = f"{RUN}/{name}"
    os.mkdir(run)
    for kind in "RUN", "DB", "LOG", "SYSCONF":
        os.environ[f"OVS_{kind}DIR"] = run
    database = f"unix:{run}/db"
    sh(f"ovsdb-tool create {run}/conf {SCHEMA}")
    server = start(["ovsdb-server", f"{run}/conf", f"--remote=p{database}"],
                   core=machine.LOAD_CORE)
    wait_for("ovsdb-server", lambda: os.path.exists(f"{run}/db"))
    vsctl = f"ovs-vsctl --db={database} --timeout=30"
    sh(f"{vsctl} --no-wait init -- set Open_vSwitch . other_config:dpdk-init=true"
       f" other_config:pmd-cpu-mask={1 << machine.RELAY_CORE:#x}"
       f" 'other_config:dpdk-extra=-m {MIB} --no-pci --file-prefix={name}'")
    switch = start([SWITCH, database])
    sh(f"{vsctl} add-br br0 -- set bridge br0 datapath_type=netdev")
    for i in 0, 1:
        sh(f"{vsctl} add-port br0 guest{i} --"
           f" set interface guest{i} type=dpdkvhostuser ofport_request={i + 1}")
    for flow in "in_port=1,actions=output:2", "in_port=2,actions=output:1":
        sh(f"ovs-ofctl add-flow br0 priority=40000,{flow}")
    return [switch, server], [f"{run}/guest{i}" for i in (0, 1)]

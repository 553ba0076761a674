# SPDX-License-Identifier: MIT
"""
The picture of the results, results.svg: a row of panels for each kind of link. Its colours
stand out from light and from dark; the background is the page's. What was not measured has no
bar, and a panel without a bar is left out.
"""
import machine

GREY, BLUE, ORANGE, GREEN, TEXT = "#8c959f", "#2f81f7", "#d1822c", "#3fa45b", "#7d8590"
COLOURS = {"null": GREY, "netrelay": BLUE, "socat": ORANGE}
GUEST_COLOURS = {"null": GREY, "netrelay": BLUE, "dpdk": GREEN, "ovs-dpdk": ORANGE}
WIDTH, ROW = 860, 320

BARS = [("tcp-tcp", "1514", "one", "TCP,\\nsingly"),
        ("tcp-tcp", "1514", "batch", "TCP,\\nbatched"),
        ("unix-unix", "1514", "one", "unix,\\nsingly"),
        ("unix-unix", "1514", "batch", "unix,\\nbatched"),
        ("udp-udp", "1514", "one", "UDP,\\nsingly"),
        ("udp-udp-gso", "1514", "batch", "UDP,\\nbatched"),
        ("tap-tcp", "1514", "batch", "tap,\\nto TCP"),
        ("tcp-tap", "1514", "batch", "TCP,\\nto tap")]
GUEST_BARS = [("guests", "64", "one", "64 bytes,\\nsingly"),
              ("guests", "64", "batch", "64 bytes,\\nbatched"),
              ("guests", "1514", "one", "1514 bytes,\\nsingly"),
              ("guests", "1514", "batch", "1514 bytes,\\nbatched")]
SUPER = "65226"
SUPER_BARS = [("null", GREY), ("netrelay", BLUE), ("dpdk", GREEN), ("memcpy", ORANGE)]
SEALED_BARS = [("netrelay trunk", "plain\\ntrunk", GREY), ("netrelay sealed", "sealed", BLUE),
               ("netrelay sealed-udp", "sealed,\\nUDP", BLUE), ("netrelay tls", "TLS", ORANGE),
               ("netrelay ssh", "ssh", ORANGE), ("wireguard", "Wire-\\nGuard", GREEN),
               ("wireguard-go", "Wire-\\nGuard-go", GREEN)]
FAR_BARS = [("the wire", "no\\ntrunk", GREY), ("netrelay sealed", "sealed", BLUE),
            ("netrelay sealed-udp", "sealed,\\nUDP", BLUE),
            ("wireguard", "Wire-\\nGuard", GREEN), ("wireguard-go", "Wire-\\nGuard-go", GREEN)]

HEAD = """
set terminal svg size {width},{height} font "sans-serif,13"
set output "{out}"
set multiplot
set style fill solid 1.0 noborder
set border 3 linecolor rgb "{text}"
set tics textcolor rgb "{text}" nomirror font ",11"
set xtics scale 0
set key top right textcolor rgb "{text}"
set bmargin 3.5
set tmargin 3
"""

PANEL = """
set origin {x},{y}
set size {w},{h}
unset label
set label 1 "{title}" at graph 0,1.09 left textcolor rgb "{text}" font ",14"
set yrange [0:{top}]
set ylabel "{unit}" textcolor rgb "{text}"
$data{n} << EOD
{data}
EOD
{plot}
"""

CLUSTERS = """set grid ytics linecolor rgb "{text}" dashtype 3
set style data histogram
set style histogram clustered gap 1.2
set boxwidth 0.9
set xrange [*:*]
plot """
SINGLE = """unset grid
set boxwidth 0.7
set xrange [-0.6:{last}.6]
plot $data{n} using 0:2:3:xtic(1) with boxes linecolor rgb variable notitle, \\
     "" using 0:2:(sprintf("{form}", $2)) with labels offset 0,0.6 font ",11" \\
        textcolor rgb "{text}" notitle
"""


def sample(results, workload, size, how, relay):
    """Of several null relays the best is the floor."""
    found = [s for key, s in results.samples.items()
             if key[:3] == (workload, size, how) and relay in (key[3], key[3].split("-")[0])]
    return min(found, key=lambda s: s.cpu, default=None)


class Panel:
    """
    A diagram: how to plot it, how much of a row's width it takes, and how much higher it is
    than its highest bar.
    """

    def __init__(self, title, unit, share, room=1.15):
        self.title, self.unit, self.share, self.room = title, unit, share, room
        self.rows, self.series, self.form = [], [], "%.0f"

    def clusters(self, results, bars, colours):
        """What a frame costs each relay, a cluster for each kind."""
        found = {r: [sample(results, *bar[:3], r) for bar in bars] for r in colours}
        found = {r: f for r, f in found.items() if any(f)}
        self.series = [(r, colours[r]) for r in found]
        if found:
            self.rows = [[bar[3]] + [f"{s.cpu:.0f}" if s else "NaN" for s in of]
                         for bar, *of in zip(bars, *found.values())]
        return self

    def single(self, bars, form):
        """A bar for each (label, figure or None, colour)."""
        self.form = form
        self.rows = [[label, str(figure), colour.replace("#", "0x")]
                     for label, figure, colour in bars if figure is not None]
        return self

    def script(self, number, place):
        if self.series:
            plot = CLUSTERS.format(text=TEXT) + ", ".join(
                f'$data{number} using {i}:xtic(1) title "{name}" linecolor rgb "{colour}"'
                for i, (name, colour) in enumerate(self.series, 2))
        else:
            plot = SINGLE.format(n=number, last=len(self.rows) - 1, form=self.form, text=TEXT)
        data = "\n".join(f'"{label}" ' + " ".join(rest) for label, *rest in self.rows)
        bars = [v for _, *of in self.rows for v in (of if self.series else of[:1])]
        place["top"] = self.room * max(float(v) for v in bars if v != "NaN")
        return PANEL.format(n=number, title=self.title, unit=self.unit, data=data, plot=plot,
                            text=TEXT, **place)


def flows(results, workload, bars):
    for name, label, colour in bars:
        flow = results.flows.get((workload, name))
        yield label, flow and flow.gbits, colour


def panels(results):
    """Rows of panels."""
    supers = [(name, sample(results, "guests-super", SUPER, "batch", name), colour)
              for name, colour in SUPER_BARS]
    rows = [
        [Panel("A frame of 1514 bytes", "relay CPU, ns per frame", 1)
         .clusters(results, BARS, COLOURS)],
        [Panel("Guest to guest by vhost-user", "relay CPU, ns per frame", 0.6, 2)
         .clusters(results, GUEST_BARS, GUEST_COLOURS),
         Panel("Super-frames of 64 KiB", "relay CPU, µs per frame", 0.4)
         .single([(name, s and s.cpu / 1e3, colour) for name, s, colour in supers], "%.1f")],
        [Panel("Sealed, bridge to bridge, one flow", "Gbit/s", 0.56)
         .single(flows(results, "sealed", SEALED_BARS), "%.1f"),
         Panel("40 ms away with 1 % loss, ten flows", "Gbit/s", 0.44)
         .single(flows(results, "far", FAR_BARS), "%.2f")],
    ]
    rows = [[p for p in row if p.rows] for row in rows]
    return [row for row in rows if row]


def draw(results, directory):
    rows, number = panels(results), 0
    script = HEAD.format(width=WIDTH, height=ROW * len(rows), text=TEXT,
                         out=f"{directory}/results.svg")
    for i, row in enumerate(rows):
        left = 0
        for panel in row:
            share = panel.share / sum(p.share for p in row)
            place = {"x": left, "y": 1 - (i + 1) / len(rows), "w": share, "h": 1 / len(rows)}
            script += panel.script(number, place)
            left, number = left + share, number + 1
    machine.subprocess.run(["gnuplot"], input=script + "unset multiplot\n", text=True,
                           check=True)

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Who looks on: tshark, which judges what it sees of a TCP flow, and Prometheus.
#
#   near: e0 10.0.0.1 --- netrelay --- unix --- netrelay -l --- unix --- netrelay --- e0 10.0.0.2 :far
#                                                 :lab

load ../helpers
load hosts

namespaces near far lab

# relay OPTION...
relay()
{
	relay_start relay in lab -l "unix-listen:$DIR/relay.sock" --ctl "$DIR/ctl" "$@"
	wait_listen lab unix "$DIR/relay.sock"
}

ends()
{
	relay_start near in near tap:e0 "unix:$DIR/relay.sock"
	relay_start far in far tap:e0 "unix:$DIR/relay.sock"
	address near e0 10.0.0.1/24
	address far e0 10.0.0.2/24
	wait_ping near 10.0.0.2
}

# packets FILE FILTER: how many of the kind there are.
packets()
{
	tshark -n -o tcp.check_checksum:TRUE -r "$1" -Y "$2" 2>/dev/null >"$DIR/packets" && wc -l <"$DIR/packets"
}

@test "tshark: a TCP flow, captured as it comes in, has no packet twice" {
	local what

	needs tshark capinfos
	relay
	ends
	start capture "$NETRELAY" ctl "$DIR/ctl" capture "$DIR/in.pcapng" dir=in
	wait_for 5 "capture" test -s "$DIR/in.pcapng"
	tcp_passes near far 10.0.0.2
	dismiss capture INT
	capinfos "$DIR/in.pcapng"
	(($(packets "$DIR/in.pcapng" tcp) > 700))
	for what in retransmission out_of_order lost_segment ack_lost_segment duplicate_ack; do
		assert_equal "$what $(packets "$DIR/in.pcapng" "tcp.analysis.$what")" "$what 0"
	done
	assert_equal "$(packets "$DIR/in.pcapng" 'tcp.checksum.status != 1')" 0
	assert_equal "$(packets "$DIR/in.pcapng" 'tcp.flags.syn == 1')" 2
}

# query EXPRESSION: its values, as Prometheus has them now.
query()
{
	ns lab curl -sG http://127.0.0.1:9090/api/v1/query --data-urlencode "query=$1" |
		python3 -c 'import json, sys
for r in json.load(sys.stdin)["data"]["result"]:
    print(r["value"][1])'
}

# answers EXPRESSION: whether it holds of anything.
answers()
{
	[[ $(query "$1") ]]
}

@test "Prometheus scrapes it, and a new relay" {
	needs prometheus curl
	relay --metrics 9100
	ends
	cat >"$DIR/prometheus.yml" <<-'EOT'
		global:
		  scrape_interval: 1s
		  scrape_timeout: 1s
		scrape_configs:
		  - job_name: netrelay
		    static_configs:
		      - targets: ['127.0.0.1:9100']
	EOT
	start prometheus in lab prometheus --config.file="$DIR/prometheus.yml" \
		--storage.tsdb.path="$DIR/data" --web.listen-address=127.0.0.1:9090
	wait_for 20 "Prometheus to have scraped" answers 'up{job="netrelay"} == 1'
	tcp_passes near far 10.0.0.2
	wait_for 10 "the flow to be seen" answers 'sum(netrelay_port_receive_bytes_total) > 1048576'
	assert_equal "$(query 'count(netrelay_port_up == 1)')" 2
	relay_stop relay
	wait_for 10 "the end to be seen" answers 'up{job="netrelay"} == 0'
	relay --metrics 9100
	wait_for 10 "the new one to be scraped" answers 'up{job="netrelay"} == 1'
	wait_for 10 "both ports to be up" answers 'count(netrelay_port_up == 1) == 2'
}

# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Guests: QEMU with the kernel and initramfs that guest-image makes. Commands go
# to the agent in guest-init, over the second serial port, which QEMU ties to
# two FIFOs: $DIR/NAME.agent.in and .out. The console is in $DIR/NAME.console.
#
#   guest_start a in left -- socket,connect=127.0.0.1:5000 socket,listen=:5001
#   guest_wait a
#   guest_nic a 1 10.0.0.1/24
#   guest_ping a 10.0.0.2 1400
#   guest a "ip link show nic2 | grep -q UP"
#
# A NIC by vhost-user is "vhost-user," and the options of its chardev; the guest's memory is
# then shared with whoever is at the other end:
#
#   guest_start b -- vhost-user,path=$DIR/b.sock,reconnect=1
#
# The accelerator is $NETRELAY_ACCEL, by default tcg. The guests' kernel does not check its
# timer, because on a busy host that check takes too long, and the kernel then panics.

# shellcheck source=itest/lab.bash
[[ ${LAB_ROOT-} ]] || source "${BASH_SOURCE[0]%/*}/lab.bash"

# What an emulated processor boots without in less time, and no test needs.
GUEST_FAST="cryptomgr.notests mitigations=off nokaslr tsc=reliable noreplace-smp init_on_alloc=0"
# Without ACPI a guest boots in a sixth less. It then has no MSI-X, so this is for an old QEMU,
# which has none by vhost-user. pmtmr is the port of the timer by which the kernel measures the
# processor's clock, on QEMU's usual machine.
GUEST_PLAIN="acpi=off pmtmr=0x608"
GUEST_DIR=${NETRELAY_GUEST:-$LAB_ROOT/build/guest}

# guest_image: makes kernel and initramfs if they are missing, and says so on stderr.
guest_image()
{
	"$LAB_ROOT/itest/guest-image" "$GUEST_DIR" >&2
}

# guest_args NAME NIC...: prints QEMU's arguments for a guest's NICs, one on each line. A NIC
# is the value of -netdev, without an id. GUEST_DEVICE is appended to each -device
# ("host_mtu=9000"). The last byte of a MAC address is the NIC's number, which is part of its
# name in the guest; the byte before it is the guest's number.
guest_args()
{
	local name=$1 number=0 rom=romfile=, vectors='' mac nic device

	if [[ ${GUEST_BOOT-} == net ]]; then
		rom=
	fi
	if [[ $* == *vhost-user,* ]]; then
		printf '%s\n' -machine memory-backend=memory \
			-object memory-backend-memfd,id=memory,share=on,size=128M
		if _is_old_qemu; then
			printf '%s\n' -smp 1,maxcpus=2
			vectors=,vectors=0
		fi
	fi
	shift
	mac=52:54:00:6e:$(printf %02x "$(cat "$DIR/$name.number")")
	for nic in "$@"; do
		number=$((number + 1))
		device=$(printf '%smac=%s:%02x' "$rom" "$mac" "$number")${GUEST_DEVICE:+,$GUEST_DEVICE}
		if [[ $nic == vhost-user,* ]]; then
			printf '%s\n' -chardev "socket,id=nic$number.chardev,${nic#*,}"
			nic=vhost-user,chardev=nic$number.chardev
			device+=$vectors
		fi
		printf '%s\n' -netdev "${nic%%,*},id=nic$number,${nic#*,}" \
			-device "virtio-net-pci,netdev=nic$number,$device"
	done
}

# Under TCG, QEMU 7.2 ends by SIGSEGV when a guest sets up MSI-X over vhost-user. Before 8.1 it
# leaves out a guest's memory barriers if there can be but one processor: a guest then does not
# see that it is to kick, and its network stops. A second processor must not run, though: one
# may go on executing the int3 that the kernel had there while it changed the code, for ever
# (about 1 of 100 boots with -smp 2 on a busy host).
_is_old_qemu()
{
	# A test's own one (in $DIR/bin) may want what is not here.
	PATH=${PATH#"$DIR/bin:"} qemu-system-x86_64 --version | grep -q 'version \([1-7]\|8\.0\)\.'
}

# guest_start NAME [in NAMESPACE] [--] NIC...: boots a guest; guest_wait waits for it.
# GUEST_QEMU are more arguments for QEMU. With GUEST_BOOT=net its NICs have iPXE, and QEMU has
# no kernel for it.
guest_start()
{
	local name=$1 where=() nics=() qemu=() more=() kernel fast=$GUEST_FAST

	shift
	if [[ $1 == in ]]; then
		where=(in "$2")
		shift 2
	fi
	if [[ $1 == -- ]]; then
		shift
	fi
	guest_image
	[[ -e $DIR/$name.number ]] || _guest_number >"$DIR/$name.number"
	rm -f "$DIR/$name".agent.* "$DIR/$name.ready" "$DIR/$name.serial"
	mkfifo "$DIR/$name.agent.in" "$DIR/$name.agent.out"
	mapfile -t nics < <(guest_args "$name" "$@")
	read -ra more <<<"${GUEST_QEMU-}"
	qemu=(qemu-system-x86_64 -name "$name" -accel "${NETRELAY_ACCEL:-tcg}" -cpu max
		-m 128M -nodefaults -no-user-config -no-reboot -display none -monitor none
		-chardev "file,id=console,path=$DIR/$name.console" -serial chardev:console
		-chardev "pipe,id=agent,path=$DIR/$name.agent" -serial chardev:agent)
	if [[ ${GUEST_BOOT-} != net ]]; then
		kernel=$GUEST_DIR/vmlinux
		[[ -e $kernel ]] || kernel=$GUEST_DIR/vmlinuz
		if _is_old_qemu; then
			fast+=" $GUEST_PLAIN"
		fi
		qemu+=(-kernel "$kernel" -initrd "$GUEST_DIR/initrd.gz"
			-append "console=ttyS0 panic=-1 quiet no_timer_check $fast agent")
	fi
	start "$name" "${where[@]}" "${qemu[@]}" "${nics[@]}" "${more[@]}"
}

# Prints a number for a new guest: how many there are already.
_guest_number()
{
	local number=1

	until mkdir "$DIR/.guest$number" 2>/dev/null; do
		number=$((number + 1))
	done
	echo "$number"
}

# guest_wait NAME [SECONDS]: waits until the guest's agent answers.
guest_wait()
{
	[[ -e $DIR/$1.ready ]] && return
	_guest_answer "$1" 0 "${2:-300}" >/dev/null || {
		echo "guest $1 did not come up; its console, and QEMU's errors:" >&2
		tail -n 15 "$DIR/$1.console" "$DIR/$1.err" >&2
		return 1
	}
	touch "$DIR/$1.ready"
}

# guest NAME COMMAND...: runs a command in the guest's shell, as ssh would. Output and exit
# status are the command's. It may take GUEST_LIMIT seconds, by default 120.
guest()
{
	local name=$1 limit=${GUEST_LIMIT:-120} number lock status=0

	shift
	if [[ $* == *$'\n'* ]]; then
		echo "guest: a command is one line" >&2
		return 2
	fi
	exec {lock}>"$DIR/$name.lock"
	flock "$lock"
	number=$(($(cat "$DIR/$name.serial" 2>/dev/null || echo 0) + 1))
	echo "$number" >"$DIR/$name.serial"
	# Opened for both ways, a FIFO waits for no reader.
	printf '%s %s %s\n' "$number" "$limit" "$*" 1<>"$DIR/$name.agent.in"
	_guest_answer "$name" "$number" $((limit + 60)) || status=$?
	exec {lock}>&-
	return "$status"
}

# Prints the agent's output up to the end of command $2. Returns the command's exit status;
# 124 if it takes longer than $3 seconds.
_guest_answer()
{
	local name=$1 number=$2 end line='' part out glue=''

	end=$(($(_now_us) + $3 * 1000000))
	exec {out}<>"$DIR/$name.agent.out"
	while (($(_now_us) < end)) && is_running "$name"; do
		# What came before the time was up is kept by read.
		IFS= read -r -t 1 -u "$out" part || {
			line+=$part
			continue
		}
		line+=$part
		if [[ $line == "@$number "+([0-9]) ]]; then
			exec {out}<&-
			return "${line#* }"
		fi
		printf '%s%s' "$glue" "$line"
		glue=$'\n' line=''
	done
	exec {out}<&-
	echo "guest $name: no answer" >&2
	return 124
}

# guest_nic NAME NUMBER ADDR/LEN: sets up a NIC of the guest; 1 is the first.
guest_nic()
{
	guest "$1" "ip addr add $3 dev nic$2 && ip link set nic$2 up"
}

# guest_addresses NAME HOST COUNT: gives the first COUNT NICs the addresses 10.0.N.HOST, N
# being the NIC's number; IPv6 they have by themselves, soon.
guest_addresses()
{
	local each="ip addr add 10.0.\$n.$2/24 dev nic\$n; ip link set nic\$n up"

	guest "$1" "for n in \$(seq $3); do $each; done"
	guest "$1" "until [ \$(ip -6 addr | grep fe80: | grep -vc tentative) = $3 ]; do sleep 0.1; done"
}

# guest_ping NAME ADDR [SIZE]: sends three pings, all of which must be answered.
guest_ping()
{
	guest "$1" "ping -c 3 -i 0.2 -W 10 -s ${3:-56} $2 | tee /tmp/ping; grep -q ' 0% packet loss' /tmp/ping"
}

# guest_local NAME NIC: prints the IPv6 address that this NIC gives itself, for a ping from a
# NIC of the same number.
guest_local()
{
	printf 'fe80::5054:ff:fe6e:%x%%nic%u\n' "$(($(cat "$DIR/$1.number") * 256 + $2))" "$2"
}

# guest_pings NAME SIZE ADDR...: sends each a ping, which must be answered.
guest_pings()
{
	local name=$1 size=$2 addr commands=true

	shift 2
	for addr in "$@"; do
		commands+=" && ping -c 1 -W 20 -s $size $addr"
	done
	guest "$name" "$commands"
}

# guest_noise NAME: makes 512 KiB of noise there, in /tmp/data, with its sum in /tmp/data.sum.
# An emulated processor computes MD5 in less time than others. guest_echo NAME: has it return
# what comes to TCP port 7.
guest_noise()
{
	guest "$1" "dd if=/dev/urandom of=/tmp/data bs=64k count=8 && md5sum </tmp/data >/tmp/data.sum"
}

guest_echo()
{
	guest "$1" "nc -ll -p 7 -e cat >/dev/null 2>&1 </dev/null &"
}

# guests_pass A B NUMBER: over the NICs of that number, which have addresses by
# guest_addresses 1 and 2, pings are answered, small and big ones, over both versions of IP,
# and a TCP connection returns what A sent, every byte.
guests_pass()
{
	local other=10.0.$3.2 sums

	guest_pings "$1" 56 "$other" "$(guest_local "$2" "$3")"
	guest_pings "$1" 1400 "$other" "$(guest_local "$2" "$3")"
	guest_pings "$2" 1400 "10.0.$3.1" "$(guest_local "$1" "$3")"
	sums=$(guest "$1" "cat /tmp/data.sum; nc $other 7 </tmp/data | md5sum") || return
	if (($(wc -l <<<"$sums") != 2 || $(uniq <<<"$sums" | wc -l) != 1)); then
		echo "guests_pass: it came back another: $sums"
		return 1
	fi
}

# guest_stop NAME: ends the guest's QEMU.
guest_stop()
{
	stop "$1"
}

# SPDX-License-Identifier: MIT
#
# Checks that the numbers of a status block account for every frame: what was
# received or copied was sent, is queued, or was dropped; and the ports have no
# more of each than there was in all (ports that are gone are in the totals).

# The number that follows words, e.g. "rx 50 frames".
function after(words)
{
	if (!match($0, words " [0-9]+"))
		return 0
	return substr($0, RSTART + length(words) + 1, RLENGTH - length(words) - 1) + 0
}

function complain(text)
{
	print "sums: " text
	wrong = 1
}

function at_most(what, parts, total)
{
	if (parts > total)
		complain(what " at the ports " parts ", in all " total)
}

/^netrelay: status: / {
	received = after(": received")
	copied = after(", copied")
	sent = after(", sent")
	queued = after(", queued")
	dropped = after(", dropped")
	whole = 1
}

/^netrelay: port / {
	rx += after(", rx")
	tx += after(", tx")
	waiting += after(", queued")
	sub(/^.*, dropped: */, "")
	gsub(/,/, "")
	for (i = 2; i <= NF; i += 2)
		lost += $i
}

END {
	if (!whole) {
		complain("no status block")
	} else if (received + copied != sent + queued + dropped) {
		complain("received " received " + copied " copied " is not sent " sent \
			" + queued " queued " + dropped " dropped)
	}
	at_most("received", rx, received)
	at_most("sent", tx, sent)
	at_most("queued", waiting, queued)
	at_most("dropped", lost, dropped)
	exit wrong + 0
}

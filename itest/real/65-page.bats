#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The page at /, in Chromium: what it draws of few and of many ports, of trouble, and of names
# that are meant to do harm; in light and dark, and on a phone; by keyboard; and while the
# relay is away and back again. PICTURES=DIR keeps a picture of each.
#
# shellcheck disable=SC2016 # $ is a function of the page

load ../helpers
load hosts

namespaces lab

setup()
{
	real_setup
	needs chromium chromedriver
	start driver in lab chromedriver --port=9515
	wait_listen lab tcp 9515 20
}

teardown()
{
	[[ ! -e $DIR/session ]] || browser end || true
	common_teardown
}

browser()
{
	ns lab "$REAL/browser" "$DIR/session" "$@"
}

# relay OPTION...
relay()
{
	relay_start relay in lab --metrics 9100 -l 127.0.0.1:5000 "$@"
	wait_listen lab tcp 9100
}

# page WIDTH HEIGHT light|dark: opens it, and waits until it has drawn something.
page()
{
	browser look "$@"
	browser open http://localhost:9100/
	wait_for 20 "the page" shows '!$("main").hidden'
}

# shows JAVASCRIPT: whether that is true of the page.
shows()
{
	[[ $(browser run "return Boolean($1)") == true ]]
}

# says ID TEXT: whether the text of that element has this.
says()
{
	shows "\$('$1').innerText.includes('$2')"
}

# has COUNT SELECTOR: whether so many elements are like that.
has()
{
	shows "document.querySelectorAll('$2').length === $1"
}

# picture NAME
picture()
{
	[[ ! ${PICTURES-} ]] || browser picture "$PICTURES/$1.png"
}

# is_sound: nothing is wider than the window, and the browser has not complained, but of a relay
# that was away.
is_sound()
{
	shows 'document.documentElement.scrollWidth <= innerWidth'
	run browser errors
	refute_output --regexp 'Content.Security|Refused|rror: |Trusted'
}

# ends COUNT: so many that are connected and silent.
ends()
{
	START_IN=hold frames_start ends in lab raw tcp:127.0.0.1:5000 --connections "$1" --wait 0 --hold
}

@test "a few ports are drawn, with rates; in light and dark, and on a phone" {
	relay -l tcp-listen:127.0.0.1:5001,name=guest "unix:$DIR/none,name=uplink"
	frames_start m2 in lab recv tcp:127.0.0.1:5000 --count 1000000
	frames_start m1 in lab send tcp:127.0.0.1:5000 --count 1000000 --rate 1000
	page 1200 800 light
	says about "switch, 2 of 3 ports up"
	says troubles "uplink, port 1, is waiting: connect to"
	says listeners "guest, tcp-listen:127.0.0.1:5001"
	shows 'document.querySelector("#left small").innerText.includes("lab/none")'
	wait_for 10 "rates" shows 'document.querySelector("#right .in").innerText.match(/[0-9.]+.Mbit/)'
	has 3 ".card"
	has 3 "#links .jack"
	has 1 "#links .down"
	says fresh live
	picture few-light
	is_sound
	browser look 1200 800 dark
	shows 'getComputedStyle(document.body).backgroundColor.match(/\d+/g).every(n => n < 40)'
	picture few-dark
	browser look 390 844 dark
	wait_for 5 "all ports at one side" has 3 "#right .card"
	picture few-phone
	is_sound
	# A link is at the middle of its card.
	shows '(() => {
		const middles = what => [...document.querySelectorAll(what)].map(e => {
			const box = e.getBoundingClientRect();
			return (box.top + box.bottom) / 2;
		});
		const jacks = middles("#links .jack");
		return middles(".card").every((y, i) => Math.abs(y - jacks[i]) < 2);
	})()'
	run -0 relay_stop relay
}

@test "trouble is seen: a port that is blocked, and one that drops" {
	relay
	wait_listen lab tcp 5000
	relay_start loop in lab 127.0.0.1:5000 127.0.0.1:5000
	ends 1
	frames_start m1 in lab send tcp:127.0.0.1:5000 --count 1000000 --rate 2000
	page 1200 800 light
	wait_for 20 "a port that is blocked" says troubles "is blocked: it closes a loop"
	shows 'document.querySelector("#links .cut") && document.querySelector("circle.sign")'
	wait_for 20 "a port that drops" says troubles "drops frames: queue"
	wait_for 5 "drops" shows 'document.querySelector("#sums .warn")'
	picture trouble-light
	browser look 1200 800 dark
	browser run '$("as-table").click()'
	shows 'document.querySelector("#rows .state.blocked.warn")'
	picture trouble-dark-table
	is_sound
	run -0 relay_stop relay
}

@test "names are text, whatever is in them" {
	local name=$DIR/$'<img src=x onerror=document.title=1>\n\e[2J\xe2\x80\xae'

	relay -l "unix-listen:$name" "unix:$DIR/</script><script>document.title=1</script>"
	wait_listen lab tcp 5000
	START_IN=hold frames_start member in lab raw "unix:$name" --wait 0 --hold
	relay_wait_up relay 1
	page 1200 800 light
	wait_for 10 "all of them" says listeners \
		'<img src=x onerror=document.title=1>\\x0a\\x1b[2J\\xe2\\x80\\xae'
	says troubles '<script>document.title=1</script>'
	browser run 'document.querySelector("#right .card").click()'
	says facts '<img src=x onerror=document.title=1>\\x0a\\x1b[2J\\xe2\\x80\\xae'
	picture names
	browser run '$("close").click(); $("as-table").click()'
	says rows '<img src=x'
	has 0 "img, main script, dialog script"
	shows 'document.title.endsWith("netrelay")'
	# Even if the page had a fault: text does not become HTML.
	run browser run 'try { document.body.innerHTML = "<b>x</b>"; return "took it"; }
		catch (e) { return e.name; }'
	assert_output TypeError
	run -0 relay_stop relay
}

@test "thirty ports are a map, three hundred a table to sort and search" {
	relay
	ends 30
	relay_wait_up relay 30
	page 1200 800 light
	wait_for 10 "30 cards" has 30 ".card"
	picture thirty
	browser look 390 844 light
	picture thirty-phone
	is_sound
	START_IN=hold frames_start more in lab raw tcp:127.0.0.1:5000 --connections 270 --wait 0 --hold
	wait_for 10 "a table" has 300 "#rows tr"
	shows '!$("wide").hidden && $("map").hidden'
	picture hundreds-phone
	is_sound
	browser look 1200 800 dark
	shows '$("rows").firstChild.firstChild.innerText === "1"'
	browser run 'document.querySelector("#wide th button").click()'
	shows '$("rows").firstChild.firstChild.innerText === "300" &&
		document.querySelector("[aria-sort]").getAttribute("aria-sort") === "descending"'
	picture hundreds-dark
	browser run '$("find").value = "tcp: 127 299"; $("find").dispatchEvent(new Event("input"))'
	shows '$("rows").children.length >= 1 && $("rows").children.length < 5'
	says note "of 300 ports match"
	run -0 relay_stop relay
}

@test "by keyboard: a port's details, and the addresses" {
	relay
	ends 2
	frames_start m1 in lab send tcp:127.0.0.1:5000 --count 1000000 --rate 500
	page 1200 800 light
	wait_for 10 "3 cards" has 3 ".card"
	browser run '$("all").focus()'
	browser press Tab Tab Tab Enter
	shows '$("dialog").open && $("dialog").contains(document.activeElement)'
	says facts "Queue"
	wait_for 5 "its address" says addresses 02:6e:72:00:00:01
	browser run 'window.was = $("facts").innerText'
	wait_for 5 "figures that change" shows '$("facts").innerText !== was'
	picture details
	browser press Escape
	# The focus is where it was, although all was drawn again meanwhile.
	shows '!$("dialog").open && document.activeElement.dataset.port === "3"'
	browser run '$("all").focus()'
	browser press Enter
	wait_for 5 "all addresses" says known "1 of at most 16,384"
	picture addresses
	is_sound
	run -0 relay_stop relay
}

@test "a relay that is away, and back again; one that is stopped" {
	relay
	ends 1
	page 1200 800 light
	wait_for 10 "a port" says about "1 of 1 ports up"
	run -0 relay_stop relay
	wait_for 10 "an end" says fresh "no answer since"
	shows 'document.documentElement.className === "old"'
	picture away
	dismiss ends
	relay
	wait_for 10 "a new one" says fresh live
	says troubles "The relay was started again at"
	says note "There are no ports yet."
	shows 'document.documentElement.className === ""'
	picture back
	kill -STOP "$(pid_of relay)"
	wait_for 15 "silence" says fresh "no answer since"
	kill -CONT "$(pid_of relay)"
	wait_for 15 "an answer" says fresh live
	shows 'document.documentElement.scrollWidth <= innerWidth'
	run -0 relay_stop relay
}

@test "another page may neither have it in a frame nor read it" {
	relay
	mkdir "$DIR/web"
	cat >"$DIR/web/index.html" <<-'EOT'
		<iframe src="http://127.0.0.1:9100/"></iframe>
		<script src="http://127.0.0.1:9100/page.js" onerror="a=1"></script>
		<script src="http://127.0.0.1:9100/status.json" onerror="b=1"></script>
		<script>fetch("http://127.0.0.1:9100/status.json").catch(() => c=1);
		fetch("http://127.0.0.1:9100/metrics", { mode: "no-cors" }).catch(() => d=1)</script>
	EOT
	start web in lab python3 -m http.server -d "$DIR/web" -b 127.0.0.1 8000
	wait_listen lab tcp 8000
	browser open http://localhost:8000/
	wait_for 10 "all to be refused" shows 'a && b && c && d'
	run -0 browser errors
	assert_output --regexp "Framing 'http://127.0.0.1:9100/' violates|frame-ancestors"
	run -0 relay_stop relay
}

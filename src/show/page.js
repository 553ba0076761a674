'use strict';
/*
 * Asks for status.json once a second, and draws it. What comes from there is shown as text
 * only. Elements stay as long as what they show, so that focus and selections stay, too.
 */

const $ = id => document.getElementById(id);
const narrow = matchMedia('(max-width: 720px)');
const MAP_MAX = 40, ROWS_MAX = 500, SAMPLES = 120, TROUBLES_MAX = 4;
const STALE_MS = 5000, TOLD_MS = 60000; // without an answer; that a restart is told
/* Drops that are no fault: of probes, and of frames to where they came from. */
const USUAL = ['probe', 'local'];

/*
 * relay: the status, with what look() adds; seen: when it came; before: by port, when its drops
 * were counted, and they; view: map, table, or by the number of ports; shown: the port in the
 * dialog, or 0 for all addresses
 */
let relay, seen = Date.now(), failed, timer, restarted = 0;
let view, sortBy = 'id', down = false, shown, fdb;
const before = new Map(), cards = new Map(), rows = new Map(), past = { rx: [], tx: [] };

/* ---- text ---- */

/* Names are bytes from anywhere: what is not printable ASCII is shown as \x1b. */
const plain = text => text.replace(/[^ -~]/g,
	c => '\\x' + c.charCodeAt().toString(16).padStart(2, '0'));

const num = n => n.toLocaleString('en');

/* Three digits, and the unit behind its prefix: 12.8 Mbit/s; without a unit: 1,284 or 12.8M. */
function si(n, unit) {
	let i = 0;
	if (!unit && n < 9999.5)
		return num(Math.round(n));
	for (; n >= 999.5 && i < 6; i++)
		n /= 1000;
	return (i ? n.toPrecision(3) : n) + (unit ? '\u00a0' : '') + ' kMGTPE'[i].trim() + (unit || '');
}

const rate = n => si(n) + '\u00a0frames/s';
const bits = bytes => si(bytes * 8, 'bit/s');
const clock = ms => new Date(ms).toLocaleTimeString();

function time(ms) {
	const s = Math.floor(ms / 1000), m = Math.floor(s / 60), h = Math.floor(m / 60);
	if (h >= 24)
		return `${Math.floor(h / 24)} d ${h % 24} h`;
	return h ? `${h} h ${m % 60} min` : m ? `${m} min` : `${s} s`;
}

/* Of counters by reason, those that are not zero. */
const counted = (counters, text) => Object.entries(counters).filter(([, n]) => n)
	.map(([why, n]) => text(num(n), why)).join(', ');

const sum = list => list.reduce((a, b) => a + b, 0);

/* ---- elements ---- */

/* Make an element; strings in it become text. */
function el(tag, cls, ...kids) {
	const e = document.createElement(tag);
	e.className = cls;
	e.append(...kids);
	return e;
}

function put(e, text, cls = e.className) {
	if (e.textContent !== text)
		e.textContent = text;
	if (e.className !== cls)
		e.className = cls;
}

/* Have just these elements in a box, and keep the focus where it is. */
function place(box, list) {
	const had = document.activeElement;
	if (list.length === box.children.length && list.every((e, i) => e === box.children[i]))
		return;
	box.replaceChildren(...list);
	if (box.contains(had))
		had.focus({ preventScroll: true });
}

/* Have what looks like these in a box. What stays as it is, is not read out again. */
function say(box, list) {
	const had = [...box.children];
	place(box, list.map((e, i) => had[i] && had[i].isEqualNode(e) ? had[i] : e));
}

function pairs(list) {
	return list.filter(([, text]) => text)
		.flatMap(([key, text]) => [el('dt', '', key), el('dd', '', text)]);
}

function draw(tag, attributes, text) {
	const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
	for (const key in attributes)
		e.setAttribute(key, attributes[key]);
	if (text)
		e.append(text);
	return e;
}

/* ---- ports ---- */

/* Why frames were dropped since the last time. */
function growing(p) {
	const old = before.get(p.id);
	before.set(p.id, { at: relay.uptime_ms, drops: p.drops });
	return old && relay.uptime_ms > old.at
		? Object.keys(p.drops).filter(k => !USUAL.includes(k) && p.drops[k] > old.drops[k]) : [];
}

function trouble(p) {
	const drops = growing(p);
	if (p.state !== 'up')
		return p.error;
	if (p.blocked)
		return 'is blocked: it closes a loop';
	if (p.limited)
		return 'is limited: its own frames come back';
	if (drops.length)
		return 'drops frames: ' + drops.join(', ');
	return p.far_end === 'unreachable' ? 'has an unreachable far end' : '';
}

/* Add what is shown of a port: a word on its state, what is wrong, and a line about it. */
function look(p) {
	p.accepted = relay.listeners.some(l => l.endpoint === p.endpoint);
	for (const key of ['name', 'endpoint', 'peer', 'error'])
		p[key] = plain(p[key]);
	p.look = p.state !== 'up' ? p.state : p.blocked ? 'blocked' : p.limited ? 'limited' : 'up';
	p.lost = sum(Object.values(p.drops));
	p.trouble = trouble(p);
	p.warn = p.state === 'up' && p.trouble !== '';
	if (p.trouble)
		p.line = p.trouble;
	else if (p.state !== 'up')
		p.line = 'for ' + time(p.since_ms);
	else if (p.far_end === 'silent')
		p.line = 'nothing heard from it yet';
	else
		p.line = p.accepted ? 'at ' + p.endpoint : p.endpoint !== p.name ? p.endpoint : p.peer;
}

function matching() {
	const words = $('find').value.toLowerCase().split(' ');
	return relay.ports.filter(p => {
		const text = [p.id, p.name, p.endpoint, p.peer, p.look].join(' ').toLowerCase();
		return words.every(word => text.includes(word));
	});
}

/* ---- the map ---- */

function card(p) {
	const up = p.state === 'up';
	let e = cards.get(p.id);
	if (!e) {
		e = el('li', '', el('button', '', el('b', '', el('i', '', String(p.id)), ''),
			el('span', ''), el('small', ''), el('span', '')));
		e.firstChild.dataset.port = p.id;
		cards.set(p.id, e);
	}
	const [name, first, line, second] = e.firstChild.children;
	e.firstChild.className = 'card' + (p.warn ? ' warn' : up ? '' : ' down');
	e.firstChild.title = p.name + (p.line && '\n' + p.line);
	name.lastChild.data = p.name;
	put(line, p.line);
	put(first, up ? bits(p.rx_bytes_rate) : p.look, up ? 'in' : '');
	put(second, up ? bits(p.tx_bytes_rate) : '', up ? 'out' : '');
	return e;
}

/* An arrow, which is thicker the more flows. */
function arrow(cls, bytes, from, to, y) {
	const tip = to - 6 * Math.sign(to - from);
	const line = (width, d) => draw('path', { class: bytes ? cls : 'idle', 'stroke-width': width, d });
	return [line(bytes ? Math.min(6, 1.5 + Math.log10(1 + bytes / 1000)) : 1, `M${from} ${y}H${to}`),
		line(1.5, `M${tip} ${y - 4}L${to} ${y}L${tip} ${y + 4}`)];
}

/* The link of one port, from its card at x to the switch, whose side is at @side. */
function link(p, x, side, y) {
	const way = Math.sign(side - x), to = side - 5 * way, mid = (x + to) / 2;
	const near = x + 3 * way, far = to - way;
	const jack = draw('rect',
		{ class: 'jack', x: Math.min(side, to), y: y - 9, width: 5, height: 18 });
	if (p.state !== 'up')
		return [jack, draw('path', { class: 'down', d: `M${near} ${y}H${far}` })];
	if (p.blocked)
		return [jack, draw('path', { class: 'cut', d: `M${x} ${y}H${to}` }),
			draw('circle', { class: 'sign', cx: mid, cy: y, r: 8 }),
			draw('path', { class: 'sign', d: `M${mid - 5} ${y + 5}l10 -10` })];
	return [jack, ...arrow('in', p.rx_bytes_rate, near, far, y - 6),
		...arrow('out', p.tx_bytes_rate, far, near, y + 6),
		...p.warn ? [draw('path', { class: 'sign', d: `M${mid} ${y - 8}l8 15h-16z` })] : []];
}

/* Cards at both sides of the switch, or at one. Their heights are those of page.css. */
function drawMap(list) {
	const one = narrow.matches, gap = 8, step = (one ? 80 : 56) + gap;
	const [wide, from, to] = one ? [64, 1, 22] : [176, 48, 128];
	list = list.slice(0, MAP_MAX).sort((a, b) => a.accepted - b.accepted || a.id - b.id);
	const half = one ? 0 : Math.ceil(list.length / 2);
	const left = list.slice(0, half), right = list.slice(half);
	const high = Math.max(right.length, left.length, 1) * step - gap;
	const x = (from + to) / 2, y = Math.min(high / 2, 150);
	const links = (ports, end, side) =>
		ports.flatMap((p, i) => link(p, end, side, (i + .5) * step - gap / 2));

	place($('left'), left.map(card));
	place($('right'), right.map(card));
	$('links').setAttribute('viewBox', `0 0 ${wide} ${high}`);
	$('links').replaceChildren(
		draw('rect', { x: from, y: 1, width: to - from, height: high - 2, rx: 10 }),
		draw('text', one ? { transform: `translate(${x + 5} ${y})rotate(-90)` } : { x, y: y - 2 },
			relay.kind),
		...one ? [] : [draw('text', { x, y: y + 16 }, relay.up + ' up')],
		...links(left, 0, from), ...links(right, wide, to));
}

/* ---- the table ---- */

const columns = [
	['#', 'id', p => String(p.id), 'n far'],
	['Port', 'name', p => p.name, 'name'],
	['State', 'look', p => p.look, ''],
	['In', 'rx_bytes_rate', p => bits(p.rx_bytes_rate), 'n'],
	['Out', 'tx_bytes_rate', p => bits(p.tx_bytes_rate), 'n'],
	['In, frames', 'rx_frames_rate', p => si(p.rx_frames_rate) + '/s', 'n far'],
	['Out, frames', 'tx_frames_rate', p => si(p.tx_frames_rate) + '/s', 'n far'],
	['Queue', 'queue_bytes', p => si(p.queue_bytes, 'B'), 'n'],
	['Dropped', 'lost', p => num(p.lost), 'n'],
	['Since', 'since_ms', p => time(p.since_ms), 'n far'],
];
const NAME = 1, LOOK = 2, LOST = 8;

function row(p) {
	let e = rows.get(p.id);
	if (!e) {
		e = el('tr', '', ...columns.map(c => el('td', c[3])));
		e.children[NAME].append(el('button', ''));
		e.dataset.port = p.id;
		rows.set(p.id, e);
	}
	const warn = !p.warn ? -1 : p.look === 'up' ? LOST : LOOK;
	columns.forEach(([, , text, cls], i) => {
		const cell = e.children[i];
		if (i === NAME)
			put(cell.firstChild, text(p));
		else
			put(cell, text(p), (i === LOOK ? 'state ' + p.look : cls) + (i === warn ? ' warn' : ''));
	});
	e.children[NAME].title = p.name;
	return e;
}

function drawTable(list) {
	const way = down ? -1 : 1;
	list.sort((a, b) => a[sortBy] < b[sortBy] ? -way : a[sortBy] > b[sortBy] ? way : a.id - b.id);
	place($('rows'), list.slice(0, ROWS_MAX).map(row));
	columns.forEach(([, key, , , th]) => {
		if (key === sortBy)
			th.setAttribute('aria-sort', down ? 'descending' : 'ascending');
		else
			th.removeAttribute('aria-sort');
	});
}

for (const column of columns) {
	const [title, key, , cls] = column, th = el('th', cls, el('button', '', title));
	th.firstChild.onclick = () => {
		down = sortBy === key ? !down : !['id', 'name', 'look'].includes(key);
		sortBy = key;
		drawPorts();
	};
	column.push(th);
	$('heads').append(th);
}

function drawPorts() {
	const list = matching(), all = relay.ports.length;
	const map = view ? view === 'map' : all <= MAP_MAX, most = map ? MAP_MAX : ROWS_MAX;

	for (const cache of [cards, rows, before])
		for (const id of cache.keys())
			if (!relay.byId.has(id))
				cache.delete(id);
	$('map').hidden = !map;
	$('wide').hidden = map;
	$('as-map').setAttribute('aria-pressed', map);
	$('as-table').setAttribute('aria-pressed', !map);
	(map ? drawMap : drawTable)(list);
	put($('note'), !all ? 'There are no ports yet.'
		: list.length > most ? `${most} of ${num(list.length)} ports are shown; search for others.`
		: list.length < all ? `${num(list.length)} of ${num(all)} ports match.` : '');
}

/* ---- what is above and below ---- */

function drawSums(old) {
	const of = key => sum(relay.ports.map(p => p[key]));
	const rx = of('rx_bytes_rate'), tx = of('tx_bytes_rate');
	const ms = old && relay.uptime_ms - old.uptime_ms;
	const lost = ms > 0 ? Math.ceil((relay.dropped - old.dropped) * 1000 / ms) : 0;
	const tiles = [
		[bits(rx), rate(of('rx_frames_rate'))],
		[bits(tx), rate(of('tx_frames_rate'))],
		[si(of('queue_bytes'), 'B'), num(relay.queued) + ' frames'],
		[si(lost) + '/s', num(relay.dropped) + ' so far'],
	];

	past.rx = [...past.rx, rx].slice(-SAMPLES);
	past.tx = [...past.tx, tx].slice(-SAMPLES);
	const top = Math.max(1, ...past.rx, ...past.tx);
	[...$('sums').children].forEach((tile, i) => {
		const [, big, small] = tile.children, line = tile.querySelector('polyline');
		put(big, tiles[i][0]);
		put(small, tiles[i][1]);
		if (line)
			line.setAttribute('points', past[i ? 'tx' : 'rx'].map((v, k, all) =>
				`${SAMPLES - all.length + k + 1},${29 - 28 * v / top}`).join(' '));
	});
	$('sums').lastElementChild.className =
		relay.ports.some(p => p.trouble.startsWith('drops')) ? 'warn' : '';
}

function drawTroubles() {
	const list = relay.ports.filter(p => p.trouble).sort((a, b) => b.warn - a.warn || a.id - b.id);
	const lines = list.slice(0, TROUBLES_MAX).map(p => el('li', p.warn ? 'warn' : '',
		el('b', '', p.name), `, port ${p.id}, `, p.warn ? '' : `is ${p.state}: `, p.trouble));

	if (Date.now() - restarted < TOLD_MS)
		lines.unshift(el('li', '', `The relay was started again at ${clock(restarted)}.`));
	if (list.length > TROUBLES_MAX)
		lines.push(el('li', '', `and ${num(list.length - TROUBLES_MAX)} more ports`));
	say($('troubles'), lines);
}

function drawListeners() {
	$('doors').hidden = !relay.listeners.length;
	say($('listeners'), relay.listeners.map(l => {
		const refused = counted(l.refused, (n, why) => `${n} by ${why}`);
		const name = plain(l.name && l.name + ', ') + plain(l.endpoint);
		return el('li', '', el('b', '', name),
			el('span', '', `${num(l.connected)} connected, ${num(l.accepted)} so far`),
			el('span', 'warn', refused && 'refused: ' + refused));
	}));
}

/* ---- the dialog: a port and its addresses, or all addresses ---- */

const flow = (bytes, frames) => `${bits(bytes)}, ${rate(frames)}`;
const total = (bytes, frames) => `${num(frames)} frames, ${si(bytes, 'B')}`;

function facts(p) {
	const rules = [
		p.isolated && 'isolated',
		p.macs.length && 'only from ' + p.macs.join(', '),
		p.storm && `at most ${num(p.storm)} broadcasts/s`,
	];
	return [
		['State', `${p.look} for ${time(p.since_ms)}`],
		['Note', p.trouble],
		['Number', String(p.id)],
		[p.accepted ? 'Listener' : 'Endpoint', p.endpoint],
		['Peer', p.peer],
		['In', flow(p.rx_bytes_rate, p.rx_frames_rate)],
		['In so far', total(p.rx_bytes, p.rx_frames)],
		['Out', flow(p.tx_bytes_rate, p.tx_frames_rate)],
		['Out so far', total(p.tx_bytes, p.tx_frames)],
		['Queue', `${total(p.queue_bytes, p.queue_frames)} of ${si(p.queue_limit, 'B')}`],
		['Dropped', counted(p.drops, (n, why) => `${n} ${why}`) || 'none'],
		['Rules', rules.filter(Boolean).join('; ')],
	];
}

function drawDialog() {
	const p = relay.byId.get(shown);
	if (!$('dialog').open || !shown)
		return;
	if (p)
		put($('title'), p.name);
	say($('facts'), pairs(p ? facts(p) : [['State', 'This port has gone.']]));
}

function drawAddresses() {
	const word = $('seek').value.toLowerCase();
	const list = fdb.addresses.filter(a => (!shown || a.port === shown) && a.mac.includes(word))
		.sort((a, b) => a.mac < b.mac ? -1 : a.mac > b.mac ? 1 : a.vlan - b.vlan);
	const n = num(list.length);

	$('fdb').hidden = false;
	$('seek').hidden = !word && list.length < 10;
	put($('known'), !shown ? `${num(fdb.known)} of at most ${num(fdb.limit)}`
		: list.length === 1 ? '1 address' : n + ' addresses');
	$('addresses').parentNode.hidden = !list.length;
	$('addresses').replaceChildren(...list.slice(0, ROWS_MAX).map(a => el('tr', '',
		el('td', '', a.mac), el('td', 'n', String(a.vlan || '')),
		el('td', 'n', String(a.port)), el('td', 'n', time(a.age * 1000) + ' ago'))));
	put($('rest'), list.length > ROWS_MAX ? `${ROWS_MAX} of ${n} are shown; search for others.`
		: relay.ports.length < 3 ? 'A switch learns nothing before it has three ports.' : '');
}

async function open(id) {
	shown = id;
	$('fdb').hidden = true;
	$('seek').value = '';
	$('facts').replaceChildren();
	put($('title'), 'Addresses');
	$('dialog').showModal();
	drawDialog();
	if (relay.kind !== 'switch')
		return;
	try {
		fdb = await (await fetch('fdb.json')).json();
	} catch {
		fdb = { known: 0, limit: 0, addresses: [] };
		failed = true;
	}
	drawAddresses();
}

/* ---- once a second ---- */

function drawFresh() {
	const old = failed || Date.now() - seen > STALE_MS;
	document.documentElement.className = old ? 'old' : '';
	put($('fresh'), relay && old ? `no answer since ${clock(seen)}; these figures are old`
		: old ? 'no answer yet' : relay ? 'live' : 'connecting');
}

function take(status) {
	let old = relay;
	if (old && status.uptime_ms < old.uptime_ms) {
		old = null;
		restarted = Date.now();
		before.clear();
		past.rx = [];
		past.tx = [];
	}
	relay = status;
	relay.byId = new Map(relay.ports.map(p => [p.id, p]));
	relay.up = relay.ports.filter(p => p.state === 'up').length;
	relay.ports.forEach(look);
	document.title = `${relay.up}/${relay.ports.length} up, netrelay`;
	put($('about'), `${relay.kind}, ${num(relay.up)} of ${num(relay.ports.length)} ports up, ` +
		`running for ${time(relay.uptime_ms)}, version ${plain(relay.version)}`);
	$('main').hidden = false;
	$('all').hidden = relay.kind !== 'switch';
	drawSums(old);
	drawTroubles();
	drawPorts();
	drawListeners();
	drawDialog();
}

/* With thousands of ports an answer takes long; most of the time is for the relay's own work. */
async function poll() {
	const began = performance.now();
	let status;

	clearTimeout(timer);
	if (document.hidden)
		return;
	try {
		const answer = await fetch('status.json', { signal: AbortSignal.timeout(10000) });
		status = await answer.json();
		seen = Date.now();
	} catch {
		// It is away, or has no place for us now.
	}
	failed = !status;
	if (status)
		take(status);
	drawFresh();
	clearTimeout(timer);
	timer = setTimeout(poll, Math.max(1000, 4 * (performance.now() - began)));
}

$('find').oninput = drawPorts;
$('seek').oninput = drawAddresses;
$('as-map').onclick = $('as-table').onclick = e => {
	view = e.target.id.slice(3);
	drawPorts();
};
$('all').onclick = () => open(0);
$('close').onclick = () => $('dialog').close();
$('main').onclick = e => {
	const at = e.target.closest('[data-port]');
	if (at)
		open(Number(at.dataset.port));
};
narrow.onchange = () => relay && drawPorts();
document.onvisibilitychange = () => {
	seen = Math.max(seen, Date.now() - STALE_MS / 2);
	poll();
};
setInterval(drawFresh, 1000);
poll();

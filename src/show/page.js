'use strict';
/* Asks for status.json once a second and draws it. What comes from there is shown as text only. */

const $ = id => document.getElementById(id);
const sum = list => list.reduce((a, b) => a + b, 0);
const narrow = matchMedia('(max-width: 720px)');
const MAP_MAX = 40, ROWS_MAX = 500, SAMPLES = 120, GAP = 8;
/* Drops that are no fault: probes end here, and a bridge's own frames stay behind it. */
const USUAL = ['probe', 'local'];

let relay, restarted = 0, seen = Date.now(), failed, timer;
let view, sortBy = 'id', down = false, fdb, shown;
const before = new Map(), cards = new Map(), rows = new Map(), past = { rx: [], tx: [] };

/* ---- text ---- */

/* Names are bytes from anywhere: what is not printable ASCII is shown as \x1b. */
const plain = s => s.replace(/[^ -~]/g, c => '\\x' + c.charCodeAt().toString(16).padStart(2, '0'));

const num = n => n.toLocaleString('en');

/* Three digits, and the unit behind its prefix: 12.8 Mbit/s; without a unit: 1,284 or 12.8M. */
function si(n, unit) {
	let i = 0;
	if (!unit && n < 9999.5)
		return num(Math.round(n));
	for (; n >= 999.5 && i < 6; i++)
		n /= 1000;
	return (i ? n.toPrecision(3) : n) + (unit ? '\u00a0' : '') + ['', 'k', 'M', 'G', 'T', 'P', 'E'][i] + (unit || '');
}

const rate = n => si(n) + '\u00a0frames/s';
const bits = bytes => si(bytes * 8, 'bit/s');

function time(ms) {
	const s = Math.floor(ms / 1000), m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
	return d ? `${d} d ${h % 24} h` : h ? `${h} h ${m % 60} min` : m ? `${m} min` : `${s} s`;
}

/* ---- elements ---- */

function el(tag, cls, ...kids) {
	const e = document.createElement(tag);
	e.className = cls;
	e.append(...kids);
	return e;
}

function put(e, text, cls) {
	if (e.textContent !== text)
		e.textContent = text;
	if (cls !== undefined && e.className !== cls)
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

/* Have what looks like these in a box. What stays as it is, is not read out again, nor is a selection in it lost. */
function say(box, list) {
	place(box, list.map((e, i) => box.children[i] && box.children[i].isEqualNode(e) ? box.children[i] : e));
}

function pairs(list) {
	return list.filter(([, text]) => text).flatMap(([key, text]) => [el('dt', '', key), el('dd', '', text)]);
}

/* ---- ports ---- */

/* Add to a port what is shown of it: its look, a line about it, and whether it is in trouble. */
function look(p) {
	const old = before.get(p.id), ms = old && relay.uptime_ms - old.at;
	const grown = old && ms > 0 ? Object.keys(p.drops).filter(k => !USUAL.includes(k) && p.drops[k] > old.drops[k]) : [];

	p.accepted = relay.listeners.some(l => l.endpoint === p.endpoint);
	for (const key of ['name', 'endpoint', 'peer', 'error'])
		p[key] = plain(p[key]);
	p.look = p.state !== 'up' ? p.state : p.blocked ? 'blocked' : p.limited ? 'limited' : 'up';
	p.lost = sum(Object.values(p.drops));
	p.trouble = p.look === 'blocked' ? 'is blocked: it closes a loop'
		: p.look === 'limited' ? 'is limited: its own frames come back'
		: grown.length ? 'drops frames: ' + grown.join(', ')
		: p.state !== 'up' ? p.error
		: p.far_end === 'unreachable' ? 'has an unreachable far end' : '';
	p.line = p.trouble || (p.state !== 'up' ? `for ${time(p.since_ms)}`
		: p.far_end === 'silent' ? 'nothing heard from it yet'
		: p.accepted ? 'at ' + p.endpoint : p.peer !== p.name ? p.peer : '');
	p.warn = p.state === 'up' && p.trouble !== '';
	before.set(p.id, { at: relay.uptime_ms, drops: p.drops });
}

function matching() {
	const words = $('find').value.toLowerCase().split(' ');
	return relay.ports.filter(p => {
		const text = [p.id, p.name, p.endpoint, p.peer, p.look].join(' ').toLowerCase();
		return words.every(w => text.includes(w));
	});
}

/* ---- the map ---- */

function card(p) {
	let e = cards.get(p.id);
	if (!e) {
		e = el('li', '', el('button', '', el('b', '', el('i', '', String(p.id)), ''), el('span', ''), el('small', ''), el('span', '')));
		e.firstChild.dataset.port = p.id;
		cards.set(p.id, e);
	}
	const [name, rx, line, tx] = e.firstChild.children, up = p.state === 'up';
	e.firstChild.className = 'card' + (p.warn ? ' warn' : up ? '' : ' down');
	name.lastChild.data = p.name;
	put(line, p.line);
	e.firstChild.title = p.name + (p.line && '\n' + p.line);
	put(rx, up ? bits(p.rx_bytes_rate) : p.look, up ? 'in' : '');
	put(tx, up ? bits(p.tx_bytes_rate) : '', up ? 'out' : '');
	return e;
}

function draw(tag, attrs, text) {
	const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
	for (const key in attrs)
		e.setAttribute(key, attrs[key]);
	if (text)
		e.append(text);
	return e;
}

/* The line of one port, from its card at @x to the switch at @to. */
function link(p, x, to, y) {
	const way = Math.sign(to - x), parts = [draw('rect', { class: 'jack', x: to - (way > 0 ? 5 : 0), y: y - 9, width: 5, height: 18 })];
	const flow = (cls, rate, y, from, to) => {
		const tip = 6 * Math.sign(to - from), wide = rate ? Math.min(6, 1.5 + Math.log10(1 + rate / 1000)) : 1;
		parts.push(draw('path', { class: rate ? cls : 'idle', 'stroke-width': wide, d: `M${from} ${y}H${to}` }));
		parts.push(draw('path', { class: rate ? cls : 'idle', 'stroke-width': 1.5, d: `M${to - tip} ${y - 4}L${to} ${y}L${to - tip} ${y + 4}` }));
	};
	const edge = to - 5 * way, mid = (x + edge) / 2;
	if (p.state !== 'up') {
		parts.push(draw('path', { class: 'down', d: `M${x + 3 * way} ${y}H${edge - 3 * way}` }));
	} else if (p.blocked) {
		parts.push(draw('path', { class: 'cut', d: `M${x} ${y}H${edge}` }));
		parts.push(draw('circle', { class: 'sign', cx: mid, cy: y, r: 8 }));
		parts.push(draw('path', { class: 'sign', d: `M${mid - 5} ${y + 5}l10 -10` }));
	} else {
		flow('in', p.rx_bytes_rate, y - 6, x + 3 * way, edge - way);
		flow('out', p.tx_bytes_rate, y + 6, edge - way, x + 3 * way);
		if (p.limited || p.warn)
			parts.push(draw('path', { class: 'sign', d: `M${mid} ${y - 8}l8 15h-16z` }));
	}
	return parts;
}

function drawMap(list) {
	const sorted = list.slice(0, MAP_MAX).sort((a, b) => a.accepted - b.accepted || a.id - b.id);
	const half = narrow.matches ? 0 : Math.ceil(sorted.length / 2), left = sorted.slice(0, half), right = sorted.slice(half);
	const [step, wide, from, to] = narrow.matches ? [80 + GAP, 64, 1, 22] : [56 + GAP, 176, 48, 128];
	const high = Math.max(left.length, right.length, 1) * step - GAP, x = (from + to) / 2, y = Math.min(high / 2, 150);
	const lines = (list, x, to) => list.flatMap((p, i) => link(p, x, to, (i + .5) * step - GAP / 2));
	const up = relay.ports.filter(p => p.state === 'up').length;

	place($('left'), left.map(card));
	place($('right'), right.map(card));
	$('links').setAttribute('viewBox', `0 0 ${wide} ${high}`);
	$('links').replaceChildren(
		draw('rect', { x: from, y: 1, width: to - from, height: high - 2, rx: 10 }),
		...narrow.matches ? [draw('text', { transform: `translate(${x + 5} ${y})rotate(-90)` }, relay.kind)]
			: [draw('text', { x, y: y - 2 }, relay.kind), draw('text', { x, y: y + 16 }, `${up} up`)],
		...lines(left, 0, from), ...lines(right, wide, to));
}

/* ---- the table ---- */

const columns = [
	['#', 'id', p => p.id, 'n far'],
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

function row(p) {
	let e = rows.get(p.id);
	if (!e) {
		e = el('tr', '', ...columns.map(c => el('td', c[3])));
		e.children[1].append(el('button', ''));
		e.dataset.port = p.id;
		rows.set(p.id, e);
	}
	columns.forEach(([, key, text, cls], i) => {
		const warn = p.warn && (key === 'look' ? p.look !== 'up' : key === 'lost' && p.look === 'up');
		put(i === 1 ? e.children[1].firstChild : e.children[i], String(text(p)),
			i === 1 ? '' : cls + (key === 'look' ? `state ${p.look}` : '') + (warn ? ' warn' : ''));
	});
	e.children[1].title = p.name;
	return e;
}

function drawTable(list) {
	const way = down ? -1 : 1;
	list.sort((a, b) => (a[sortBy] < b[sortBy] ? -way : a[sortBy] > b[sortBy] ? way : a.id - b.id));
	place($('rows'), list.slice(0, ROWS_MAX).map(row));
}

for (const [title, key, , cls] of columns) {
	const th = el('th', cls, el('button', '', title));
	th.firstChild.onclick = () => {
		down = sortBy === key ? !down : !['id', 'name', 'look'].includes(key);
		sortBy = key;
		drawPorts();
	};
	document.querySelector('#wide tr').append(th);
}

function drawPorts() {
	const list = matching(), all = relay.ports.length, map = (view || (all > MAP_MAX ? 'table' : 'map')) === 'map';
	const most = map ? MAP_MAX : ROWS_MAX;

	for (const cache of [cards, rows, before])
		for (const id of cache.keys())
			if (!relay.byId.has(id))
				cache.delete(id);
	$('map').hidden = !map;
	$('wide').hidden = map;
	$('as-map').setAttribute('aria-pressed', map);
	$('as-table').setAttribute('aria-pressed', !map);
	document.querySelectorAll('#wide th').forEach((th, i) => {
		if (columns[i][1] === sortBy)
			th.setAttribute('aria-sort', down ? 'descending' : 'ascending');
		else
			th.removeAttribute('aria-sort');
	});
	(map ? drawMap : drawTable)(list);
	put($('note'), !all ? 'There are no ports yet.'
		: list.length > most ? `${most} of ${num(list.length)} ports are shown; search to see others.`
		: list.length < all ? `${num(list.length)} of ${num(all)} ports match.` : '');
}

/* ---- what is above and below ---- */

function drawSums() {
	const of = key => sum(relay.ports.map(p => p[key]));
	const rx = of('rx_bytes_rate'), tx = of('tx_bytes_rate'), queue = of('queue_bytes');
	const old = relay.old, ms = old && relay.uptime_ms - old.uptime_ms;
	const lost = ms > 0 ? Math.ceil((relay.dropped - old.dropped) * 1000 / ms) : 0;
	const tiles = [
		[bits(rx), rate(of('rx_frames_rate'))],
		[bits(tx), rate(of('tx_frames_rate'))],
		[si(queue, 'B'), num(relay.queued) + ' frames'],
		[si(lost) + '/s', num(relay.dropped) + ' so far'],
	];

	for (const [key, value] of [['rx', rx], ['tx', tx]])
		past[key] = past[key].concat(value).slice(-SAMPLES);
	const top = Math.max(1, ...past.rx, ...past.tx);
	[...$('sums').children].forEach((tile, i) => {
		const [, big, small] = tile.children, line = tile.querySelector('polyline');
		put(big, tiles[i][0]);
		put(small, tiles[i][1]);
		if (line)
			line.setAttribute('points', past[i ? 'tx' : 'rx'].map((v, k, all) =>
				`${SAMPLES - all.length + k + 1},${29 - 28 * v / top}`).join(' '));
	});
	$('sums').lastElementChild.className = relay.ports.some(p => p.trouble.startsWith('drops')) ? 'warn' : '';
}

function drawAlerts() {
	const list = relay.ports.filter(p => p.trouble), most = 4;
	const lines = list.sort((a, b) => b.warn - a.warn || a.id - b.id).slice(0, most)
		.map(p => el('li', p.warn ? 'warn' : '', el('b', '', p.name), `, port ${p.id}, `, p.warn ? '' : `is ${p.state}: `, p.trouble));

	if (restarted && Date.now() - restarted < 60000)
		lines.unshift(el('li', '', `The relay was started again at ${new Date(restarted).toLocaleTimeString()}.`));
	if (list.length > most)
		lines.push(el('li', '', `and ${num(list.length - most)} more ports`));
	say($('alerts'), lines);
}

function drawListeners() {
	$('doors').hidden = !relay.listeners.length;
	say($('listeners'), relay.listeners.map(l => {
		const refused = Object.entries(l.refused).filter(([, n]) => n).map(([why, n]) => `${num(n)} by ${why}`).join(', ');
		return el('li', '', el('b', '', plain(l.endpoint)), el('span', '', `${num(l.connected)} connected, ${num(l.accepted)} so far`),
			el('span', 'warn', refused && 'refused: ' + refused));
	}));
}

/* ---- the dialog: one port, or all addresses ---- */

function drawDialog() {
	const p = relay.byId.get(shown);
	if (!$('dialog').open || !shown)
		return;
	if (!p) {
		say($('facts'), pairs([['State', 'This port has gone.']]));
		return;
	}
	put($('title'), p.name);
	say($('facts'), pairs([
		['State', `${p.look} for ${time(p.since_ms)}`],
		['Note', p.trouble],
		['Number', String(p.id)],
		[p.accepted ? 'Listener' : 'Endpoint', p.endpoint],
		['Peer', p.peer],
		['In', `${bits(p.rx_bytes_rate)}, ${rate(p.rx_frames_rate)}`],
		['In so far', `${num(p.rx_frames)} frames, ${si(p.rx_bytes, 'B')}`],
		['Out', `${bits(p.tx_bytes_rate)}, ${rate(p.tx_frames_rate)}`],
		['Out so far', `${num(p.tx_frames)} frames, ${si(p.tx_bytes, 'B')}`],
		['Queue', `${num(p.queue_frames)} frames, ${si(p.queue_bytes, 'B')} of ${si(p.queue_limit, 'B')}`],
		['Dropped', Object.entries(p.drops).filter(([, n]) => n).map(([why, n]) => `${num(n)} ${why}`).join(', ') || 'none'],
		['Rules', [p.isolated && 'isolated', p.macs.length && 'only from ' + p.macs.join(', '),
			p.storm && `${num(p.storm)} broadcasts/s`].filter(Boolean).join('; ')],
	]));
}

function drawAddresses() {
	const word = $('seek').value.toLowerCase();
	const list = fdb.addresses.filter(a => (!shown || a.port === shown) && a.mac.includes(word));

	$('fdb').hidden = false;
	$('seek').hidden = !word && list.length < 10;
	put($('known'), shown ? list.length === 1 ? '1 address' : `${num(list.length)} addresses` : `${num(fdb.known)} of at most ${num(fdb.limit)}`);
	list.sort((a, b) => (a.mac < b.mac ? -1 : a.mac > b.mac ? 1 : a.vlan - b.vlan));
	$('addresses').replaceChildren(...list.slice(0, ROWS_MAX).map(a => {
		const p = relay.byId.get(a.port);
		return el('tr', '', el('td', '', a.mac), el('td', 'n', String(a.vlan || '')),
			el('td', 'n', String(a.port)), el('td', 'n', time(a.age * 1000) + ' ago'));
	}));
	$('addresses').parentNode.hidden = !list.length;
	put($('rest'), list.length > ROWS_MAX ? `${ROWS_MAX} of ${num(list.length)} are shown; search to see others.`
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
		drawAddresses();
	} catch {
		put($('rest'), 'No answer.');
	}
}

/* ---- from time to time ---- */

function drawFresh() {
	const age = Date.now() - seen, old = failed || age > 5000;
	document.documentElement.className = old ? 'old' : '';
	put($('fresh'), !old ? (relay ? 'live' : 'connecting') : relay
		? `no answer since ${new Date(seen).toLocaleTimeString()}; these figures are old` : 'no answer yet');
}

function take(status) {
	const up = status.ports.filter(p => p.state === 'up').length, all = status.ports.length;

	if (relay && status.uptime_ms < relay.uptime_ms) {
		restarted = Date.now();
		before.clear();
		past.rx = [];
		past.tx = [];
	}
	status.old = relay && status.uptime_ms >= relay.uptime_ms ? { dropped: relay.dropped, uptime_ms: relay.uptime_ms } : null;
	relay = status;
	relay.byId = new Map(relay.ports.map(p => [p.id, p]));
	relay.ports.forEach(look);
	document.title = `${up}/${all} up, netrelay`;
	put($('about'), `${relay.kind}, ${num(up)} of ${num(all)} ports up, running for ${time(relay.uptime_ms)}, version ${plain(relay.version)}`);
	document.querySelector('main').hidden = false;
	$('all').hidden = relay.kind !== 'switch';
	drawSums();
	drawAlerts();
	drawPorts();
	drawListeners();
	drawDialog();
}

/* With thousands of ports an answer takes a while; most of the time is for other things. */
async function poll() {
	const began = performance.now();
	let status;

	clearTimeout(timer);
	if (document.hidden)
		return;
	try {
		status = await (await fetch('status.json', { signal: AbortSignal.timeout(10000) })).json();
		seen = Date.now();
		failed = false;
	} catch {
		failed = true;
	}
	if (status)
		take(status);
	drawFresh();
	clearTimeout(timer);
	timer = setTimeout(poll, Math.max(1000, 4 * (performance.now() - began)));
}

$('find').oninput = drawPorts;
$('seek').oninput = drawAddresses;
$('as-map').onclick = () => { view = 'map'; drawPorts(); };
$('as-table').onclick = () => { view = 'table'; drawPorts(); };
$('all').onclick = () => open(0);
$('close').onclick = () => $('dialog').close();
document.querySelector('main').addEventListener('click', e => {
	const at = e.target.closest('[data-port]');
	if (at)
		open(Number(at.dataset.port));
});
narrow.onchange = () => relay && drawPorts();
document.addEventListener('visibilitychange', () => {
	seen = Math.max(seen, Date.now() - 3000);
	poll();
});
setInterval(drawFresh, 1000);
poll();

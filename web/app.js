// SPDX-License-Identifier: Apache-2.0
// The dashboard: asks the documented API every five seconds and draws what it says. Everything from the server goes in as
// text, never as markup.
'use strict';

const kRefreshMs = 5000, kAnswerMs = 10000, kTokenKey = 'oree-operator-token';
const $ = (id) => document.getElementById(id);
let token = sessionStorage.getItem(kTokenKey) || '';
let timer = 0, lastGood = null, openAlerts = -1, overview = null;
const drawn = new Map();  // section -> what it shows, so that an unchanged one keeps its focus and selection

function element(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === 'onclick') e.addEventListener('click', value);
    else if (value !== undefined && value !== null) e.setAttribute(name, value);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

const number = (v, digits) => v === null || v === undefined ? '—'
  : v.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
const megabytes = (v) => v === null || v === undefined ? '—' : v < 1048576 ? number(v / 1024, 1) + ' KiB'
  : number(v / 1048576, v < 104857600 ? 1 : 0) + ' MiB';
const clockTime = (ms) => new Date(ms).toLocaleTimeString('en', { hour12: false });
const dateTime = (ms) => new Date(ms).toISOString().replace('T', ' ').slice(0, 16) + ' UTC';

function age(ms) {
  if (ms === null || ms === undefined) return 'never';
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 90) return s + ' s ago';
  if (s < 5400) return Math.round(s / 60) + ' min ago';
  if (s < 129600) return Math.round(s / 3600) + ' h ago';
  return Math.round(s / 86400) + ' days ago';
}

function badge(text, kind) { return element('span', { class: 'badge ' + (kind || '') }, text); }
function none(text) { return element('p', { class: 'none' }, text); }

// columns: [heading, cell(row) -> node or text, "number" or ""]; the first is the row's heading.
function table(caption, columns, rows, rowClass) {
  const head = element('tr', {}, ...columns.map(([name, , kind]) => element('th', { scope: 'col', class: kind || null }, name)));
  const body = rows.map((row) => element('tr', { class: rowClass ? rowClass(row) : null }, ...columns.map(([name, cell, kind], i) => {
    const attributes = { class: kind || null, 'data-label': name };
    if (i === 0) attributes.scope = 'row';
    const value = cell(row);
    return element(i === 0 ? 'th' : 'td', attributes, ...(Array.isArray(value) ? [element('span', {}, ...value)] : [value]));
  })));
  return element('table', {}, element('caption', { class: 'unseen' }, caption), element('thead', {}, head), element('tbody', {}, ...body));
}

function draw(id, data, make) {
  const text = JSON.stringify(data);
  if (drawn.get(id) === text) return;
  drawn.set(id, text);
  const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.key : undefined;
  $(id).replaceChildren(...[].concat(make()));
  if (focused) {
    const again = [...$(id).querySelectorAll('[data-key]')].find((e) => e.dataset.key === focused);
    if (again) again.focus();
  }
}

function stateBadge(d) {
  if (d.state === 'online') return badge('online', 'good');
  if (d.state === 'offline') return badge('offline', 'bad');
  return badge('never heard');
}

function driftBadge(drift) {
  if (!drift || drift.level === 'unknown') return '—';
  const kind = { none: 'good', warn: 'warn', severe: 'bad' }[drift.level];
  return [badge(drift.level === 'none' ? 'steady' : drift.level, kind), element('small', {}, number(drift.distance, 3))];
}

function updateText(s) {
  if (!s || !s.update_outcome || s.update_outcome === 'committed') return null;
  return element('small', {}, `${s.update_version} ${s.update_outcome.replace('_', ' ')}${s.update_reason ? ': ' + s.update_reason : ''}`);
}

const deviceColumns = [
  ['Device', (d) => [d.id, element('small', {}, d.device_type)]],
  ['State', (d) => [stateBadge(d), d.status && d.status.state && d.status.state !== 'idle' ? element('small', {}, d.status.state) : '']],
  ['Model', (d) => d.model ? [`${d.model} ${d.version}`, updateText(d.status) || ''] : [element('span', {}, '—'), updateText(d.status) || '']],
  ['Last heard', (d) => age(d.age_ms)],
  ['p50 ms', (d) => d.latency_ms ? number(d.latency_ms.p50, 1) : '—', 'number'],
  ['p95 ms', (d) => d.latency_ms ? number(d.latency_ms.p95, 1) : '—', 'number'],
  ['p99 ms', (d) => d.latency_ms ? number(d.latency_ms.p99, 1) : '—', 'number'],
  ['Predictions/h', (d) => number(d.predictions_per_hour, 0), 'number'],
  ['Confidence', (d) => number(d.confidence_mean, 2), 'number'],
  ['Drift', (d) => driftBadge(d.drift)],
  ['Temperature', (d) => d.temperature_celsius === null ? '—' : number(d.temperature_celsius, 1) + ' °C', 'number'],
  ['CPU', (d) => d.cpu_percent === null ? '—' : number(d.cpu_percent, 0) + ' %', 'number'],
  ['Memory', (d) => d.memory_used_bytes === null ? '—' : [megabytes(d.memory_used_bytes),
    element('small', {}, `agent ${megabytes(d.agent_rss_bytes)}`), element('small', {}, `app ${megabytes(d.app_rss_bytes)}`)], 'number'],
];

function drawDevices() {
  const wanted = $('filter').value.trim().toLowerCase();
  const shown = overview.devices.filter((d) => [d.id, d.device_type, d.state, d.model, d.version].join(' ').toLowerCase().includes(wanted));
  draw('devices', [shown, wanted], () => shown.length === 0
    ? none(overview.devices.length ? 'No device matches the filter.' : 'No device is registered yet: POST /api/v1/devices.')
    : [table('Devices', deviceColumns, shown, (d) => d.state === 'online' ? null : 'offline'),
      ...(overview.truncated ? [none('There are more devices than are shown here.')] : [])]);
}

function drawTiles() {
  const count = (state) => overview.devices.filter((d) => d.state === state).length;
  const open = overview.alerts.filter((a) => a.state === 'open').length;
  const tiles = [[count('online'), 'online'], [count('offline'), 'offline', count('offline') > 0], [open, 'open alerts', open > 0],
    [overview.retrain_requests.length, 'retrain requests'],
    ...overview.models.slice(0, 3).map((m) => [m.latency_ms ? number(m.latency_ms.p95, 1) + ' ms' : '—', `p95 of ${m.model} ${m.version}`])];
  draw('tiles', tiles, () => tiles.map(([value, name, bad]) => element('li', { class: bad ? 'bad' : null }, element('b', {}, String(value)), element('span', {}, name))));
  if (open !== openAlerts && openAlerts >= 0) $('alert-news').textContent = `${open} open alerts`;
  openAlerts = open;
}

async function acknowledge(id) {
  const answer = await ask('POST', `api/v1/alerts/${id}/ack`);
  if (answer) refresh();
}

function drawAlerts() {
  const kinds = { drift: 'bad', update: 'bad', silent: 'warn', temperature: 'warn' };
  draw('alerts', overview.alerts, () => overview.alerts.length === 0 ? none('Nothing to look at.') : overview.alerts.map((a) =>
    element('div', { class: 'alert' }, badge(a.kind, kinds[a.kind]),
      element('p', {}, element('strong', {}, a.device_id), ' — ' + a.detail,
        element('small', {}, `since ${dateTime(a.opened_ms)}${a.count > 1 ? `, seen ${a.count} times` : ''}`)),
      a.state === 'acknowledged' ? badge('acknowledged')
        : element('button', { type: 'button', 'data-key': 'ack' + a.id, 'aria-label': `Acknowledge the ${a.kind} alert of ${a.device_id}`, onclick: () => acknowledge(a.id) }, 'Acknowledge'))));
}

function histogram(model) {
  const ns = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(ns, 'svg');
  const recent = model.confidence_shares, reference = model.reference_shares;
  const top = Math.max(...(recent || [0]), ...(reference || [0]), 1e-9);
  const add = (tag, attributes) => {
    const e = document.createElementNS(ns, tag);
    for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
    svg.append(e);
  };
  svg.setAttribute('viewBox', '0 0 320 100');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', `Confidences of ${model.model} ${model.version}: mean ${number(model.confidence_mean, 2)} over ${model.confidence_count} samples` +
    (model.reference_distance === null ? '' : `, ${number(model.reference_distance, 3)} from the reference`));
  (recent || []).forEach((share, i) => add('rect', { class: 'recent', x: i * 10 + 0.5, width: 9, y: 100 - 96 * share / top, height: 96 * share / top }));
  if (reference) {
    const steps = reference.map((share, i) => `L${i * 10} ${100 - 96 * share / top} L${i * 10 + 10} ${100 - 96 * share / top}`).join(' ');
    add('path', { class: 'reference', d: 'M0 100 ' + steps });
  }
  add('line', { class: 'axis', x1: 0, x2: 320, y1: 100, y2: 100 });
  return svg;
}

function drawModels() {
  draw('models', overview.models, () => overview.models.length === 0 ? none('No device has reported a model in the last hour.') : overview.models.map((m) => {
    const l = m.latency_ms;
    const far = m.reference_distance !== null ? `Distance from the reference ${number(m.reference_distance, 3)} (limit 0.15).` : 'The release carries no reference.';
    return element('article', {}, element('h3', {}, `${m.model} ${m.version}`),
      element('p', {}, `${m.devices} online ${m.devices === 1 ? 'device' : 'devices'}` + (l ? `; p50 ${number(l.p50, 1)}, p95 ${number(l.p95, 1)}, p99 ${number(l.p99, 1)} ms` : '')),
      histogram(m), element('div', { class: 'scale', 'aria-hidden': 'true' }, element('span', {}, '0'), element('span', {}, 'confidence'), element('span', {}, '1')),
      element('p', {}, `Bars: the last hour, ${number(m.confidence_count, 0)} samples. ` + (m.reference_shares ? 'Line: the reference. ' : '') + far));
  }));
}

function drawLists() {
  draw('releases', overview.releases, () => overview.releases.length === 0 ? none('Nothing is published yet: oree publish.') : table('Releases', [
    ['Release', (r) => `${r.model} ${r.version}`],
    ['State', (r) => r.withdrawn_ms ? badge('withdrawn', 'warn') : badge('active', 'good')],
    ['For', (r) => r.device_types.join(', ')],
    ['Published', (r) => dateTime(r.created_ms)],
    ['Size', (r) => megabytes(r.size), 'number'],
    ['SHA-256', (r) => element('code', { title: r.digest }, r.digest.slice(0, 12) + '…')],
  ], overview.releases));
  draw('retrain', overview.retrain_requests, () => overview.retrain_requests.length === 0 ? none('None.') : table('Retrain requests', [
    ['Model', (r) => `${r.model} ${r.version}`],
    ['Device', (r) => r.device_id],
    ['Distance', (r) => number(r.distance, 3), 'number'],
    ['Samples', (r) => number(r.samples, 0), 'number'],
    ['Asked', (r) => dateTime(r.created_ms)],
  ], overview.retrain_requests));
}

function connection(text, bad) {
  if ($('connection').textContent !== text) $('connection').textContent = text;
  $('connection').classList.toggle('bad', bad);
  document.body.classList.toggle('stale', bad);
}

function showLogin(message) {
  clearTimeout(timer);
  token = '';
  sessionStorage.removeItem(kTokenKey);
  $('fleet').hidden = true;
  $('leave').hidden = true;
  $('login').hidden = false;
  $('login-error').textContent = message || '';
  connection('', false);
  $('token').focus();
}

// The answer, or null after saying on the page what went wrong.
async function ask(method, path) {
  let answer;
  try {
    answer = await fetch(path, { method, headers: { Authorization: 'Bearer ' + token }, cache: 'no-store', signal: AbortSignal.timeout(kAnswerMs) });
    if (answer.ok) return await answer.json();
  } catch {
    connection(lastGood ? `Server unreachable. This is the state of ${clockTime(lastGood)}.` : 'Server unreachable.', true);
    return null;
  }
  if (answer.status === 401 || answer.status === 403) showLogin('The server does not take this token.');
  else if (answer.status === 429) showLogin('Too many wrong tokens: wait a minute.');
  else if (answer.status !== 409) connection(`The server answered ${answer.status}.`, true);
  return answer.status === 409 ? {} : null;  // 409: resolved meanwhile, the next refresh shows it
}

async function refresh() {
  clearTimeout(timer);
  const answer = await ask('GET', 'api/v1/overview');
  if (!token) return;
  if (answer) {
    overview = answer;
    lastGood = Date.now();
    connection(`Server ${overview.server.version}, updated every 5 s`, false);
    $('login').hidden = true;
    $('fleet').hidden = false;
    $('leave').hidden = false;
    drawTiles();
    drawAlerts();
    drawDevices();
    drawModels();
    drawLists();
  }
  clearTimeout(timer);
  timer = setTimeout(refresh, kRefreshMs);
}

function start() {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given) {  // out of the address at once, so that it is not copied along or kept in the history
    token = given;
    sessionStorage.setItem(kTokenKey, token);
    history.replaceState(null, '', location.pathname);
  }
  if (token) refresh();
  else showLogin('');
}

$('login').addEventListener('submit', (event) => {
  event.preventDefault();
  token = $('token').value.trim();
  $('token').value = '';
  if (!token) return;
  sessionStorage.setItem(kTokenKey, token);
  refresh();
});
$('leave').addEventListener('click', () => showLogin(''));
$('filter').addEventListener('input', () => { if (overview) drawDevices(); });
window.addEventListener('hashchange', start);
document.addEventListener('visibilitychange', () => { if (!document.hidden && token) refresh(); });
start();

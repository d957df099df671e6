// SPDX-License-Identifier: GPL-2.0-or-later
// What the codes of verdicts and the states of requests mean to the person who waits.

import {h, Link} from './globals.js';
import {href} from './links.js';
import {Table} from './table.js';

const MEANINGS = {
  busy: 'Runs as many builds as it may. The next build that ends makes room.',
  'can-start-build': "The builder's canStartBuild says no. Only the master's config knows why.",
  'capability-unknown': 'Does not say whether it has what the request requires.',
  disconnected: 'Is not connected to the master. Its machine or its worker may be down.',
  gate: 'A check of the config holds it back, and is made again by itself.',
  'gate-error': "A check of the config fails. The master's log has the error.",
  'gate-unknown': 'A check of the config has not answered yet.',
  'going-on-holiday': 'Its owner lets it finish what runs, and takes nothing new.',
  graceful: 'Shuts down when its builds have ended.',
  held: 'Has just connected. Its first report is awaited for some seconds.',
  incapable: 'Lacks something that the request requires. Waiting does not help.',
  incompatible: 'Runs as an instance of another type at present.',
  load: 'Has too much else to do. It is asked again when its load falls.',
  'closes-soon': 'Closes for the day before a build of this builder would be over.',
  'duration-unknown': 'Closes soon, and no past build tells how long one of this builder takes.',
  'load-unknown': 'Has not said its load, and the policy wants to know it.',
  lock: 'A lock that the build needs is held. Those who hold it are on the page of locks.',
  'lock-limit': 'A lock has never as many units as the build wants. Waiting does not help.',
  'not-chosen': 'The request names another worker.',
  offline: 'Its owner has said no, or it has been drained.',
  paused: 'Somebody has paused it in Buildbot, and can unpause it on its page.',
  'policy-error': "A filter of the config has failed. The master's log has the error.",
  quarantined: 'Has failed to begin a build lately. Buildbot tries it again by itself.',
  reluctant: 'Its owner prefers that others take the build, and it has not waited long enough.',
  tier: 'Is kept back while better places may become free.',
  unavailable: 'Buildbot itself does not offer it at present.',
};
const OTHER = "Said by a filter of the master's config.";
const LOCKS = new Set(['lock', 'lock-limit']);
const WITHOUT_WORKERS = new Set([...LOCKS, 'not-chosen', 'tier']);  // their names are others'

const STATES = {
  complete: 'complete',
  paused: 'builder paused',
  queued: 'queued',
  running: 'running',
  stuck: 'stuck',
  waiting: 'waiting',
};
const HELP = {
  paused: 'Its builder is paused; it starts after the builder is resumed.',
  queued: 'It stands behind others, and nobody has looked at it yet.',
  stuck: 'Waiting does not help: something has to be changed.',
};

export const State = ({state}) =>
  h('span', {className: 'balancer-state', 'data-state': state, title: HELP[state]},
    STATES[state] ?? state);

// 7 busy, 3 reluctant
export function Counts({verdicts}) {
  if (!verdicts || verdicts.length === 0) {
    return null;
  }
  return h('ul', {className: 'balancer-counts', 'aria-label': 'What the workers say'},
    verdicts.map((one) => h('li', {
      key: one.code, 'data-code': one.code, title: one.names.join(', '),
    }, h('b', null, one.count), ' ', one.code)));
}

export function Meanings({verdicts}) {
  const columns = [
    {name: 'Answer', cell: (one) => h('b', null, one.code)},
    {name: 'Workers', number: true, cell: (one) => one.count},
    {name: 'Concerned', wide: true, cell: (one) => h(Names, {verdict: one})},
    {name: 'What it means', wide: true, cell: (one) => MEANINGS[one.code] ?? OTHER},
  ];
  return h(Table, {
    caption: 'What the workers say', columns, rows: verdicts, rowKey: (one) => one.code,
  });
}

function Names({verdict}) {
  const {code, count, names} = verdict;
  const more = WITHOUT_WORKERS.has(code) ? 0 : count - names.length;
  return h('span', null,
    names.flatMap((name, i) => [i === 0 ? '' : ', ', h(Name, {key: name, code, name})]),
    names.length > 0 && more > 0 ? ` and ${more} more` : '');
}

function Name({code, name}) {
  if (LOCKS.has(code)) {
    return h(Link, {to: href('locks', {name: name.split('[')[0]})}, name);
  }
  return WITHOUT_WORKERS.has(code) ? name : h(Link, {to: href('workers', {name})}, name);
}

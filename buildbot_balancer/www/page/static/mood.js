// SPDX-License-Identifier: GPL-2.0-or-later
// A worker's mood, told by a sign as well as by its colour.

import {Fragment, h} from './globals.js';
import {Clock} from './time.js';

export const MOODS = ['eager', 'reluctant', 'going-on-holiday', 'offline'];
const SIGNS = {eager: '●', reluctant: '◐', 'going-on-holiday': '◔', offline: '○'};
const MASTERS = {admin: 'said by an admin', drain: 'drained', schedule: 'by the schedule'};

export function Mood({mood}) {
  return h('span', {className: 'balancer-mood', 'data-mood': mood},
    h('span', {'aria-hidden': true}, SIGNS[mood] ?? '?'), ' ', mood);
}

// “using it”, until 18:00, said by an admin
export function Words({reason, source = '', until}) {
  const parts = [];
  if (reason) {
    parts.push(h('span', {key: 'reason'}, `“${reason}”`));
  }
  if (until !== null && until !== undefined) {
    parts.push(h(Fragment, {key: 'until'}, 'until ', h(Clock, {at: until})));
  }
  if (MASTERS[source] !== undefined) {
    parts.push(h(Fragment, {key: 'source'}, MASTERS[source]));
  }
  return h('span', {className: 'balancer-words'},
    parts.flatMap((part, i) => (i === 0 ? [part] : [', ', part])));
}

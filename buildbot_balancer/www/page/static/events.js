// SPDX-License-Identifier: GPL-2.0-or-later
// Lines of the history: what happened, to whom, who did it.

import {Fragment, h, Link} from './globals.js';
import {href, RequestLink} from './links.js';
import {Mood} from './mood.js';
import {Notice} from './notice.js';
import {Table} from './table.js';
import {Clock, duration} from './time.js';

export const KINDS = {
  drain: 'drained',
  forget: 'history deleted',
  freed: 'empty',
  held: 'lock released',
  mood: 'mood',
  pause: 'builder paused',
  resume: 'resumed',
  set: 'mood limited',
  waited: 'lock obtained',
};

export function Events({empty, resource}) {
  const {busy, rows} = resource;
  if (rows === null) {
    return null;
  }
  if (rows.length === 0) {
    return h(Notice, null, empty);
  }
  const columns = [
    {name: 'When', cell: (event) => h(Clock, {at: event.at})},
    {name: 'What', cell: (event) => KINDS[event.kind] ?? event.kind},
    {name: 'Concerns', cell: (event) => h(Subjects, {event})},
    {name: 'Details', wide: true, cell: (event) => h(Said, {event})},
    {name: 'By', cell: (event) => event.actor ?? event.source ?? '–'},
  ];
  return h(Table, {
    busy,
    caption: 'History',
    columns,
    rows,
    rowKey: (event) => event.eventid ?? `${event.kind} ${event.at} ${event.worker} ${event.lock}`,
  });
}

function Subjects({event}) {
  const {builder, group, lock, request, worker} = event;
  return joined([
    worker && h(Link, {to: href('history', {worker})}, worker),
    builder && h('span', null, builder),
    lock && h(Link, {to: href('history', {lock})}, group ? `${lock}[${group}]` : lock),
    request !== null && request !== undefined
      && h('span', null, 'request ', h(RequestLink, {id: request})),
  ], ' · ');
}

function Said({event}) {
  const {duration: took, kind, mood, reason, until} = event;
  return joined([
    mood && h(Mood, {mood}),
    reason && h('span', null, `“${reason}”`),
    until !== null && until !== undefined && h('span', null, 'until ', h(Clock, {at: until})),
    took !== null && took !== undefined && h('span', null,
      `${kind === 'waited' ? 'waited for' : 'held for'} ${duration(took)}`),
  ], ', ');
}

function joined(parts, between) {
  const there = parts.filter(Boolean);
  return h('span', null, there.map((part, i) =>
    h(Fragment, {key: i}, i === 0 ? '' : between, part)));
}

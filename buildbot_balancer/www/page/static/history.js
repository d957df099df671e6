// SPDX-License-Identifier: GPL-2.0-or-later
// The past: who set which mood when and why, what was drained, which locks were held for long.

import {Events, KINDS} from './events.js';
import {ChoiceFilter, Filters, TextFilter} from './filters.js';
import {h} from './globals.js';
import {Trouble} from './notice.js';
import {Pager, usePages} from './pager.js';
import {useResource} from './resource.js';

const LIMIT = 50;

export function History() {
  const pages = usePages(LIMIT);
  const asked = (name) => pages.params.get(name) ?? '';
  const request = asked('request').replace(/\D/g, '');
  const filters = {worker: asked('worker'), request, lock: asked('lock'), kind: asked('kind')};
  const events = useResource('balancer/history', {
    ...filters, offset: pages.offset, limit: LIMIT,
  }, {
    topics: ['balancer_workers/*/*', 'balancer_locks/*/*', 'balancer_builders/*/*'],
    concerns: () => pages.page === 1,  // what is new is on the first page
  });
  const narrowed = Object.values(filters).some((value) => value !== '');
  return h('section', null,
    h('h1', null, 'History'),
    h(Filters, null,
      h(TextFilter, {label: 'Worker', name: 'worker', pages}),
      h(TextFilter, {label: 'Request', name: 'request', numeric: true, pages}),
      h(TextFilter, {label: 'Lock', name: 'lock', pages}),
      h(ChoiceFilter, {
        label: 'What', name: 'kind', pages, choices: [['', 'anything'], ...Object.entries(KINDS)],
      })),
    h(Trouble, {resource: events}),
    h(Events, {
      resource: events,
      empty: narrowed
        ? 'Nothing like that is recorded; names are to be given in full.'
        : 'Nothing is recorded yet: no mood has changed and no lock was waited for.',
    }),
    events.rows === null ? null
      : h(Pager, {pages, shown: events.rows.length, total: events.total}));
}

// SPDX-License-Identifier: GPL-2.0-or-later
// The pending requests, in the order in which they will be looked at.

import {Filters} from './filters.js';
import {h, Link} from './globals.js';
import {BuilderLink, href, RequestLink} from './links.js';
import {Notice, Trouble} from './notice.js';
import {count, Pager, usePages} from './pager.js';
import {useResource} from './resource.js';
import {Table} from './table.js';
import {Age} from './time.js';
import {Counts, State} from './verdicts.js';

const LIMIT = 50;

export function Requests() {
  const pages = usePages(LIMIT);
  const asked = pages.params.get('builder') ?? '';
  const builder = /^\d+$/.test(asked) ? asked : '';
  const path = builder === '' ? 'balancer/requests' : `balancer/builders/${builder}/requests`;
  const requests = useResource(path, {offset: pages.offset, limit: LIMIT}, {
    topics: ['balancer_requests/*/*'],
  });
  const {rows, total} = requests;
  return h('section', null,
    h('h1', null, 'Pending requests', total === null ? '' : h('small', null, count(total))),
    builder === '' ? null : h(OneBuilder, {id: builder}),
    h(Trouble, {resource: requests}),
    h(List, {requests}),
    rows === null ? null : h(Pager, {pages, shown: rows.length, total}));
}

function OneBuilder({id}) {
  const {rows} = useResource(`balancer/builders/${id}`, {}, {topics: [`balancer_builders/${id}/*`]});
  const name = rows?.[0]?.name ?? `builder ${id}`;
  return h(Filters, null,
    h('span', null, 'Of ', h(BuilderLink, {id, name}), ' alone'),
    h(Link, {to: href('requests')}, 'Show all'));
}

function List({requests}) {
  const {busy, rows} = requests;
  if (rows === null) {
    return null;
  }
  if (rows.length === 0) {
    return h(Notice, null, 'Nothing waits: every request has been started.');
  }
  const columns = [
    {name: 'Place', number: true, cell: (row) => row.position ?? '–'},
    {name: 'Request', number: true, cell: (row) => h(RequestLink, {id: row.buildrequestid})},
    {name: 'Builder', cell: (row) => h(BuilderLink, {id: row.builderid, name: row.buildername})},
    {name: 'State', cell: (row) => h(State, {state: row.state})},
    {name: 'Why', wide: true, cell: (row) => h(Why, {row})},
    {name: 'Waits for', number: true, cell: (row) => h(Age, {at: row.submitted_at})},
    {name: 'Priority', number: true, cell: (row) => row.priority},
  ];
  return h(Table, {
    busy, caption: 'Pending requests', columns, rows, rowKey: (row) => row.buildrequestid,
  });
}

function Why({row}) {
  return h('span', null, row.reason, h(Counts, {verdicts: row.verdicts}));
}

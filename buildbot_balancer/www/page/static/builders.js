// SPDX-License-Identifier: GPL-2.0-or-later
// The builders: which are paused, by whom and why, and how many requests wait for each.

import {Actions, REASON, UNTIL} from './dialog.js';
import {ChoiceFilter, Filters, TextFilter} from './filters.js';
import {h, Link} from './globals.js';
import {BuilderLink, href} from './links.js';
import {Words} from './mood.js';
import {Notice, Trouble} from './notice.js';
import {count, Pager, usePages} from './pager.js';
import {useResource} from './resource.js';
import {Table} from './table.js';
import {Age} from './time.js';

const LIMIT = 50;

export function Builders() {
  const pages = usePages(LIMIT);
  const name = pages.params.get('name') ?? '';
  const paused = pages.params.get('paused') ?? '';
  const builders = useResource('balancer/builders', {
    offset: pages.offset, limit: LIMIT, order: 'name', name__contains: name, paused,
  }, {topics: ['balancer_builders/*/*']});
  const {rows, total} = builders;
  return h('section', null,
    h('h1', null, 'Builders', total === null ? '' : h('small', null, count(total))),
    h(Filters, null,
      h(TextFilter, {label: 'Name', name: 'name', pages}),
      h(ChoiceFilter, {
        label: 'State', name: 'paused', pages,
        choices: [['', 'any'], ['true', 'paused'], ['false', 'not paused']],
      })),
    h(Trouble, {resource: builders}),
    h(List, {builders, narrowed: name !== '' || paused !== ''}),
    rows === null ? null : h(Pager, {pages, shown: rows.length, total}));
}

function List({builders, narrowed}) {
  const {busy, refresh, rows} = builders;
  if (rows === null) {
    return null;
  }
  if (rows.length === 0) {
    return h(Notice, null, narrowed
      ? 'No builder is like that.' : 'No builder is configured on this master.');
  }
  const columns = [
    {name: 'Builder', cell: (row) => h(BuilderLink, {id: row.builderid, name: row.name})},
    {name: 'Waiting', number: true, cell: (row) => h(Waiting, {row})},
    {name: 'State', wide: true, cell: (row) => h(Paused, {row})},
    {name: 'Actions', cell: (row) => h(BuilderActions, {refresh, row})},
  ];
  return h(Table, {
    busy, caption: 'Builders', columns, rows, rowKey: (row) => row.builderid,
  });
}

// Null where nobody has counted.
function Waiting({row}) {
  const {builderid, name, waiting} = row;
  return waiting === 0 ? '0' : h(Link, {
    to: href('requests', {builder: builderid}),
    'aria-label': `${waiting ?? 'Unknown'} requests of ${name} wait`,
  }, waiting === null ? '?' : count(waiting));
}

function Paused({row}) {
  if (!row.paused) {
    return h('span', {className: 'balancer-faint'}, 'starts builds');
  }
  return h('span', null,
    h('span', {className: 'balancer-state', 'data-state': 'paused'}, 'paused'), ' ',
    h(Words, row),
    row.by === null ? '' : `, by ${row.by}`,
    row.paused_at === null ? '' : h('span', {className: 'balancer-faint'},
      ', ', h(Age, {at: row.paused_at}), ' ago'));
}

function BuilderActions({refresh, row}) {
  const path = `balancer/builders/${row.builderid}`;
  const pause = {
    method: 'pause',
    path,
    verb: 'Pause',
    title: `Pause ${row.name}`,
    text: 'It starts nothing new; what runs may finish. Its requests say so.',
    fields: [REASON, UNTIL],
    done: `${row.name} is paused.`,
  };
  const resume = {
    method: 'resume',
    path,
    verb: 'Resume',
    title: `Resume ${row.name}`,
    done: `${row.name} starts builds again.`,
  };
  return h(Actions, {actions: [row.paused ? resume : pause], onDone: refresh});
}
